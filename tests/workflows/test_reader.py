"""What workflow_files.py reads in the workflow files: the stages, their percentages, the environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.lib.decisions.state import Refused
from scripts.lib.github import workflow_files
from tests.support import ROOT

PROMOTE = "./.github/actions/promote"


def job(needs: Any = None, percent: Any = None, run: str = "true", environment: Any = None) -> dict[str, Any]:
    """A job as in a workflow file: one step, which promotes where there is a percentage."""
    step = {"run": run} if percent is None else {"uses": PROMOTE, "with": {"percent": percent}}
    found = {"needs": needs, "environment": environment, "steps": [step]}
    return {key: value for key, value in found.items() if value is not None}


CHAIN: dict[str, dict[str, Any]] = {
    "rollback": job(["deploy", "promote-5", "promote-100"], environment="rollback"),
    "promote-100": job(["deploy", "promote-5"], percent="100", environment="${{ inputs.environment }}"),
    "register": job(environment="deploy"),
    "deploy": job("register", environment={"name": "deploy", "url": "https://example.com"}),
    "smoke-test": job(["register", "deploy"], environment="deploy"),
    "promote-5": job(["deploy", "smoke-test"], percent=5, environment="${{ inputs.environment }}"),
    "delete-blue": job("promote-100", run="python -m scripts.delete_blue", environment="${{inputs.environment}}"),
}


def call(environment: str) -> dict[str, Any]:
    return {"uses": "./.github/workflows/stages.yml", "with": {"environment": environment}}


def write(folder: Path, **workflows: dict[str, dict[str, Any]]) -> Path:
    """A folder with these workflows, by file name and jobs."""
    for name, jobs in workflows.items():
        (folder / f"{name}.yml").write_text(yaml.safe_dump({"on": "push", "jobs": jobs}))
    return folder


def test_stages_are_in_the_order_of_their_needs(tmp_path: Path) -> None:
    """`stop-after` takes train and the jobs in the order in which they run, wherever they stand in the file."""
    folder = write(tmp_path, stages=CHAIN)

    assert workflow_files.stages(folder) == ["train", "deploy", "smoke-test", "promote-5", "promote-100"]


def test_percentages_are_those_of_the_file(tmp_path: Path) -> None:
    """A promotion's percentage is what its step hands to the action, as a number or as text."""
    folder = write(tmp_path, stages=CHAIN)

    assert workflow_files.promotions(folder) == {"promote-5": 5, "promote-100": 100}


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("register", ("deploy", None)),
        ("smoke-test", ("promote-5", 5)),
        ("promote-5", ("promote-100", 100)),
        ("promote-100", ("delete-blue", None)),
        ("delete-blue", None),
    ],
)
def test_what_follows(tmp_path: Path, name: str, following: tuple[str, int | None] | None) -> None:
    """Each job is followed by the one that needs it, with its percentage; the last by none, and never by rollback."""
    assert workflow_files.after(name, write(tmp_path, stages=CHAIN)) == following


