"""What must hold of the workflow files, which act doesn't enforce and GitHub would, or nobody would.

A rule takes the files and yields one line for each place that breaks it. test_static.py holds our files to the rules,
test_mutations.py holds the rules to deliberate breakages.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from scripts import doctor
from scripts.lib.github.environment import ENVIRONMENTS
from scripts.lib.github.repository_variables import PLACE, VARIABLES

Job = dict[str, Any]
Findings = Iterator[str]
SETUP, CALL = "./.github/actions/setup", "./.github/workflows/"
PROMOTE, DELETE = "./.github/actions/promote", "./.github/actions/delete-blue"
LOGIN, CANCEL, ATTEST = "azure/login@", "scripts.cancel_rollout", "actions/attest-build-provenance@"
ASKS_GITHUB = ("scripts.check_reviewers", "scripts.doctor")
INSIST = 'python -m scripts.check_reviewers "$REVIEWERS" --expect "$PROPOSAL" --person "$PERSON"'
PERSON = "${{ github.triggering_actor || github.actor }}"


@cache
def parsed(text: str) -> dict[str, Any]:
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (one is the other, in C)


class Files:
    """The workflows and composite actions of a repository, as text and as YAML."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = [*(root / ".github/workflows").glob("*.yml"), *(root / ".github/actions").glob("*/action.yml")]
        self.texts = {path: path.read_text() for path in sorted(paths)}

    @cached_property
    def workflows(self) -> dict[str, dict[str, Any]]:
        return {path.stem: parsed(text) for path, text in self.texts.items() if path.parent.name == "workflows"}

    @cached_property
    def jobs(self) -> dict[str, Job]:
        """Every job, by `workflow.job`."""
        return {f"{file}.{name}": job for file, flow in self.workflows.items() for name, job in flow["jobs"].items()}

    @cached_property
    def steps(self) -> dict[str, dict[str, Any]]:
        """Every step of a job or an action, by where it is."""
        holders = {where: job.get("steps", []) for where, job in self.jobs.items()}
        actions = {p: parsed(text)["runs"]["steps"] for p, text in self.texts.items() if p.name == "action.yml"}
        holders |= {f"actions.{path.parent.name}": steps for path, steps in actions.items()}
        return {f"{where}[{number}]": step for where, steps in holders.items() for number, step in enumerate(steps)}

    @property
    def row(self) -> list[str]:
        """The jobs of stages.yml in their order, without the one that goes back."""
        return [name for name in self.workflows["stages"]["jobs"] if name != "rollback"]

    @property
    def percents(self) -> dict[str, Any]:
        """What each job of stages.yml that promotes gives green."""
        found = {name: given(self.jobs[f"stages.{name}"], PROMOTE) for name in self.row}
        return {name: inputs["percent"] for name, inputs in found.items() if inputs}


Rule = Callable[[Files], Findings]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


def needs(job: Job) -> list[str]:
    found = job.get("needs", [])
    return [found] if isinstance(found, str) else found


def does(job: Job, *parts: str) -> bool:
    """Whether a step of the job uses or runs something with one of these parts."""
    texts = [step.get("uses", "") + step.get("run", "") for step in job.get("steps", [])]
    return any(part in text for text in texts for part in parts)


def given(job: Job, action: str) -> dict[str, Any]:
    """The inputs that a job's step hands to an action; none where no step uses it."""
    return next((step.get("with", {}) for step in job.get("steps", []) if step.get("uses") == action), {})


def logs_in(job: Job) -> bool:
    return "target" in given(job, SETUP)


def expression(text: str) -> str:
    return f"${{{{ {text} }}}}"


def decides(job: Job) -> bool:
    """Whether a person must agree before the job runs."""
    return does(job, PROMOTE, DELETE, "scripts.delete_")


@rule
def nothing_is_granted_by_default(files: Files) -> Findings:
    """A workflow gives its jobs no permission; each job asks for its own."""
    yield from (name for name, flow in files.workflows.items() if flow.get("permissions") != {})


@rule
def each_grant_is_needed(files: Files) -> Findings:
    """A job has exactly the permissions that its steps use, and a called workflow those of its jobs."""
    for where, job in files.jobs.items():
        if job.get("permissions") != (wanted := grants(files, where)):
            yield f"{where}: {job.get('permissions')} instead of {wanted}"


