"""What must hold of the workflow files, which act doesn't enforce and GitHub would, or nobody would.

A rule takes the files and yields one line for each place that breaks it. test_static.py holds our files to the rules,
test_mutations.py holds the rules to deliberate breakages.
"""

import re
from importlib import import_module

import yaml

from scripts.lib.azure.judging import UNDOING
from scripts.lib.decisions.canary.policy import LONGEST
from scripts.lib.github import again
from tests.workflows import approval_rules, ci_rules, identity_rules  # noqa: F401 (their rules are among RULES, too)
from tests.workflows.files import (
    ASKS_AUTHORS,
    ASKS_GITHUB,
    ATTEST,
    CALL,
    CANCEL,
    COMPARE,
    DELETE,
    LOGIN,
    PROMOTE,
    READS_COMMITS,
    SETUP,
    TELLS,
    TELLS_PEOPLE,
    TRAINS,
    Files,
    Findings,
    Job,
    decides,
    does,
    expression,
    given,
    logs_in,
    needs,
    parsed,
    rule,
)
from tests.workflows.files import RULES as RULES

CLUSTER = "needs.doctor.outputs.trains == 'cluster'"
LISTENS = "ROLLBACK_WEBHOOK"
LISTENER = {LISTENS: expression(f"secrets.{LISTENS}")}
# The newest uv whose checksum a version of astral-sh/setup-uv knows; it runs newer ones unchecked.
CHECKED = [("20cfd1bf945f4377ade1205e4dbc17946fc9a30d", "0.12.4")]


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
        "actions": "write"
        if does(job, CANCEL)
        else "read"
        if does(job, PROMOTE, DELETE, TELLS_PEOPLE, *ASKS_GITHUB)
        else "",
        "pull-requests": "write"
        if does(job, TELLS_PEOPLE)
        else "read"
        if does(job, PROMOTE, DELETE, ASKS_AUTHORS)
        else "",
        "attestations": "write" if does(job, ATTEST) else "",
        "issues": "write" if does(job, TELLS, TELLS_PEOPLE) else "",
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
def rollback_watches_what_can_leave_a_split(files: Files) -> Findings:
    """The rollback follows each job up to 100 %, not the deletion, that was cancelled, or failed without holding.

    A run that deployed nothing has nothing to take back.
    """
    job = files.workflows["stages"]["jobs"]["rollback"]
    if needs(job) != files.row[:-1]:
        yield f"needs {needs(job)}"
    if job.get("if") != (
        "always() && needs.register.result == 'success' "
        "&& (needs.deploy.result == 'cancelled' || needs.deploy.outputs.green != '') "
        "&& (contains(needs.*.result, 'cancelled') "
        "|| contains(needs.*.result, 'failure') && !contains(needs.*.outputs.held, 'true'))"
    ):
        yield f"if {job.get('if')}"
    told = {"ROLLOUT": expression("needs.register.outputs.rollout")}
    set_up, *goes_back, tells = job["steps"][1:]
    if (tells.get("if"), tells.get("run"), tells.get("env")) != (
        expression("!cancelled() && steps.setup.outcome == 'success'"),
        'exec python -m scripts.tell_rollback --rollout "$ROLLOUT"',
        told | LISTENER | {"GITHUB_TOKEN": expression("github.token")},
    ):
        yield f"{tells}: nobody hears of it, or of what somebody cancelled"
    if (set_up.get("id"), [(step.get("if"), step.get("run"), step.get("env")) for step in goes_back]) != (
        "setup",
        [
            (f"always() && steps.setup.outcome {it} 'success'", f'exec {back} "$ROLLOUT"', told)
            for it, back in (
                ("==", "python -m scripts.rollback --own --rollout"),
                ("!=", "bash scripts/rollback.sh --own"),
            )
        ],
    ):
        yield f"{job['steps'][1:]}"
    staging = "inputs.target == 'staging' && vars.STAGING_ENDPOINT_NAME"
    name = expression(f"needs.deploy.outputs.endpoint || {staging} || vars.ENDPOINT_NAME")
    if job.get("env") != {"ENDPOINT_NAME": name}:
        yield f"{job.get('env')}: another endpoint than the rollout's"
    if [step.get("if") for step in job["steps"][:2]] != ["always()"] * 2:
        yield "steps that a cancelled run leaves out"