def test_a_stage_is_added_in_one_place(tmp_path: Path) -> None:
    """A promotion put between two others is a stage, has its percentage and its place, without any other edit."""
    middle = {"promote-30": job("promote-5", percent=30), "promote-100": job("promote-30", percent=100)}

    folder = write(tmp_path, stages={**CHAIN, **middle})

    assert workflow_files.stages(folder)[3:] == ["promote-5", "promote-30", "promote-100"]
    assert workflow_files.after("promote-5", folder) == ("promote-30", 30)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"promote-100": job("deploy", percent=100)}, "must need it"),
        ({"promote-5": job("promote-100", percent=5)}, "in a circle"),
        ({"promote-5": job("smoke-tset", percent=5)}, "must need it"),
        ({"promote-5": job("smoke-test", percent=0)}, "number from 1 to 100"),
        ({"promote-5": job("smoke-test", percent=101)}, "number from 1 to 100"),
        ({"promote-5": job("smoke-test", percent="${{ inputs.percent }}")}, "number from 1 to 100"),
    ],
)
def test_a_chain_that_is_none(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """Jobs that are not all in a row, and percentages that are none, are refused with the job's name."""
    folder = write(tmp_path, stages={**CHAIN, **change})

    with pytest.raises(Refused, match=says):
        workflow_files.promotions(folder)


def test_an_unknown_job(tmp_path: Path) -> None:
    """Asked for what follows a job that isn't there, the error names those that are."""
    with pytest.raises(Refused, match=r"no job promote-7; it has register, deploy, smoke-test"):
        workflow_files.after("promote-7", write(tmp_path, stages=CHAIN))


@pytest.mark.parametrize("text", ["", "jobs: [a]", "- a", "a: {"])
def test_a_file_that_is_no_workflow(tmp_path: Path, text: str) -> None:
    """A file without jobs is refused by its name."""
    (tmp_path / "stages.yml").write_text(text)

    with pytest.raises(Refused, match=r"stages\.yml"):
        workflow_files.stages(tmp_path)


def test_environments_are_those_that_jobs_name(tmp_path: Path) -> None:
    """All workflows' environments are found; reviewers are wanted where jobs promote or delete."""
    teardown = {"teardown": job(run="python -m scripts.delete_endpoint", environment="last-word")}
    folder = write(tmp_path, stages=CHAIN, rollout={"stages": call("production")}, teardown=teardown)

    assert workflow_files.environments(folder) == {
        "deploy": False,
        "production": True,
        "rollback": False,
        "last-word": True,
    }


def test_an_environment_is_what_callers_hand_over(tmp_path: Path) -> None:
    """Called for staging, then for production: both count, and staging needs no reviewers."""
    first = call("${{ vars.STAGING_AZURE_ML_WORKSPACE != '' && 'staging' || 'production' }}")
    folder = write(tmp_path, stages=CHAIN, rollout={"first": first, "second": call("production")})

    found = workflow_files.environments(folder)

    assert (found["staging"], found["production"]) == (False, True)


def test_an_environment_that_a_job_before_decided(tmp_path: Path) -> None:
    """What callers hand over may be an output of one of their jobs."""
    decided = {**job(), "outputs": {"first": "${{ vars.STAGING && !inputs.version && 'staging' || 'production' }}"}}
    folder = write(
        tmp_path, stages=CHAIN, rollout={"doctor": decided, "first": call("${{ needs.doctor.outputs.first }}")}
    )

    found = workflow_files.environments(folder)

    assert (found["staging"], found["production"]) == (False, True)


@pytest.mark.parametrize(
    "handed", [None, "", "${{ vars.ANY }}", "${{ needs.train.outputs.none }}", "${{ needs.a.outputs.b }}"]
)
def test_an_environment_that_cannot_be_told(tmp_path: Path, handed: str | None) -> None:
    """Where nobody hands over a name, or one that only a run knows, the reader doesn't guess."""
    folder = write(
        tmp_path, stages=CHAIN, rollout={"train": job(), **({} if handed is None else {"stages": call(handed)})}
    )

    with pytest.raises(Refused, match="environment"):
        workflow_files.environments(folder)


def test_the_repository_s_own_workflows() -> None:
    """The files of this repository: stages in the order of the choices by hand, only production has reviewers."""
    folder = ROOT / workflow_files.FOLDER
    rollout = yaml.safe_load((folder / "rollout.yml").read_text())
    choices = rollout[True]["workflow_dispatch"]["inputs"]["stop-after"]["options"]  # YAML 1.1: `on` is true

    assert ["", *workflow_files.stages(folder)] == choices
    percentages = list(workflow_files.promotions(folder).values())
    assert percentages == sorted(percentages) and percentages[-1] == 100
    assert workflow_files.environments(folder) == {
        "deploy": False,
        "production": True,
        "rollback": False,
        "staging": False,
    }
