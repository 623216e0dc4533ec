"""Each check of the doctor, decided by facts alone: the tables of cases, to the edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azureml_emulator.resources import quotas, skus
from azureml_emulator.resources.roles import IDS, ROLES
from scripts import doctor
from scripts.lib.doctor import azure_checks, checks, quota, trust
from scripts.lib.doctor.azure_checks import NO_LOGIN, NO_RIGHT, NO_WORKSPACE, REACHED, UNKNOWN, Endpoint, Reach
from scripts.lib.doctor.azure_facts import members
from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, ok, wrong
from scripts.lib.doctor.quota import Shape, Usage
from scripts.lib.github import triggers
from scripts.lib.github.environment import Environment, Policy
from scripts.lib.github.host import ISSUER
from scripts.lib.setup.azure import AUDIENCE

PAGE = "https://github.com/o/r/settings"
UNTOLD = Unknown("HTTP 403")
WHOLE = dict.fromkeys(
    ["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE"], "a"
)
STAGING = {"STAGING_AZURE_ML_WORKSPACE": "rehearsal"}
ROLE = "Microsoft.MachineLearningServices/workspaces"
OLD, NEW = "repo:o/r:environment:deploy", "repo:o@1/r@2:environment:deploy"
REVIEWER = {"type": "User", "reviewer": {"login": "ada"}}


def reviewers(**rule: Any) -> dict[str, Any]:
    return {"protection_rules": [{"type": "required_reviewers", "reviewers": [REVIEWER], **rule}]}


def read(document: Any) -> Any:
    """An environment as the client reads it; what isn't one stays as it is."""
    return Environment.parse(document) if isinstance(document, dict) else document


@pytest.mark.parametrize(
    ("found", "expected", "says"),
    [
        (WHOLE, "ok", "all are set."),
        ({**WHOLE, "ENDPOINT_NAME": "other", "UNRELATED": "with space"}, "ok", "all are set."),
        ({**WHOLE, **STAGING}, "ok", "for staging too"),
        ({}, "wrong", "AZURE_CLIENT_ID, AZURE_ML_WORKSPACE, AZURE_RESOURCE_GROUP"),
        ({**WHOLE, "AZURE_TENANT_ID": ""}, "wrong", "AZURE_TENANT_ID are not set"),
        ({**WHOLE, "AZURE_CLIENT_ID": "", **STAGING}, "wrong", "AZURE_CLIENT_ID"),
        ({**WHOLE, "AZURE_RESOURCE_GROUP": "a b"}, "wrong", "white space in AZURE_RESOURCE_GROUP"),
        ({**WHOLE, "AZURE_RESOURCE_GROUP": "größe_(1).x"}, "ok", ""),
        ({**WHOLE, "AZURE_CLIENT_ID": '"a"'}, "wrong", '" in AZURE_CLIENT_ID'),
        ({**WHOLE, "AZURE_CLIENT_ID": "\u2018a\u2019"}, "wrong", "U+2018"),
        ({**WHOLE, "AZURE_TENANT_ID": "<tenant>"}, "wrong", "<, > in AZURE_TENANT_ID"),
        ({**WHOLE, "AZURE_ML_WORKSPACE": "a\u200b"}, "wrong", "ZERO WIDTH SPACE (U+200B) in AZURE_ML_WORKSPACE"),
        ({**WHOLE, "AZURE_ML_WORKSPACE": "a\u00a0"}, "wrong", "white space in AZURE_ML_WORKSPACE"),
        ({**WHOLE, "AZURE_ML_WORKSPACE": "\ufeffa"}, "wrong", "U+FEFF"),
        ({**WHOLE, "AZURE_ML_WORKSPACE": "/subscriptions/a"}, "wrong", "/ in AZURE_ML_WORKSPACE"),
        ({**WHOLE, "AZURE_ML_WORKSPACE": "AZURE_ML_WORKSPACE=a"}, "wrong", "= in AZURE_ML_WORKSPACE"),
        ({**WHOLE, "ENDPOINT_NAME": "${NAME}"}, "wrong", "$, {, } in ENDPOINT_NAME"),
        ({**WHOLE, "ENDPOINT_NAME": "h\u0435art"}, "wrong", "CYRILLIC SMALL LETTER IE"),
        ({**WHOLE, "STAGING_AZURE_CLIENT_ID": "a\n"}, "wrong", "white space in STAGING_AZURE_CLIENT_ID"),
        ({**WHOLE, "STAGING_AZURE_ML_WORKSPACE": "A"}, "wrong", "staging is the production endpoint"),
        ({**WHOLE, "APPROVALS": "the first"}, "ok", "all are set."),
        (UNTOLD, "cannot tell", "HTTP 403"),
    ],
)
def test_variables(found: Any, expected: str, says: str) -> None:
    """All that a login needs is set, for staging where it is on; else each that is missing is named."""
    finding = checks.variables(found, "heart-classifier", f"{PAGE}/variables")

    assert finding.verdict == expected and says in finding.say
    assert expected == "ok" or f"{PAGE}/variables" in finding.mend