@rule
def rollback_by_hand_puts_traffic_first(files: Files) -> Findings:
    """rollback.yml gives the traffic back, without Python where setting up failed; then cancels; then looks again."""
    _, set_up, *steps = files.workflows["rollback"]["jobs"]["rollback"]["steps"]
    if (set_up.get("id"), set_up.get("if")) != ("setup", None):
        yield f"{set_up}"
    if [(step.get("if"), step.get("run")) for step in steps] != [
        (None, "exec python -m scripts.rollback"),
        ("always() && steps.setup.outcome == 'failure'", "exec bash scripts/rollback.sh"),
        ("always()", "exec python -m scripts.cancel_rollout"),
        ("always()", 'exec python -m scripts.rollback ${TARGET:+--to "$TARGET"}'),
    ]:
        yield f"{steps}"
    told = ("first", expression("steps.first.outputs.target"))
    if (steps[0].get("id"), steps[3].get("env", {}).get("TARGET")) != told:
        yield "the second look may lead elsewhere than the first"


@rule
def the_rollout_asks_the_doctor_first(files: Files) -> Findings:
    """Every job of rollout.yml comes after the doctor, and those that touch Azure after the training."""
    jobs = files.workflows["rollout"]["jobs"]
    wanted = {
        "doctor": [],
        "train-on-cluster": ["doctor"],
        "train": ["doctor", "train-on-cluster"],
        "attest": ["doctor", "train"],
        "rollout": ["doctor", "train", "train-on-cluster"],
        "production-after-staging": ["doctor", "train", "train-on-cluster", "rollout"],
    }
    if {name: needs(job) for name, job in jobs.items()} != wanted:
        yield f"{ {name: needs(job) for name, job in jobs.items()} }"
    for name in ("train", "train-on-cluster"):
        if jobs[name].get("if") != "needs.doctor.outputs.stop-after != 'doctor'":
            yield f"{name}: {jobs[name].get('if')}"
    if jobs["rollout"].get("if") != "needs.doctor.outputs.stop-after != 'train'":
        yield f"rollout: {jobs['rollout'].get('if')}"
    if jobs["production-after-staging"].get("if") != (
        "!cancelled() && needs.doctor.outputs.staging == 'true' && needs.rollout.result == 'success'"
    ):
        yield f"production: {jobs['production-after-staging'].get('if')}"


@rule
def stages_get_what_was_trained(files: Files) -> Findings:
    """A called stage gets the digest that the training made, or what a person named; the stop is production's alone.

    What a cluster trained gets its digest where it is registered first; what comes after must have the same.
    """
    digests = {"rollout": "needs.train.outputs.digest"}
    digests["production-after-staging"] = f"{digests['rollout']} || needs.rollout.outputs.digest"
    for name, digest in digests.items():
        handed = files.workflows["rollout"]["jobs"][name]["with"]
        trained = {"digest": expression(digest), "job": expression("needs.train-on-cluster.outputs.job")}
        if {key: handed.get(key) for key in trained} != trained or "stop-after" not in handed:
            yield f"{name}: {handed}"
    known = files.workflows["stages"][True]["workflow_call"].get("outputs")
    if known != {"digest": {"value": expression("jobs.register.outputs.digest")}}:
        yield f"stages: {known}"
    if files.jobs["stages.register"]["outputs"].get("digest") != expression("steps.register.outputs.digest"):
        yield "stages.register: digest"
    named = {name: files.jobs["rollout.rollout"]["with"].get(name) for name in ("model", "version")}
    if named != {name: expression(f"inputs.{name}") for name in named}:
        yield f"rollout: {named}"
    deploy = files.jobs["stages.deploy"]["steps"][-1]
    for name, value in {"digest": "inputs.digest || needs.register.outputs.digest", "model": "inputs.model"}.items():
        if f"--{name}" not in deploy["run"] or deploy["env"].get(name.upper()) != expression(value):
            yield f"stages.deploy: {name}"


@rule
def a_comparison_cleans_up(files: Files) -> Findings:
    """compare.yml takes away what it made, and keeps the masked trace, whatever became of the comparison."""
    steps = files.jobs["compare.compare"]["steps"][3:]
    asks = "exec .venv/bin/azureml-emulator compare"
    if [(step.get("if"), step.get("run")) for step in steps] != [
        (None, f"{asks} --yes --trace outputs/compare/azure.jsonl"),
        ("always()", f"{asks} --clean --yes"),
        ("always()", None),
    ]:
        yield f"{steps}"


