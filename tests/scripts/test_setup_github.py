"""scripts/setup_github.py against the local GitHub, its lines for Azure in a shell, its plan as a pure function."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from azureml_emulator.github.server import LocalGitHub
from scripts.lib.azure.workspace import endpoint_name
from scripts.lib.decisions.state import Refused
from scripts.lib.github.api import GitHub
from scripts.lib.github.environment import ENVIRONMENTS, EVERY, LISTED, PROTECTED, Environment, Policy, Reviewer
from scripts.lib.github.repository_variables import VARIABLES
from scripts.lib.setup.azure import PROVIDERS, credential_name
from scripts.lib.setup.guard import RULESET, ruleset
from scripts.lib.setup.notes import notes
from scripts.lib.setup.options import VALUES
from scripts.lib.setup.plan import AddBranch, Present, PutEnvironment, Wish, plan
from tests.support import ROOT, training
from tests.support.scripts import run

ID, OTHER = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
PLACE = ("--subscription-id", ID, "--resource-group", "rg", "--workspace", "ws-1")
GROUP = f"/subscriptions/{ID}/resourceGroups/rg/providers"
ACTIONS = f"{GROUP}/microsoft.insights/actionGroups/x"
LOGS = f"{GROUP.replace(ID, OTHER)}/Microsoft.OperationalInsights/workspaces/x"  # in another subscription
ALICE = ("--reviewer", "alice")

#: The lines that ask Azure before they do anything, by how they begin.
LOOKS = (
    "extension add", "provider show", "group show", "ml workspace show", "identity show", "role definition list",
    "role assignment list",
)  # fmt: skip
#: Stands for `az`: notes its arguments; what was created is there, and an identity has ids; some calls fail. The login
#: sees two subscriptions, and all identities are one.
AZ = """#!{python}
import json, pathlib, sys
log = pathlib.Path({log!r})
calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
given = sys.argv[1:]
log.write_text("".join(json.dumps(call) + "\\n" for call in [*calls, given]))
kind = given[: next(i for i, word in enumerate(given) if word.startswith("--")) - 1]
verb = given[len(kind)]
if {fails!r} and " ".join(given).startswith({fails!r}):
    sys.exit("ERROR: " + {why!r})
elif given[:2] == ["provider", "show"]:
    print("Registered" if [call[1] for call in calls if given[5] in call].count("register") else "NotRegistered")
elif given[0] == "account":
    print({id!r}, *[{other!r}] * (verb == "list"), sep="\\n")
elif "--all" in given:
    where, given = given[given.index("--subscription") + 1], [call for call in calls if call[:2] == kind]
    made = [call[call.index("--scope") + 1] for call in given if "create" in call]
    ids = [f"{{scope}}/{{number}}" for number, scope in enumerate(made) if where in scope]
    print(*[id.replace(" ", "") for id in ids if not [call for call in given if id in call]], sep="\\n")
elif verb == "list":
    role = given[given.index("--role" if "--role" in given else "--name") + 1]
    made = [call for call in calls if call[:3] == [*kind, "create"] and (role in call or json.dumps(role) in call[-1])]
    print({id!r} if made else "")
elif verb == "show" and not any(call[: len(kind) + 1] == [*kind, "create"] for call in calls):
    print("ERROR: " + "(ResourceNotFound) " * ({missing} != 3) + "was not found.", file=sys.stderr)
    sys.exit({missing})
elif "--query" in given:
    print({id!r})
"""


@pytest.fixture
def github(github: LocalGitHub) -> LocalGitHub:
    """A local GitHub with a public copy of the template, in which alice, bob and a team are."""
    github.repository = "acme/heart"
    for name in ("alice", "bob", "acme/ml"):
        github.know(name)
    return github


def setup(github: LocalGitHub, *arguments: object, **environ: str) -> Result:
    result = run("setup_github", *arguments, **{**github.environ(), **environ})
    assert github.token not in result.output
    return result


def done(github: LocalGitHub, *arguments: object) -> Result:
    """A run that must succeed."""
    result = setup(github, *arguments)
    assert result.exit_code == 0, result.output
    return result


def option(call: list[str], name: str) -> str:
    return call[call.index(name) + 1]


def taken(calls: list[list[str]]) -> list[str]:
    """The ids of the role assignments that were deleted."""
    return [id for call in calls if call[:3] == ["role", "assignment", "delete"] for id in call[4:]]


def writes(github: LocalGitHub) -> list[str]:
    return [f"{method} {path}" for method, path in github.calls if method != "GET"]


def state(github: LocalGitHub) -> str:
    return repr((github.environments, github.variables))


class TestEnvironments:
    def test_fresh_copy(self, github: LocalGitHub) -> None:
        """All environments are there then, for the default branch only; promotions wait for the reviewers."""
        done(github, *ALICE, "--team", "acme/ml")

        assert set(github.environments) == set(ENVIRONMENTS) - {"staging", "train", "unattended"}
        assert {tuple(there.branches or ()) for there in github.environments.values()} == {("main",)}
        for name, needs_approval in ENVIRONMENTS.items():
            if there := github.environments.get(name):
                assert there.reviewers == (["alice", "acme/ml"] if needs_approval else [])
                assert there.prevent_self_review is needs_approval

    def test_again(self, github: LocalGitHub) -> None:
        """A second run finds nothing to do, and writes nothing."""
        done(github, *ALICE, *PLACE)
        github.calls.clear()

        result = done(github, *ALICE, *PLACE)

        assert writes(github) == []
        assert "nothing to do" in result.stderr

    def test_again_without_reviewers(self, github: LocalGitHub) -> None:
        """Who is there already needn't be given again."""
        done(github, *ALICE)

        done(github, *PLACE)

        assert github.environments["production"].reviewers == ["alice"]

    def test_nobody(self, github: LocalGitHub) -> None:
        """Without anybody who may approve it stops, before anything is changed."""
        result = setup(github, *PLACE)

        assert result.exit_code == 2
        assert "--reviewer" in result.stderr
        assert writes(github) == []

    def test_keeps(self, github: LocalGitHub) -> None:
        """Reviewers, wait timer and branches that are there stay, and it says what it changes from and to."""
        there = github.add_environment("production", ["bob"], prevent_self_review=False, branches=["release/*"])
        there.wait_timer = 5

        result = done(github, *ALICE)

        after = github.environments["production"]
        assert (after.reviewers, after.wait_timer) == (["bob", "alice"], 5)
        assert (after.branches, after.prevent_self_review) == (["release/*", "main"], True)
        assert "from: bob may approve, one is enough; 5 minutes wait" in result.stderr
        assert "to: bob, alice may approve, one is enough; nobody approves their own; 5 minutes wait" in result.stderr

    def test_protected_branches(self, github: LocalGitHub) -> None:
        """The rule "protected branches" becomes the list with the default branch, and it says so."""
        github.add_environment("deploy", [], prevent_self_review=False, branches=None).protected_branches_only = True

        result = done(github, *ALICE)

        assert github.environments["deploy"].branches == ["main"]
        assert "from: nobody has to approve; for protected branches only" in result.stderr

    def test_other_default_branch(self, github: LocalGitHub) -> None:
        """The branch that may deploy is the repository's default branch, whatever its name."""
        github.default_branch = "trunk"
        github.branches = {"trunk": "0" * 40}

        done(github, *ALICE)

        assert github.environments["production"].branches == ["trunk"]

    def test_unknown_branch(self, github: LocalGitHub) -> None:
        """A branch that doesn't exist is refused: nothing could be deployed from it."""
        result = setup(github, *ALICE, "--branch", "mian")

        assert (result.exit_code, writes(github)) == (2, [])

    @pytest.mark.parametrize("who", [("--reviewer", "nobody"), ("--team", "acme/nobody")])
    def test_unknown_reviewer(self, github: LocalGitHub, who: tuple[str, str]) -> None:
        """A reviewer whom GitHub doesn't know is named, and nothing is changed."""
        result = setup(github, *ALICE, *who)

        assert (result.exit_code, writes(github)) == (2, [])
        assert who[1] in result.stderr

    def test_too_many(self, github: LocalGitHub) -> None:
        """Seven reviewers are more than GitHub has: refused, and nothing is changed."""
        github.add_environment("production", [f"user-{number}" for number in range(6)])

        result = setup(github, *ALICE)

        assert (result.exit_code, writes(github)) == (1, [])
        assert "GitHub allows 6" in result.stderr