@pytest.mark.parametrize(
    ("found", "expected", "says"),
    [
        ({}, "ok", "each stage"),
        ({"APPROVALS": ""}, "ok", "each stage"),
        ({"APPROVALS": "first"}, "ok", "for its later stages, too"),
        ({"APPROVALS": "First"}, "ok", "for its later stages, too"),
        ({"APPROVALS": "first "}, "wrong", "'first ', which means nothing: each stage"),
        ({"APPROVALS": "each"}, "wrong", "'each', which means nothing: each stage"),
        ({"APPROVALS": "1"}, "wrong", "each stage"),
        (UNTOLD, "cannot tell", "HTTP 403"),
    ],
)
def test_which_stages_ask(found: Any, expected: str, says: str) -> None:
    """Each one, or by one word the first alone, in whatever case, as GitHub compares; another word says nothing."""
    finding = checks.approvals(found)

    assert finding.verdict == expected and says in finding.say
    assert ("gh variable delete APPROVALS" in finding.mend) == (expected == "wrong")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (reviewers(prevent_self_review=True), "ok"),
        (reviewers(prevent_self_review=False), "wrong"),
        (reviewers(), "wrong"),
        ({"protection_rules": []}, "cannot tell"),
        (None, "cannot tell"),
        (UNTOLD, "cannot tell"),
    ],
)
def test_self_review(environment: Any, expected: str) -> None:
    """Whoever starts a rollout must not approve it; without reviewers there is nothing to tell."""
    assert checks.self_review("production", read(environment), PAGE).verdict == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"can_admins_bypass": False}, "ok"),
        ({"can_admins_bypass": True}, "wrong"),
        ({}, "cannot tell"),
        (None, "cannot tell"),
        (UNTOLD, "cannot tell"),
    ],
)
def test_admin_bypass(environment: Any, expected: str) -> None:
    """Administrators must not go past the reviewers."""
    assert checks.admin_bypass("production", read(environment), PAGE).verdict == expected


PROTECTED = {"deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False}}
LISTED = {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}}


MAIN, TAG = Policy("main", id=1), Policy("main", "tag", 2)


@pytest.mark.parametrize(
    ("environment", "policies", "default", "expected", "mend"),
    [
        (LISTED, [MAIN], "main", "ok", ""),
        (LISTED, [Policy("trunk")], "trunk", "ok", ""),
        (
            LISTED,
            [MAIN, Policy("feature/*", id=7)],
            "main",
            "wrong",
            "/environments/production/deployment-branch-policies/7'",
        ),
        (LISTED, [MAIN, Policy("v*", "tag", 8)], "main", "wrong", "deployment-branch-policies/8'"),
        (LISTED, [TAG], "main", "wrong", "deployment-branch-policies/2'"),
        (LISTED, [Policy("ma*", id=9)], "main", "wrong", "deployment-branch-policies/9'"),
        (LISTED, [Policy("Main", id=9)], "main", "wrong", "deployment-branch-policies/9'"),
        (LISTED, [Policy("**/*"), Policy("*", id=3)], "main", "wrong", "deployment-branch-policies/3'"),
        (LISTED, [], "main", "wrong", "setup_github"),
        (PROTECTED, [], "main", "wrong", "setup_github"),
        (PROTECTED, [], UNTOLD, "wrong", "setup_github"),
        ({"deployment_branch_policy": None}, [], "main", "wrong", "setup_github"),
        ({}, [], "main", "wrong", "setup_github"),
        (None, [], "main", "wrong", "setup_github"),
        (UNTOLD, [], "main", "cannot tell", ""),
        (LISTED, UNTOLD, "main", "cannot tell", ""),
        (LISTED, [MAIN], UNTOLD, "cannot tell", ""),
    ],
)
def test_branches(environment: Any, policies: Any, default: Any, expected: str, mend: str) -> None:
    """The default branch alone may use an environment: whatever else may, branch or tag, is wrong, with its line."""
    found = checks.branches("production", read(environment), policies, default)

    assert found.verdict == expected and mend in found.mend