@rule
def training_has_no_rights(files: Files) -> Findings:
    """The job that runs the training code neither logs in nor may. One that logs in to train runs the scripts alone."""
    for where, job in files.jobs.items():
        if does(job, "train.py") and (job.get("permissions") != {"contents": "read"} or "environment" in job):
            yield where
        if does(job, TRAINS) and ("requirements" in given(job, SETUP) or does(job, "model/", "download-artifact")):
            yield where


@rule
def a_cancelled_training_costs_nothing(files: Files) -> Findings:
    """The job on the cluster is cancelled with its run, whenever that was; its data have the version of the start."""
    if files.jobs["rollout.doctor"]["outputs"].get("data") != expression("steps.doctor.outputs.data"):
        yield "rollout.doctor: data"
    job = files.jobs["rollout.train-on-cluster"]
    steps = [(step.get("if"), step.get("run"), step.get("env")) for step in job["steps"]]
    data = {"DATA": expression("needs.doctor.outputs.data")}
    if steps[2:] != [
        (CLUSTER, 'exec python -m scripts.train_job --data "$DATA"', data),
        (f"cancelled() && {CLUSTER}", 'exec python -m scripts.train_job --cancel --data "$DATA"', data),
    ]:
        yield f"{steps}"
    if job["outputs"] != {"job": expression("steps.train.outputs.job")}:
        yield "job"


@rule
def levers_are_a_row(files: Files) -> Findings:
    """In promote.yml each job follows the one before."""
    wanted = {"review": [], "promote": ["review"], "delete-blue": ["promote"], "tell": ["promote", "delete-blue"]}
    if (found := {name: needs(job) for name, job in files.workflows["promote"]["jobs"].items()}) != wanted:
        yield f"{found}"
    conditions = {name: job.get("if") for name, job in files.workflows["promote"]["jobs"].items() if "if" in job}
    bad = " || ".join(f"needs.{name}.outputs.verdict == 'unhealthy'" for name in wanted["tell"])
    if conditions != {"delete-blue": "inputs.delete-blue", "tell": expression(f"failure() && ({bad})")}:
        yield f"{conditions}"


@rule
def who_is_told_of_a_last_look(files: Files) -> Findings:
    """What live traffic takes back before blue is deleted is told of, too; not what fails there for another reason."""
    tell, told = files.jobs["stages.tell"], expression("failure() && needs.delete-blue.outputs.verdict == 'unhealthy'")
    if (needs(tell), tell.get("if")) != (["delete-blue"], told):
        yield f"stages: {needs(tell)}, {tell.get('if')}"
    holders = {where: files.jobs[where] for where in ("stages.delete-blue", "promote.delete-blue", "promote.promote")}
    verdicts = {
        where: (job.get("outputs", {}).get("verdict"), job["steps"][-1].get("id")) for where, job in holders.items()
    }
    action = next(parsed(text) for path, text in files.texts.items() if path.parent.name == "delete-blue")
    verdicts["action"] = (
        action.get("outputs", {}).get("verdict", {}).get("value"),
        action["runs"]["steps"][-1].get("id"),
    )
    for where, found in verdicts.items():
        step = "promote" if where == "promote.promote" else "delete"
        if found != (expression(f"steps.{step}.outputs.verdict"), step):
            yield f"{where}: {found}"
    for where in ("stages.tell", "promote.tell"):
        if (run := files.jobs[where]["steps"][-1].get("run")) != "exec python -m scripts.tell_rollback":
            yield f"{where}: {run}"


@rule
def rollouts_never_overlap(files: Files) -> Findings:
    """One rollout an endpoint at a time, none cancelled half-way; no lever waits behind another."""
    groups = {name: flow.get("concurrency", {}) for name, flow in files.workflows.items() if name != "stages"}
    if groups["ci"].get("group") != "ci-${{ github.ref }}":
        yield f"ci: {groups['ci']}"
    names = {"rollout": "endpoint"} | {name: name for name in ("compare", "promote", "rollback", "teardown")}
    for name, group in names.items():
        wanted = {"group": f"{group}-${{{{ vars.ENDPOINT_NAME }}}}", "cancel-in-progress": False}
        if groups[name] != wanted:
            yield f"{name}: {groups[name]}"
    if groups["template"] != {"group": "template", "cancel-in-progress": False}:
        yield f"template: {groups['template']}"
    yield from (where for where, job in files.jobs.items() if "concurrency" in job)


@rule
def updates_are_told_to_who_wants_them(files: Files) -> Findings:
    """A clock starts something in a copy only where its owner has said so."""
    yield from (
        f"template.{name}"
        for name, job in files.workflows["template"]["jobs"].items()
        if job.get("if") != "vars.TEMPLATE_UPDATES == 'true'"
    )


