"""docs/MAKE_IT_YOURS.md: other data, another model, another endpoint, and no other file of the template is touched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.testing import Arm
from azureml_emulator.workflows.act import Run, commit
from demo.clients import Clients
from demo.rollouts import change_model
from scripts.lib.azure.scoring_client import ROWS
from tests.support import ROOT
from tests.support.repository import DEPLOYING, PROMOTING, Repository, results
from tests.support.repository import repository as copied

OTHER = ROOT / "tests" / "template" / "breast_cancer"  # what somebody else has in model/ and endpoints/
DATA = re.compile(r"heart\.csv|\bthal\b|n_estimators")
KEPT = {"model/requirements.in", "model/requirements.txt"}  # it needs the same packages
HEART = "tests/model/heart"  # which the guide tells to delete


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    with copied(tmp_path_factory.mktemp("ours")) as repository:
        make_it_ours(repository.tree)
        repository.know_head()
        yield repository


@pytest.fixture(scope="module")
def first(ours: Repository) -> Run:
    return ours.push()


@pytest.fixture(scope="module")
def second(ours: Repository, first: Run) -> Run:
    change_model(ours.tree)
    ours.know_head()
    return ours.push()


def make_it_ours(tree: Path) -> None:
    """What the guide says: other files in model/ and in endpoints/."""
    for name in set(git(tree, "ls-files", "model", "endpoints")) - KEPT:
        (tree / name).unlink()
    shutil.copytree(OTHER, tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    commit(tree, "Make it ours")


def git(tree: Path, *command: str) -> list[str]:
    return subprocess.check_output(["git", *command], cwd=tree, text=True).splitlines()


@pytest.mark.drill
def test_first_rollout_serves_the_other_model(ours: Repository, first: Run) -> None:
    """The first rollout trains the other model, registers it by its name, and serves it as the other endpoint."""
    endpoint = ours.endpoint()

    assert (first.exit_code, results(first, "success")) == (0, ["doctor", "train", *DEPLOYING])
    assert endpoint["endpoint"] == "breast-cancer"
    assert [(it["name"], it["model"]) for it in endpoint["deployments"]] == [("first", "breast-cancer-classifier")]


@pytest.mark.drill
def test_its_metrics_travel_along(ours: Repository, first: Run) -> None:
    """What training measured is what the deployment says of itself."""
    [deployment] = ours.endpoint()["deployments"]

    assert 0.97 < float(deployment["auc"]) < 1
    assert deployment.keys() > {"accuracy", "brier", "data_sha256"}


@pytest.mark.drill
def test_it_answers_with_its_own_labels(ours: Repository, first: Run) -> None:
    """A prediction is a word here, as the model has it."""
    assert json.loads(ours.script("invoke")) == ["benign"]


@pytest.mark.drill
def test_the_demo_s_clients_can_ask_it(ours: Repository, first: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make demo` asks whatever endpoints/ has requests for."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ours.environ["REQUESTS_CA_BUNDLE"])
    clients = Clients(ours.tree / ROWS)
    keys = Arm(ours.environ)("POST", "onlineEndpoints/breast-cancer/listKeys").json()

    clients.start(ours.endpoint()["scoring_uri"], keys["primaryKey"])
    time.sleep(1)
    clients.stop()

    assert clients.problems == []
    assert set(clients.answers) == {"first"}


@pytest.mark.drill
def test_no_other_file_is_touched(ours: Repository, first: Run) -> None:
    """From the template to the rollout of another model, only model/ and endpoints/ have changed."""
    start = git(ours.tree, "rev-list", "--max-parents=0", "HEAD")[0]

    changed = git(ours.tree, "diff", "--name-only", start)
    changed += git(ours.tree, "ls-files", "--others", "--exclude-standard")

    assert {path.split("/")[0] for path in changed} == {"model", "endpoints"}


def test_one_folder_of_tests_is_about_heart_disease() -> None:
    """The guide names the tests that go away with the model; no other knows its data."""
    guide = (ROOT / "docs" / "MAKE_IT_YOURS.md").read_text()
    tests = set(git(ROOT, "ls-files", "tests/*.py")) - {str(Path(__file__).relative_to(ROOT))}

    knowing = {name for name in tests if DATA.search((ROOT / name).read_text())} - {
        str(OTHER.relative_to(ROOT) / "model/train.py")
    }

    assert {str(Path(name).parent) for name in knowing} == {HEART}
    assert f"`{HEART}/`" in guide


def test_only_model_and_endpoints_are_about_heart_disease() -> None:
    """Nothing of what runs a rollout, nor the local Azure ML, knows the model's data."""
    listed = git(ROOT, "ls-files", "scripts", "emulator", "demo", "tools", ".github", "Makefile")

    assert len(listed) > 100
    assert [name for name in listed if DATA.search((ROOT / name).read_text())] == []


def test_the_guide_names_what_there_is() -> None:
    """Every file and folder that the guide names is in the repository."""
    text = (ROOT / "docs" / "MAKE_IT_YOURS.md").read_text()

    named = re.findall(r"`((?:model|endpoints|scripts|tests|docs|\.github|emulator)/[\w./-]*)`", text)

    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.drill
def test_a_changed_model_goes_to_all(ours: Repository, second: Run) -> None:
    """A change of the model takes it through every stage, and replaces the first."""
    endpoint = ours.endpoint()

    assert second.exit_code == 0
    assert set(PROMOTING) <= set(results(second, "success"))
    assert endpoint["traffic"] == {"forest-2": 100}
    assert [it["name"] for it in endpoint["deployments"]] == ["forest-2"]