class TestPlan:
    def test_dry_run(self, github: LocalGitHub) -> None:
        """The dry run writes nothing, and says line by line what the real one then does."""
        before = state(github)
        arguments = (*ALICE, *PLACE, "--endpoint", "heart", "--location", "westeurope")

        promised = done(github, *arguments, "--dry-run")

        assert (state(github), writes(github)) == (before, [])
        would = [line.removeprefix("would ") for line in promised.stderr.splitlines() if line.startswith("would ")]
        said = done(github, *arguments).stderr.splitlines()
        assert would == [line for line in said if not line.startswith("note: ")]
        assert len(would) == len(writes(github))

    def test_dry_run_without_a_token(self, github: LocalGitHub) -> None:
        """GitHub isn't asked: what a fresh repository would get is said, with the lines for Azure."""
        arguments = ["--repository", "octo/heart", *ALICE, *PLACE, "--location", "westeurope", "--dry-run"]
        nobody = {**github.environ(), "GITHUB_TOKEN": "", "GH_TOKEN": ""}

        result = run("setup_github", *arguments, **nobody)

        assert (result.exit_code, github.calls) == (0, []), result.output
        assert "There is no token, so GitHub isn't asked" in result.stderr
        assert {line.split(maxsplit=1)[0] for line in result.stderr.splitlines()} >= {"would"}
        assert "az ml workspace" in result.stdout

    def test_private(self, github: LocalGitHub) -> None:
        """A private repository without Enterprise gets the environment without reviewers, and the truth about it."""
        github.private = True

        result = done(github, *ALICE)

        assert "NOBODY APPROVES" in result.stderr
        assert "promote.yml" in result.stderr
        assert github.environments["production"].reviewers == []
        assert github.environments["production"].branches == ["main"]

    def test_private_free(self, github: LocalGitHub) -> None:
        """Where GitHub has not even rules for branches, the environments are made without, and it says so."""
        github.private, github.plan = True, "free"

        result = done(github, *ALICE)

        assert "Every branch may deploy to production" in result.stderr
        assert "let the branch" not in result.stderr
        assert {there.branches for there in github.environments.values()} == {None}

    def test_private_dry_run(self, github: LocalGitHub) -> None:
        """The dry run can't know what the owner has paid for, and says what may come."""
        github.private = True

        assert "without reviewers if GitHub refuses" in done(github, *ALICE, "--dry-run").stderr

    def test_made_private(self, github: LocalGitHub) -> None:
        """Reviewers that are there are not given up because GitHub's plan no longer has them."""
        github.add_environment("production", ["bob"])
        github.private = True

        result = setup(github, *ALICE)

        assert result.exit_code == 1
        assert github.environments["production"].reviewers == ["bob"]

    def test_no_admin(self, github: LocalGitHub) -> None:
        """Without an admin's token nothing is tried, and it says which token is needed."""
        github.admin = False

        result = setup(github, *ALICE)

        assert (result.exit_code, writes(github)) == (1, [])
        assert "admin" in result.stderr
        assert "would be refused" in done(github, *ALICE, "--dry-run").stderr

    def test_refused(self, github: LocalGitHub) -> None:
        """If GitHub refuses in the middle, it says what GitHub said and that a second run goes on from there."""
        github.forbidden = {"actions/create-repo-variable"}

        result = setup(github, *ALICE, *PLACE)

        assert result.exit_code == 1
        assert "Resource not accessible" in result.stderr
        assert "goes on from there" in result.stderr
        github.forbidden.clear()
        done(github, *ALICE, *PLACE)
        assert github.variables["AZURE_ML_WORKSPACE"] == "ws-1"

    def test_refused_once(self, github: LocalGitHub) -> None:
        """A rule is given up because GitHub's plan lacks it, and for no other reason."""

        class Once(set[str]):
            def __contains__(self, name: object) -> bool:
                return name in list(self) and not self.discard(str(name))

        github.forbidden = Once({"repos/create-or-update-environment"})

        result = setup(github, *ALICE)

        assert (result.exit_code, github.environments) == (1, {})
        assert "Resource not accessible" in result.stderr

    def test_cannot_tell(self, github: LocalGitHub) -> None:
        """What can't be read is not taken for missing, and not overwritten."""
        github.add_environment("production", ["bob"])
        github.forbidden = {"repos/get-environment"}

        result = setup(github, *ALICE)

        assert (result.exit_code, writes(github)) == (1, [])
        assert "403" in result.stderr

    def test_not_done(self, github: LocalGitHub) -> None:
        """What GitHub took but didn't do is found by reading it back."""

        class Forgetful(dict[str, str]):
            def __setitem__(self, key: str, value: str) -> None:
                pass

        github.variables = Forgetful()

        result = setup(github, *ALICE, "--workspace", "ws-1")

        assert result.exit_code == 1
        assert "still to be done" in result.stderr
        assert "AZURE_ML_WORKSPACE" in result.stderr