@pytest.mark.parametrize(
    ("name", "apps", "expected", "says"),
    [
        ("production", [], [], ""),
        ("production", ["gate"], ["ok"], "not a reviewer"),
        ("rollback", ["gate", "other"], ["wrong"], "the app gate, other"),
        ("rollback", UNTOLD, ["cannot tell"], "HTTP 403"),
    ],
)
def test_rules_of_apps(name: str, apps: Any, expected: list[str], says: str) -> None:
    """An app that decides is named for what it is; a rollback must not wait for it."""
    found = list(checks.app_rules(name, apps, PAGE))

    assert [one.verdict for one in found] == expected and all(says in one.say for one in found)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, "ok"),
        ({"OTHER": "1"}, "ok"),
        ({"AZURE_TENANT_ID": "a"}, "ok"),
        ({"AZURE_TENANT_ID": "b"}, "wrong"),
        ({"ENDPOINT_NAME": "mine"}, "wrong"),
        ({"STAGING_ENDPOINT_NAME": "mine"}, "wrong"),
        (UNTOLD, "cannot tell"),
    ],
)
def test_variables_of_an_environment(found: Any, expected: str) -> None:
    """One that hides the repository's by another value leads that environment's jobs elsewhere: with the line."""
    told = checks.environment_variables("deploy", found, WHOLE)

    assert told.verdict == expected
    assert expected != "wrong" or f"gh variable delete {next(iter(found))} --env deploy" in told.mend


PULL = {"type": "pull_request", "parameters": {}}


@pytest.mark.parametrize(
    ("rules", "is_protected", "expected"),
    [
        ([PULL], True, "ok"),
        ([PULL], False, "ok"),
        ([{"type": "deletion"}], False, "wrong"),
        ([], False, "wrong"),
        ([], True, "cannot tell"),
        ([{"type": "deletion"}], True, "cannot tell"),
        (UNTOLD, True, "cannot tell"),
        (UNTOLD, False, "cannot tell"),
    ],
)
def test_who_guards_main(rules: Any, is_protected: bool, expected: str) -> None:
    """A ruleset demands a pull request; neither that nor any protection is wrong; protection alone can't be told."""
    found = checks.guard("main", rules, is_protected, PAGE)

    assert found.verdict == expected
    assert expected != "wrong" or "setup_github --ruleset" in found.mend


ROLLOUT_YML, CI_YML = triggers.ROLLOUT, triggers.CHECKS


@pytest.mark.parametrize(
    ("default", "rollout", "expected"),
    [
        ("main", {"branches": ["main"]}, "ok"),
        ("trunk", {"branches": ["main"]}, "wrong"),
        ("trunk", {"branches": ["trunk"]}, "ok"),
        ("trunk", {}, "ok"),
        ("trunk", None, "ok"),
        ("release/1", {"branches": ["release/*"]}, "ok"),
        ("release/1/2", {"branches": ["release/*"]}, "wrong"),
        ("release/1/2", {"branches": ["release/**"]}, "ok"),
        ("trunk", {"branches": ["**", "!trunk"]}, "wrong"),
        (UNTOLD, {"branches": ["main"]}, "cannot tell"),
    ],
)
def test_default_branch(default: Any, rollout: Any, expected: str) -> None:
    """It may have any name; where a merge to it starts nothing, the lines to change are said."""
    found = checks.starts(default, {ROLLOUT_YML: rollout, CI_YML: {"branches": [default]}}, {ROLLOUT_YML: 5, CI_YML: 6})

    assert found.verdict == expected
    assert expected != "wrong" or f"{ROLLOUT_YML}, line 5: `branches: [{default}]`" in found.mend