def grants(files: Files, where: str) -> dict[str, str]:
    job = files.jobs[where]
    if called := job.get("uses", "").removeprefix(CALL).removesuffix(".yml"):
        return {k: v for inner in files.jobs if inner.split(".")[0] == called for k, v in grants(files, inner).items()}
    wanted = {
        "contents": "read" if does(job, "actions/checkout@") else "",
        "id-token": "write" if logs_in(job) or does(job, ATTEST) else "",
        "actions": "write" if does(job, CANCEL) else "read" if does(job, PROMOTE, DELETE, *ASKS_GITHUB) else "",
        "attestations": "write" if does(job, ATTEST) else "",
    }
    return {name: grant for name, grant in wanted.items() if grant}


@rule
def each_grant_has_its_reason(files: Files) -> Findings:
    """A comment beside a job's permissions says what each is for."""
    for path, text in files.texts.items():
        for line in re.findall(r"^    permissions:.*$", text, re.MULTILINE):
            grants, _, reasons = line.partition(" # ")
            if grants.count(":") - 1 != len(list(filter(None, reasons.split("; ")))):
                yield f"{path.name}: {line.strip()}"


@rule
def environments_tell_who_decides(files: Files) -> Findings:
    """What gives green traffic or deletes waits for reviewers; going back has its own environment; the rest deploys.

    A job that doesn't log in has none. Without the right one Azure doesn't accept the job's token.
    """
    for where, job in files.jobs.items():
        file = where.split(".")[0]
        reviewed = "${{ inputs.target }}" if file == "stages" else "production"
        rest = "deploy" if logs_in(job) else None
        wanted = reviewed if decides(job) else "rollback" if does(job, "scripts.rollback") else rest
        if job.get("environment") != wanted:
            yield f"{where}: environment {job.get('environment')} instead of {wanted}"


@rule
def environments_are_known(files: Files) -> Findings:
    """The scripts know each environment, and which of them must have reviewers: where jobs promote or delete."""
    targets = ["production", "staging"]
    named = {
        name: ENVIRONMENTS.get(name, False) or (decides(job) and name != "staging")
        for job in files.jobs.values()
        if (environment := job.get("environment"))
        for name in (targets if environment == "${{ inputs.target }}" else [environment])
    }
    if named != ENVIRONMENTS:
        yield f"{named}"
    called = {
        where: job["with"].get("target") for where, job in files.jobs.items() if "/stages.yml" in str(job.get("uses"))
    }
    if called != {
        "rollout.rollout": expression("needs.doctor.outputs.staging == 'true' && 'staging' || 'production'"),
        "rollout.production-after-staging": "production",
    }:
        yield f"{called}"
    staging = files.jobs["rollout.doctor"]["outputs"]["staging"]
    if staging != expression("vars.STAGING_AZURE_ML_WORKSPACE != '' && inputs.version == ''"):
        yield f"staging: {staging}"


@rule
def scripts_are_told_where_they_work(files: Files) -> Findings:
    """Jobs that log in have the endpoint's variables; of staging its own first, and never production's workspace."""
    production = {name: expression(f"vars.{name}") for name in PLACE}
    for where in ("promote", "rollback", "teardown"):
        if files.workflows[where].get("env") != production:
            yield f"{where}: {files.workflows[where].get('env')}"
    if files.jobs["rollout.doctor"].get("env") != production:
        yield f"rollout.doctor: {files.jobs['rollout.doctor'].get('env')}"
    names = {**{name: name for name in PLACE}, "CLIENT_ID": "AZURE_CLIENT_ID", "TENANT_ID": "AZURE_TENANT_ID"}
    wanted = {
        own: expression(f"inputs.target == 'staging' && vars.STAGING_{name} || vars.{name}")
        for own, name in names.items()
    }
    wanted["AZURE_ML_WORKSPACE"] = expression(
        "inputs.target == 'staging' && vars.STAGING_AZURE_ML_WORKSPACE "
        "|| inputs.target == 'production' && vars.AZURE_ML_WORKSPACE || ''"
    )
    wanted["REVIEWERS"] = expression("inputs.target == 'staging' && 'none' || inputs.target")
    wanted["PRODUCTION_ENDPOINT"] = expression(
        f"format('{{0}}/{{1}}/{{2}}/{{3}}', {', '.join(f'vars.{name}' for name in PLACE)})"
    )
    if files.workflows["stages"].get("env") != wanted:
        yield f"stages: {files.workflows['stages'].get('env')}"
    env = files.jobs["rollout.doctor"]["steps"][-1]["env"]
    asked = {**names, "CLIENT_ID": "AZURE_CLIENT_ID"}.values()
    every = [prefix + name for prefix in ("", "STAGING_") for name in VARIABLES if name in asked]
    told = {name: expression(f"toJSON(vars.{name})") for name in every}
    if re.sub(r"\s+", "", env["VARIABLES"]) != re.sub(
        r"\s+", "", "{" + ",".join(f'"{name}": {value}' for name, value in told.items()) + "}"
    ):
        yield f"rollout.doctor: {env['VARIABLES']}"
    yield from (f"{path.name}: all variables" for path, text in files.texts.items() if "toJSON(vars)" in text)