class TestVariables:
    def test_set(self, github: LocalGitHub) -> None:
        """What is given is set, what is not given stays, and a change shows what was there."""
        github.variables = {"AZURE_RESOURCE_GROUP": "old", "ATTEST": "true"}

        result = done(github, *ALICE, *PLACE)

        assert github.variables == {
            "ATTEST": "true",
            "AZURE_SUBSCRIPTION_ID": ID,
            "AZURE_RESOURCE_GROUP": "rg",
            "AZURE_ML_WORKSPACE": "ws-1",
        }
        assert "AZURE_RESOURCE_GROUP to rg (now: old)" in result.stderr

    def test_missing(self, github: LocalGitHub) -> None:
        """What is still to be set is named, and once all is set nothing more."""
        names = "AZURE_CLIENT_ID, AZURE_TENANT_ID"

        assert f"still to be set: the variables {names}" in done(github, *ALICE, *PLACE).stderr
        assert "still to be set" not in done(github, "--client-id", ID, "--tenant-id", ID).stderr

    def test_options(self) -> None:
        """There is an option for each variable."""
        assert set(VALUES) == set(VARIABLES)

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--subscription-id", "my subscription"),
            ("--client-id", ID + "0"),
            ("--resource-group", "a/b"),
            ("--resource-group", "ends."),
            ("--workspace", "$(id)"),
            ("--endpoint", "1heart"),
            ("--location", "West Europe"),
            ("--identity-name", "x"),
            ("--repository", "heart"),
            ("--reviewer", "@alice"),
            ("--team", "ml"),
            ("--ask-at", "each"),
        ],
    )
    def test_wrong(self, github: LocalGitHub, option: str, value: str) -> None:
        """A value that can't be one is refused before GitHub is asked."""
        result = setup(github, option, value)

        assert (result.exit_code, github.calls) == (2, [])


class TestNotes:
    def test_admins(self, github: LocalGitHub) -> None:
        """Administrators can pass by the reviewers; GitHub's API can't change it, so it says where to click."""
        assert re.search(r"untick .*acme/heart/settings/environments/\d+/edit", done(github, *ALICE).stderr)

        github.environments["production"].admins_bypass = False
        assert "untick" not in done(github).stderr

    def test_admins_untold(self) -> None:
        """Where GitHub doesn't say whether they can, they can."""
        there = Environment((Reviewer("User", 1, "alice"),), admins_bypass=None)

        found = notes(Present({"production": there}, {}), Wish({"production": True}, "main"), "page")

        assert any("untick" in note for note in found)

    def test_alone(self, github: LocalGitHub) -> None:
        """One person alone can't approve their own rollouts; a team can."""
        assert "only alice may approve" in done(github, *ALICE).stderr
        assert "only alice" not in done(github, "--team", "acme/ml").stderr

    def test_waiting_rollback(self, github: LocalGitHub) -> None:
        """A rollback that would wait is pointed out, and left to a person."""
        github.add_environment("rollback", ["bob"])

        result = done(github, *ALICE)

        assert "jobs in rollback must not wait" in result.stderr
        assert github.environments["rollback"].reviewers == ["bob"]

    def test_other_branches(self, github: LocalGitHub) -> None:
        """Other branches and tags that may deploy are pointed out, each with the line that takes it away."""
        github.add_environment("production", ["bob"], branches=["main", "release/*"]).tags = ["v*"]

        said = done(github).stderr

        assert "branch release/* may deploy to production, too; to take that away: gh api --method DELETE" in said
        assert "tag v* may deploy to production" in said

    def test_guard(self, github: LocalGitHub) -> None:
        """A branch that nothing guards is pointed out, with the option that mends it, and no more once it is."""
        assert "--ruleset" in done(github, *ALICE).stderr

        done(github, "--ruleset")

        assert "--ruleset" not in done(github).stderr


class TestRuleset:
    def test_offered(self, github: LocalGitHub) -> None:
        """It is made where it is asked for, once, for the default branch: a pull request, without approvals."""
        done(github, *ALICE)
        assert github.rulesets == {}

        done(github, "--ruleset")
        done(github, "--ruleset")

        [made] = github.rulesets.values()
        assert (made["rules"][0]["type"], made["enforcement"]) == ("pull_request", "active")
        assert made["rules"][0]["parameters"]["required_approving_review_count"] == 0
        assert made["conditions"]["ref_name"]["include"] == ["refs/heads/main"]

    def test_approvals(self, github: LocalGitHub) -> None:
        """Or with as many approvals as are asked for."""
        done(github, *ALICE, "--ruleset", "--approvals", 2)

        assert github.rulesets[RULESET]["rules"][0]["parameters"]["required_approving_review_count"] == 2

    def test_another_guards(self, github: LocalGitHub) -> None:
        """Where a ruleset of the owner's demands a pull request, none is made."""
        github.rulesets["mine"] = {**ruleset("main", 1), "name": "mine"}

        done(github, *ALICE, "--ruleset")

        assert set(github.rulesets) == {"mine"}

    def test_plan_without(self, github: LocalGitHub) -> None:
        """Where GitHub's plan has no rulesets that is said, and all else is done."""
        github.private, github.plan = True, "free"

        result = done(github, *ALICE, *PLACE, "--ruleset")

        assert "the plan has no rulesets" in result.stderr
        assert github.variables["AZURE_ML_WORKSPACE"] == "ws-1"

    def test_undo(self, github: LocalGitHub) -> None:
        """Its own is taken away again, nobody else's."""
        done(github, *ALICE, "--ruleset")
        github.rulesets["mine"] = {**ruleset("main", 1), "name": "mine"}
        ids = client_ids(github)

        lines = done(github, "--undo").stdout

        assert f"repos/acme/heart/rulesets/{ids[RULESET]}" in lines
        assert f"rulesets/{ids['mine']}" not in lines


