"""Where a model or a deployment comes from, as its tags tell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.lib.github import provenance


def test_provenance_in_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit and the run's address lead back from a resource to its origin."""
    monkeypatch.setenv("GITHUB_SHA", "abc")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/heart")
    monkeypatch.setenv("GITHUB_RUN_ID", "12")

    assert provenance.tags() == {"commit": "abc", "run": "https://github.com/team/heart/actions/runs/12"}


def test_provenance_on_a_laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a workflow the commit is the checkout's; outside of a checkout there is none."""
    monkeypatch.chdir(tmp_path)

    outside = provenance.tags()
    who = ["-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()

    assert outside == {}
    assert provenance.tags() == {"commit": head}


def test_a_rollout_in_a_workflow_has_its_runs_page_as_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repository, run and attempt: no other run has it, nor the same one run again."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/heart")
    monkeypatch.setenv("GITHUB_RUN_ID", "12")
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "3")

    assert provenance.rollout_id() == "team/heart/actions/runs/12/attempts/3"


@pytest.mark.parametrize("missing", ["GITHUB_REPOSITORY", "GITHUB_RUN_ID"])
def test_a_rollout_by_hand_says_so(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Half of an id is none."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/heart")
    monkeypatch.setenv("GITHUB_RUN_ID", "12")
    monkeypatch.delenv(missing)

    assert provenance.rollout_id() == "by hand"


def test_a_first_attempt_needs_not_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other runners of workflow files don't tell the attempt."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/heart")
    monkeypatch.setenv("GITHUB_RUN_ID", "12")
    monkeypatch.delenv("GITHUB_RUN_ATTEMPT", raising=False)

    assert provenance.rollout_id() == "team/heart/actions/runs/12/attempts/1"
