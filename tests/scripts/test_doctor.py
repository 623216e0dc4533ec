"""The doctor from end to end: against the local Azure ML and the local GitHub, by hand and as a rollout's first job."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from azureml_emulator.api import routes
from azureml_emulator.arm.names import LOGS, ROLLOUT
from azureml_emulator.faults.client import Faults
from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.resources.watching import ALERTS, SETTINGS
from azureml_emulator.testing import Arm, alert, traffic_log
from scripts.lib.github.host import ISSUER
from scripts.lib.setup.azure import AUDIENCE
from scripts.lib.setup.guard import ruleset
from scripts.lib.setup.rights import MONITORING, ROLE
from tests.support import ROOT
from tests.support.repository import PROMOTING
from tests.support.scripts import Live, outputs, repository, run, toy_model

ENDPOINT = "doctor-endpoint"
ENVIRONMENTS = ("deploy", "production", "rollback")
PERMISSIONS = "*/Microsoft.Authorization/permissions"


class Copy:
    """A repository made from the template with all that it needs at GitHub and Azure; tests take something away."""

    def __init__(self, folder: Path, github: LocalGitHub, arm: Arm):
        self.folder = folder
        self.github = github
        self.arm = arm
        self.environ: dict[str, str] = {**github.environ(), "ENDPOINT_NAME": ENDPOINT}

    def run(self, *arguments: str, **environ: str) -> Result:
        return run("doctor", *arguments, **{**self.environ, **environ})

    def findings(self, *arguments: str, **environ: str) -> dict[str, dict[str, str]]:
        """What the doctor prints, by the checks' names; its own verdict doesn't matter."""
        return {found["name"]: found for found in json.loads(self.run(*arguments, **environ).stdout)}

    def verdict(self, check: str, **environ: str) -> str:
        return self.findings(**environ)[check]["verdict"]

    def trust(
        self,
        prefix: str,
        identity: str = "rollout",
        environments: tuple[str, ...] = ENVIRONMENTS,
        also: Sequence[str] = (),
    ) -> None:
        """Let an identity with its roles trust the subjects that begin so, and others; make it the variables' one."""
        group = self.arm.workspace.partition("/providers/")[0]
        address = f"{self.arm.base}{group}/providers/{routes.IDENTITIES}/{identity}"
        made = self.arm("PUT", address, {"location": "local"}).json()
        subjects = {name: f"{prefix}:environment:{name}" for name in environments}
        for name, sent in (subjects | {f"also{number}": subject for number, subject in enumerate(also)}).items():
            subject = {"issuer": ISSUER, "subject": sent, "audiences": [AUDIENCE]}
            self.arm("PUT", f"{address}/federatedIdentityCredentials/{name}", {"properties": subject})
        for role in (ROLE, MONITORING):
            given = {"principalId": made["properties"]["principalId"], "roleDefinitionId": routes.roles.IDS[role]}
            name = f"{identity}-{role.partition(' ')[0]}"
            self.arm(
                "PUT",
                f"{self.arm.base}{self.arm.workspace}/providers/{routes.roles.KIND}/{name}",
                {"properties": given},
            )
        self.github.variables["AZURE_CLIENT_ID"] = made["properties"]["clientId"]

    def edit(self, path: str, **fields: Any) -> None:
        file = self.folder / path
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **fields}))


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    arm = Arm(azure)
    arm.endpoint(ENDPOINT)
    return arm


@pytest.fixture
def copy(azure: dict[str, str], arm: Arm, github: LocalGitHub, tmp_path: Path) -> Iterator[Copy]:
    with repository(tmp_path / "copy", model="toy-doctor") as folder:
        (folder / "model").mkdir()
        (folder / "model" / "train.py").touch()
        (folder / "model" / "requirements.txt").write_text("mlflow==2.22.5 \\\n    --hash=sha256:0\n")
        shutil.copytree(ROOT / ".github" / "workflows", folder / ".github" / "workflows")
        github.rulesets["main"] = ruleset("main")
        for name in ENVIRONMENTS:
            reviewers = (
                {"reviewers": ["ada"]} if name == "production" else {"reviewers": [], "prevent_self_review": False}
            )
            github.add_environment(name, **reviewers)
        names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
        github.variables |= {name: azure[name] for name in names} | {"AZURE_TENANT_ID": "t", "ENDPOINT_NAME": ENDPOINT}
        made = Copy(folder, github, arm)
        made.trust(github.subject_document()["sub_claim_prefix"])
        yield made


def test_all_is_well(copy: Copy, tmp_path: Path) -> None:
    """A set-up without fault: exit code 0, each check ok on stdout, on stderr and in the summary."""
    summary = tmp_path / "summary.md"

    result = copy.run(GITHUB_STEP_SUMMARY=str(summary))

    findings = json.loads(result.stdout)
    assert (result.exit_code, {found["verdict"] for found in findings}) == (0, {"ok"}), result.stderr
    assert len(findings) == 32
    assert all(f"{found['name']}: ok. {found['say']}" in result.stderr for found in findings)
    assert summary.read_text().count("| ✅ |") == len(findings)