def client_ids(github: LocalGitHub) -> dict[str, int]:
    return GitHub(github.repository, github.token, github.url).rulesets()


def test_renamed(github: LocalGitHub) -> None:
    """A repository that was renamed is set up under its present name: no second identity, no refused change."""
    github.former = "acme/before"

    result = setup(github, *ALICE, *PLACE, "--location", "westeurope", GITHUB_REPOSITORY="acme/before")

    assert result.exit_code == 0, result.output
    assert "github-heart" in result.stdout and "before" not in result.output
    assert github.variables["AZURE_ML_WORKSPACE"] == "ws-1"


class TestAzure:
    def shell(self, github: LocalGitHub, folder: Path, lines: str) -> list[list[str]]:
        """Run the lines in a shell with a stand-in for `az`; the arguments of its calls."""
        ran, calls = self.run(github, folder, lines)
        assert ran.returncode == 0, ran.stderr
        return calls

    def run(
        self, github: LocalGitHub, folder: Path, lines: str, fails: str = "", why: str = "", missing: int = 3
    ) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
        """As shell(); calls that begin with `fails` fail, `missing` is the exit code for what isn't there."""
        az = folder / "bin" / "az"
        az.parent.mkdir(exist_ok=True)
        (folder / "log").unlink(missing_ok=True)
        facts = {"python": sys.executable, "log": str(folder / "log"), "id": ID, "other": OTHER}
        az.write_text(AZ.format(**facts, fails=fails, why=why, missing=missing))
        az.chmod(0o755)
        path = os.pathsep.join([str(az.parent), os.environ["PATH"]])
        environ = {**os.environ, **github.environ(), "PATH": path}
        ran = subprocess.run(["sh", "-e"], input=lines, text=True, capture_output=True, env=environ, cwd=ROOT)
        return ran, [json.loads(line) for line in (folder / "log").read_text().splitlines()]

    def test_creates(self, github: LocalGitHub, tmp_path: Path) -> None:
        """The lines, run in a shell, create what isn't there, give the role, and tell GitHub who the identity is."""
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope").stdout

        calls = self.shell(github, tmp_path, lines)

        created = [" ".join(call[: call.index("create")]) for call in calls if "create" in call]
        assert created[:3] == ["group", "ml workspace", "identity"]
        assert created[-1] == "role assignment"
        role = calls[[call[:3] for call in calls].index(["role", "assignment", "create"])]
        assert role[role.index("--assignee-object-id") + 1] == ID
        assert role[role.index("--role") + 1] == "AzureML Data Scientist"
        assert role[role.index("--scope") + 1].endswith("Microsoft.MachineLearningServices/workspaces/ws-1")
        assert [line[:2] for line in lines.splitlines() if "--role Reader" in line] == ["# "]  # only offered
        assert github.variables["AZURE_CLIENT_ID"] == github.variables["AZURE_TENANT_ID"] == ID

    def test_leaves_alone(self, github: LocalGitHub, tmp_path: Path) -> None:
        """What is there is not created again, and once GitHub knows the identity it isn't told again."""
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope").stdout
        twice = "\n".join(line for line in lines.splitlines() if "setup_github" not in line)

        calls = self.shell(github, tmp_path, f"{twice}\n{twice}")

        for created, times in (("group create", 1), ("identity create", 1), ("role assignment create", 2)):
            assert sum(" ".join(call).startswith(created) for call in calls) == times
        done(github, "--client-id", ID, "--tenant-id", ID)
        assert "--client-id" not in done(github, "--location", "westeurope").stdout

    @pytest.mark.parametrize(
        ("look", "why"),
        [
            *((look, "Please run 'az login' to setup account.") for look in LOOKS),
            ("group show", "(AuthorizationFailed) The client does not have authorization to perform action"),
            ("group show", "(SubscriptionNotFound) The subscription could not be found."),
            ("identity show", "<urlopen error [Errno -2] Name or service not known>"),
        ],
    )
    def test_cannot_tell(self, github: LocalGitHub, tmp_path: Path, look: str, why: str) -> None:
        """A look that failed is no "not there": the lines end with az's own words, and do nothing more."""
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope", "--own-identities").stdout

        ran, calls = self.run(github, tmp_path, lines, fails=look, why=why)

        assert ran.returncode == 1
        assert why in ran.stderr
        assert " ".join(calls[-1]).startswith(look)
        assert "AZURE_CLIENT_ID" not in github.variables

    def test_missing_in_words(self, github: LocalGitHub, tmp_path: Path) -> None:
        """An extension that doesn't keep to exit code 3 says in Azure's word that something isn't there."""
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope").stdout

        ran, calls = self.run(github, tmp_path, lines, missing=1)

        assert ran.returncode == 0, ran.stderr
        assert ["ml", "workspace", "create"] in [call[:3] for call in calls]

    def test_providers(self, github: LocalGitHub, tmp_path: Path) -> None:
        """A new subscription gets what workspace and endpoint are made of, before anything is made, and once."""
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope", "--dry-run").stdout

        calls = self.shell(github, tmp_path, "\n".join(lines.splitlines()[:2] * 2))

        registered = [call for call in calls if call[:2] == ["provider", "register"]]
        assert [call[call.index("--namespace") + 1] for call in registered] == list(PROVIDERS)
        assert all("--wait" in call and ID in call for call in registered)
        assert {"Microsoft.MachineLearningServices", "Microsoft.PolicyInsights", "Microsoft.Cdn"} <= set(PROVIDERS)

    @pytest.mark.parametrize("immutable", [True, False])
    def test_subjects(self, github: LocalGitHub, tmp_path: Path, immutable: bool) -> None:
        """Azure is to trust exactly the subjects that GitHub gives, one for each environment."""
        github.immutable = immutable
        prefix = github.subject_document()["sub_claim_prefix"]
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope", "--dry-run").stdout

        trusted = [shlex.split(line) for line in lines.splitlines() if "federated-credential" in line]

        subjects = {call[call.index("--subject") + 1] for call in trusted}
        assert subjects == {f"{prefix}:environment:{name}" for name in ("deploy", "production", "rollback")}
        assert len({call[call.index("--name") + 1] for call in trusted}) == len(subjects)
        assert all("https://token.actions.githubusercontent.com" in call for call in trusted)
        assert all("api://AzureADTokenExchange" in call for call in trusted)

    def test_names_of_credentials(self) -> None:
        """Azure takes 120 characters; the environment's name is among them, or one would replace the other."""
        names = {credential_name(f"acme/{'h' * 200}", name) for name in ENVIRONMENTS}

        assert len(names) == len(ENVIRONMENTS)
        assert {len(name) for name in names} == {120}
        assert credential_name("acme/heart", "eu/production") == "acme-heart-eu-production"

    def test_custom_subject(self, github: LocalGitHub) -> None:
        """Where the subject is a custom one no credential is made up; it says what is left to do."""
        github.claim_keys = ["repository_owner"]

        result = done(github, *ALICE, *PLACE, "--location", "westeurope")

        assert "federated-credential" not in result.stdout
        assert "no workflow can log in" in result.stderr

    def test_not_enough(self, github: LocalGitHub) -> None:
        """Without a location, or a workspace, there are no lines, and it says which options it takes."""
        result = done(github, *ALICE, *PLACE)

        assert result.stdout == ""
        assert "--location" in result.stderr

    def test_staging(self, github: LocalGitHub) -> None:
        """Staging has variables, an environment and an identity of its own; neither identity serves the other stage."""
        done(github, *ALICE, *PLACE, "--client-id", ID, "--tenant-id", ID)
        assert "staging" not in github.environments
        arguments = ("--staging", "--workspace", "ws-2", "--location", "westeurope")

        lines = done(github, *arguments).stdout

        assert github.variables["STAGING_AZURE_ML_WORKSPACE"] == "ws-2"
        assert github.variables["AZURE_ML_WORKSPACE"] == "ws-1"
        assert github.environments["staging"].reviewers == []
        assert "--name github-heart-staging" in lines
        assert "workspaces/ws-2" in lines
        assert "environment:staging" in lines
        assert "environment:production" not in lines
        assert "--staging" in lines
        production = done(github, "--location", "westeurope").stdout
        assert "environment:staging" not in production
        assert "environment:production" in production

    def test_both_ways(self, github: LocalGitHub) -> None:
        """One identity for all, or one for each of deploy, production and rollback: each way names the other."""
        place = (*ALICE, *PLACE, "--location", "westeurope")

        assert "--own-identities" in done(github, *place).stdout
        assert "--own-identities" in done(github, *place, "--own-identities").stdout

    def test_own_identities(self, github: LocalGitHub, tmp_path: Path) -> None:
        """Production's and rollback's have roles with the least rights; each trusts its own environment alone."""
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope", "--own-identities").stdout

        calls = self.shell(github, tmp_path, lines)

        trusted = {
            call[call.index("--identity-name") + 1]: call[call.index("--subject") + 1].rpartition(":")[2]
            for call in calls
            if "federated-credential" in call
        }
        assert trusted == {
            "github-heart": "deploy",
            "github-heart-production": "production",
            "github-heart-rollback": "rollback",
        }
        roles = [json.loads(call[call.index("--role-definition") + 1]) for call in calls if "--role-definition" in call]
        actions = [{action.partition("workspaces/")[2] for action in role["Actions"]} for role in roles]
        assert actions[1] == {
            "read",
            "onlineEndpoints/read",
            "onlineEndpoints/write",
            "onlineEndpoints/deployments/read",
        }
        assert actions[1] < actions[0] and "onlineEndpoints/deployments/delete" in actions[0]
        assert {place for role in roles for place in role["AssignableScopes"]} == {
            f"/subscriptions/{ID}/resourceGroups/rg"
        }
        given = [call[call.index("--role") + 1] for call in calls if call[:3] == ["role", "assignment", "create"]]
        assert given == ["AzureML Data Scientist", "Monitoring Reader", *(role["Name"] for role in roles)]
        asked = [call[call.index("--role") + 1] for call in calls if call[:3] == ["role", "assignment", "list"]]
        assert asked[2:] == [roles[0]["Name"], "Monitoring Reader", roles[1]["Name"]]  # rollback reads no metrics
        assert {"PRODUCTION_AZURE_CLIENT_ID", "ROLLBACK_AZURE_CLIENT_ID", "AZURE_CLIENT_ID"} <= set(github.variables)

    @pytest.mark.parametrize("own", [(), ("--own-identities",), ("there",)], ids=str)
    def test_one_approval(self, github: LocalGitHub, own: tuple[str, ...]) -> None:
        """An environment for the default branch alone, whose jobs log in as production's do; undone with the rest."""
        github.variables |= {"PRODUCTION_AZURE_CLIENT_ID": ID} if own == ("there",) else {}
        wished = (*ALICE, *PLACE, "--location", "westeurope", *(own if own != ("there",) else ()))
        assert "unattended" not in done(github, *wished).stdout

        result = done(github, *wished, "--ask-at", "first")

        made = github.environments["unattended"]
        assert (made.reviewers, made.branches, github.variables["APPROVALS"]) == ([], ["main"], "first")
        assert "`gh variable delete APPROVALS` asks at each stage again" in result.stderr
        credential = next(shlex.split(line) for line in result.stdout.splitlines() if ":unattended" in line)
        identity = f"github-heart{'-production' if own else ''}"
        assert credential[credential.index("--identity-name") + 1] == identity
        assert "nothing to do" in done(github, *wished).stderr
        assert ":unattended" in done(github, *wished).stdout
        undo = done(github, "--undo").stdout.splitlines()
        assert "gh api --method DELETE repos/acme/heart/environments/unattended" in undo
        assert "gh variable delete APPROVALS --repo acme/heart" in undo

    def test_one_approval_in_staging(self, github: LocalGitHub) -> None:
        """Staging asks nobody anyway: the variable is production's, and staging's identity has nothing to do there."""
        arguments = ("--staging", "--workspace", "ws-2", "--location", "westeurope", "--ask-at", "first")

        lines = done(github, *ALICE, *PLACE, *arguments).stdout

        assert github.variables["APPROVALS"] == "first" and "STAGING_APPROVALS" not in github.variables
        assert ":staging" in lines and ":unattended" not in lines
        assert "unattended" not in done(github, "--undo", "--staging").stdout

    def test_undo_own_identities(self, github: LocalGitHub) -> None:
        """They and their roles are taken away, too."""
        done(github, *ALICE, *PLACE, "--rollback-client-id", ID)

        lines = done(github, "--undo").stdout

        assert "az identity delete --name github-heart-rollback" in lines
        assert "az role definition delete --name 'GitHub rollback of acme/heart'" in lines
        assert "github-heart-production" not in lines

    def test_undo(self, github: LocalGitHub) -> None:
        """The lines that undo name what is there and nothing else; printing them changes nothing."""
        github.variables = {"OTHER": "1"}
        github.add_environment("github-pages")
        done(github, *ALICE, *PLACE)
        before = state(github)
        github.calls.clear()

        lines = done(github, "--undo").stdout.splitlines()

        assert (state(github), writes(github)) == (before, [])
        assert "gh api --method DELETE repos/acme/heart/environments/production" in lines
        assert "gh variable delete AZURE_ML_WORKSPACE --repo acme/heart" in lines
        assert not [line for line in lines if "OTHER" in line or "github-pages" in line]
        assert any(line.startswith("  az identity delete --name github-heart ") for line in lines)
        assert all(line.startswith("#") for line in lines if "workspace delete" in line or "group delete" in line)

    def test_undo_runs(self, github: LocalGitHub, tmp_path: Path) -> None:
        """Each identity loses its roles, by the assignment's id, and goes; a second run finds nothing."""
        made = done(github, *ALICE, *PLACE, "--location", "westeurope", "--own-identities").stdout
        self.shell(github, tmp_path, made)
        made = "\n".join(line for line in made.splitlines() if "setup_github" not in line)
        lines = "\n".join(line for line in done(github, "--undo").stdout.splitlines() if not line.startswith("gh "))

        calls = self.shell(github, tmp_path, f"{made}\n{lines}")

        assert len(taken(calls)) == 4  # an identity that is another is a Monitoring Reader by a line of its own
        assert len([call for call in calls if call[:2] == ["identity", "delete"]]) == 3
        assert not [call for call in self.shell(github, tmp_path, lines) if call[1:2] == ["delete"]]

    def test_undo_tells_what_it_can_t_see(self, github: LocalGitHub, tmp_path: Path) -> None:
        """Roles in another subscription that may not be looked at there: it is said, and all else goes."""
        made = _without_github(done(github, *ALICE, *PLACE, "--location", "westeurope").stdout)
        undo = done(github, "--undo").stdout

        refused = f"role assignment list --assignee {ID} --all --subscription {OTHER}"
        ran, calls = self.run(github, tmp_path, f"{made}\n{_without_github(undo)}", fails=refused, why="(Forbidden)")

        assert (ran.returncode, f"Roles in the subscription {OTHER} stay" in ran.stderr) == (0, True), ran.stderr
        assert len(taken(calls)) == 2 and ["identity", "delete"] in [call[:2] for call in calls]
        assert "subscription that this login doesn't see" in undo

    @pytest.mark.parametrize("look", ["identity show", "role assignment list"])
    def test_undo_cannot_tell(self, github: LocalGitHub, tmp_path: Path, look: str) -> None:
        """Where Azure doesn't tell, nothing is taken away, least of all from an identity without a name."""
        done(github, *ALICE, *PLACE)
        made = "\n".join(f"az {kind} create --name x" for kind in ("identity", "role assignment"))
        lines = f"{made}\n{done(github, '--undo').stdout}"

        ran, calls = self.run(github, tmp_path, lines, fails=look, why="Please run 'az login'")

        assert (ran.returncode, "az login" in ran.stderr) == (1, True)
        assert not [call for call in calls if "delete" in call]

    def test_watch(self, github: LocalGitHub, tmp_path: Path) -> None:
        """Lines for alerts on failures of the platform, of the model, and on latency, and for the log of requests; they
        change nothing at GitHub, do the same when run again, and are taken away with all else.
        """
        done(github, *ALICE, *PLACE, "--endpoint", "heart")
        before = state(github)
        wished = ("--failing", "6.5", "--latency", "180", "--action-group", ACTIONS, "--log-workspace", LOGS)

        lines = done(github, "--watch", *wished).stdout
        undo = "\n".join(line for line in done(github, "--undo").stdout.splitlines() if not line.startswith("gh "))
        watch = "".join(line for line in lines.splitlines(keepends=True) if line.startswith("az monitor "))
        calls = self.shell(github, tmp_path, f"{watch}{watch}{undo}")

        endpoint = f"{GROUP}/{PROVIDERS[0]}/workspaces/ws-1/onlineEndpoints/heart"
        assert state(github) == before
        alerts = [call for call in calls[:4] if call[:4] == ["monitor", "metrics", "alert", "create"]]
        assert [option(call, "--condition") for call in alerts] == [
            "avg RequestsPerMinute > 6.5 where deployment includes * and statusCodeClass includes 5xx",
            "avg RequestsPerMinute > 6.5 where deployment includes * and statusCode includes 424 "
            "and modelStatusCode excludes 400 or 404 or 405 or 413 or 415 or 422",
            "avg RequestLatency_P90 > 180 where deployment includes *",
        ]
        assert {(option(call, "--scopes"), option(call, "--action")) for call in alerts} == {(endpoint, ACTIONS)}
        [setting] = [call for call in calls[:4] if call[:3] == ["monitor", "diagnostic-settings", "create"]]
        assert (option(setting, "--resource"), option(setting, "--workspace")) == (endpoint, LOGS)
        assert json.loads(option(setting, "--logs")) == [{"category": "AmlOnlineEndpointTrafficLog", "enabled": True}]
        assert calls[:4] == calls[4:8]
        taken = [option(call, "--name") for call in calls if call[0] == "monitor" and "delete" in call]
        assert taken == [option(call, "--name") for call in (*alerts, setting)]
        assert not [call for call in self.shell(github, tmp_path, undo) if "delete" in call]

    @pytest.mark.parametrize("own", [True, False])
    def test_watch_by_the_log(self, github: LocalGitHub, tmp_path: Path, own: bool) -> None:
        """Who judges may read the log of requests, and the jobs are told where it is; undone with all else."""
        identities = ("--own-identities",) * own
        made = done(github, *ALICE, *PLACE, "--location", "westeurope", *identities).stdout
        self.shell(github, tmp_path, made)  # which tells GitHub of them
        made = "\n".join(line for line in made.splitlines() if "setup_github" not in line)
        made += "\naz monitor log-analytics workspace create --name x"

        lines = done(github, "--watch", "--log-workspace", LOGS).stdout
        undo = "\n".join(line for line in done(github, "--undo").stdout.splitlines() if not line.startswith("gh "))
        calls = self.shell(github, tmp_path, f"{made}\n{lines}{lines}{undo}")

        reading = [call for call in calls if "Log Analytics Reader" in call]
        assert {option(call, "--scope") for call in reading if "--all" not in call} == {LOGS}
        logins = [name for name in ("", "-production") if own or not name]
        asked = [line for line in lines.splitlines() if line.startswith("who=")]
        assert [re.findall(r"--name github-heart(\S*)", line) for line in asked] == [[name] for name in logins]
        assert len(taken(calls)) == (5 if own else 3) and any(id.startswith(LOGS) for id in taken(calls))
        shown = next(call for call in calls if call[:4] == ["monitor", "log-analytics", "workspace", "show"])
        assert (option(shown, "--ids"), option(shown, "--query")) == (LOGS, "customerId")
        assert github.variables["LOG_ANALYTICS_WORKSPACE_ID"] == ID

    def test_watch_by_default(self, github: LocalGitHub) -> None:
        """Failures alone, each, called to nobody; which endpoint, the file says where no variable does."""
        lines = done(github, *ALICE, *PLACE, "--location", "westeurope").stdout

        [hint] = [line for line in lines.splitlines() if line.startswith("# Once the endpoint serves")]
        watch = shlex.split(hint.partition("watches it: ")[2])[3:]
        found = done(github, *watch).stdout.splitlines()

        assert ["RequestsPerMinute > 0 " in line for line in found] == [True, True]
        assert not [line for line in found if "--action" in line]
        assert all(f"/onlineEndpoints/{endpoint_name()} " in line for line in found)

    def test_watch_staging(self, github: LocalGitHub) -> None:
        """Staging's endpoint has alerts of its own."""
        done(github, *ALICE, *PLACE, "--endpoint", "heart")
        done(github, "--staging", "--workspace", "ws-2", "--endpoint", "trial")

        lines = done(github, "--staging", "--watch", "--log-workspace", LOGS).stdout

        assert "--name ws-2-trial-failures" in lines and "workspaces/ws-2/onlineEndpoints/trial" in lines
        assert "--name github-heart-staging " in lines and "-production" not in lines
        assert "--staging --log-analytics-id" in lines

    def test_nothing_to_watch(self, github: LocalGitHub) -> None:
        """Without a workspace there are no lines, and it says which options it takes."""
        result = done(github, "--watch")

        assert (result.stdout, "--workspace" in result.stderr) == ("", True)

    @pytest.mark.parametrize(
        "wrong",
        [
            ("--latency", "180"),
            ("--failing", "1"),
            ("--watch", "--failing", "nan"),
            ("--watch", "--latency", "-1"),
            ("--watch", "--latency", "1e3"),
            ("--watch", "--log-workspace", ID),
            ("--watch", "--action-group", "oncall"),
            ("--watch", "--undo"),
            ("--approvals", "2"),
            ("--staging", "--own-identities"),
        ],
    )
    def test_watch_wrongly(self, github: LocalGitHub, wrong: tuple[str, ...]) -> None:
        """What az couldn't read, or nobody would, is wrong usage."""
        result = setup(github, *ALICE, *wrong)

        assert (result.exit_code, writes(github)) == (2, [])

    def test_undo_names_what_stays(self, github: LocalGitHub) -> None:
        """Names of what was deleted stay taken: for how long, and how they don't."""
        done(github, *ALICE, *PLACE)

        lines = done(github, "--undo").stdout

        assert all(word in lines for word in ("14 days", "--permanently-delete", "az keyvault purge --name"))