@rule
def who_starts_what(files: Files) -> Findings:
    """A merge starts a rollout, a pull request the checks alone, a clock what only tells; all else is a person's."""
    starts = {name: sorted(flow[True]) for name, flow in files.workflows.items()}  # YAML reads `on` as true
    if starts != {
        "ci": ["merge_group", "pull_request", "push"],
        "compare": ["workflow_dispatch"],
        "promote": ["workflow_dispatch"],
        "rollback": ["workflow_dispatch"],
        "rollout": ["push", "workflow_dispatch"],
        "stages": ["workflow_call"],
        "teardown": ["workflow_dispatch"],
        "template": ["schedule", "workflow_dispatch"],
    }:
        yield f"{starts}"
    for name in ("ci", "rollout"):
        if files.workflows[name][True]["push"].get("branches") != ["main"]:
            yield f"{name}: pushes elsewhere than to main"


@rule
def runs_have_names(files: Files) -> Findings:
    """What a person starts says in the list of runs what it was started for."""
    for name, flow in files.workflows.items():
        asked = (flow[True].get("workflow_dispatch") or {}).get("inputs", {})
        if "workflow_dispatch" in flow[True] and "${{" not in flow.get("run-name", ""):
            yield f"{name}: no run-name"
        for said in re.findall(r"inputs\.([\w-]+)", flow.get("run-name", "")):
            if said not in asked:
                yield f"{name}: no input {said}"


@rule
def checks_need_nothing(files: Files) -> Findings:
    """ci.yml runs on forks: no environment, no login, no variable but for what machine it runs on."""
    text = next(text for path, text in files.texts.items() if path.stem == "ci").replace("vars.RUNNER ||", "")
    yield from re.findall(r"vars\.|toJSON|environment:|id-token|VARIABLES|target:", text)


@rule
def one_stored_secret(files: Files) -> Findings:
    """Nothing reads a secret but who tells people of a rollback, and that one alone; called workflows get it by name.

    The job's own token is in `env:` of a step that asks GitHub, and of no other.
    """
    calls = re.escape(f'secrets: {{ {LISTENS}: "{LISTENER[LISTENS]}" }}')
    for path, text in files.texts.items():
        kept = re.sub(rf"^ +({LISTENS}: {re.escape(LISTENER[LISTENS])}|{calls})$", "", text, flags=re.MULTILINE)
        kept = kept.replace(f"    secrets:\n      {LISTENS}: {{ required: false }} #", "")
        yield from (f"{path.name}: {found}" for found in re.findall(r"secrets[.\[ :].*", kept))
    for where, job in files.jobs.items():
        if job.get("secrets") != (LISTENER if job.get("uses") == f"{CALL}stages.yml" else None):
            yield f"{where}: {job.get('secrets')}"
    for where, step in files.steps.items():
        told = {name: value for name, value in step.get("env", {}).items() if name == LISTENS}
        if told != (LISTENER if TELLS_PEOPLE in step.get("run", "") else {}):
            yield f"{where}: {told}"
        tokens = [name for name, value in step.get("env", {}).items() if "github.token" in str(value)]
        if tokens not in ([], ["GITHUB_TOKEN"]):
            yield f"{where}: {tokens}"
        if bool(tokens) != any(
            part in step.get("run", "") for part in (*ASKS_GITHUB, *READS_COMMITS, CANCEL, TELLS, TELLS_PEOPLE)
        ):
            yield where


@rule
def inputs_are_offered_as_they_are(files: Files) -> Findings:
    """Where one may stop is what stages.yml has; the percentages by hand are six."""
    asked = {name: (flow[True].get("workflow_dispatch") or {}).get("inputs") for name, flow in files.workflows.items()}
    if (offered := asked["rollout"]["stop-after"].get("options")) != (there := ["", "train", *files.row[1:-1]]):
        yield f"rollout.yml lets people stop after {offered}, stages.yml has {there}"
    if asked["promote"]["percent"].get("options") != ["5", "10", "25", "50", "75", "100"]:
        yield "promote: percent"
    if not asked["promote"]["percent"].get("required"):
        yield "promote: percent may be left out"
    if not asked["teardown"]["endpoint"].get("required"):
        yield "teardown: endpoint"