@rule
def each_login_says_whose(files: Files) -> Findings:
    """A job that logs in hands over the target and its identity."""
    for where, job in files.jobs.items():
        stages = where.startswith("stages.")
        ids = ("env.CLIENT_ID", "env.TENANT_ID") if stages else ("vars.AZURE_CLIENT_ID", "vars.AZURE_TENANT_ID")
        wanted = {
            "target": "${{ inputs.target }}" if stages else "production",
            "client-id": expression(ids[0]),
            "tenant-id": expression(ids[1]),
            **({"always": True} if where == "stages.rollback" else {}),
        }
        if "environment" in job and given(job, SETUP) != wanted:
            yield f"{where}: {given(job, SETUP)}"


@rule
def actions_say_what_they_need(files: Files) -> Findings:
    """Each input of an action is described and used; what guards something is required and has no default."""
    for path, text in files.texts.items():
        inputs = parsed(text).get("inputs", {}) if path.name == "action.yml" else {}
        if path.name == "action.yml" and set(inputs) != set(re.findall(r"inputs\.([\w-]+)", text)):
            yield f"{path.parent.name}: {set(inputs)}"
        for name, found in inputs.items():
            if not found.get("description") or ("default" in found) == bool(found.get("required")):
                yield f"{path.parent.name}: {name}"
            if name in ("reviewers", "proposal", "percent") and not found.get("required"):
                yield f"{path.parent.name}: {name} may be left out"


@rule
def reviewers_are_insisted_on_where_they_count(files: Files) -> Findings:
    """A promotion asks GitHub for its reviewers, then gives green its share, then tells the next reviewer."""
    steps = {
        name: [s for where, s in files.steps.items() if f"actions.{name}[" in where]
        for name in ("promote", "delete-blue")
    }
    check = (
        INSIST,
        {
            "GITHUB_TOKEN": "github.token",
            "REVIEWERS": "inputs.reviewers",
            "PROPOSAL": "inputs.proposal",
            "PERSON": "inputs.person",
        },
    )
    share = (
        'python -m scripts.promote --percent "$PERCENT" --expect "$PROPOSAL"',
        {"PERCENT": "inputs.percent", "PROPOSAL": "inputs.proposal"},
    )
    tell = (
        'python -m scripts.review --next "$NEXT" ${NEXT_PERCENT:+--percent "$NEXT_PERCENT"}',
        {"NEXT": "inputs.next", "NEXT_PERCENT": "inputs.next-percent"},
    )
    delete = (
        'python -m scripts.delete_blue "$BLUE" --expect "$PROPOSAL"',
        {"BLUE": "fromJSON(inputs.proposal).blue.deployment", "PROPOSAL": "inputs.proposal"},
    )
    for name, wanted in (("promote", [check, share, tell]), ("delete-blue", [check, delete])):
        if [(step.get("run"), step.get("env")) for step in steps[name]] != [
            (run, {key: expression(value) for key, value in env.items()}) for run, env in wanted
        ]:
            yield f"actions/{name}: {steps[name]}"
    last = files.jobs["promote.review"]["steps"][-1]
    if (last.get("run"), last.get("env")) != (
        INSIST.replace('"$REVIEWERS"', "production"),
        {
            "GITHUB_TOKEN": expression("github.token"),
            "PROPOSAL": expression("steps.review.outputs.proposal"),
            "PERSON": PERSON,
        },
    ):
        yield f"promote.review: {last}"


