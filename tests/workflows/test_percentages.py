"""Other percentages: an edit of stages.yml, and of the one list in rollout.yml; nothing else knows them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_emulator.workflows.act import copy_tree
from tests.support import ROOT
from tests.support.repository import Repository, results
from tests.workflows.drilling import GREEN, rollout
from tests.workflows.files import Files
from tests.workflows.rules import RULES

STAGES, ROLLOUT = ".github/workflows/stages.yml", ".github/workflows/rollout.yml"
JOB, ROW = r"smoke-test|promote-\d+|delete-blue", r"smoke-test(?:, promote-\d+)+"
EDITS = [[5, 25, 100], [10, 25, 50, 75, 100], [50, 100], [100]]


def row(percents: list[int]) -> list[str]:
    return ["smoke-test", *(f"promote-{percent}" for percent in percents), "delete-blue"]


def edit_list(tree: Path, percents: list[int]) -> None:
    """What rollout.yml offers."""
    text = (tree / ROLLOUT).read_text()
    (tree / ROLLOUT).write_text(re.sub(ROW, ", ".join(row(percents)[:-1]), text))


def edit_stages(tree: Path, percents: list[int]) -> None:
    """stages.yml as its owner would write it: jobs copied and renamed, and their neighbours told."""
    jobs, text = row(percents), (tree / STAGES).read_text()
    head, *promotions, tail = re.split(r"^(?=  (?:promote-\d+|delete-blue):$)", text, flags=re.MULTILINE)
    first, later, last = promotions[0], promotions[1], promotions[-1]
    made = [
        promotion(first if before == "smoke-test" else last if after == "delete-blue" else later, before, name, after)
        for before, name, after in zip(jobs, jobs[1:], jobs[2:], strict=False)
    ]
    head = re.sub(r"--percent \d+", f"--percent {percents[0]}", re.sub(r"'promote-\d+'", f"'{jobs[1]}'", head))
    tail = re.sub(r"(needs: |needs\.)promote-\d+", rf"\1{jobs[-2]}", re.sub(ROW, ", ".join(jobs[:-1]), tail))
    (tree / STAGES).write_text("".join([head, *made, tail]))


def promotion(job: str, before: str, name: str, after: str) -> str:
    """A job that promotes as another one, between two others."""
    own, following = re.findall(JOB, job)[0], re.findall(rf"'({JOB})'", job)[-1]
    names = {own: name, following: after}
    job = re.sub(JOB, lambda found: names.get(found[0], before), job)
    if after == "delete-blue":
        job = re.sub(r" +next-percent: .*\n", "", job)
    share, next_share = (re.sub(r"\D", "", it) for it in (name, after))
    job = re.sub(r"(Promote to | percent: )\d+", rf"\g<1>{share}", job)
    return re.sub(r"(next-percent: )\d+", rf"\g<1>{next_share}", job)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    return tmp_path


def findings(tree: Path) -> list[str]:
    return [finding for rule in RULES for finding in rule(Files(tree))]


def test_the_same_percentages(tree: Path) -> None:
    """The edits below are an owner's: for the percentages that are there they change nothing."""
    percents = [*Files(ROOT).percents.values()]

    edit_stages(tree, percents)
    edit_list(tree, percents)

    assert [(tree / path).read_text() for path in (STAGES, ROLLOUT)] == [
        (ROOT / path).read_text() for path in (STAGES, ROLLOUT)
    ]


@pytest.mark.parametrize("percents", EDITS, ids=str)
def test_other_percentages(tree: Path, percents: list[int]) -> None:
    """Others, one more, one fewer: both files edited, and every rule holds."""
    edit_stages(tree, percents)
    edit_list(tree, percents)

    assert findings(tree) == []


@pytest.mark.parametrize("percents", EDITS, ids=str)
@pytest.mark.parametrize("edit", [edit_stages, edit_list])
def test_half_an_edit(tree: Path, percents: list[int], edit: Callable[[Path, list[int]], None]) -> None:
    """One file alone: a rule names the other's, and both lists."""
    edit(tree, percents)

    [told] = findings(tree)

    assert told.startswith("rollout.yml lets people stop after ['', 'train'") and ", stages.yml has ['', " in told
    assert all(name in told for name in row(percents)[:-1])


@pytest.mark.drill
def test_a_rollout_by_other_percentages(serving: Repository, tmp_path: Path) -> None:
    """Its jobs, its traffic and what its reviewers read are the edited files'."""
    copy_tree(serving.tree, tmp_path / "tree")
    edit_stages(tmp_path / "tree", [20, 100])
    edit_list(tmp_path / "tree", [20, 100])
    edited = replace(serving, tree=tmp_path / "tree")

    half = rollout(edited, {"stop-after": "promote-20"})
    there = serving.traffic
    whole = rollout(edited)

    assert (half.exit_code, there) == (0, {"default": 80, GREEN: 20})
    assert results(whole, "success")[-4:] == row([20, 100])
    assert "**promote-20** gives xgboost-model-2 20 %" in half.jobs["rollout/smoke-test"].summary
    assert serving.traffic == {GREEN: 100}
