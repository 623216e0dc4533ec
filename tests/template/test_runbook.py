"""Each row of the runbook, tried: its state is made, its command is run, and the state is the one that it promises."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.workflows import az
from tests.support import ROOT
from tests.support.scripts import GREEN, Live, pair_endpoint, run, toy_model, write

pytestmark = pytest.mark.drill
CELLS = re.compile(r"^\| (.+) \|$", re.MULTILINE)
ROWS = [row.split(" | ") for row in CELLS.findall((ROOT / "docs/RUNBOOK.md").read_text())][1:]  # but the head
BACK = {"default": 100}


class Night:
    """An endpoint with blue and green, and what goes wrong with it; `name` and `version` are what a row leaves open."""

    def __init__(self, live: Live, arm: Arm, faults: Faults, folder: Path) -> None:
        self.live, self.arm, self.faults, self.folder = live, arm, faults, folder
        self.name, self.version = GREEN, "1"

    def promoted(self) -> dict[str, int]:
        self.live.do("promote", "--percent", 50)
        return BACK

    def dead(self) -> dict[str, int]:
        self.live.do("promote", "--percent", 50)
        self.faults.add("refuse", method="POST", path="*/score", status=502, times=100)
        assert self.live.run("smoke_test", GREEN, "--patience", 0).exit_code == 4
        self.faults.clear()
        return BACK

    def untold(self) -> dict[str, int]:
        """Somebody's split, and all tags lost."""
        self.live.do("promote", "--percent", 50)
        for name in ("default", GREEN):
            deployment = f"onlineEndpoints/{self.live.name}/deployments/{name}"
            body = self.arm("GET", deployment).json()
            self.arm.settle(self.arm("PUT", deployment, {**body, "tags": {}}))
        write(self.arm, self.live, {"default": 50, GREEN: 50}, tags={})
        told = self.live.run("rollback")
        assert told.exit_code == 1 and "rollback --to NAME" in told.stderr
        self.name = "default"
        return BACK

    def untold_reviewer(self) -> dict[str, int]:
        self.live.do("promote", "--percent", 10)
        return {"default": 90, GREEN: 10}

    def gone(self) -> dict[str, int]:
        self.live.do("promote", "--percent", 100)
        self.live.do("delete_blue", "default")
        told = self.live.run("rollback")
        assert told.exit_code == 1 and "deploy --version 1" in told.stderr
        return {GREEN: 100}

    def empty(self) -> dict[str, int]:
        write(self.arm, self.live, {})
        self.name = "default"
        return BACK

    def promoted_too_far(self) -> dict[str, int]:
        self.live.do("promote", "--percent", 50)
        return {"default": 90, GREEN: 10}

    def alone(self) -> dict[str, int]:
        self.live.do("promote", "--percent", 50)
        write(self.arm, self.live, {"default": 70, GREEN: 30})
        told = self.live.do("rollback", "--own", "--rollout", "octo/heart/actions/runs/7/attempts/1")
        assert "70" in told
        return {"default": 70, GREEN: 30}

    def taken_back(self) -> dict[str, int]:
        """What is left of it; tests/scripts/test_judging.py has how it comes about."""
        self.live.do("promote", "--percent", 50)
        self.live.do("rollback")
        return BACK

    def broken(self) -> dict[str, int]:
        run("register_model", toy_model(self.folder / "broken", broken=True))
        assert self.live.run("deploy", "--version", 3).exit_code == 1
        return BACK

    def full(self) -> dict[str, int]:
        self.faults.add("refuse", method="PUT", path="*/deployments/*", code="OutOfQuota", status=400)
        run("register_model", toy_model(self.folder / "another", answer=3))
        told = self.live.run("deploy", "--version", 3)
        assert told.exit_code == 1 and f"delete_blue {GREEN}" in told.stderr
        return BACK

    def first(self) -> dict[str, int]:
        self.live.do("delete_endpoint", "--yes")
        self.live.do("create_endpoint")
        self.live.do("deploy", "--version", 1)
        return BACK


STATES: dict[str, Callable[[Night], dict[str, int]]] = {
    "clients get wrong answers or errors since a promotion": Night.promoted,
    "a deployment with traffic is dead: 502, 503, 424": Night.dead,
    "*Roll back* is red: nothing tells what served before": Night.untold,
    "*Roll back* is red: what served before is gone": Night.gone,
    "clients get 404: nobody has traffic": Night.empty,
    "clients get 429 since a promotion": Night.promoted_too_far,
    "a run was killed in mid-promotion": Night.promoted,
    "a rollout is red: *unhealthy*, and went back by itself": Night.taken_back,
    "a rollout is red and says *left alone*": Night.alone,
    "a promotion is red: *the next reviewer isn't told*": Night.untold_reviewer,
    "installing fails, in the rollback, too": Night.promoted,
    "green doesn't start": Night.broken,
    "*deploy* finds no room for another deployment": Night.full,
    "a first deployment waits at 0 %": Night.first,
}


@pytest.fixture
def night(azure: dict[str, str], faults: Faults, tmp_path: Path) -> Iterator[Night]:
    name = "night-" + re.sub(r"\W|_", "", tmp_path.name)[-20:].lower()
    with pair_endpoint(tmp_path / "pair", name, {}, {"answer": 0}) as live:
        yield Night(live, Arm(azure), faults, tmp_path)
        live.do("delete_endpoint", "--yes")


def test_with_az_alone(night: Night, tmp_path: Path) -> None:
    """The lines show the split, what stands, and go back."""
    night.promoted()
    [lines] = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/RUNBOOK.md").read_text(), re.DOTALL)
    az.install(tmp_path / "bin")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PAUSE": "0.2", "ENDPOINT_NAME": night.live.name}

    ran = subprocess.run(["bash", "-e"], input=lines, env=env, cwd=ROOT, capture_output=True, text=True, check=True)

    assert f'"{GREEN}": 50' in ran.stdout and f'"name":"{GREEN}","state":"Succeeded","instances":1' in ran.stdout
    assert night.live.traffic == BACK


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row(night: Night, row: list[str]) -> None:
    """Its command leads from its symptom to what it promises."""
    symptom, _, _, by_hand, _ = row
    wanted = STATES[symptom](night)
    stand = set(night.live.deployments)

    night.live.do(*by_hand.strip("`").replace("NAME", night.name).replace(" N", f" {night.version}").split())

    assert night.live.traffic == wanted
    now = set(night.live.deployments)
    assert (stand - now, len(now - stand)) == {
        "delete_blue": ({night.name}, 0),
        "deploy": (set(), 1),
    }.get(by_hand.strip("`").split()[0], (set(), 0))