PEOPLE = [Reviewer("User", number, f"user-{number}") for number in range(4)] + [Reviewer("Team", 1, "acme/ml")]
SETTINGS = st.builds(
    Environment,
    reviewers=st.lists(st.sampled_from(PEOPLE), unique=True, max_size=4).map(tuple),
    prevent_self_review=st.booleans(),
    wait_timer=st.integers(0, 43200),
    deploying=st.sampled_from([EVERY, PROTECTED, LISTED]),
    policies=st.lists(st.sampled_from([Policy("main"), Policy("main", "tag"), Policy("v*")]), unique=True).map(tuple),
).map(lambda found: found if found.deploying == LISTED else replace(found, policies=()))
PRESENT = st.builds(
    Present,
    st.dictionaries(st.sampled_from(["production", "deploy"]), SETTINGS),
    st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"])),
)
WISH = st.builds(
    Wish,
    st.just({"production": True, "deploy": False}),
    st.just("main"),
    st.lists(st.sampled_from(PEOPLE), unique=True, max_size=1).map(tuple),
    st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"])),
)


def after(present: Present, actions: list[Any]) -> Present:
    """What is there when the actions are done, as GitHub does them."""
    found, variables = dict(present.environments), dict(present.variables)
    for action in actions:
        if isinstance(action, PutEnvironment):
            policies = found[action.name].policies if action.name in found else ()
            found[action.name] = replace(action.settings, policies=policies)
        elif isinstance(action, AddBranch):
            there = found[action.environment]
            found[action.environment] = replace(there, policies=(*there.policies, Policy(action.branch)))
        else:
            variables[action.name] = action.value
    return Present(found, variables)