@pytest.mark.parametrize(
    ("shell", "repository", "expected", "says"),
    [
        ({}, WHOLE, "ok", "as the repository says"),
        ({"AZURE_ML_WORKSPACE": "A"}, WHOLE, "ok", "a/a/A, as the shell says"),
        ({"AZURE_ML_WORKSPACE": "b"}, WHOLE, "wrong", "a/a/b: the shell's AZURE_ML_WORKSPACE"),
        ({"ENDPOINT_NAME": "b"}, WHOLE, "wrong", "the shell's ENDPOINT_NAME"),
        ({"ENDPOINT_NAME": "b"}, {**WHOLE, "ENDPOINT_NAME": "b"}, "ok", "a/a/a/b"),
        ({"AZURE_ML_WORKSPACE": "b"}, {}, "ok", "this looks at b"),
        ({}, {}, "ok", "nothing"),
    ],
)
def test_whose_workspace(shell: Any, repository: Any, expected: str, says: str) -> None:
    """By hand the shell's variables lead: it is said where to, and wrong where the workflows go elsewhere."""
    found = checks.place(shell, repository)

    assert found.verdict == expected and says in found.say
    assert expected != "wrong" or "export " in found.mend


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"protection_rules": [{"type": "branch_policy"}]}, "ok"),
        (None, "ok"),
        (reviewers(), "wrong"),
        ({"protection_rules": [{"type": "wait_timer", "wait_timer": 5}]}, "wrong"),
        (UNTOLD, "cannot tell"),
    ],
)
def test_rollback_waits_for_nobody(environment: Any, expected: str) -> None:
    """Neither reviewers nor a timer may hold up a rollback."""
    assert checks.no_wait("rollback", read(environment), PAGE).verdict == expected


@pytest.mark.parametrize(
    ("outcome", "login", "workspace", "role"),
    [
        (REACHED, "ok", "ok", "ok"),
        (NO_LOGIN, "wrong", "cannot tell", "cannot tell"),
        (NO_RIGHT, "ok", "cannot tell", "wrong"),
        (NO_WORKSPACE, "ok", "wrong", "cannot tell"),
        (UNKNOWN, "cannot tell", "cannot tell", "cannot tell"),
    ],
)
def test_how_far_a_read_of_the_workspace_gets(outcome: str, login: str, workspace: str, role: str) -> None:
    """One thing is wrong at a time: the login, its right, or where the workspace is said to be."""
    reach = Reach(outcome, "Azure's words")

    found = [
        azure_checks.login(reach, {"deploy": NEW}),
        azure_checks.workspace(reach),
        azure_checks.role(reach, [ROLES[IDS["AzureML Data Scientist"]]]),
    ]

    assert [one.verdict for one in found] == [login, workspace, role]


def test_a_refused_login_is_explained() -> None:
    """The code is kept of Azure's long text; what it means and the exact subjects are said."""
    why = (
        "DefaultAzureCredential failed …\nAttempted …: AADSTS700213: No matching federated identity record. "
        + "x" * 999
    )

    found = azure_checks.login(Reach(NO_LOGIN, why), {"deploy": NEW, "rollback": "repo:o@1/r@2:environment:rollback"})

    assert "AADSTS700213: No matching" in found.say and len(found.say) < 400
    assert all(
        text in found.mend for text in ("AADSTS700213", "AADSTS7002138", NEW, "environment:rollback", "az login")
    )


def test_a_refused_login_whose_subject_is_not_known() -> None:
    """Where GitHub doesn't tell the subject, that is said in its place."""
    assert "HTTP 403" in azure_checks.login(Reach(NO_LOGIN), UNTOLD).mend


def permissions(*actions: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"actions": list(actions), "notActions": list(without), "dataActions": [], "notDataActions": []}