def test_nothing_is_changed(copy: Copy, arm: Arm, tmp_path: Path) -> None:
    """The doctor only reads, at GitHub and at Azure."""
    before = arm("GET", f"onlineEndpoints/{ENDPOINT}").json()

    copy.run()

    assert {method for method, _ in copy.github.calls} == {"GET"}
    assert arm("GET", f"onlineEndpoints/{ENDPOINT}").json() == before


def test_no_secret_is_printed(copy: Copy, arm: Arm) -> None:
    """Neither GitHub's token nor Azure's stands anywhere in what the doctor says."""
    copy.github.environments.clear()

    result = copy.run()

    assert copy.github.token not in result.output
    assert arm.token not in result.output and "eyJ" not in result.output


def test_an_environment_that_nobody_made(copy: Copy) -> None:
    """A fresh copy: GitHub would make the environment open, so there are no reviewers, and what mends it is said."""
    del copy.github.environments["production"]

    result = copy.run()

    found = {one["name"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert "not ready: reviewers production, branches production" in result.stderr
    assert "setup_github" in found["reviewers production"]["mend"]


def test_an_environment_without_reviewers(copy: Copy) -> None:
    """It is there, but nobody has to approve."""
    copy.github.environments["production"].reviewers.clear()
    copy.github.environments["production"].prevent_self_review = False

    assert copy.verdict("reviewers production") == "wrong"


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("prevent_self_review", False, "self-review production"),
        ("admins_bypass", True, "admin bypass production"),
        ("branches", None, "branches production"),
        ("branches", ["*"], "branches production"),
        ("branches", ["release"], "branches production"),
    ],
)
def test_rules_that_are_too_loose(copy: Copy, field: str, value: Any, check: str) -> None:
    """Self-review, administrators, branches: each is a finding of its own, and the reviewers are still there."""
    setattr(copy.github.environments["production"], field, value)

    result = copy.run()

    assert result.exit_code == 1
    assert f"not ready: {check}." in result.stderr


def test_protected_branches(copy: Copy) -> None:
    """Only protected branches may: wrong, since that lets every branch in while none is; setup_github changes it."""
    there = copy.github.environments["production"]
    there.branches, there.protected_branches_only = None, True

    found = copy.findings()["branches production"]

    assert found["verdict"] == "wrong" and "lets every branch in" in found["say"]
    assert "setup_github" in found["mend"]


def test_a_rollback_that_waits(copy: Copy) -> None:
    """Reviewers on rollback are wrong: going back must not wait for anybody."""
    copy.github.environments["rollback"].reviewers = ["ada"]

    assert copy.verdict("no wait rollback") == "wrong"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, {"branches unattended", "OIDC subject"}),
        ({"made": True}, {"OIDC subject"}),
        ({"made": True, "trusted": True}, set()),
        ({"made": True, "trusted": True, "reviewers": ["ada"]}, {"no wait unattended"}),
        ({"made": True, "trusted": True, "wait_timer": 5}, {"no wait unattended"}),
        ({"made": True, "trusted": True, "branches": None}, {"branches unattended"}),
        ({"made": True, "trusted": True, "branches": ["main", "release/*"]}, {"branches unattended"}),
        ({"made": True, "trusted": True, "tags": ["v*"]}, {"branches unattended"}),
        ({"made": True, "trusted": True, "variables": {"APPROVALS": "each"}}, {"variables unattended"}),
        ({"made": True, "trusted": True, "value": "each"}, {"approvals", "other logins"}),
        ({"made": True, "value": ""}, set()),
    ],
    ids=lambda part: str(part) if isinstance(part, dict) else " ".join(sorted(part)),
)
def test_one_approval_for_all_stages(copy: Copy, change: dict[str, Any], wrong: set[str]) -> None:
    """The environment in which nobody is asked is there, for main alone, waits for nobody, and Azure trusts it.

    Without the variable nothing is asked of it, but that Azure trusts it no more.
    """
    given = dict(change)
    copy.github.variables["APPROVALS"] = given.pop("value", "first")
    if given.pop("made", False):
        there = copy.github.add_environment("unattended", reviewers=[], prevent_self_review=False)
        copy.github.know("ada")
    if given.pop("trusted", False):
        sent = copy.github.subject_document()["sub_claim_prefix"]
        copy.trust(sent, "once", environments=(*ENVIRONMENTS, "unattended"))
    for field, value in given.items():
        setattr(there, field, value)

    findings = copy.findings()

    assert {name for name, found in findings.items() if found["verdict"] != "ok"} == wrong
    assert all("setup_github" in findings[name]["mend"] for name in wrong - {"approvals", "other logins"} if not given)


def test_a_rollout_asks_at_each_stage_by_another_word(copy: Copy) -> None:
    """Its first job says so, and goes on; a rollout isn't held up by it."""
    given = {**copy.github.variables, "APPROVALS": "the first one"}

    result = copy.run("--rollout", VARIABLES=json.dumps(given))

    assert result.exit_code == 0
    assert "approvals: wrong. APPROVALS is 'the first one', which means nothing" in result.stderr


