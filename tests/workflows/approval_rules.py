"""Rules about who must agree before something changes, to what, and about where the jobs then work."""

import re

from scripts import doctor
from scripts.lib.decisions import authors
from scripts.lib.github.environment import ENVIRONMENTS
from scripts.lib.github.repository_variables import LOGS, PLACE, VARIABLES
from tests.workflows.files import (
    CALL,
    DELETE,
    LOGIN,
    PROMOTE,
    SETUP,
    TARGET,
    TRAINS,
    Files,
    Findings,
    before,
    decides,
    does,
    environment,
    expression,
    given,
    logs_in,
    needs,
    parsed,
    rule,
)

BEFORE = 'exec python -m scripts.check_approval production --expect "$PROPOSAL" --person "$PERSON"'
INSIST = 'exec python -m scripts.check_approval "$REVIEWERS" --seen "$SEEN" --expect "$PROPOSAL" --person "$PERSON" '
INSIST += '--job-in "$ENVIRONMENT"'
ROLLOUT, LATER = ("${{ needs.register.outputs." + name + " }}" for name in ("rollout", "later"))
OWN = ("DEPLOY", "PRODUCTION", "ROLLBACK")
TRAINING = "${{ needs.doctor.outputs.trains == 'cluster' && 'train' || 'deploy' }}"
PERSON = "${{ github.triggering_actor || github.actor }}"


@rule
def environments_tell_who_decides(files: Files) -> Findings:
    """What gives green traffic or deletes waits for reviewers; going back has its own environment; the rest deploys.

    A rollout's first promotion always waits; a later stage, too, unless the first approval was for it: by the variable
    as it is now and as it was told, and where live traffic said so. What trains on a cluster has an environment of its
    own, which a copy without one doesn't have. A job that doesn't log in has none. Without the right one Azure doesn't
    accept the job's token.
    """
    for where, job in files.jobs.items():
        file, name = where.split(".")
        reviewed = files.places.get(name) if file == "stages" else "production"
        rest = TRAINING if does(job, TRAINS) else "deploy" if logs_in(job) else None
        wanted = reviewed if decides(job) else "rollback" if does(job, "scripts.rollback") else rest
        if environment(job) != wanted:
            yield f"{where}: environment {environment(job)} instead of {wanted}"


@rule
def deployments_lead_to_the_endpoint(files: Files) -> Findings:
    """What asks or changes the endpoint links to its page, from the deployment that GitHub shows."""
    page = {"url": expression("steps.setup.outputs.page")}
    for where, job in files.jobs.items():
        if does(job, PROMOTE, DELETE, "scripts.deploy", "scripts.smoke_test", "scripts.rollback"):
            linked = job["environment"] == {"name": environment(job)} | page
            if not linked or not any(step.get("id") == "setup" and step.get("uses") == SETUP for step in job["steps"]):
                yield where
    for path, text in files.texts.items():
        if path.parent.name == "setup" and parsed(text).get("outputs", {}).get("page", {}).get("value") != expression(
            "steps.check.outputs.page"
        ):
            yield "actions.setup"


@rule
def others_leave_ours_alone(files: Files) -> Findings:
    """Of the owner's own workflows one thing is asked: no job is in our environments, none logs in as ours do."""
    for name, flow in files.foreign.items():
        for key, job in (flow.get("jobs") or {}).items():
            environment = job.get("environment")
            environment = environment.get("name") if isinstance(environment, dict) else environment
            if str(environment).lower() in ENVIRONMENTS:
                yield f"{name}: {key} is in {environment}"
            for step in job.get("steps", []):
                as_ours = LOGIN in step.get("uses", "") and "AZURE_CLIENT_ID" in str(step.get("with"))
                if as_ours or ("target" in step.get("with", {}) and step.get("uses") == SETUP):
                    yield f"{name}: {key} logs in"
            if job.get("uses") == f"{CALL}stages.yml":
                yield f"{name}: {key} rolls out"