@rule
def each_approval_is_for_what_was_reviewed(files: Files) -> Findings:
    """A job that promotes or deletes gets the proposal of the job before, its reviewers, and what comes next."""
    delete = "inputs.delete-blue && 'delete-blue' || ''"
    by_hand = {"reviewers": "production", "person": PERSON}
    wanted = {
        "promote.promote": {
            **by_hand,
            "proposal": expression("needs.review.outputs.proposal"),
            "percent": "${{ inputs.percent }}",
            "next": expression(delete),
        },
        "promote.delete-blue": {**by_hand, "proposal": expression("needs.promote.outputs.proposal")},
    }
    for before, name, after in zip(files.row[2:], files.row[3:], [*files.row[4:], ""], strict=False):
        wanted[f"stages.{name}"] = {
            "reviewers": "${{ env.REVIEWERS }}",
            "proposal": expression(f"needs.{before}.outputs.proposal"),
            **({"percent": files.percents.get(name)} if after else {}),
            **({"next": expression(f"inputs.stop-after != '{name}' && '{after}' || ''")} if after else {}),
            **({"next-percent": files.percents[after]} if after in files.percents else {}),
        }
    found = {where: given(job, PROMOTE) or given(job, DELETE) for where, job in files.jobs.items()}
    if {where: inputs for where, inputs in found.items() if inputs} != wanted:
        yield f"{found}"


@rule
def the_first_reviewer_is_told(files: Files) -> Findings:
    """The smoke test and promote.yml tell what is to be approved; to rest, and how long to bake, is decided there."""
    first = files.row[3]
    steps = {
        where: next((step for step in files.jobs[where]["steps"] if step.get("id") == "review"), {})
        for where in ("stages.smoke-test", "promote.review")
    }
    rests = f"needs.deploy.outputs.green != '' && inputs.stop-after != 'smoke-test' && '{first}' || ''"
    wanted = {
        "stages.smoke-test": (
            f'python -m scripts.review --next "$NEXT" --percent {files.percents[first]}',
            {"NEXT": expression(rests)},
        ),
        "promote.review": (
            'python -m scripts.review --next promote --percent "$PERCENT" ${BAKE:+"$BAKE"}',
            {
                "PERCENT": "${{ inputs.percent }}",
                "BAKE": expression("inputs.delete-blue && format('--bake={0}', inputs.bake) || ''"),
            },
        ),
    }
    if {where: (step.get("run"), step.get("env")) for where, step in steps.items()} != wanted:
        yield f"{steps}"
    bake = files.jobs["promote.bake"]["steps"][0]
    if (bake["run"], bake["env"]) != (
        'sleep "$SECONDS_TO_BAKE"',
        {"SECONDS_TO_BAKE": expression("needs.review.outputs.bake")},
    ):
        yield f"{bake}"


@rule
def stages_are_a_row(files: Files) -> Findings:
    """In stages.yml each job needs the one before it: register, deploy, smoke test, promotions up to 100, deletion."""
    row, percents = files.row, list(files.percents.values())
    if [needs(files.jobs[f"stages.{name}"]) for name in row] != [[], *([name] for name in row[:-1])]:
        yield f"stages: {row}"
    if row != ["register", "deploy", "smoke-test", *files.percents, "delete-blue"]:
        yield f"stages: {row}"
    if percents != sorted(set(percents)) or percents[-1:] != [100] or not all(percent > 0 for percent in percents):
        yield f"stages: {percents}"
    if ("", "train", *row[1:-1]) != doctor.STAGES or row[2] != doctor.UNAPPROVED:
        yield f"the doctor's stages: {doctor.STAGES}"


@rule
def a_promotion_says_how_much(files: Files) -> Findings:
    """A promotion's id, its name and what it hands over agree on the percentage."""
    for name, job in files.workflows["stages"]["jobs"].items():
        percent = given(job, PROMOTE).get("percent")
        if percent and (name, job["name"]) != (f"promote-{percent}", f"Promote to {percent} %"):
            yield f"{name}: {percent}"