def test_variables_that_are_missing(copy: Copy) -> None:
    """They are named, and the page on which they are set."""
    del copy.github.variables["AZURE_TENANT_ID"]

    found = copy.findings()["variables"]

    assert found["verdict"] == "wrong" and "AZURE_TENANT_ID" in found["say"]
    assert "https://github.com/local/rollout/settings/variables/actions" in found["mend"]


def test_variables_come_from_the_job(copy: Copy) -> None:
    """In a job VARIABLES holds them, and GitHub, which doesn't tell a job, isn't asked."""
    copy.github.forbidden.add("actions/list-repo-variables")

    found = copy.findings("--rollout", VARIABLES=json.dumps(dict(copy.github.variables)))

    assert found["variables"]["verdict"] == "ok"
    assert not any("variables" in path for _, path in copy.github.calls)


@pytest.mark.parametrize("staged", [True, False])
def test_staging_counts_where_it_is_on(copy: Copy, staged: bool) -> None:
    """Its environment is looked at only with a staging workspace."""
    copy.github.variables |= {"STAGING_AZURE_ML_WORKSPACE": "rehearsal"} if staged else {}

    assert ("branches staging" in copy.findings()) is staged


@pytest.mark.parametrize(("own", "verdict"), [({}, "wrong"), ({"STAGING_AZURE_CLIENT_ID": "another"}, "ok")])
def test_staging_with_an_identity_of_its_own(copy: Copy, own: dict[str, str], verdict: str) -> None:
    """Production's identity must trust staging's jobs only if they log in as it, too."""
    copy.github.variables |= {"STAGING_AZURE_ML_WORKSPACE": "rehearsal", **own}

    found = copy.findings()["OIDC subject"]

    assert found["verdict"] == verdict
    assert (":environment:staging`" in found["say"]) is (not own)


@pytest.mark.parametrize("immutable", [True, False])
def test_the_other_form_of_the_subject(copy: Copy, immutable: bool) -> None:
    """Azure trusts one form, GitHub sends the other: wrong, with both, as after a repository was transferred."""
    copy.github.immutable = not immutable
    other = copy.github.subject_document()["sub_claim_prefix"]
    copy.trust(other, identity="transferred")
    copy.github.immutable = immutable

    found = copy.findings()["OIDC subject"]

    sent = copy.github.subject_document()["sub_claim_prefix"]
    assert found["verdict"] == "wrong"
    assert f"`{sent}:environment:deploy`" in found["say"] and f"`{other}:environment:deploy`" in found["say"]


def test_a_credential_for_each_environment(copy: Copy) -> None:
    """One environment that Azure doesn't know is enough: its jobs could not log in."""
    copy.trust(
        copy.github.subject_document()["sub_claim_prefix"], identity="half", environments=("deploy", "production")
    )

    found = copy.findings()["OIDC subject"]

    assert found["verdict"] == "wrong" and ":environment:rollback" in found["say"]


def test_a_custom_subject(copy: Copy) -> None:
    """A subject made of other claims can't be told, and it is said which."""
    copy.github.claim_keys = ["repo", "job_workflow_ref"]

    found = copy.findings()["OIDC subject"]

    assert found["verdict"] == "cannot tell" and "job_workflow_ref" in found["say"]


def test_an_identity_that_is_not_to_be_found(copy: Copy) -> None:
    """Whether Azure trusts the subjects can't be told then; they are shown, to be compared by hand."""
    copy.github.variables["AZURE_CLIENT_ID"] = "00000000-0000-0000-0000-000000000000"

    found = copy.findings()["OIDC subject"]

    assert found["verdict"] == "cannot tell"
    assert all(f":environment:{name}`" in found["say"] for name in ENVIRONMENTS)


PULL_REQUEST = "repo:local/rollout:pull_request"


def loosen(copy: Copy, what: str) -> dict[str, str]:
    """Something that is as it should not be, which no rollout fails for."""
    production, environ = copy.github.environments["production"], {}
    if what == "guard main":
        copy.github.rulesets.clear()
    elif what == "branches production":
        production.tags = ["v*"]
    elif what == "variables production":
        production.variables = {"ENDPOINT_NAME": "elsewhere"}
    elif what == "app rules rollback":
        copy.github.environments["rollback"].apps = ["gate"]
    elif what == "default branch":
        copy.github.default_branch, copy.github.branches["trunk"] = "trunk", "0" * 40
    elif what == "place":
        environ = {"AZURE_RESOURCE_GROUP": "another"}
    elif what == "other logins":
        copy.trust(copy.github.subject_document()["sub_claim_prefix"], identity="open", also=[PULL_REQUEST])
    return environ