@given(PRESENT, WISH)
def test_plan_ends(present: Present, wish: Wish) -> None:
    """Whatever is there: done once there is nothing left to do, and nobody's reviewer, timer or branch is lost."""
    done = after(present, plan(present, wish))

    assert plan(done, wish) == []
    assert all(Policy("main") in done.environments[name].policies for name in wish.environments)
    for name, before in present.environments.items():
        assert set(done.environments[name].reviewers) >= set(before.reviewers)
        assert set(done.environments[name].policies) >= set(before.policies)
        assert done.environments[name].wait_timer == before.wait_timer


@given(SETTINGS)
def test_read_back(wanted: Environment) -> None:
    """What is put is what is read: the body and GitHub's document are two forms of the same settings."""
    with_reviewers = replace(wanted, prevent_self_review=wanted.prevent_self_review and bool(wanted.reviewers))
    body = with_reviewers.body()
    rules = [{"type": "wait_timer", "wait_timer": body["wait_timer"]}] if body["wait_timer"] else []
    if body["reviewers"]:
        who = [{"type": entry["type"], "reviewer": {"id": entry["id"], "login": "x"}} for entry in body["reviewers"]]
        rules.append(
            {"type": "required_reviewers", "prevent_self_review": body["prevent_self_review"], "reviewers": who}
        )
    policy = body["deployment_branch_policy"]
    document = {"protection_rules": rules, "deployment_branch_policy": policy}

    assert Environment.parse(document, wanted.policies) == with_reviewers


