"""What was merged since what serves, and what starts a rollout: against the local GitHub, and by patterns alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_emulator.github.server import LocalGitHub
from scripts.lib.decisions.state import Refused
from scripts.lib.github import triggers
from scripts.lib.github.api import CannotTell, GitHub
from scripts.lib.github.behind import Behind, behind
from tests.support import ROOT

SHAS = [character * 40 for character in "abc"]
MODEL, PAGES, MANY = ["model/train.py"], ["README.md"], [f"docs/{number:03}" for number in range(301)]


def merged(github: LocalGitHub, *changes: list[str]) -> None:
    """Commits on main after the first, which serves, with the files that each changes."""
    for sha, files in zip(SHAS, [[], *changes], strict=False):
        github.add_commit(sha)
        github.changed[sha] = files
        github.branches["main"] = sha


def look(github: LocalGitHub, monkeypatch: pytest.MonkeyPatch) -> Behind:
    monkeypatch.chdir(ROOT)
    return behind(GitHub(github.repository, github.token, github.url), SHAS[0])


@pytest.mark.parametrize(
    ("changes", "started", "left_out", "says"),
    [
        ([], [], [], "main is what serves"),
        ([PAGES], [], [], "none of which a rollout is made of"),
        ([MODEL], [], MODEL, "no rollout started for what changed in model/train.py"),
        ([MODEL], [1], [], "its rollout: success, https://github.com/local/rollout/actions/runs/1"),
        ([MODEL, MODEL], [1], MODEL, "2 commits ahead"),
        ([MODEL, PAGES], [1], [], "its rollout: success"),
        ([MODEL, MODEL], [2], [], "its rollout: success"),
        ([MANY], [], MANY[:300], "no rollout started"),
    ],
)
def test_what_was_merged_since(
    github: LocalGitHub,
    monkeypatch: pytest.MonkeyPatch,
    changes: list[list[str]],
    started: list[int],
    left_out: list[str],
    says: str,
) -> None:
    """A merge that should have started a rollout, and didn't, is seen: [skip ci], too many files, a push by a job."""
    merged(github, *changes)
    for number in started:
        github.add_run(run_id=number, head_sha=SHAS[number])
        github.finish(number)
        says = says.replace("/runs/1", f"/runs/{number}")

    found = look(github, monkeypatch)

    assert (sorted(found.left_out), says in str(found)) == (sorted(left_out), True), str(found)


def test_of_two_rollouts_the_newer_is_told(github: LocalGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of two of one commit the one that was started last."""
    merged(github, MODEL)
    github.add_run(run_id=9, head_sha=SHAS[1], status="waiting")
    github.add_run(run_id=5, head_sha=SHAS[1])
    github.finish(5, "failure")

    assert "its rollout: waiting" in str(look(github, monkeypatch))


@pytest.mark.parametrize("commit", ["", "main", "d" * 40])
def test_a_commit_that_nobody_knows(github: LocalGitHub, commit: str) -> None:
    """A deployment that was made elsewhere tells nothing: that is said, not guessed."""
    merged(github, MODEL)

    with pytest.raises(CannotTell):
        behind(GitHub(github.repository, github.token, github.url), commit)


@pytest.mark.parametrize(
    ("text", "push"),
    [
        ("on: push", {}),
        ("on: [push, pull_request]", {}),
        ("on:\n  push:", {}),
        ("'on': {push: {branches: [main]}}", {"branches": ["main"]}),
        ("on: workflow_dispatch", None),
        ("on:\n  workflow_dispatch:", None),
        ("name: nothing", None),
    ],
)
def test_triggers(tmp_path: Path, text: str, push: object) -> None:
    """However a workflow says it."""
    (tmp_path / "a.yml").write_text(text)

    assert triggers.push(tmp_path / "a.yml") == push


@pytest.mark.parametrize("content", [None, b"on: [", b"\xff"])
def test_a_workflow_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """It is named."""
    if content is not None:
        (tmp_path / "a.yml").write_bytes(content)

    with pytest.raises(Refused, match=r"a\.yml can't be read"):
        triggers.push(tmp_path / "a.yml")