@rule
def a_stage_follows_the_one_before(files: Files) -> Findings:
    """A job of stages.yml runs when the one it needs ended well and, to promote, asked a reviewer; never by default."""
    for name, job in files.workflows["stages"]["jobs"].items():
        before = needs(job)[0] if needs(job) else ""
        ended, told = f"needs.{before}.result == 'success'", f"needs.{before}.outputs.proposal"
        asked = f"{told} != ''" if before not in ("register", "deploy") else ""
        condition = " && ".join(filter(None, ["!cancelled()", *([ended, asked] if before else [])]))
        if name == "smoke-test":
            condition += " && inputs.stop-after != 'deploy'"
        if name != "rollback" and job.get("if") != f"${{{{ {condition} }}}}":
            yield f"{name}: if {job.get('if')}"


@rule
def rollback_watches_what_can_leave_a_split(files: Files) -> Findings:
    """The rollback follows each job up to 100 %, not the deletion, when it fails, is cancelled or runs out of time."""
    job = files.workflows["stages"]["jobs"]["rollback"]
    watched = [name for name in files.workflows["stages"]["jobs"] if name not in ("delete-blue", "rollback")]
    if needs(job) != watched:
        yield f"needs {needs(job)}"
    if job.get("if") != (
        "always() && needs.register.result == 'success' "
        "&& (contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled'))"
    ):
        yield f"if {job.get('if')}"
    if [step.get("if") for step in job["steps"]] != ["always()"] * 3:
        yield "steps that a cancelled run leaves out"


@rule
def rollback_by_hand_puts_traffic_first(files: Files) -> Findings:
    """rollback.yml gives the traffic back, then cancels the rollout, then looks again, come what may."""
    steps = [step for step in files.workflows["rollback"]["jobs"]["rollback"]["steps"] if "run" in step]
    if [step["run"].split(".")[-1] for step in steps] != ["rollback", "cancel_rollout", "rollback"]:
        yield f"{[step['run'] for step in steps]}"
    if [step.get("if") for step in steps] != [None, None, "always()"]:
        yield "the second look may be left out"


@rule
def the_rollout_asks_the_doctor_first(files: Files) -> Findings:
    """Every job of rollout.yml comes after the doctor, and those that touch Azure after the training."""
    jobs = files.workflows["rollout"]["jobs"]
    wanted = {
        "doctor": [],
        "train": ["doctor"],
        "attest": ["train"],
        "rollout": ["doctor", "train"],
        "production-after-staging": ["doctor", "train", "rollout"],
    }
    if {name: needs(job) for name, job in jobs.items()} != wanted:
        yield f"{ {name: needs(job) for name, job in jobs.items()} }"
    if jobs["rollout"].get("if") != "needs.doctor.outputs.stop-after != 'train'":
        yield f"rollout: {jobs['rollout'].get('if')}"
    if jobs["production-after-staging"].get("if") != (
        "!cancelled() && needs.doctor.outputs.staging == 'true' && needs.rollout.result == 'success'"
    ):
        yield f"production: {jobs['production-after-staging'].get('if')}"


@rule
def stages_get_what_was_trained(files: Files) -> Findings:
    """A called stage gets the digest that the training made; the stop is production's alone."""
    for name in ("rollout", "production-after-staging"):
        handed = files.workflows["rollout"]["jobs"][name]["with"]
        if handed.get("digest") != "${{ needs.train.outputs.digest }}" or "stop-after" not in handed:
            yield f"{name}: {handed}"
    deploy = files.jobs["stages.deploy"]["steps"][-1]
    if "--digest" not in deploy["run"] or deploy["env"].get("DIGEST") != "${{ inputs.digest }}":
        yield "stages.deploy"


@rule
def training_has_no_rights(files: Files) -> Findings:
    """The job that runs the training code neither logs in nor may."""
    for where, job in files.jobs.items():
        if does(job, "train.py") and (job.get("permissions") != {"contents": "read"} or "environment" in job):
            yield where