@pytest.mark.parametrize(
    ("what", "mend"),
    [
        ("guard main", "setup_github --ruleset"),
        ("branches production", "gh api --method DELETE"),
        ("variables production", "gh variable delete ENDPOINT_NAME --env production"),
        ("app rules rollback", "https://github.com/local/rollout/settings/environments"),
        ("default branch", "`branches: [trunk]` instead of"),
        ("place", "export AZURE_RESOURCE_GROUP="),
        ("other logins", "az identity federated-credential delete --name also0 --identity-name open --subscription "),
    ],
)
def test_what_is_wrong_by_hand(copy: Copy, what: str, mend: str) -> None:
    """It is a finding of its own with what mends it, and alone makes the doctor fail by hand."""
    environ = loosen(copy, what)

    result = copy.run(**environ)

    found = {one["name"]: one for one in json.loads(result.stdout)}[what]
    assert (result.exit_code, found["verdict"]) == (1, "wrong"), result.stderr
    assert mend in found["mend"]


def test_what_is_wrong_by_hand_stops_no_rollout(copy: Copy, tmp_path: Path) -> None:
    """All of it together: the rollout goes on to its end."""
    for what in ("guard main", "branches production", "variables production", "app rules rollback", "other logins"):
        loosen(copy, what)

    result = copy.run("--rollout", GITHUB_OUTPUT=str(tmp_path / "output"), VARIABLES=json.dumps(copy.github.variables))

    assert result.exit_code == 0, result.stderr
    assert outputs(tmp_path / "output") == {"reviewers": "required", "stop-after": "", "trains": "runner"}


def test_a_renamed_repository(copy: Copy) -> None:
    """`origin` has the old name: all is asked and said of the present one."""
    copy.github.former = "local/before"

    result = copy.run(GITHUB_REPOSITORY="local/before")

    assert result.exit_code == 0, result.stderr
    assert "local/before" not in result.output


def test_identities_of_their_own(copy: Copy) -> None:
    """Where an environment's jobs log in as another identity, each must trust its own environments and no other."""
    prefix = copy.github.subject_document()["sub_claim_prefix"]
    copy.trust(prefix, identity="back", environments=("rollback",))
    copy.github.variables["ROLLBACK_AZURE_CLIENT_ID"] = copy.github.variables["AZURE_CLIENT_ID"]
    copy.trust(prefix, identity="rest", environments=("deploy", "production", "rollback"))

    found = copy.findings()

    assert {found[f"OIDC subject {names}"]["verdict"] for names in ("deploy production", "rollback")} == {"ok"}
    assert found["other logins rollback"]["verdict"] == "ok"
    assert ":environment:rollback`" in found["other logins deploy production"]["say"]


NOTHING = dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_ML_WORKSPACE", "ENDPOINT_NAME"))


@pytest.mark.parametrize("given", [{}, NOTHING])
@pytest.mark.parametrize("made", [(), ("deploy",), ("deploy", "production")])
def test_a_fresh_copy(copy: Copy, tmp_path: Path, given: dict[str, None], made: tuple[str, ...]) -> None:
    """Its first run, which GitHub starts, is no failure: one notice says what comes next, with links.

    Environments that a workflow named are there, without any rule.
    """
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    copy.github.environments.clear()
    for name in made:
        copy.github.add_environment(name, [], prevent_self_review=False, admins_bypass=True, branches=None)
    files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}

    result = copy.run("--rollout", VARIABLES=json.dumps(given), GITHUB_ACTIONS="true", **files)

    assert (result.exit_code, result.stdout) == (0, "[]\n"), result.output
    [notice] = result.stderr.splitlines()
    assert notice.startswith("::notice title=Not set up yet::") and "/blob/HEAD/docs/MAKE_IT_YOURS.md" in notice
    assert outputs(output) == {"reviewers": "none", "stop-after": "doctor"}
    assert "https://github.com/local/rollout/settings/environments" in summary.read_text()


@pytest.mark.parametrize(
    ("event", "arguments", "code", "says"),
    [
        ("push", (), 0, "::notice title=Nothing to roll out::Nothing is trained here"),
        ("workflow_dispatch", (), 1, "Start rollout.yml with a registered `version`."),
        ("workflow_dispatch", ("--model", "other", "--version", 1), 0, ": ok"),
        ("push", ("--version", 1), 0, ": ok"),
    ],
    ids=["a merge", "a person", "a model", "a version"],
)
def test_a_copy_that_trains_nothing(
    copy: Copy, tmp_path: Path, event: str, arguments: tuple[Any, ...], code: int, says: str
) -> None:
    """Without model/train.py a push says so, and no more runs; a person must name what is to be rolled out."""
    (copy.folder / "model/train.py").unlink(missing_ok=True)

    result = copy.run(
        "--rollout", *arguments, GITHUB_EVENT_NAME=event, GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(tmp_path / "output")
    )

    assert (result.exit_code, says in result.stderr) == (code, True), result.stderr
    ended = event == "push" and not arguments
    assert code or outputs(tmp_path / "output")["stop-after"] == ("doctor" if ended else "")