def test_no_reviewers() -> None:
    """Without any the PUT says null, as GitHub's page has it (docs.github.com/rest/deployments/environments)."""
    [planned, _] = plan(Present({}, {}), Wish({"production": True}, "main"))

    assert isinstance(planned, PutEnvironment)
    assert planned.settings.body()["reviewers"] is None
    assert planned.settings.prevent_self_review is False  # GitHub refuses it without reviewers


def test_too_many_reviewers() -> None:
    """Six reviewers are allowed together, seven are refused."""
    six = tuple(Reviewer("User", number, f"user-{number}") for number in range(6))
    wish = Wish({"production": True}, "main", (Reviewer("User", 5, "user-5"),))

    assert plan(Present({"production": Environment(six)}, {}), wish)
    with pytest.raises(Refused, match="user-0"):
        plan(Present({"production": Environment(six)}, {}), replace(wish, reviewers=(Reviewer("User", 6, "g"),)))


@pytest.fixture
def trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model/job.yml, where the command runs."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/job.yml").write_text(training.job())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "model/job.yml"


def test_lines_for_a_cluster(github: LocalGitHub, trains: Path) -> None:
    """With a job.yml there is an environment for training, an identity with its own role, cluster and datastore."""
    result = done(github, *ALICE, *PLACE, "--location", "westeurope")

    [role] = [line for line in result.stdout.splitlines() if "az role definition create" in line]
    assert "train" in github.environments and "jobs/write" in role
    assert not re.search(r"models/|onlineEndpoints|listSecrets|\*/(write|action)", role.replace("codes/*/write", ""))
    for said in ("--min-instances 0", "datastores/training?", "environment:train", "--train-client-id"):
        assert said in result.stdout
    assert subprocess.run(["sh", "-n"], input=result.stdout, text=True, check=False).returncode == 0