@rule
def jobs_run_on_one_kind_of_machine(files: Files) -> Findings:
    """Every job runs where the variable RUNNER says; a fork's gets no variables, and so none of one's own runners."""
    runs = {where: job["runs-on"] for where, job in files.jobs.items() if "uses" not in job}
    yield from (f"{where}: {on}" for where, on in runs.items() if on != expression("vars.RUNNER || 'ubuntu-24.04'"))


@rule
def jobs_end(files: Files) -> Findings:
    """Every job has a time limit below GitHub's six hours: one that is out of time rolls back."""
    limits = {where: job.get("timeout-minutes", 360) for where, job in files.jobs.items() if "uses" not in job}
    yield from (f"{where}: {limit}" for where, limit in limits.items() if limit > 350)


@rule
def scripts_give_up_first(files: Files) -> Findings:
    """The scripts of a job give up minutes before its time is over, and so can say how they leave the endpoint."""
    for where, job in files.jobs.items():
        if "uses" not in job and job.get("timeout-minutes", 0) - patience(job) < 10:
            yield f"{where}: {job.get('timeout-minutes')}"


def patience(job: Job) -> float:
    """How long the scripts of a job wait for Azure and for GitHub together, in minutes."""
    runs = [step.get("run", "") for step in job["steps"] if "cancelled() &&" not in step.get("if", "")]
    names = [name for run in runs for name in re.findall(r"-m (scripts\.\w+)", run)]
    names += ["scripts.promote"] * does(job, PROMOTE) + ["scripts.delete_blue"] * does(job, DELETE)
    names += ["scripts.check_approval"] * does(job, PROMOTE, DELETE)
    names += [name for name in names if name == "scripts.deploy"]  # its download has as much time again
    options = [option for name in names for option in import_module(name).main.params if option.name == "timeout"]
    asking = [
        name
        for name in names
        if name in {run.split()[0] for run in (*ASKS_GITHUB, *READS_COMMITS, CANCEL, TELLS, TELLS_PEOPLE)}
    ]
    seconds = sum(option.default for option in options) + len(asking) * again.PATIENCE
    judging = LONGEST + UNDOING / 60
    going_back = UNDOING / 60 if does(job, DELETE) else 0  # live traffic is asked at the last moment
    return seconds / 60 + (judging if does(job, PROMOTE) else 75 if does(job, COMPARE) else going_back)


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
def scripts_hear_a_cancel(files: Files) -> Findings:
    """What lasts takes its bash's place: on a cancel GitHub's runner sends its signals to that process alone."""
    for where, step in files.steps.items():
        if re.search(r"(?<!exec )\b(python|make|sleep|bash) ", step.get("run", "")):
            yield f"{where}: {step['run']}"


@rule
def steps_are_known(files: Files) -> Findings:
    """What a job or an action reads of a step is of one that it has: else it is empty, without a word."""
    holders = {f"{path.parent.name}.{path.stem}": parsed(text) for path, text in files.texts.items()}
    for where, holder in holders.items():
        for name, part in (holder.get("jobs") or {where: holder}).items():
            steps = part.get("steps") or part.get("runs", {}).get("steps") or []
            known = {step.get("id") for step in steps}
            for read in sorted({*re.findall(r"\bsteps\.([\w-]+)\.", yaml.safe_dump(part))} - known):
                yield f"{where}: {name} reads the step {read}, which it doesn't have"


@rule
def values_are_quoted(files: Files) -> Findings:
    """What comes from outside reaches a command as one word, whatever it holds."""
    for where, step in files.steps.items():
        bare = re.sub(r'"[^"]*"', "", step.get("run", ""))
        bare = re.sub(r"\$\{\w+:\+(--[\w-]+ )*\}", "", bare)
        if "$" in bare:
            yield f"{where}: {step['run']}"


@rule
def variables_have_a_home(files: Files) -> Findings:
    """Each variable that a step's command names is given by its own `env:`, and nothing else is."""
    for where, step in files.steps.items():
        used = set(re.findall(r"\$\{?(\w+)", step.get("run", "")))
        if used != {*step.get("env", {})} - {"GITHUB_TOKEN", LISTENS, "VARIABLES"}:
            yield f"{where}: {used} is used, {step.get('env')} given"


