"""A model that an Azure ML job trained and registered, rolled out by the token of a program; through act."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.testing import Arm, toy_model
from azureml_emulator.workflows.act import WORKSPACE_VARIABLES, commit
from tests.support import ROOT
from tests.support.repository import DEPLOYING, PROMOTING, TRAINING, Repository, repository, results
from tests.support.scripts import SAMPLE

pytestmark = pytest.mark.drill
NAME, TRAINER = "trained-elsewhere", "trainer[bot]"
[PAGE] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/TRAINED_ELSEWHERE.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A repository without a training."""
    with repository(tmp_path_factory.mktemp("elsewhere")) as made:
        (made.tree / "model/train.py").unlink()
        commit(made.tree, "Train elsewhere")
        made.know_head()
        yield made


def train(ours: Repository, folder: Path, answer: int) -> dict[str, str]:
    """What the page's lines start at the end of a job; GitHub's token is given, since there is no vault."""
    toy_model(folder, answer=answer, metadata={}, sample=SAMPLE)
    names = ("SUBSCRIPTION", "RESOURCEGROUP", "WORKSPACE_NAME")
    job = {f"AZUREML_ARM_{name}": ours.environ[of] for name, of in zip(names, WORKSPACE_VARIABLES, strict=True)}
    filled = {"heart-classifier": NAME, "outputs/model": str(folder), "OWNER/REPOSITORY": ours.github.repository}
    code = re.sub("|".join(filled), lambda found: filled[found[0]], PAGE)
    code = code.replace("\nroll_out(", f"\ntoken = lambda: {ours.github.token!r}\nroll_out(")
    subprocess.run([sys.executable, "-c", code], env={**ours.environ, **ours.github.environ(), **job}, check=True)
    workflow, inputs = ours.github.dispatched.pop()
    assert workflow == "rollout.yml"
    return inputs


def test_a_model_of_a_job(ours: Repository, tmp_path: Path) -> None:
    """Two versions without a tag of ours go through the whole rollout that the program started; nothing is trained."""
    first = ours.dispatch("rollout", train(ours, tmp_path / "1", 0), actor=TRAINER)
    second = ours.dispatch("rollout", train(ours, tmp_path / "2", 1), actor=TRAINER)

    [serving] = ours.endpoint()["deployments"]
    assert (first.exit_code, second.exit_code) == (0, 0), {n: j.log for n, j in second.jobs.items() if j.log}
    assert results(second, "success") == [*TRAINING, *DEPLOYING, *PROMOTING, "delete-blue"]
    assert not any("train.py" in step for step, end in second.jobs["train"].steps.items() if end == "success")
    assert (serving["model"], serving["version"]) == (NAME, "2")
    assert Arm(ours.environ)("GET", f"models/{NAME}/versions/2").json()["properties"]["tags"] == {}


def test_a_merge_trains_nothing(ours: Repository) -> None:
    """It ends after its first job, green, and says why."""
    run = ours.push()

    assert (run.exit_code, results(run, "success")) == (0, ["doctor"])
    assert "Nothing is trained here" in run.jobs["doctor"].log + run.jobs["doctor"].summary


@pytest.mark.parametrize(
    ("workflow", "inputs"),
    [
        ("promote", {"percent": "100", "delete-blue": "false"}),
        ("teardown", {}),
    ],
)
def test_what_a_program_may_not_start(serving: Repository, workflow: str, inputs: dict[str, str]) -> None:
    """Promoting by hand and deleting are refused before anybody is asked."""
    serving.script("deploy", "--version", 2)  # a green, which a person could promote
    before = serving.endpoint()

    inputs = inputs or {"endpoint": serving.variables["ENDPOINT_NAME"]}
    run = serving.dispatch(workflow, inputs, actor=TRAINER)

    assert results(run, "failure") == ["review"]
    assert f"{TRAINER} is a program" in run.jobs["review"].log
    assert serving.endpoint() == before
