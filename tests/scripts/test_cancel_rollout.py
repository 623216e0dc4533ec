"""scripts/cancel_rollout.py against the local GitHub."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.github.state import WorkflowRun
from scripts.cancel_rollout import ACTIVE
from tests.support.scripts import run


def cancel(github: LocalGitHub, *arguments: object, **environ: str) -> Result:
    result = run("cancel_rollout", *arguments, **{**github.environ(), **environ})
    assert github.token not in result.output
    return result


def cancelled(github: LocalGitHub) -> list[str]:
    return [path for method, path in github.calls if method == "POST"]


def test_all_that_is_active(github: LocalGitHub) -> None:
    """Rollouts and promotions that run, wait for an approval or are about to start are cancelled, no other run is."""
    for run_id, status in enumerate(["in_progress", "waiting", "queued", "requested", "pending", "completed"], 1):
        github.add_run("rollout.yml", run_id, status)
    github.add_run("promote.yml", 7, "in_progress")
    github.add_run("ci.yml", 8, "in_progress")

    result = cancel(github)

    assert result.exit_code == 0, result.output
    assert sorted(json.loads(result.stdout)) == [1, 2, 3, 4, 7]
    assert {run.id for run in github.runs.values() if run.conclusion == "cancelled"} == {1, 2, 3, 4, 7}


class Moving(WorkflowRun):
    """It runs, until GitHub is asked for those that run: then an approval is waited for."""

    github: LocalGitHub

    @property
    def status(self) -> str:
        asked = [path for _, path in self.github.calls if path.endswith("/rollout.yml/runs")]
        return self.told or ("in_progress" if len(asked) <= ACTIVE.index("waiting") + 1 else "waiting")

    @status.setter
    def status(self, status: str) -> None:
        self.told = status


def test_slips_through(github: LocalGitHub) -> None:
    """A run that is asked for in one status while it goes from the other is found at the second look."""
    assert ACTIVE.index("waiting") + 1 == ACTIVE.index("in_progress")
    moving = Moving(3, "rollout.yml", "")
    moving.github = github
    github.runs[3] = moving

    result = cancel(github)

    assert json.loads(result.stdout) == [3]
    assert cancelled(github) == ["/repos/local/rollout/actions/runs/3/cancel"]


def test_itself(github: LocalGitHub) -> None:
    """The run that cancels is left alone, even if it is a rollout."""
    github.add_run("rollout.yml", 5)

    result = cancel(github, GITHUB_RUN_ID="5")

    assert json.loads(result.stdout) == []
    assert cancelled(github) == []


def test_nothing(github: LocalGitHub, tmp_path: Path) -> None:
    """Nothing to cancel is no error, and the summary says so."""
    result = cancel(github, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))

    assert (result.exit_code, result.stdout) == (0, "[]\n")
    assert "Nothing to cancel" in (tmp_path / "summary").read_text()


def test_waits(github: LocalGitHub, tmp_path: Path) -> None:
    """It ends only when the run has ended, which rolls back before; the summary links to it."""
    ended = []

    def roll_back() -> None:
        time.sleep(1)
        ended.append(time.monotonic())
        github.finish(3, "cancelled")

    github.add_run("rollout.yml", 3, "waiting", on_cancel=roll_back)

    result = cancel(github, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))

    assert result.exit_code == 0, result.output
    assert ended
    assert "[rollout 3](https://github.com/local/rollout/actions/runs/3)" in (tmp_path / "summary").read_text()


def test_ends_by_itself(github: LocalGitHub) -> None:
    """A run that ends before it is cancelled is no error."""
    github.add_run("rollout.yml", 3)
    github.failing = {"actions/cancel-workflow-run": 409}

    threading.Timer(0.3, github.finish, [3]).start()

    result = cancel(github)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "like",
    [
        {"like": "BadGateway"},
        {"like": "TooManyRequests"},
        {"like": "SecondaryLimit"},
        {"status": 409, "message": "Cannot cancel a workflow re-run that has not yet queued."},
        {"kind": "drop"},
    ],
    ids=str,
)
def test_refused_for_a_moment(github: LocalGitHub, like: dict[str, Any]) -> None:
    """What GitHub refuses for a moment is asked again; the other runs are cancelled and waited for meanwhile."""
    github.add_run("rollout.yml", 3)
    github.add_run("promote.yml", 4)
    kind = like.get("kind", "refuse")
    github.add(kind, method="POST", path="*/runs/3/cancel", times=2, **{k: v for k, v in like.items() if k != "kind"})

    result = cancel(github)

    assert result.exit_code == 0, result.output
    assert sorted(json.loads(result.stdout)) == [3, 4]
    assert {run.conclusion for run in github.runs.values()} == {"cancelled"}


def test_one_workflow_is_not_told(github: LocalGitHub) -> None:
    """Where GitHub doesn't say what one workflow does, the other's runs are cancelled all the same; it is red."""
    github.add_run("promote.yml", 4)
    github.add("refuse", path="*/rollout.yml/runs", status=403, times=0)

    result = cancel(github)

    assert (result.exit_code, cancelled(github)) == (1, ["/repos/local/rollout/actions/runs/4/cancel"])
    assert "rollout.yml" in result.stderr


def test_does_not_end(github: LocalGitHub) -> None:
    """A run that doesn't end in time is an error that says where to cancel it by hand and how the traffic is."""
    github.add_run("rollout.yml", 3, on_cancel=lambda: None)

    result = cancel(github, "--timeout", 1)

    assert result.exit_code == 1
    assert "https://github.com/local/rollout/actions/runs/3" in result.stderr
    assert "not touched the traffic" in result.stderr
    assert result.stdout == ""


def test_refused(github: LocalGitHub) -> None:
    """Without `actions: write` every run is tried, and the error has GitHub's words and all addresses."""
    github.add_run("rollout.yml", 3)
    github.add_run("promote.yml", 4)
    github.forbidden = {"actions/cancel-workflow-run"}

    result = cancel(github)

    assert result.exit_code == 1
    assert len(cancelled(github)) == 2
    assert "lacks a permission" in result.stderr
    assert "runs/3" in result.stderr
    assert "runs/4" in result.stderr


def test_cannot_tell(github: LocalGitHub) -> None:
    """If GitHub doesn't say what runs, that is an error and not "nothing to cancel"."""
    github.forbidden = {"actions/list-workflow-runs"}

    result = cancel(github)

    assert result.exit_code == 1
    assert "403" in result.stderr


def test_later_told(github: LocalGitHub) -> None:
    """If GitHub doesn't answer while it waits, it goes on waiting."""

    def heal() -> None:
        deadline = time.monotonic() + 60
        while len([path for _, path in github.calls if path.endswith("/runs/3")]) <= 5:  # 4, and it has given up once
            assert time.monotonic() < deadline
            time.sleep(0.02)
        github.failing.clear()
        github.finish(3, "cancelled")

    github.add_run("rollout.yml", 3, on_cancel=heal)
    github.failing = {"actions/get-workflow-run": 503}

    result = cancel(github)

    assert result.exit_code == 0, result.output
    assert "503" in result.stderr


def test_no_token(github: LocalGitHub) -> None:
    """Without a token it says which variable to set."""
    result = run("cancel_rollout", GITHUB_REPOSITORY="local/rollout")

    assert result.exit_code == 1
    assert "GITHUB_TOKEN" in result.stderr


def test_usage(github: LocalGitHub) -> None:
    """A timeout that is no number of seconds is refused before anything is asked."""
    assert cancel(github, "--timeout", "-1").exit_code == 2
    assert github.calls == []