@pytest.mark.parametrize("half", ["a variable", "reviewers", "branches", "untold"])
def test_half_set_up(copy: Copy, half: str) -> None:
    """Where somebody has begun, or GitHub doesn't tell, what is missing makes the rollout fail."""
    production = copy.github.environments["production"]
    if half == "branches":
        production.reviewers, production.prevent_self_review = [], False
    elif half == "a variable":
        copy.github.environments.clear()
    elif half == "untold":
        copy.github.forbidden.add("repos/get-environment")
    given = {"AZURE_TENANT_ID": "t"} if half == "a variable" else {}

    result = copy.run("--rollout", VARIABLES=json.dumps(given))

    assert result.exit_code == 1
    assert "not ready: variables" in result.stderr


@pytest.mark.parametrize("given", [{}, {"AZURE_TENANT_ID": "the organisation's"}])
def test_the_template_itself(copy: Copy, given: dict[str, str]) -> None:
    """It is set up nowhere, whatever variables its organisation has."""
    copy.github.environments.clear()
    copy.github.is_template = True

    result = copy.run("--rollout", VARIABLES=json.dumps(given))

    assert result.exit_code == 0 and "Not set up yet" in result.stderr


class Issuer(HTTPServer):
    """Where a job gets its own OIDC token: GitHub's server with one subject."""

    def __init__(self, subject: str):
        claims = base64.urlsafe_b64encode(json.dumps({"sub": subject}).encode()).decode().rstrip("=")
        body = json.dumps({"value": f"e30.{claims}.signature"}).encode()
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers["Authorization"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Issuer:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()

    def environ(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self.server_port}/token?api-version=2.0"
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": address, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the-job"}


def test_a_job_reads_its_own_subject(copy: Copy) -> None:
    """A job asks for a token of its own, whose subject is the very one that Azure sees; it isn't printed."""
    copy.github.forbidden.add("actions/get-custom-oidc-sub-claim-for-repo")
    prefix = copy.github.subject_document()["sub_claim_prefix"]

    with Issuer(f"{prefix}:environment:deploy") as issuer:
        result = copy.run(**issuer.environ())

    found = {one["name"]: one for one in json.loads(result.stdout)}["OIDC subject"]
    assert found["verdict"] == "ok", found
    assert issuer.asked == [("/token?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange", "Bearer the-job")]
    assert "signature" not in result.output and "the-job" not in result.output


@pytest.mark.parametrize("subject", ["repo:a/b:ref:refs/heads/main", "repo:a/b:environment:deploy:job:x"])
def test_a_subject_of_another_form(copy: Copy, subject: str) -> None:
    """A token that doesn't end with an environment of the workflows tells of a custom subject, whatever GitHub says."""
    with Issuer(subject) as issuer:
        found = copy.findings(**issuer.environ())["OIDC subject"]

    assert found["verdict"] == "cannot tell" and subject in found["say"]