@rule
def a_given_version_is_not_trained(files: Files) -> Findings:
    """Training, and what is made of it, is left out where a registered version is given; nothing else is.

    One of two trains: the runner, or the cluster where there is a job.yml, which the doctor tells.
    """
    conditions = {where: step["if"] for where, step in files.steps.items() if "if" in step}
    wanted = {f"rollout.train[{number}]": "needs.doctor.outputs.trains == 'runner'" for number in range(5)}
    wanted |= {f"rollout.train-on-cluster[{number}]": CLUSTER for number in range(3)}
    wanted["rollout.train-on-cluster[3]"] = f"cancelled() && {CLUSTER}"
    wanted["stages.register[2]"] = "inputs.version == '' && inputs.job == ''"
    about = {where: found for where, found in conditions.items() if "version" in found or "trains" in found}
    if about != wanted:
        yield f"{about}"
    trains = expression("inputs.version == '' && steps.doctor.outputs.trains || ''")
    if files.jobs["rollout.doctor"]["outputs"].get("trains") != trains:
        yield "rollout.doctor"
    public = "(github.event.repository.visibility == 'public' || vars.ATTEST == 'true')"
    if files.jobs["rollout.attest"].get("if") != f"needs.doctor.outputs.trains == 'runner' && {public}":
        yield "rollout.attest"


@rule
def what_is_uploaded_is_downloaded(files: Files) -> Findings:
    """The model that was trained is kept, registered and attested under one name, whole, as long as its run can be."""
    moves = {w: s["with"] for w, s in files.steps.items() if re.search("/(up|down)load-artifact@", s.get("uses", ""))}
    if moves.pop("compare.compare[5]", None) != {"name": "compare", "path": "outputs/compare"}:
        yield "compare"
    if list(moves) != ["rollout.train[4]", "rollout.attest[0]", "stages.register[2]"]:
        yield f"{list(moves)}"
    whole = {"include-hidden-files": True, "overwrite": True, "retention-days": 35}
    for where, moved in moves.items():
        if moved != {"name": "model", "path": "outputs/model"} | (whole if where == "rollout.train[4]" else {}):
            yield f"{where}: {moved}"


@rule
def setting_up_is_four_steps(files: Files) -> Findings:
    """Python, by a uv that was checked; locked packages, variables, login. Of two models each has its own packages."""
    steps = [step for where, step in files.steps.items() if where.startswith("actions.setup")]
    if [step.get("run", step.get("uses", "").partition("@")[0]) for step in steps] != [
        "astral-sh/setup-uv",
        'uv pip install --require-hashes -r "$REQUIREMENTS"',
        'exec python -m scripts.check_variables "$TARGET" --client-id "$CLIENT_ID" --tenant-id "$TENANT_ID"',
        "azure/login",
    ]:
        yield f"{steps}"
    always = "success() || inputs.always == 'true'"
    if [step.get("if") for step in steps] != [always] * 2 + [f"inputs.target != '' && ({always})"] * 2:
        yield f"{[step.get('if') for step in steps]}"
    if (uv := steps[0]["uses"].partition("@")[2], steps[0]["with"].get("version")) not in CHECKED:
        yield f"{uv}: look whether the action has a checksum for this uv (src/download/checksum/known-checksums.ts)"
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
        names = [
            name
            for run in runs
            for name in re.findall(
                r"scripts\.(\w+)|(train)\.py|make (\w+)|^exec (sleep)|azureml-emulator (compare)|tools\.(\w+)", run
            )
        ]
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
    "template.tell": ["check_template"],
    "ci.changes": ["needed"],
    "ci.check": ["check"],
    "ci.test": ["test"],
    "ci.demo": ["demo"],
    "ci.drill": ["drill"],
    "ci.compare-models": ["train", "train", "compare_models"],
    "compare.compare": ["install", "compare", "compare"],
    "rollout.doctor": ["doctor"],
    "rollout.train": ["train", "digest_model"],
    "rollout.train-on-cluster": ["train_job", "train_job"],
    "stages.register": ["register_model"],
    "stages.deploy": ["create_endpoint", "deploy"],
    "stages.smoke-test": ["smoke_test", "promote", "check_contract", "check_approval", "review"],
    "stages.delete-blue": ["delete_blue"],
    "stages.rollback": ["rollback", "tell_rollback"],
    "stages.tell": ["tell_rollback"],
    "promote.review": ["smoke_test", "check_contract", "review", "check_approval"],
    "promote.promote": ["promote"],
    "promote.tell": ["tell_rollback"],
    "promote.delete-blue": ["delete_blue"],
    "rollback.rollback": ["rollback", "cancel_rollout", "rollback"],
    "teardown.review": ["delete_endpoint", "check_approval"],
    "teardown.teardown": ["check_approval", "delete_endpoint"],
}
