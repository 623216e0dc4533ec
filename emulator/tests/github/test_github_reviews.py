"""Approvals, pull requests and who started a run, as GitHub tells them."""

from __future__ import annotations

from typing import Any

import pytest

from azureml_emulator.github.server import LocalGitHub
from tests.github.test_github_faults import ask

SHA = "a" * 40


def told(github: LocalGitHub, path: str) -> Any:
    answer = ask(github, path=path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_approvals_name_environment_and_person(github: LocalGitHub) -> None:
    """Neither a job nor a time; those of earlier attempts stay, a by-pass leaves nothing."""
    github.add_run(run_id=7)

    nobody = told(github, "/actions/runs/7/approvals")
    github.review(7, "ada")
    github.review(7, "app[bot]", "staging", "rejected")

    found = told(github, "/actions/runs/7/approvals")
    assert nobody == []
    assert [(one["user"]["login"], one["user"]["type"], one["state"]) for one in found] == [
        ("ada", "User", "approved"),
        ("app[bot]", "Bot", "rejected"),
    ]
    assert [[environment["name"] for environment in one["environments"]] for one in found] == [
        ["production"],
        ["staging"],
    ]


def test_each_job_is_approved_once(github: LocalGitHub) -> None:
    """A job of a run that act makes; others aren't, and none where nobody must."""
    github.add_environment("production", reviewers=["ada"])
    github.add_run(run_id=7)
    approve = github.approving(7, "ada", ["promote-10", "delete-blue"])

    for name in ("doctor", "rollout/promote-10", "rollout/promote-10", "rollout/delete-blue"):
        approve(name, None)
    github.environments["production"].reviewers.clear()
    approve("again/promote-10", None)

    assert len(told(github, "/actions/runs/7/approvals")) == 2


def test_pull_requests_of_a_commit(github: LocalGitHub) -> None:
    """Merged and open ones, without `merged_by`, which only the pull request itself has."""
    github.add_pull(1, "ada", merged_by="grace")
    github.add_pull(2, "eve", merged_by=None)
    github.add_commit(SHA, author="ada", pulls=[1, 2])

    found = told(github, f"/commits/{SHA}/pulls")

    assert [(one["number"], one["user"]["login"], bool(one["merged_at"])) for one in found] == [
        (1, "ada", True),
        (2, "eve", False),
    ]
    assert not any("merged_by" in one for one in found)
    assert told(github, "/pulls/1")["merged_by"]["login"] == "grace"


def test_files_of_a_commit(github: LocalGitHub) -> None:
    """One commit has its files, at most 300 of them, and its parents; those of a comparison have no files."""
    github.add_commit("0" * 40)
    github.add_commit(SHA, files=[f"{number}.md" for number in range(310)], parents=2)

    alone, (among,) = told(github, f"/commits/{SHA}"), told(github, f"/compare/{'0' * 40}...{SHA}")["commits"]

    assert (len(alone["files"]), len(alone["parents"])) == (300, 2)
    assert "files" not in among and len(among["parents"]) == 2


def test_who_started_a_run(github: LocalGitHub) -> None:
    """With the commit that it runs."""
    github.add_run(run_id=7, actor="ada", event="workflow_dispatch", head_sha=SHA)

    found = told(github, "/actions/runs/7")

    assert (found["actor"]["login"], found["triggering_actor"]["login"]) == ("ada", "ada")
    assert (found["event"], found["head_sha"]) == ("workflow_dispatch", SHA)


@pytest.mark.parametrize("path", ["/actions/runs/9/approvals", "/actions/runs/latest", "/pulls/9"])
def test_what_is_not_there(github: LocalGitHub, path: str) -> None:
    """404."""
    assert ask(github, path=path).status_code == 404
