"""Rules about whose rollout it is: one id from its first job on, and what a job that failed says of the split."""

import re

from tests.workflows.files import PROMOTE, Files, Findings, expression, given, rule

ROLLOUT = expression("needs.register.outputs.rollout")
MARKS = expression("(needs.deploy.outputs.green || needs.deploy.outputs.first) && needs.register.outputs.rollout || ''")
TAKES_AN_ID = ("deploy", "smoke_test", "promote", "review", "rollback")


@rule
def a_rollout_has_one_id(files: Files) -> Findings:
    """The job that registers makes it; each script that acts for the rollout is given that, in jobs run again, too.

    The smoke test has it where the rollout brought what is tested: a mark on what serves would be another's.
    """
    if files.jobs["stages.register"]["outputs"].get("rollout") != expression("steps.register.outputs.rollout"):
        yield "stages.register"
    for where, step in files.steps.items():
        scripts = re.findall(r"scripts\.(\w+)", step.get("run", ""))
        own = MARKS if scripts == ["smoke_test"] else ROLLOUT
        has_it = '--rollout "$ROLLOUT"' in step.get("run", "") and step["env"].get("ROLLOUT") == own
        if where.startswith("stages.") and {*scripts} & {*TAKES_AN_ID} and not has_it:
            yield f"{where}: {step['run']}"
    yield from (f"{path.name}: an attempt" for path, text in files.texts.items() if "run_attempt" in text)


@rule
def a_lever_has_an_id_of_its_own(files: Files) -> Findings:
    """promote.yml and rollback.yml act for their own runs, which the scripts know by themselves.

    What promote.yml finds bad it marks; it asks whoever is green before it asks a reviewer.
    """
    asks = [step["run"] for step in files.jobs["promote.review"]["steps"] if "smoke_test" in step.get("run", "")]
    if asks != ["exec python -m scripts.smoke_test --mark"]:
        yield f"promote.review: {asks}"
    for where, step in files.steps.items():
        if where.startswith(("promote.", "rollback.")) and "--rollout" in step.get("run", ""):
            yield f"{where}: {step['run']}"
    for where, job in files.jobs.items():
        if where.startswith("promote.") and "rollout" in given(job, PROMOTE):
            yield where


@rule
def who_failed_says_whether_it_held(files: Files) -> Findings:
    """`held`: the job failed by itself, not over a bad green, and before a write began or once only telling was left.

    Else it is empty.

    GitHub sets no output of a job that was rejected, expired or killed.
    """
    said = {
        "smoke-test": "steps.smoke-test.outputs.bad",
        **dict.fromkeys(files.percents, "steps.promote.outputs.wrote"),
    }
    wanted = {name: expression(f"job.status == 'failure' && {output} != 'true'") for name, output in said.items()}
    found = {name: files.jobs[f"stages.{name}"].get("outputs", {}).get("held") for name in files.row}
    if {name: held for name, held in found.items() if held} != wanted:
        yield f"{found}"
    ids = {name: [step.get("id") for step in files.jobs[f"stages.{name}"]["steps"]] for name in said}
    yield from (name for name, found in ids.items() if ("promote" if "promote" in name else name) not in found)
    action = next(text for path, text in files.texts.items() if path.parent.name == "promote")
    if "value: ${{ steps.promote.outputs.wrote }}" not in action or "      id: promote\n" not in action:
        yield "actions/promote"


@rule
def the_first_deployment_is_tested_first(files: Files) -> Findings:
    """An endpoint's first deployment gets its traffic after its smoke test, without an approval; no other does."""
    steps = files.jobs["stages.smoke-test"]["steps"]
    names = [next(iter(re.findall(r"scripts\.(\w+)", step.get("run", ""))), "") for step in steps]
    step = steps[names.index("promote")]
    if names.index("promote") < names.index("smoke_test") or step.get("if") != "needs.deploy.outputs.first != ''":
        yield f"{names}: if {step.get('if')}"
    if step["run"] != 'exec python -m scripts.promote --first "$FIRST" --rollout "$ROLLOUT"':
        yield step["run"]
    asked = steps[names.index("smoke_test")]["env"].get("DEPLOYMENT"), step["env"].get("FIRST")
    if asked != (expression("needs.deploy.outputs.deployment"), expression("needs.deploy.outputs.first")):
        yield f"{asked}"
    deploy = files.jobs["stages.deploy"]["outputs"]
    if deploy != {
        name: expression(f"steps.deploy.outputs.{name}") for name in ("deployment", "green", "first", "endpoint")
    }:
        yield f"{deploy}"


@rule
def what_is_registered_is_told(files: Files) -> Findings:
    """One step registers what was trained, here or by a job, or takes the version that was given."""
    step = files.jobs["stages.register"]["steps"][-1]
    given_one = '${FOLDER:+"$FOLDER"} ${VERSION:+--version "$VERSION"} ${JOB:+--job "$JOB"}'
    if (step.get("id"), step["run"], step.get("env")) != (
        "register",
        f"exec python -m scripts.register_model {given_one}",
        {
            "FOLDER": expression("inputs.version == '' && inputs.job == '' && 'outputs/model' || ''"),
            "JOB": expression("inputs.job"),
            "VERSION": expression("inputs.version"),
        },
    ):
        yield f"{step}"
    if files.jobs["stages.register"]["outputs"].get("version") != expression("steps.register.outputs.version"):
        yield "version"


@rule
def a_change_of_the_contract_is_said(files: Files) -> Findings:
    """What somebody may start rollout.yml or promote.yml with reaches the check between smoke test and review."""
    for name in ("rollout", "production-after-staging"):
        handed = files.jobs[f"rollout.{name}"]["with"]
        if handed.get("contract-change") != expression("inputs.contract-change"):
            yield f"{name}: {handed}"
    env = {"GITHUB_TOKEN": expression("github.token"), "ALLOW": expression("inputs.contract-change")}
    wanted = {
        "stages.smoke-test": (
            "needs.deploy.outputs.green != ''",
            'exec python -m scripts.check_contract "$GREEN" ${ALLOW:+--allow "$ALLOW"}',
            {**env, "GREEN": expression("needs.deploy.outputs.green")},
        ),
        "promote.review": (None, 'exec python -m scripts.check_contract ${ALLOW:+--allow "$ALLOW"}', env),
    }
    for where, step in wanted.items():
        found = [it for it in files.jobs[where]["steps"] if "check_contract" in it.get("run", "")]
        if [(it.get("if"), it["run"], it.get("env")) for it in found] != [step]:
            yield f"{where}: {found}"
    for workflow in ("rollout", "promote"):
        if "contract-change" not in files.workflows[workflow][True]["workflow_dispatch"]["inputs"]:
            yield workflow