def test_a_job_that_gets_no_token(copy: Copy) -> None:
    """Then GitHub's API is asked for the subject."""
    nobody = {"ACTIONS_ID_TOKEN_REQUEST_URL": copy.github.url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the-job"}

    assert copy.verdict("OIDC subject", **nobody) == "ok"


def test_no_login(copy: Copy) -> None:
    """Azure accepts none: wrong, with the subjects it must trust and what AADSTS700213 means; the rest is open."""
    found = copy.findings(IDENTITY_HEADER="none")

    assert found["login"]["verdict"] == "wrong"
    assert "AADSTS700213" in found["login"]["mend"] and ":environment:deploy`" in found["login"]["mend"]
    others = ("workspace", "role", "core quota", "endpoint name", "OIDC subject")
    assert {found[name]["verdict"] for name in others} == {"cannot tell"}


def test_a_login_without_any_right(copy: Copy, faults: Faults) -> None:
    """Azure knows the login, but it may not read the workspace: the role is wrong, not the login."""
    faults.add("refuse", method="GET", path="*/workspaces/local", status=403, times=0)

    found = copy.findings()

    assert (found["login"]["verdict"], found["role"]["verdict"]) == ("ok", "wrong")
    assert "AzureML Data Scientist" in found["role"]["mend"]


@pytest.mark.parametrize(
    ("path", "check"),
    [
        (PERMISSIONS, "role"),
        ("*/usages", "core quota"),
        ("*/vmSizes", "core quota"),
        ("*/userAssignedIdentities", "OIDC subject"),
        (f"*/onlineEndpoints/{ENDPOINT}", "endpoint name"),
    ],
)
def test_what_the_login_may_not_read(copy: Copy, faults: Faults, path: str, check: str) -> None:
    """A right that the scripts don't need is no fault: that check can't be told, the others are, and all is well."""
    faults.add("refuse", method="GET", path=path, status=403, times=0)

    result = copy.run()

    assert result.exit_code == 0, result.stderr
    assert {one["name"]: one for one in json.loads(result.stdout)}[check]["verdict"] == "cannot tell"


def test_a_workspace_that_is_not_there(copy: Copy) -> None:
    """The variables name another one."""
    found = copy.findings(AZURE_ML_WORKSPACE="nowhere")["workspace"]

    assert found["verdict"] == "wrong" and "AZURE_ML_WORKSPACE" in found["mend"]


def test_azure_that_cannot_be_reached(copy: Copy, faults: Faults) -> None:
    """Nothing of Azure can be told, and nothing is blamed for it."""
    faults.add("refuse", method="GET", path="*/workspaces/local", status=400, code="Odd", times=0)

    found = copy.findings()

    assert {found[name]["verdict"] for name in ("login", "workspace", "role", "core quota")} == {"cannot tell"}


def test_an_endpoint_name_that_azure_would_not_take(copy: Copy) -> None:
    """Letters, digits and single dashes only."""
    assert copy.verdict("endpoint name", ENDPOINT_NAME="no_underscores") == "wrong"


def test_an_endpoint_that_is_not_there_yet(copy: Copy) -> None:
    """Whether its name is free in the region only its creation tells; the doctor is content."""
    copy.github.variables["ENDPOINT_NAME"] = "doctor-not-yet"

    result = copy.run(ENDPOINT_NAME="doctor-not-yet")

    assert result.exit_code == 0, result.stderr
    assert {one["name"]: one for one in json.loads(result.stdout)}["endpoint name"]["verdict"] == "cannot tell"


def test_a_requirement_that_azure_rejects(copy: Copy) -> None:
    """MLflow 3.7 and later crash in Azure's image."""
    (copy.folder / "model" / "requirements.txt").write_text("mlflow==3.7.0 \\\n    --hash=sha256:0\n")

    found = copy.findings()["model requirements"]

    assert found["verdict"] == "wrong" and "3.7.0" in found["say"]


def test_a_registered_version_has_its_own_requirements(copy: Copy) -> None:
    """With --version nothing is trained, so what the repository requires doesn't matter."""
    (copy.folder / "model" / "requirements.txt").write_text("mlflow==3.7.0\n")

    assert "model requirements" not in copy.findings("--rollout", "--version", "3")


def test_a_quota_that_is_too_small(copy: Copy) -> None:
    """Blue fits, blue and green together don't: 60 machines with 16 cores each, twice, of 1,000 cores."""
    for colour in ("blue", "green"):
        copy.edit(f"endpoints/{colour}-deployment.yml", instance_type="Standard_DS5_v2", instance_count=50)

    found = copy.findings()["core quota"]

    assert found["verdict"] == "wrong" and "1920" in found["say"]


def test_the_quota_counts_what_serves(copy: Copy, tmp_path: Path) -> None:
    """Blue is the deployment with the traffic, as large as it is, not as its file says by now."""
    live = Live("doctor-quota")
    run("register_model", toy_model(tmp_path / "one", answer=1), GITHUB_SHA="a" * 40)
    run("register_model", toy_model(tmp_path / "two", answer=2))
    copy.edit("endpoints/blue-deployment.yml", instance_type="Standard_DS3_v2", instance_count=2)
    copy.edit("endpoints/green-deployment.yml", instance_type="Standard_DS5_v2", instance_count=1)
    live.do("create_endpoint")
    live.do("deploy", "--version", 1)
    live.do("promote", "--to", "default", "--percent", 100)
    live.do("deploy", "--version", 2)
    copy.edit("endpoints/blue-deployment.yml", instance_count=1)

    for sha in ("a" * 40, "b" * 40):
        copy.github.add_commit(sha)
    copy.github.changed["b" * 40], copy.github.branches["main"] = ["model/train.py"], "b" * 40

    found = copy.findings(ENDPOINT_NAME=live.name)
    shown = live.run("show_endpoint", **copy.github.environ()).stderr
    untold = live.run("show_endpoint").stderr

    copy.arm("DELETE", f"onlineEndpoints/{live.name}")
    assert found["what serves"]["verdict"] == "wrong"
    assert "no rollout started" in found["what serves"]["say"]
    assert "gh workflow run rollout.yml --ref main" in found["what serves"]["mend"]
    assert "no rollout started for what changed in model/train.py" in shown and "can't be told" in untold
    assert "a change of it alone does nothing" in found["first deployment"]["say"]
    assert "60 cores" in found["core quota"]["say"]  # three machines of 4, three of 16: a fifth more, rounded up


def test_who_watches_what_serves(copy: Copy, tmp_path: Path) -> None:
    """By hand only, and nothing of it is wrong: what traffic shows, alerts and the traffic log, with what makes them;
    alerts, which are the group's, not to a login that may read the workspace alone.
    """
    live, group = Live("doctor-watched"), f"{copy.arm.base}{copy.arm.workspace.partition('/providers/')[0]}"
    run("register_model", toy_model(tmp_path / "one", answer=1))
    live.do("create_endpoint")
    live.serve(1)
    made = {
        f"{group}/providers/{ALERTS}/a": alert(f"{copy.arm.workspace}/onlineEndpoints/{live.name}"),
        f"onlineEndpoints/{live.name}/providers/{SETTINGS}/s": traffic_log("/subscriptions/a"),
    }

    before = copy.findings(ENDPOINT_NAME=live.name)
    for address, body in made.items():
        copy.arm("PUT", address, body).raise_for_status()
    copy.github.variables["LOG_ANALYTICS_WORKSPACE_ID"] = LOGS
    after, rollouts = (copy.findings(ENDPOINT_NAME=live.name, **who) for who in ({}, {"AZURE_CLIENT_ID": ROLLOUT}))
    rollout = copy.findings("--rollout", ENDPOINT_NAME=live.name)
    for address in [*made, f"onlineEndpoints/{live.name}"]:
        copy.arm("DELETE", address)

    names = {"live traffic", "evidence", "alerts", "traffic log"}
    assert names & set(rollout) == set()
    assert {found[name]["verdict"] for found in (before, after) for name in names} == {"ok"}
    assert "nobody asked in the last hour" in before["evidence"]["say"]
    assert all("setup_github --watch" in before[name]["mend"] for name in ("alerts", "traffic log"))
    told = [found["live traffic"]["say"] for found in (before, after)]
    assert told[0] == "told by Azure Monitor: nobody named a log (LOG_ANALYTICS_WORKSPACE_ID)"
    why = r"(can't be read: .*\(yet\).*|tells of no request in the last 15 minutes)"  # whatever other tests have asked
    assert re.fullmatch(f"told by Azure Monitor, since Log Analytics {why}", told[1], re.DOTALL)
    assert "failures: a;" in after["alerts"]["say"] and "`s` sends it" in after["traffic log"]["say"]
    assert [rollouts[name]["verdict"] for name in ("evidence", "traffic log", "alerts")] == ["ok", "ok", "cannot tell"]


def test_a_file_that_cannot_be_deployed_fails_a_rollout(copy: Copy, tmp_path: Path) -> None:
    """Before minutes of training; all else is checked all the same, as far as the file doesn't matter."""
    copy.edit("endpoints/green-deployment.yml", instance_count="${COUNT}")

    result = copy.run("--rollout", GITHUB_OUTPUT=str(tmp_path / "output"))

    found = {one["name"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert "not ready: endpoints/green-deployment.yml." in result.stderr
    assert "`instance_count` must be a whole number" in found["endpoints/green-deployment.yml"]["say"]
    assert found["core quota"]["verdict"] == "cannot tell"


@pytest.mark.parametrize("name", ["", "doctor-endpoint"])
def test_an_endpoint_file_that_is_no_yaml(copy: Copy, name: str) -> None:
    """No traceback: what needs it can't be told, and the endpoint is looked at where ENDPOINT_NAME names it."""
    (copy.folder / "endpoints" / "endpoint.yml").write_text("name: [")
    copy.github.variables["ENDPOINT_NAME"] = name

    result = copy.run(ENDPOINT_NAME=name)

    found = {one["name"]: one["verdict"] for one in json.loads(result.stdout)}
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert found["endpoints/endpoint.yml"] == "wrong"
    assert found["endpoint name"] == ("ok" if name else "cannot tell")


def test_a_creation_that_failed(copy: Copy, faults: Faults) -> None:
    """What it left is shown, and that the next rollout creates it anew."""
    faults.add("fail", method="PUT", path="*/onlineEndpoints/doctor-leftover", code="SubscriptionNotRegistered")
    run("create_endpoint", ENDPOINT_NAME="doctor-leftover")

    found = copy.findings(ENDPOINT_NAME="doctor-leftover")["endpoint name"]

    copy.arm("DELETE", "onlineEndpoints/doctor-leftover")
    assert found["verdict"] == "ok" and "creates it anew" in found["say"]


@pytest.mark.parametrize("asked", ["", PROMOTING[0], "train"])
def test_a_rollout_with_reviewers(copy: Copy, tmp_path: Path, asked: str) -> None:
    """It stops where it was asked to, or nowhere."""
    output = tmp_path / "output"

    result = copy.run("--rollout", "--stop-after", asked, GITHUB_OUTPUT=str(output))

    assert result.exit_code == 0, result.stderr
    assert outputs(output) == {"reviewers": "required", "stop-after": asked, "trains": "runner"}


@pytest.mark.parametrize(("asked", "until"), [("", "smoke-test"), (PROMOTING[0], "smoke-test"), ("train", "train")])
@pytest.mark.parametrize("missing", ["the environment", "reviewers", "an answer"])
def test_a_rollout_without_reviewers(copy: Copy, tmp_path: Path, missing: str, asked: str, until: str) -> None:
    """It goes on, but stops before its first promotion, and says what to do then."""
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    if missing == "the environment":
        del copy.github.environments["production"]
    elif missing == "reviewers":
        copy.github.environments["production"].reviewers.clear()
    else:
        copy.github.forbidden.add("repos/get-environment")

    result = copy.run("--rollout", "--stop-after", asked, GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0, result.stderr
    assert outputs(output) == {"reviewers": "none", "stop-after": until, "trains": "runner"}
    assert f"stops after {until}" in summary.read_text() and "promote.yml" in summary.read_text()


def test_without_github_nothing_is_certain(copy: Copy) -> None:
    """Where GitHub doesn't answer, reviewers can't be told: by hand that is a failure, and the only one."""
    copy.github.forbidden |= {"repos/get-environment", "actions/list-repo-variables"}

    result = copy.run(GITHUB_REPOSITORY="local/rollout")

    assert result.exit_code == 1
    assert "not ready: reviewers production." in result.stderr


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_token_that_is_none(copy: Copy, token: str) -> None:
    """The same without a token, or with a wrong one."""
    result = copy.run(GITHUB_TOKEN=token)

    assert result.exit_code == 1
    assert "not ready: reviewers production." in result.stderr and "Traceback" not in result.output


@pytest.mark.parametrize(
    "loosened", [{"prevent_self_review": False}, {"admins_bypass": True}, {"branches": None}], ids=str
)
def test_advice_stops_no_rollout(copy: Copy, loosened: dict[str, Any]) -> None:
    """What is not as it should be, but does not fail the rollout, is only said."""
    for field, value in loosened.items():
        setattr(copy.github.environments["production"], field, value)

    result = copy.run("--rollout")

    assert result.exit_code == 0
    assert ": wrong." in result.stderr


@pytest.mark.parametrize(
    ("environ", "check"),
    [
        ({"VARIABLES": "{}"}, "variables"),
        ({"IDENTITY_HEADER": "none"}, "login"),
        ({"AZURE_ML_WORKSPACE": "nowhere"}, "workspace"),
        ({"ENDPOINT_NAME": "no_underscores"}, "endpoint name"),
    ],
)
def test_what_fails_a_rollout_for_sure(copy: Copy, tmp_path: Path, environ: dict[str, str], check: str) -> None:
    """It fails at once, before minutes of training; what the doctor found is printed all the same."""
    result = copy.run("--rollout", GITHUB_OUTPUT=str(tmp_path / "output"), **environ)

    assert result.exit_code == 1
    assert "not ready: " in result.stderr and check in result.stderr.splitlines()[-1]
    assert len(json.loads(result.stdout)) in (22, 24)  # who can't log in asks for nothing more


@pytest.mark.parametrize(("role", "asked"), [("", False), ("Reader", True)])
def test_a_rollout_asks_what_it_may(copy: Copy, role: str, asked: bool) -> None:
    """As what set-up makes of it, a rollout's doctor says nothing of what it is refused: what lies outside of the
    workspace is left to the doctor by hand, which says what it may not read; a Reader is told.
    """
    subscription = copy.arm.workspace.partition("/resourceGroups/")[0]
    assignment = f"{copy.arm.base}{subscription}/providers/{routes.roles.KIND}/reader"
    if role:
        group = f"{subscription}/resourceGroups/local"
        listed = copy.arm("GET", f"{copy.arm.base}{group}/providers/{routes.IDENTITIES}").json()["value"]
        who = next(one["properties"]["principalId"] for one in listed if one["name"] == "rollout")
        definition = routes.roles.IDS[role]
        copy.arm("PUT", assignment, {"properties": {"principalId": who, "roleDefinitionId": definition}})

    rollout = copy.findings("--rollout", AZURE_CLIENT_ID=ROLLOUT)
    by_hand = copy.findings(AZURE_CLIENT_ID=ROLLOUT)

    copy.arm("DELETE", assignment)
    beyond = {"OIDC subject", "core quota"}
    assert set(rollout) & beyond == (beyond if asked else set())
    assert {found["verdict"] for found in rollout.values()} == {"ok"}
    assert {by_hand[name]["verdict"] for name in beyond} == {"ok" if asked else "cannot tell"}
    assert by_hand["role"]["verdict"] == "ok"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stop-after", "smoke"],
        ["--stop-after", "rollback"],
        ["--stop-after", "register"],
        ["--stop-after", "promote-99"],
        ["--stop-after", "train; rm -rf /"],
        ["--version", "0"],
        ["--version", "-1"],
        ["--version", "latest"],
        ["--version", "1.5"],
        ["--model", "other"],
        ["--model", "azureml:other:1", "--version", "1"],
    ],
    ids=str,
)
def test_wrong_inputs(copy: Copy, arguments: list[str]) -> None:
    """Nothing else validates what is typed by hand: exit code 2, before anybody is asked."""
    result = copy.run("--rollout", *arguments)

    assert (result.exit_code, copy.github.calls) == (2, [])


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "no JSON"), ("[]", "not a JSON object"), ("[1]", "not a JSON object"), ('{"A": 1}', "all texts")],
)
def test_something_else_than_variables_is_wrong_usage(copy: Copy, text: str, why: str) -> None:
    """VARIABLES is a JSON object of texts, or a wrong call."""
    result = copy.run(VARIABLES=text)

    assert result.exit_code == 2
    assert why in result.stderr


def test_variables_that_are_not_set_are_null(copy: Copy) -> None:
    """As GitHub writes them."""
    given = {**copy.github.variables, "AZURE_TENANT_ID": None}

    found = copy.findings(VARIABLES=json.dumps(given))["variables"]

    assert found["verdict"] == "wrong" and "AZURE_TENANT_ID" in found["say"]


def test_inputs_left_empty(copy: Copy) -> None:
    """A push has no inputs: an empty stage and version are none."""
    assert copy.run("--rollout", "--stop-after", "", "--version", "").exit_code == 0