@rule
def levers_are_a_row(files: Files) -> Findings:
    """In promote.yml each job follows the one before."""
    wanted = {"review": [], "promote": ["review"], "bake": ["review", "promote"], "delete-blue": ["promote", "bake"]}
    if (found := {name: needs(job) for name, job in files.workflows["promote"]["jobs"].items()}) != wanted:
        yield f"{found}"
    conditions = {name: job.get("if") for name, job in files.workflows["promote"]["jobs"].items() if "if" in job}
    if conditions != {"bake": "inputs.delete-blue"}:
        yield f"{conditions}"


@rule
def rollouts_never_overlap(files: Files) -> Findings:
    """One rollout an endpoint at a time, none cancelled half-way; no lever waits behind another."""
    groups = {name: flow.get("concurrency", {}) for name, flow in files.workflows.items() if name != "stages"}
    if groups["ci"].get("group") != "ci-${{ github.ref }}":
        yield f"ci: {groups['ci']}"
    names = {"rollout": "endpoint", "promote": "promote", "rollback": "rollback", "teardown": "teardown"}
    for name, group in names.items():
        wanted = {"group": f"{group}-${{{{ vars.ENDPOINT_NAME }}}}", "cancel-in-progress": False}
        if groups[name] != wanted:
            yield f"{name}: {groups[name]}"
    yield from (where for where, job in files.jobs.items() if "concurrency" in job)


@rule
def who_starts_what(files: Files) -> Findings:
    """A merge starts a rollout, a pull request the checks alone, and everything else is a person's."""
    starts = {name: sorted(flow[True]) for name, flow in files.workflows.items()}  # YAML reads `on` as true
    if starts != {
        "ci": ["pull_request", "push"],
        "promote": ["workflow_dispatch"],
        "rollback": ["workflow_dispatch"],
        "rollout": ["push", "workflow_dispatch"],
        "stages": ["workflow_call"],
        "teardown": ["workflow_dispatch"],
    }:
        yield f"{starts}"
    for name in ("ci", "rollout"):
        if files.workflows[name][True]["push"].get("branches") != ["main"]:
            yield f"{name}: pushes elsewhere than to main"


@rule
def checks_need_nothing(files: Files) -> Findings:
    """ci.yml runs on forks: no environment, no variable, no login."""
    text = next(text for path, text in files.texts.items() if path.stem == "ci")
    yield from re.findall(r"vars\.|toJSON|environment:|id-token|VARIABLES|target:", text)


@rule
def no_stored_secret(files: Files) -> Findings:
    """Nothing reads a secret but the job's own token; `env:` of a step that asks GitHub has that, and no other's."""
    for path, text in files.texts.items():
        yield from (f"{path.name}: {found}" for found in re.findall(r"secrets[.\[ :].*", text))
    for where, step in files.steps.items():
        tokens = [name for name, value in step.get("env", {}).items() if "github.token" in str(value)]
        if tokens not in ([], ["GITHUB_TOKEN"]):
            yield f"{where}: {tokens}"
        if bool(tokens) != any(part in step.get("run", "") for part in (*ASKS_GITHUB, CANCEL)):
            yield where


@rule
def inputs_are_offered_as_they_are(files: Files) -> Findings:
    """Where one may stop is what stages.yml has; the percentages by hand are six."""
    asked = {name: (flow[True].get("workflow_dispatch") or {}).get("inputs") for name, flow in files.workflows.items()}
    if asked["rollout"]["stop-after"].get("options") != list(doctor.STAGES):
        yield "rollout: stop-after"
    if asked["promote"]["percent"].get("options") != ["5", "10", "25", "50", "75", "100"]:
        yield "promote: percent"
    if not asked["promote"]["percent"].get("required"):
        yield "promote: percent may be left out"
    if not asked["teardown"]["endpoint"].get("required"):
        yield "teardown: endpoint"


@rule
def jobs_end(files: Files) -> Findings:
    """Every job has a time limit below GitHub's six hours."""
    limits = {where: job.get("timeout-minutes", 360) for where, job in files.jobs.items() if "uses" not in job}
    yield from (f"{where}: {limit}" for where, limit in limits.items() if limit >= 360)


@rule
def scripts_give_up_first(files: Files) -> Findings:
    """The scripts of a job give up minutes before its time is over, and so can say how they leave the endpoint."""
    for where, job in files.jobs.items():
        if "uses" not in job and job.get("timeout-minutes", 0) - patience(job) < 10:
            yield f"{where}: {job.get('timeout-minutes')}"