@pytest.mark.parametrize(
    ("roles", "expected", "says"),
    [
        ([ROLES[IDS["AzureML Data Scientist"]]], "ok", ""),
        ([permissions("*", without=("Microsoft.Authorization/*/Write",))], "ok", ""),  # Contributor
        ([permissions(*azure_checks.NEEDED)], "ok", ""),
        ([permissions(*(action.upper() for action in azure_checks.NEEDED))], "ok", ""),
        ([permissions("*/read"), permissions(f"{ROLE}/*")], "ok", ""),
        ([permissions("*/read")], "wrong", "onlineEndpoints/write"),  # Reader
        ([permissions("*", without=(f"{ROLE}/onlineEndpoints/*",))], "wrong", "onlineEndpoints/listKeys/action"),
        ([permissions("*", without=(f"{ROLE}/*/listKeys/action",))], "wrong", "may not /onlineEndpoints/listKeys"),
        ([permissions("*", without=("*/write",)), permissions(f"{ROLE}/*/write")], "ok", ""),
        ([permissions(f"{ROLE}/onlineEndpoints")], "wrong", ""),
        ([permissions(f"{ROLE}.*")], "wrong", ""),
        ([{}], "wrong", ""),
        ([], "wrong", ""),
        (UNTOLD, "cannot tell", "HTTP 403"),
    ],
)
def test_role(roles: Any, expected: str, says: str) -> None:
    """Each needed action must be among one role's actions, not its notActions; other roles take nothing away."""
    found = azure_checks.role(Reach(REACHED), roles)

    assert found.verdict == expected and says in found.say
    assert expected != "wrong" or "AzureML Data Scientist" in found.mend


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ([ROLES[IDS["AzureML Data Scientist"]]], "wrong"),
        ([ROLES[IDS["AzureML Data Scientist"]], ROLES[IDS["Monitoring Reader"]]], "ok"),
        ([permissions("Microsoft.Insights/*/read")], "ok"),
        ([permissions("*", without=("Microsoft.Insights/metrics/*",))], "wrong"),
        (UNTOLD, "cannot tell"),
    ],
)
def test_who_may_read_metrics(roles: Any, expected: str) -> None:
    """No role of Azure ML's does; who lacks the right is told which role has it."""
    found = azure_checks.metrics(roles)

    assert found.verdict == expected
    assert expected != "wrong" or "Monitoring Reader" in found.mend


def trusts(*subjects: str, issuer: str = ISSUER, audiences: tuple[str, ...] = (AUDIENCE,)) -> list[dict[str, Any]]:
    return [{"subject": subject, "issuer": issuer, "audiences": list(audiences)} for subject in subjects]


@pytest.mark.parametrize(
    ("sent", "trusted", "expected", "says"),
    [
        ({"deploy": NEW}, trusts(NEW), "ok", NEW),
        ({"deploy": OLD}, trusts("something else", OLD), "ok", OLD),
        ({"deploy": NEW}, trusts(OLD), "wrong", f"`{NEW}`, but `{OLD}`"),
        ({"deploy": OLD}, trusts(NEW), "wrong", f"`{OLD}`, but `{NEW}`"),
        ({"deploy": NEW}, trusts(NEW.upper()), "wrong", NEW),
        ({"deploy": NEW, "rollback": "x"}, trusts(NEW), "wrong", "`x`"),
        (
            {"deploy": NEW},
            trusts(NEW, issuer="https://elsewhere"),
            "wrong",
            f"but GitHub's tokens have the issuer {ISSUER}",
        ),
        (
            {"deploy": NEW},
            trusts(NEW, audiences=("api://AzureADTokenExchangeUSGov",)),
            "wrong",
            "another Azure cloud's",
        ),
        ({"deploy": NEW}, [{}], "wrong", NEW),
        ({"deploy": NEW}, [], "wrong", "no subject of GitHub"),
        ({"deploy": NEW}, UNTOLD, "cannot tell", f"Azure must trust `{NEW}`"),
        (UNTOLD, trusts(NEW), "cannot tell", "HTTP 403"),
    ],
)
def test_subjects(sent: Any, trusted: Any, expected: str, says: str) -> None:
    """Each subject that GitHub sends must be trusted letter by letter; what is missing, and what is there, is shown."""
    found = trust.subjects(sent, trusted, ISSUER)

    assert found.verdict == expected and says in found.say
    assert expected != "wrong" or "USGov" in found.say or ("AADSTS700213" in found.say and "setup_github" in found.mend)


def test_an_enterprise_s_issuer() -> None:
    """One that the tokens have is trusted; one that they may have is told, and how to say so, and never deleted."""
    its = f"{ISSUER}/acme"

    assert trust.subjects({"deploy": NEW}, trusts(NEW, issuer=its), its).verdict == "ok"
    assert "set OIDC_ISSUER" in trust.subjects({"deploy": NEW}, trusts(NEW, issuer=its), ISSUER).mend
    assert trust.others({"deploy": NEW}, trusts(NEW, issuer=its), ISSUER, "other logins").verdict == "ok"