def _without_github(lines: str) -> str:
    return "\n".join(line for line in lines.splitlines() if "setup_github" not in line and not line.startswith("gh "))


def test_undo_of_a_cluster(github: LocalGitHub, trains: Path, tmp_path: Path) -> None:
    """Cluster, datastore and the roles over data and output go, before the identities; the output is a comment."""
    shell = TestAzure().shell
    place = (*PLACE, "--endpoint", "heart", "--location", "westeurope", "--train-client-id", ID)
    made = _without_github(done(github, *ALICE, *place).stdout) + "\naz ml datastore create --name training\n"
    undo = _without_github(done(github, "--undo").stdout)

    calls = shell(github, tmp_path, made + undo)

    role = "role assignment"  # the cluster's two; then all of the identities', at once since here they are one
    gone = [" ".join(call[: call.index("delete")]) for call in calls if "delete" in call]
    assert gone[:4] == [role, role, "ml compute", "ml datastore"]
    assert sorted(gone[4:]) == ["identity"] * 2 + [role] + ["role definition"]
    assert "az storage container-rm delete --name training-output" in undo
    assert not [call for call in calls if call[0] == "storage" and "delete" in call]
    assert not [call for call in shell(github, tmp_path, undo) if call[0] == "ml" and "delete" in call]


def test_staging_registers_what_production_s_cluster_trained(github: LocalGitHub, trains: Path, tmp_path: Path) -> None:
    """Its identity gets to read jobs and output there, and nothing else; undone, it is that alone which goes."""
    shell = TestAzure().shell
    staging = (*ALICE, "--staging", "--workspace", "ws-2", "--location", "westeurope")
    assert "ws-1" not in done(github, *staging, *PLACE[:4]).stdout
    done(github, *ALICE, *PLACE, "--endpoint", "heart")

    lines = _without_github(done(github, *staging).stdout)
    undo = _without_github(done(github, "--undo", "--staging").stdout)
    assert "`--undo --staging` prints their lines" in done(github, "--undo").stderr
    calls = shell(github, tmp_path, lines + "\n" + undo)

    given = [call for call in calls if call[:3] == ["role", "assignment", "create"]]
    there = [(option(call, "--role"), option(call, "--scope")) for call in given if "ws-2" not in " ".join(call)]
    workspace, output = there
    assert workspace == ("Reader", f"{GROUP}/{PROVIDERS[0]}/workspaces/ws-1")
    assert output[0] == "Storage Blob Data Reader" and output[1].endswith("/containers/training-output")
    assert len(taken(calls)) == len(given)
    assert "ml compute" not in undo and "ml datastore" not in undo


@pytest.mark.parametrize("text", ["type: sweep", "type: [", None])
def test_undo_with_a_job_that_can_t_train(github: LocalGitHub, trains: Path, text: str | None) -> None:
    """Whoever broke the file, or took it out, gets all other lines, and is told which are missing."""
    done(github, *ALICE, *PLACE, "--endpoint", "heart")
    trains.write_text(text) if text else trains.unlink()

    result = done(github, "--undo")

    assert "leave what trains" in result.stderr and "az identity delete --name github-heart-train" in result.stdout
    assert "ml compute" not in result.stdout