@rule
def environments_are_known(files: Files) -> Findings:
    """The scripts know each environment, and which of them must have reviewers: where jobs promote or delete."""
    targets = ["production", "staging", "unattended"]
    named = {
        name: ENVIRONMENTS.get(name, False) or (decides(job) and name not in targets[1:])
        for job in files.jobs.values()
        if (place := environment(job))
        for name in (targets if "inputs.target" in place else ["train"] if place == TRAINING else [place])
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
    for where in ("compare", "promote", "rollback", "teardown"):
        judges = {LOGS: expression(f"vars.{LOGS}")} if where == "promote" else {}
        if files.workflows[where].get("env") != production | judges:
            yield f"{where}: {files.workflows[where].get('env')}"
    for where in ("rollout.doctor", "rollout.train-on-cluster"):
        if files.jobs[where].get("env") != production:
            yield f"{where}: {files.jobs[where].get('env')}"
    names = {**{name: name for name in (*PLACE, LOGS)}, "TENANT_ID": "AZURE_TENANT_ID"}
    wanted = {
        own: expression(f"inputs.target == 'staging' && vars.STAGING_{name} || vars.{name}")
        for own, name in names.items()
    }
    wanted["AZURE_ML_WORKSPACE"] = expression(
        "inputs.target == 'staging' && vars.STAGING_AZURE_ML_WORKSPACE "
        "|| inputs.target == 'production' && vars.AZURE_ML_WORKSPACE || ''"
    )
    wanted |= {
        f"{own}_CLIENT_ID": expression(
            f"inputs.target == 'production' && vars.{own}_AZURE_CLIENT_ID "
            "|| inputs.target == 'staging' && vars.STAGING_AZURE_CLIENT_ID || vars.AZURE_CLIENT_ID"
        )
        for own in OWN
    }
    wanted["REVIEWERS"] = expression("inputs.target == 'staging' && 'none' || inputs.target")
    wanted["PRODUCTION_ENDPOINT"] = expression(
        f"format('{{0}}/{{1}}/{{2}}/{{3}}', {', '.join(f'vars.{name}' for name in PLACE)})"
    )
    if files.workflows["stages"].get("env") != wanted:
        yield f"stages: {files.workflows['stages'].get('env')}"
    env = files.jobs["rollout.doctor"]["steps"][-1]["env"]
    own = [f"{environment}_AZURE_CLIENT_ID" for environment in OWN]
    asked = {*names.values(), "AZURE_CLIENT_ID"}
    every = [name for name in VARIABLES if name in {*asked, *own, "TRAIN_AZURE_CLIENT_ID", "APPROVALS"}]
    every += [f"STAGING_{name}" for name in VARIABLES if name in asked]
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
        name = environment(job) or ""
        own = "PRODUCTION" if "inputs.target" in name else "TRAIN" if name == TRAINING else name.upper()
        ids = f"vars.{own}_AZURE_CLIENT_ID || vars.AZURE_CLIENT_ID", "vars.AZURE_TENANT_ID"
        ids = (f"env.{own}_CLIENT_ID", "env.TENANT_ID") if stages else ids
        fresh = expression("vars.AZURE_CLIENT_ID && 'production' || ''")
        wanted = {
            "target": "${{ inputs.target }}" if stages else fresh if where == "rollout.doctor" else "production",
            "client-id": expression(ids[0]),
            "tenant-id": expression(ids[1]),
            **({"always": True} if does(job, "scripts.rollback") else {}),
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
            if name in ("reviewers", "seen", "proposal", "percent") and not found.get("required"):
                yield f"{path.parent.name}: {name} may be left out"


@rule
def approvals_are_insisted_on_where_they_count(files: Files) -> Findings:
    """A promotion asks GitHub for its approval, then gives green its share and tells the next reviewer.

    A stage of a rollout, which has an id, never lowers the share: a person may.
    """
    steps = {
        name: [s for where, s in files.steps.items() if f"actions.{name}[" in where]
        for name in ("promote", "delete-blue")
    }
    check = (
        INSIST,
        {
            "GITHUB_TOKEN": "github.token",
            "REVIEWERS": "inputs.reviewers",
            "SEEN": "inputs.seen",
            "PROPOSAL": "inputs.proposal",
            "PERSON": "inputs.person",
            "ENVIRONMENT": "inputs.environment",
        },
    )
    share = (
        'exec python -m scripts.promote --percent "$PERCENT" --expect "$PROPOSAL" '
        '${ROLLOUT:+--at-least --rollout "$ROLLOUT"} '
        '--judge --next "$NEXT" ${NEXT_PERCENT:+--next-percent "$NEXT_PERCENT"} ${LATER:+--later "$LATER"}',
        {
            "GITHUB_TOKEN": "github.token",
            "PERCENT": "inputs.percent",
            "PROPOSAL": "inputs.proposal",
            "ROLLOUT": "inputs.rollout",
            "LATER": "inputs.later",
            "NEXT": "inputs.next",
            "NEXT_PERCENT": "inputs.next-percent",
        },
    )
    delete = (
        'exec python -m scripts.delete_blue "$BLUE" --expect "$PROPOSAL"',
        {"BLUE": "fromJSON(inputs.proposal).blue", "PROPOSAL": "inputs.proposal"},
    )
    for name, wanted in (("promote", [check, share]), ("delete-blue", [check, delete])):
        if [(step.get("run"), step.get("env")) for step in steps[name]] != [
            (run, {key: expression(value) for key, value in env.items()}) for run, env in wanted
        ]:
            yield f"actions/{name}: {steps[name]}"


@rule
def approvals_are_counted(files: Files) -> Findings:
    """Each job hands on how many approvals it saw: the first before anybody is asked, the next want one more each.

    The list is the run's, with those of earlier attempts in it.
    """
    token = {"GITHUB_TOKEN": expression("github.token")}
    reviewed = {"PROPOSAL": expression("steps.review.outputs.proposal"), "PERSON": PERSON}
    handed = {name: expression(f"needs.review.outputs.{output}") for name, output in HANDED.items()}
    wanted = {
        "stages.smoke-test": (
            'exec python -m scripts.check_approval "$REVIEWERS"',
            "needs.deploy.outputs.green != '' && inputs.stop-after != 'smoke-test'",
            token | {"REVIEWERS": expression("env.REVIEWERS")},
        ),
        "promote.review": (BEFORE, None, token | reviewed),
        "teardown.review": (BEFORE, "steps.review.outputs.proposal != ''", token | reviewed),
        "teardown.teardown": (
            BEFORE.replace("--expect", '--seen "$SEEN" --expect'),
            None,
            token | handed | {"PERSON": PERSON},
        ),
    }
    steps = {
        where: step
        for where, job in files.jobs.items()
        for step in job.get("steps", [])
        if "check_approval" in step.get("run", "")
    }
    if {where: (step["run"], step.get("if"), step.get("env")) for where, step in steps.items()} != wanted:
        yield f"{steps}"
    action = next(parsed(text) for path, text in files.texts.items() if path.parent.name == "promote")
    values = {name: output["value"] for name, output in action["outputs"].items()}
    tells = {"proposal": "promote", "approvals": "approval"} | dict.fromkeys(["later", "wrote", "verdict"], "promote")
    if values != {name: expression(f"steps.{step}.outputs.{name}") for name, step in tells.items()}:
        yield f"actions/promote: {values}"
    if [step.get("id") for step in action["runs"]["steps"]] != ["approval", "promote"]:
        yield "actions/promote: other steps tell that"
    told = {
        **dict.fromkeys(["stages.smoke-test", "promote.review", "teardown.review"], "approval"),
        **dict.fromkeys([*(f"stages.{name}" for name in files.percents), "promote.promote"], "promote"),
    }
    outputs = {where: job.get("outputs", {}).get("approvals") for where, job in files.jobs.items()}
    if {where: output for where, output in outputs.items() if output} != {
        where: expression(f"steps.{step}.outputs.approvals") for where, step in told.items()
    }:
        yield f"{outputs}"


@rule
def one_approval_is_told_before(files: Files) -> Findings:
    """Whether the first approval is for later stages, too, is settled in a rollout's first job, for production alone.

    Its reviewer is told so, each promotion hands on what live traffic says, and the rollout's other jobs don't know.
    """
    settled = "vars.APPROVALS == 'first' && inputs.target == 'production' && 'unattended' || ''"
    wanted = {"register": expression(settled)}
    wanted |= dict.fromkeys(files.percents, expression("steps.promote.outputs.later"))
    found = {name: files.jobs[f"stages.{name}"].get("outputs", {}).get("later") for name in files.row}
    if {name: output for name, output in found.items() if output} != wanted:
        yield f"{found}"
    text = next(text for path, text in files.texts.items() if path.stem == "stages")
    if text.count("vars.APPROVALS") != 2 * len(files.places) - 1:  # twice for each later stage, and settled once
        yield "the variable elsewhere"


HANDED = {"SEEN": "approvals", "PROPOSAL": "proposal"}


@rule
def tearing_down_is_approved(files: Files) -> Findings:
    """teardown.yml tells what would be deleted, under the name that was typed, and deletes just that once approved."""
    review, teardown = (files.jobs[f"teardown.{name}"] for name in ("review", "teardown"))
    typed = {"TYPED": "${{ inputs.endpoint }}"}
    if (review["steps"][2].get("run"), review["steps"][2]["env"], review["outputs"].get("proposal")) != (
        'exec python -m scripts.delete_endpoint --confirm "$TYPED" --dry-run',
        typed,
        expression("steps.review.outputs.proposal"),
    ):
        yield f"{review}"
    last = teardown["steps"][-1]
    if (needs(teardown), teardown.get("if"), last.get("run"), last["env"]) != (
        ["review"],
        "needs.review.outputs.proposal != ''",
        'exec python -m scripts.delete_endpoint --confirm "$TYPED" --expect "$PROPOSAL"',
        typed | {"PROPOSAL": expression("needs.review.outputs.proposal")},
    ):
        yield f"{teardown}"


@rule
def a_rollout_is_made_of_what_starts_one(files: Files) -> Findings:
    """Who wrote a change is asked of the commits that touch just those paths whose merge starts a rollout."""
    if (paths := files.workflows["rollout"][True]["push"].get("paths")) != list(authors.PATHS):
        yield f"{paths}"


@rule
def each_approval_is_for_what_was_reviewed(files: Files) -> Findings:
    """A job that promotes or deletes gets the proposal of the job before, its reviewers, and what comes next."""
    delete = "inputs.delete-blue && 'delete-blue' || ''"
    by_hand = {"reviewers": "production", "person": PERSON}
    wanted = {
        "promote.promote": {
            **by_hand,
            "seen": expression("needs.review.outputs.approvals"),
            "proposal": expression("needs.review.outputs.proposal"),
            "percent": "${{ inputs.percent }}",
            "next": expression(delete),
        },
        "promote.delete-blue": {
            **by_hand,
            "seen": expression("needs.promote.outputs.approvals"),
            "proposal": expression("needs.promote.outputs.proposal"),
        },
    }
    for last, name, after in zip(files.row[2:], files.row[3:], [*files.row[4:], ""], strict=False):
        wanted[f"stages.{name}"] = {
            "reviewers": "${{ env.REVIEWERS }}",
            **({"environment": files.places[name]} if files.places[name] != TARGET else {}),
            "seen": expression(f"needs.{last}.outputs.approvals"),
            "proposal": expression(f"needs.{last}.outputs.proposal"),
            **({"percent": files.percents.get(name), "rollout": ROLLOUT, "later": LATER} if after else {}),
            **({"next": expression(f"inputs.stop-after != '{name}' && '{after}' || ''")} if after else {}),
            **({"next-percent": files.percents[after]} if after in files.percents else {}),
        }
    found = {where: given(job, PROMOTE) or given(job, DELETE) for where, job in files.jobs.items()}
    if {where: inputs for where, inputs in found.items() if inputs} != wanted:
        yield f"{found}"


@rule
def the_first_reviewer_is_told(files: Files) -> Findings:
    """The smoke test and promote.yml tell what is to be approved; to rest, or to delete blue then, is decided there."""
    first = files.row[3]
    steps = {
        where: next((step for step in files.jobs[where]["steps"] if step.get("id") == "review"), {})
        for where in ("stages.smoke-test", "promote.review")
    }
    rests = f"inputs.stop-after != 'smoke-test' && '{first}' || ''"
    wanted = {
        "stages.smoke-test": (
            "needs.deploy.outputs.green != ''",
            f'exec python -m scripts.review --next "$NEXT" --percent {files.percents[first]} '
            '${LAST:+--up-to "$LAST"} --green "$GREEN" --rollout "$ROLLOUT"',
            {
                "GITHUB_TOKEN": expression("github.token"),
                "NEXT": expression(rests),
                "LAST": expression("needs.register.outputs.later && (inputs.stop-after || 'delete-blue') || ''"),
                "GREEN": expression("needs.deploy.outputs.green"),
                "ROLLOUT": ROLLOUT,
            },
        ),
        "promote.review": (
            None,
            'exec python -m scripts.review --next promote --percent "$PERCENT" ${THEN:+"$THEN"}',
            {
                "GITHUB_TOKEN": expression("github.token"),
                "PERCENT": "${{ inputs.percent }}",
                "THEN": expression("inputs.delete-blue && '--then-delete' || ''"),
            },
        ),
    }
    if {where: (step.get("if"), step.get("run"), step.get("env")) for where, step in steps.items()} != wanted:
        yield f"{steps}"


@rule
def stages_are_a_row(files: Files) -> Findings:
    """In stages.yml each job needs the one before it: register, deploy, smoke test, promotions up to 100, deletion.

    Those that write or ask need the first, too: they take the rollout's id from there.
    """
    row, percents = files.row, list(files.percents.values())
    wanted = [[], ["register"], *(["register", name] for name in row[1:-2]), [row[-2]]]
    if [needs(files.jobs[f"stages.{name}"]) for name in row] != wanted:
        yield f"stages: {row}"
    if row != ["register", "deploy", "smoke-test", *files.percents, "delete-blue"]:
        yield f"stages: {row}"
    if percents != sorted(set(percents)) or percents[-1:] != [100] or not all(percent > 0 for percent in percents):
        yield f"stages: {percents}"
    if ("train", *row[1:3]) != doctor.UNAPPROVED:
        yield f"the doctor's stages: {doctor.UNAPPROVED}"


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
        last = before(job)
        ended, told = f"needs.{last}.result == 'success'", f"needs.{last}.outputs.proposal"
        asked = f"{told} != ''" if last not in ("register", "deploy") else ""
        condition = " && ".join(filter(None, ["!cancelled()", *([ended, asked] if last else [])]))
        if name == "smoke-test":
            condition += " && inputs.stop-after != 'deploy'"
        if name in files.row and job.get("if") != f"${{{{ {condition} }}}}":
            yield f"{name}: if {job.get('if')}"