def patience(job: Job) -> float:
    """How long the scripts of a job wait for Azure together, in minutes."""
    names = [name for step in job["steps"] for name in re.findall(r"-m (scripts\.\w+)", step.get("run", ""))]
    names += ["scripts.promote", "scripts.review"] * does(job, PROMOTE) + ["scripts.delete_blue"] * does(job, DELETE)
    names += [name for name in names if name == "scripts.deploy"]  # its download has as much time again
    options = [option for name in names for option in import_module(name).main.params if option.name == "timeout"]
    return sum(option.default for option in options) / 60 + (300 if does(job, "sleep ") else 0)


@rule
def actions_are_pinned(files: Files) -> Findings:
    """Every remote action is pinned to a full commit, with its version beside it, the same everywhere."""
    pins: dict[str, str] = {}
    for path, text in files.texts.items():
        for use in re.findall(r"uses: (?!\./)(.+)", text):
            if not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use):
                yield f"{path.name}: {use}"
            if pins.setdefault(use.partition("@")[0], use) != use:
                yield f"{path.name}: {use}, elsewhere {pins[use.partition('@')[0]]}"


@rule
def a_step_is_one_command(files: Files) -> Findings:
    """A `run:` is a single command that can be typed at a prompt, with no expression inside."""
    for where, step in files.steps.items():
        if re.search(r"\$\{\{|[;|&\n]", step.get("run", "")):
            yield f"{where}: {step['run']}"


@rule
def values_are_quoted(files: Files) -> Findings:
    """What comes from outside reaches a command as one word, whatever it holds."""
    for where, step in files.steps.items():
        bare = re.sub(r'"[^"]*"', "", step.get("run", ""))
        bare = re.sub(r"\$\{\w+:\+(--[\w-]+ )?\}", "", bare)
        if "$" in bare:
            yield f"{where}: {step['run']}"


@rule
def variables_have_a_home(files: Files) -> Findings:
    """Each variable that a step's command names is given by its own `env:`, and nothing else is."""
    for where, step in files.steps.items():
        used = set(re.findall(r"\$\{?(\w+)", step.get("run", "")))
        if used != {*step.get("env", {})} - {"GITHUB_TOKEN", "VARIABLES"}:
            yield f"{where}: {used} is used, {step.get('env')} given"


@rule
def a_given_version_is_not_trained(files: Files) -> Findings:
    """Training, and what is made of it, is left out where a registered version is given; nothing else is."""
    conditions = {where: step["if"] for where, step in files.steps.items() if "if" in step}
    trained = [f"rollout.train[{number}]" for number in range(5)] + ["stages.register[2]", "stages.register[3]"]
    if sorted(where for where, found in conditions.items() if "version" in found) != trained:
        yield f"{conditions}"
    yield from (where for where in trained if conditions.get(where) != "inputs.version == ''")
    public = "inputs.version == '' && (github.event.repository.visibility == 'public' || vars.ATTEST == 'true')"
    if files.jobs["rollout.attest"].get("if") != public:
        yield "rollout.attest"


@rule
def what_is_uploaded_is_downloaded(files: Files) -> Findings:
    """The model that was trained is kept, registered and attested under one name and in one folder."""
    moves = {w: s["with"] for w, s in files.steps.items() if re.search("/(up|down)load-artifact@", s.get("uses", ""))}
    if list(moves) != ["rollout.train[4]", "rollout.attest[0]", "stages.register[2]"]:
        yield f"{list(moves)}"
    yield from (where for where, given in moves.items() if given != {"name": "model", "path": "outputs/model"})