PLACE_OF_IT = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
PULL_REQUEST = "repo:o/r:pull_request"


@pytest.mark.parametrize(
    ("trusted", "expected", "says"),
    [
        (trusts(NEW), "ok", "nothing else"),
        ([], "ok", "nothing else"),
        (trusts(NEW, PULL_REQUEST), "wrong", f"`{PULL_REQUEST}`"),
        (trusts(NEW, OLD), "wrong", f"`{OLD}`"),
        (trusts(NEW, "repo:other/r:environment:deploy"), "wrong", "other/r"),
        (trusts(NEW, NEW.upper()), "wrong", NEW.upper()),
        (trusts(NEW, issuer="https://elsewhere"), "wrong", NEW),
        (trusts(NEW, issuer=f"{ISSUER}.evil"), "wrong", NEW),
        ([*trusts(NEW), {"claimsMatchingExpression": {"value": "x"}}], "wrong", "'x'"),
        (UNTOLD, "cannot tell", "HTTP 403"),
    ],
)
def test_other_logins(trusted: Any, expected: str, says: str) -> None:
    """Whatever else an identity trusts is wrong, each with the line that deletes it."""
    if not isinstance(trusted, Unknown):
        trusted = [{**one, "id": f"{PLACE_OF_IT}/federatedIdentityCredentials/c{n}"} for n, one in enumerate(trusted)]

    found = trust.others({"deploy": NEW}, trusted, ISSUER, "other logins")

    line = (
        f"delete --name c{len(trusted) - 1} --identity-name i --subscription s --resource-group g --yes"
        if trusted != UNTOLD
        else ""
    )
    assert found.verdict == expected and says in found.say
    assert expected != "wrong" or found.mend == f"az identity federated-credential {line}"


def test_a_collection_has_pages() -> None:
    """The subject that is trusted may be on the last."""
    pages = {"two": {"value": [3], "nextLink": "three"}, "three": {"value": [4], "nextLink": None}}

    assert list(members({"value": [1, 2], "nextLink": "two"}, pages.__getitem__)) == [1, 2, 3, 4]


THERE = Endpoint("Succeeded", "heart", {"default": Shape("Standard_DS3_v2", 1)}, "default")


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("heart-classifier", THERE, "ok"),
        ("abc", THERE, "ok"),
        ("a" * 32, THERE, "ok"),
        ("a" * 33, THERE, "wrong"),
        ("ab", THERE, "wrong"),
        ("1abc", Endpoint(), "wrong"),
        ("a--b", Endpoint(), "wrong"),
        ("a_b", UNTOLD, "wrong"),
        ("heart-classifier", Endpoint(), "cannot tell"),
        ("heart-classifier", UNTOLD, "cannot tell"),
    ],
)
def test_endpoint_name(name: str, found: Any, expected: str) -> None:
    """A name must be one that Azure takes; one that isn't there yet may be taken elsewhere."""
    assert azure_checks.endpoint_name(name, found, "heart").verdict == expected


@pytest.mark.parametrize(
    ("found", "model", "expected", "says"),
    [
        (Endpoint("Failed", "heart"), "heart", "ok", "creates it anew"),
        (Endpoint("Failed", ""), "heart", "ok", "creates it anew"),
        (Endpoint("Failed", "HEART"), "heart", "ok", "creates it anew"),
        (Endpoint("Failed", "lungs"), "heart", "wrong", "is lungs, not heart"),
        (replace(THERE, state="Failed"), "heart", "ok", "last update failed"),
        (replace(THERE, model="lungs"), "heart", "cannot tell", "is lungs, not heart"),
        (replace(THERE, model=""), "heart", "ok", "is there"),
        (replace(THERE, model="lungs"), UNTOLD, "ok", "is there"),
    ],
)
def test_an_endpoint_that_is_there(found: Endpoint, model: Any, expected: str, says: str) -> None:
    """A leftover of ours is shown; one that another model's tag is on may be somebody else's."""
    told = azure_checks.endpoint_name("heart", found, model)

    assert (told.verdict, says in told.say) == (expected, True)


