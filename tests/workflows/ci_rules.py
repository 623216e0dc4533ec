"""Rules about ci.yml: what it decides on itself, since a run that never starts leaves its checks pending for ever."""

from tests.workflows.files import Files, Findings, needs, rule
from tools.needed import ALWAYS, JOBS


@rule
def ci_always_starts(files: Files) -> Findings:
    """No path or branch keeps ci.yml from a pull request or a merge queue."""
    triggers = files.workflows["ci"][True]
    if triggers != {"pull_request": None, "merge_group": None, "push": {"branches": ["main"]}}:
        yield f"{triggers}"


@rule
def each_check_is_decided_on(files: Files) -> Findings:
    """A job of ci.yml runs always, or where the first job says so: none runs by a condition of its own."""
    jobs = {name: job for name, job in files.workflows["ci"]["jobs"].items() if name not in ("changes", "all")}
    if tuple(jobs) != JOBS:
        yield f"{list(jobs)} are there, {list(JOBS)} are decided on"
    for name, job in jobs.items():
        condition = f"contains(fromJSON(needs.changes.outputs.jobs), '{name}')"
        if name == "compare-models":  # there is another model to compare with
            condition = f"github.event_name == 'pull_request' && {condition}"
        wanted = ([], None) if name in ALWAYS else (["changes"], condition)
        if (needs(job), job.get("if")) != wanted:
            yield f"{name}: {needs(job)}, {job.get('if')}"


@rule
def the_change_is_looked_at_whole(files: Files) -> Findings:
    """The first job compares with what the change started from, of a pull request, a merge queue, or a push."""
    job = files.jobs["ci.changes"]
    checkout, needed = job["steps"]
    base = "github.event.pull_request.base.sha || github.event.merge_group.base_sha || github.event.before"
    compares = files.jobs["ci.compare-models"]["steps"][0]  # with the base's own commit
    if "if" in job or any(step["with"].get("fetch-depth") != 0 for step in (checkout, compares)):
        yield "not all of it is there, or it is left out"
    told = {name: f"${{{{ steps.needed.outputs.{name} }}}}" for name in ("jobs", "data")}
    if job.get("outputs") != told or needed != {
        "id": "needed",
        "run": 'exec python3 -m tools.needed "$BASE"',
        "env": {"BASE": f"${{{{ {base} }}}}"},
    }:
        yield f"{job}"


@rule
def both_models_learn_from_the_same(files: Files) -> Findings:
    """Where there is a sample, both trainings take it, and the comparison says so, and on what the rollouts train."""
    job = files.jobs["ci.compare-models"]
    wanted = [
        'exec python outputs/base/model/train.py ${DATA:+--data "$DATA"} --out outputs/base-model',
        'exec python model/train.py ${DATA:+--data "$DATA"} --out outputs/model',
        'exec python -m scripts.compare_models ${DATA:+--sample "$DATA"} '
        "--jobs outputs/base/model/job.yml model/job.yml outputs/base-model outputs/model",
    ]
    data = {"DATA": "${{ needs.changes.outputs.data }}"}
    found = [(step["run"], step.get("env")) for step in job["steps"] if "exec python" in step.get("run", "")]
    if found != [(command, data) for command in wanted]:
        yield f"{found}"


@rule
def one_check_stands_for_all(files: Files) -> Findings:
    """The last job is red where any other failed, was cancelled, or couldn't be decided on."""
    jobs = files.workflows["ci"]["jobs"]
    last = jobs["all"]
    if (needs(last), last.get("if")) != ([name for name in jobs if name != "all"], "always()"):
        yield f"{needs(last)}, if {last.get('if')}"
    red = "contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')"
    if last["steps"] != [{"if": red, "run": "exit 1"}]:
        yield f"{last['steps']}"
