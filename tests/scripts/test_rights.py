"""The doctor by hand looks for each right that setup_github's lines give, at the local Azure ML."""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.process import running
from azureml_emulator.resources.roles import IDS
from azureml_emulator.resources.traffic_log import ID as LOGS
from azureml_emulator.testing import Arm
from scripts.lib.azure.workspace import Workspace
from scripts.lib.doctor import rights
from scripts.lib.doctor.azure_facts import AzureFacts
from scripts.lib.github.repository_variables import WORKSPACE
from tests.support import training
from tests.support.scripts import run

LOGINS = {"": ["deploy"], "-production": ["production"], "-rollback": ["rollback"], "-train": ["train"]}
AUTHORIZATION = "providers/Microsoft.Authorization"


class Given(NamedTuple):
    """A role, and who gets it over what: the name of an identity, or "" for the cluster."""

    who: str
    role: str
    scope: str

    @property
    def finding(self) -> str:
        whose = self.who.removeprefix("github-rollout")
        return (
            f"rights {' '.join(LOGINS[whose]) if whose in LOGINS else whose.strip('-')}"
            if self.who
            else "rights cluster"
        )


def given(lines: str, account: str) -> Iterator[Given]:
    """What the lines give, in their order."""
    who = ""
    for line in lines.splitlines():
        if line.startswith("who="):
            who = "".join(re.findall(r"identity show --name (\S+)", line))
        elif " role assignment create " in line and not line.startswith("#"):
            words = shlex.split(line.partition(" || ")[2])
            role, scope = (words[words.index(option) + 1] for option in ("--role", "--scope"))
            yield Given(who, role, scope.replace("$store", account))


class Azure:
    """A workspace in which setup_github's lines were run, as far as identities and roles go."""

    def __init__(self, arm: Arm, lines: str):
        self.arm, self.group = arm, arm.workspace.partition("/providers/")[0]
        self.roles = {name: IDS[name] for name in IDS}
        for role in map(json.loads, re.findall(r"--role-definition '(.+?)'$", lines, re.MULTILINE)):
            self.roles[role["Name"]] = str(uuid.uuid4())
            permissions = [{"actions": role["Actions"]}]
            its = {"roleName": role["Name"], "permissions": permissions, "assignableScopes": role["AssignableScopes"]}
            self._put(f"{self.group}/{AUTHORIZATION}/roleDefinitions/{self.roles[role['Name']]}", its)
        self.given = [*dict.fromkeys(given(lines, arm("GET", "").json()["properties"]["storageAccount"]))]
        self.ids = {right.who: self._identity(right.who) for right in self.given}
        for right in self.given:
            self.give(right)

    def _put(self, path: str, properties: dict[str, object]) -> dict[str, dict[str, str]]:
        put = self.arm("PUT", f"{self.arm.base}{path}", {"properties": properties})
        assert put.status_code == 201, put.text
        return dict(put.json())

    def _identity(self, name: str) -> dict[str, str]:
        if not name:
            return {"principalId": self.arm("GET", f"computes/{training.CLUSTER}").json()["identity"]["principalId"]}
        path = f"{self.arm.base}{self.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        return dict(self.arm("PUT", path, {}).json()["properties"])

    def _assignment(self, right: Given) -> str:
        return f"{right.scope}/{AUTHORIZATION}/roleAssignments/{uuid.uuid5(uuid.NAMESPACE_URL, repr(right))}"

    def give(self, right: Given) -> None:
        who = {"principalId": self.ids[right.who]["principalId"], "roleDefinitionId": self.roles[right.role]}
        self._put(self._assignment(right), who)

    def take(self, right: Given) -> None:
        assert self.arm("DELETE", f"{self.arm.base}{self._assignment(right)}").status_code == 200

    def client(self, which: str) -> str:
        return self.ids[f"github-rollout{which}"]["clientId"]

    def findings(self, place: dict[str, str]) -> dict[str, tuple[str, str]]:
        """What the doctor says, but for what is well."""
        variables = {**place, "AZURE_CLIENT_ID": self.client(""), "STAGING_AZURE_CLIENT_ID": self.client("-staging")}
        variables |= {f"{name[1:].upper()}_AZURE_CLIENT_ID": self.client(name) for name in LOGINS if name}
        variables |= {"STAGING_AZURE_ML_WORKSPACE": "ws-2"}
        azure = AzureFacts(Workspace(*(place[name] for name in WORKSPACE)))
        logins = {self.client(name): environments for name, environments in LOGINS.items()}
        found = [*rights.checks(azure, variables, logins, [LOGS])]
        assert len(found) == len(LOGINS) + 2
        return {one.name: (one.verdict, one.say) for one in found if one.verdict != "ok"}


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Two workspaces in a group of nobody else's."""
    with running(tmp_path / "state", "--workspace=local", "--workspace=ws-2") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield variables


def test_each_right_is_looked_for(
    azure: dict[str, str], github: LocalGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that set-up's lines give, all is well; each right in turn, taken away, is named by the doctor, alone.

    One of each identity at a time.
    """
    arm = Arm(azure)
    training.set_up(arm, container="training-output")
    training.data(arm, "1")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/job.yml").write_text(training.job())
    monkeypatch.chdir(tmp_path)
    github.know("alice")
    place = {name: azure[name] for name in WORKSPACE}
    first = ["--subscription-id", "--resource-group", "--workspace"]
    where = [word for both in zip(first, place.values(), strict=True) for word in both]
    github.variables |= place

    def lines(*options: str) -> str:
        made = run("setup_github", "--location", "local", "--reviewer", "alice", *options, **github.environ())
        assert made.exit_code == 0, made.output
        return made.stdout

    production = lines(*where, "--own-identities")
    github.variables["PRODUCTION_AZURE_CLIENT_ID"] = "own"
    watched = lines("--watch", "--log-workspace", LOGS, "--endpoint", "heart")
    staging = lines("--staging", "--workspace", "ws-2")
    made = Azure(arm, production + watched + staging)

    assert made.findings(place) == {}
    assert len(made.given) == 15
    by_identity = [[right for right in made.given if right.who == who] for who in made.ids]
    for taken in zip_longest(*by_identity):
        gone = {right.finding: right for right in taken if right}
        for right in gone.values():
            made.take(right)
        lacking = made.findings(place)
        for right in gone.values():
            made.give(right)

        assert {name: verdict for name, (verdict, _) in lacking.items()} == dict.fromkeys(gone, "wrong")
        for name, right in gone.items():
            role = right.role.partition(" of ")[0]  # one of its own says of which repository
            named = rf"it lacks {role}( of this repository)? on {'/'.join(right.scope.split('/')[-2:])}\."
            assert re.fullmatch(named, lacking[name][1]), lacking