@pytest.mark.parametrize(
    ("text", "expected", "says"),
    [
        ("mlflow==2.22.5 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\n", "ok", "mlflow 2.22.5"),
        ("# a comment\n--index-url https://x\nmlflow==3.6.0", "ok", "3.6.0"),
        ("mlflow==3.7.0", "wrong", "3.7.0"),
        ("mlflow==3.7.0rc0", "ok", "3.7.0rc0"),
        ("mlflow==3.7.1.dev1", "wrong", "3.7.1.dev1"),
        ("mlflow==3.17.2 ; python_version >= '3.12' --hash=sha256:0", "wrong", "azureml-examples"),
        ("MLflow == 10.0", "wrong", "10.0"),
        ("mlflow==2.22.5 ; python_version < '3.12'\nmlflow==3.8.0 ; python_version >= '3.12'", "wrong", "3.8.0"),
        ("mlflow-skinny==3.8.0\nmlflow==2.22.5", "ok", ""),
        ("mlflow>=2.22,<3", "cannot tell", "pins no mlflow"),
        ("mlflow==2.*", "cannot tell", "pins no mlflow"),
        ("xgboost==3.4.1", "cannot tell", "pins no mlflow"),
        ("", "cannot tell", "pins no mlflow"),
        (UNTOLD, "cannot tell", "HTTP 403"),
    ],
)
def test_model_requirements(text: Any, expected: str, says: str) -> None:
    """A pinned MLflow that Azure's image is known to reject is wrong, on any platform that it is pinned for."""
    found = azure_checks.requirements(text, "model/requirements.txt")

    assert found.verdict == expected and says in found.say


SMALL = Shape("Standard_DS3_v2", 1)  # 4 cores; charged for 2
SIZES = {"standard_ds3_v2": (4, "standardDSv2Family"), "standard_f4s_v2": (4, "standardFSv2Family")}


def usage(used: int, limit: int, name: str = "Standard DSv2 Family Cluster Dedicated vCPUs") -> Usage:
    return Usage(name, used, limit)


def part(used: int, limit: int) -> Usage:
    """What one workspace uses of the same family."""
    place = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/usages/a"
    return Usage("Standard DSv2 Family Cluster Dedicated vCPUs", used, limit, place)


@pytest.mark.parametrize(("instances", "charged"), [(1, 2), (2, 3), (4, 5), (5, 6), (6, 8), (10, 12), (50, 60)])
def test_charge(instances: int, charged: int) -> None:
    """A deployment is charged for a fifth more machines than it has, rounded up, as the emulator does it."""
    shape = Shape("Standard_DS3_v2", instances)

    assert shape.charge(4) == charged * 4 == skus.charged(shape.instance_type, instances)


@pytest.mark.parametrize(
    ("wanted", "present", "usages", "expected"),
    [
        ([SMALL, SMALL], [], [usage(0, 16)], "ok"),
        ([SMALL, SMALL], [], [usage(0, 15)], "wrong"),
        ([SMALL, SMALL], [], [usage(4, 20)], "ok"),
        ([SMALL, SMALL], [], [usage(5, 20)], "wrong"),
        ([SMALL, SMALL], [SMALL], [usage(8, 16)], "ok"),
        ([SMALL, SMALL], [SMALL], [usage(9, 16)], "wrong"),
        ([SMALL, SMALL], [SMALL, SMALL], [usage(16, 16)], "ok"),
        ([SMALL, SMALL], [SMALL, SMALL], [usage(24, 20)], "ok"),
        ([SMALL, SMALL], [SMALL, SMALL, SMALL], [usage(24, 20)], "ok"),
        ([SMALL, SMALL], [], [usage(999, -1)], "ok"),
        ([SMALL, SMALL], [], [usage(0, 0)], "wrong"),
        ([SMALL, Shape("Standard_F4s_v2", 1)], [], [usage(0, 8)], "cannot tell"),
        ([SMALL, Shape("STANDARD_DS3_V2", 1)], [], [usage(0, 16)], "ok"),
        ([SMALL, Shape("Standard_X1", 1)], [], [usage(0, 16)], "cannot tell"),
        ([SMALL, SMALL], [], [usage(0, 16, "Standard DSv2 Family Cluster LowPriority vCPUs")], "cannot tell"),
        ([SMALL, SMALL], [], [usage(0, 99), usage(0, 1, "Standard FSv2 Family Cluster Dedicated vCPUs")], "ok"),
        ([SMALL, SMALL], [], [usage(0, 99), usage(0, 15, "Total Cluster Dedicated Regional vCPUs")], "wrong"),
        ([SMALL, SMALL], [], [usage(0, 99), usage(0, 16, "Total Cluster Dedicated Regional vCPUs")], "ok"),
        ([SMALL, SMALL], [], [usage(0, 99), part(0, 1)], "ok"),
        ([SMALL, SMALL], [], [part(0, 99)], "cannot tell"),
        ([SMALL, SMALL], [], UNTOLD, "cannot tell"),
    ],
)
def test_quota(wanted: list[Shape], present: list[Shape], usages: Any, expected: str) -> None:
    """Blue and green must fit together: what the endpoint has already counts as used, and is not needed again."""
    assert quota.quota(wanted, present, SIZES, usages).verdict == expected