@rule
def setting_up_is_four_steps(files: Files) -> Findings:
    """Python, locked packages, variables, login; of two models that are compared each has its own packages."""
    steps = [step for where, step in files.steps.items() if where.startswith("actions.setup")]
    if [step.get("run", step.get("uses", "").partition("@")[0]) for step in steps] != [
        "astral-sh/setup-uv",
        'uv pip install --require-hashes -r "$REQUIREMENTS"',
        'python -m scripts.check_variables "$TARGET" --client-id "$CLIENT_ID" --tenant-id "$TENANT_ID"',
        "azure/login",
    ]:
        yield f"{steps}"
    always = "success() || inputs.always == 'true'"
    if [step.get("if") for step in steps] != [always] * 2 + [f"inputs.target != '' && ({always})"] * 2:
        yield f"{[step.get('if') for step in steps]}"
    ids = {
        "client-id": "inputs.client-id",
        "tenant-id": "inputs.tenant-id",
        "subscription-id": "env.AZURE_SUBSCRIPTION_ID",
    }
    if steps[-1]["with"] != {name: expression(value) for name, value in ids.items()}:
        yield f"{steps[-1]['with']}"
    if steps[2]["env"] != {
        name: expression(f"inputs.{name.lower().replace('_', '-')}") for name in ("TARGET", "CLIENT_ID", "TENANT_ID")
    }:
        yield f"{steps[2]['env']}"
    sets_up = [step for step in files.jobs["ci.compare-models"]["steps"] if step.get("uses") == SETUP]
    if [step["with"]["requirements"] for step in sets_up] != [
        f"{base}model/requirements.txt" for base in ("outputs/base/", "")
    ]:
        yield f"ci: {sets_up}"
    if files.jobs["ci.compare-models"].get("if") != "github.event_name == 'pull_request'":
        yield "ci.compare-models"


@rule
def checkout_keeps_no_token(files: Files) -> Findings:
    """The job's token does not stay in the work tree, where every later step could read it."""
    for where, step in files.steps.items():
        checks_out = step.get("uses", "").startswith("actions/checkout@")
        if checks_out and step.get("with", {}).get("persist-credentials") is not False:
            yield where


@rule
def one_login(files: Files) -> Findings:
    """The action `setup` is the only place that logs in to Azure, and only a job with the variables does."""
    found = [where for where, step in files.steps.items() if LOGIN in step.get("uses", "")]
    if [where.split("[")[0] for where in found] != ["actions.setup"]:
        yield f"{found}"


@rule
def only_what_may_fail_may_fail(files: Files) -> Findings:
    """Two steps may fail without their job: the doctor's login, which it explains, and the base's training."""
    found = sorted(where for where, step in files.steps.items() if "continue-on-error" in step)
    found += sorted(where for where, job in files.jobs.items() if "continue-on-error" in job)
    if found != ["ci.compare-models[3]", "rollout.doctor[1]"]:
        yield f"{found}"


@rule
def each_job_does_its_work(files: Files) -> Findings:
    """A job runs the scripts that it is there for, each after setting up, and checks out first."""
    for where, job in files.jobs.items():
        if "uses" in job:
            continue
        runs = [step.get("run", step.get("uses", "")) for step in job["steps"]]
        names = [name for run in runs for name in re.findall(r"scripts\.(\w+)|(train)\.py|make (\w+)|^(sleep)", run)]
        found = (
            [next(filter(None, name)) for name in names]
            + ["promote"] * does(job, PROMOTE)
            + ["delete_blue"] * does(job, DELETE)
        )
        if found != WORK.get(where, found if does(job, PROMOTE) else []):
            yield f"{where}: {found}"
        if found != ["sleep"] and found and runs[0].partition("@")[0] != "actions/checkout":
            yield f"{where}: nothing is checked out"
        if any("scripts." in run for run in runs) and SETUP not in runs[:4]:
            yield f"{where}: nothing is installed"
        if decides(job) and runs[1] != SETUP:
            yield f"{where}: nothing is set up before the approval is used"


WORK = {
    "ci.check": ["check"],
    "ci.test": ["test"],
    "ci.demo": ["demo"],
    "ci.drill": ["drill"],
    "ci.compare-models": ["train", "train", "compare_models"],
    "rollout.doctor": ["doctor"],
    "rollout.train": ["train", "digest_model"],
    "stages.register": ["register_model"],
    "stages.deploy": ["create_endpoint", "deploy"],
    "stages.smoke-test": ["smoke_test", "review"],
    "stages.delete-blue": ["delete_blue"],
    "stages.rollback": ["rollback"],
    "promote.review": ["review", "check_reviewers"],
    "promote.promote": ["promote"],
    "promote.bake": ["sleep"],
    "promote.delete-blue": ["delete_blue"],
    "rollback.rollback": ["rollback", "cancel_rollout", "rollback"],
    "teardown.teardown": ["delete_endpoint"],
}
