"""What was merged between two commits: by GitHub, else by git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from azureml_emulator.github.server import LocalGitHub
from scripts.lib.github.api import CannotTell
from scripts.lib.github.commits import messages, own_policy, same_code


@pytest.fixture
def shas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three commits of a repository that we are in."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    who = ["-c", "user.name=n", "-c", "user.email=e"]
    for text in ("first", "second\n\nContract-Change: a", "third"):
        subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", text], check=True)
    return subprocess.check_output(["git", "log", "--reverse", "--format=%H"], text=True).split()


def committed(file: str) -> str:
    """A fourth commit, of a file."""
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text("new")
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "new"], check=True)
    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()


def test_without_a_token_git_tells(shas: list[str]) -> None:
    """A laptop has the history."""
    (told,) = messages(shas[0], shas[2])

    assert told.split("\n") == ["third", "", "second", "", "Contract-Change: a"]


def test_git_tells_what_github_does_not_know(
    shas: list[str], github: LocalGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that nobody pushed."""
    for name, value in github.environ().items():
        monkeypatch.setenv(name, value)

    assert messages(shas[1], shas[2]) == ["third"]


def test_nobody_knows_them(shas: list[str]) -> None:
    """A checkout of one commit, and no token."""
    with pytest.raises(CannotTell, match=r"no token for GitHub|which repository"):
        messages("0" * 40, shas[2])


@pytest.mark.parametrize("base", ["", "HEAD", "--output=x", "0" * 40])
def test_what_is_no_commit_is_not_asked_for(shas: list[str], base: str) -> None:
    """A tag may be empty, or anything; and there is nothing between a commit and itself."""
    assert messages(base, base) == messages(base and base[:5], "0" * 40) == []


@pytest.mark.parametrize(
    ("file", "same"),
    [("model/data.csv", True), ("README.md", True), ("model/train.py", False), ("model/requirements.txt", False)],
)
def test_the_code_is_the_same_where_only_data_changed(shas: list[str], file: str, same: bool) -> None:
    """What else in model/ makes a model than its data."""
    head = committed(file)

    assert same_code(shas[2], head) is same
    assert same_code(head, head)


@pytest.mark.parametrize(
    ("file", "own"),
    [("endpoints/rollout-policy.yml", True), ("endpoints/endpoint.yml", False), ("rollout-policy.yml", False)],
)
def test_a_change_that_brings_its_own_policy(shas: list[str], file: str, own: bool) -> None:
    """What it is judged by isn't what blue was judged by: the reviewer is told."""
    head = committed(file)

    assert own_policy(shas[2], head) is own
    assert not own_policy(head, head) and not own_policy("", head)


@pytest.mark.parametrize("base", ["", "HEAD", "0" * 40])
def test_unknown_commits_are_not_of_the_same_code(shas: list[str], base: str) -> None:
    """A model trained elsewhere has no commit, or one that nobody here knows."""
    assert not same_code(base, shas[0])