@pytest.mark.parametrize(("blue", "green", "machines"), [(1, 1, 1), (3, 1, 3), (1, 3, 3)])
def test_green_is_no_smaller_than_blue(blue: int, green: int, machines: int) -> None:
    """As deploy makes it: with as many instances as what serves, at least."""
    found = quota.wanted(Shape("Standard_DS3_v2", blue), Shape("Standard_F4s_v2", green))

    assert found == [Shape("Standard_DS3_v2", blue), Shape("Standard_F4s_v2", machines)]


def test_quota_without_sizes() -> None:
    """Where the login may not read the sizes, nothing is told."""
    assert quota.quota([SMALL], [], UNTOLD, [usage(0, 99)]).verdict == "cannot tell"


@pytest.mark.parametrize("name", quotas.TOLD)
def test_families_are_found_among_the_usages(name: str) -> None:
    """The emulator's spelling of a family in sizes and in usages is one and the same to the check."""
    sizes = {size["name"].lower(): (size["vCPUs"], size["family"]) for size in quotas.sizes()}
    usages = [Usage(one["name"]["value"], 0, 100) for one in quotas.usages("s", [], 100)]

    assert quota.quota([Shape(name, 1)], [], sizes, usages).verdict == "ok"


@pytest.mark.parametrize(
    ("asked", "approved", "until"),
    [
        ("", True, ""),
        ("promote-10", True, "promote-10"),
        ("train", True, "train"),
        ("", False, "smoke-test"),
        ("train", False, "train"),
        ("deploy", False, "deploy"),
        ("smoke-test", False, "smoke-test"),
        ("promote-10", False, "smoke-test"),
        ("promote-100", False, "smoke-test"),
    ],
)
def test_where_a_rollout_stops(asked: str, approved: bool, until: str) -> None:
    """Where it was asked to; if nobody approves before the first promotion at the latest."""
    assert doctor.stop(asked, approved) == until


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([ok("reviewers production", "")], True),
        ([ok("reviewers a", ""), ok("reviewers b", "")], True),
        ([ok("reviewers a", ""), wrong("reviewers b", "", "")], False),
        ([cannot_tell("reviewers production", "")], False),
        ([ok("variables", "")], False),
        ([], False),
    ],
)
def test_all_reviewers_count(findings: list[Finding], expected: bool) -> None:
    """Promotions are approved only if each environment that promotes has reviewers, and there is one."""
    assert doctor.approved(findings) is expected


@pytest.mark.parametrize(
    ("found", "by_hand", "in_a_rollout"),
    [
        (wrong("variables", "", ""), True, True),
        (cannot_tell("variables", ""), False, False),
        (wrong("reviewers production", "", ""), True, False),
        (cannot_tell("reviewers production", ""), True, False),
        (wrong("self-review production", "", ""), True, False),
        (wrong("core quota", "", ""), True, False),
        (wrong("OIDC subject", "", ""), True, True),
        (cannot_tell("OIDC subject", ""), False, False),
        (ok("login", ""), False, False),
    ],
)
def test_what_counts_as_not_ready(found: Finding, by_hand: bool, in_a_rollout: bool) -> None:
    """By hand all that is wrong, and reviewers that can't be told; in a rollout what would fail it for sure."""
    assert (doctor.bad(found), doctor.fatal(found)) == (by_hand, in_a_rollout)
