"""What goes wrong in a rollout, through act: two runs at once, approvals that come late, runners that die."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from azureml_emulator.workflows.act import Job, Run, copy_tree
from tests.support.repository import COLLEAGUE, DEPLOYING, PROMOTING, TRAINING, Repository, repository, results
from tests.workflows.drilling import BLUE, FIRST, GREEN, SECOND, Approval, rollout, split

pytestmark = pytest.mark.drill


def test_without_reviewers_the_rollout_stops_after_the_smoke_test(steady: Repository) -> None:
    """Where nobody must approve, nothing is promoted: green stays at 0 %, and the summary says how to go on."""
    steady.github.environments["production"].reviewers.clear()

    run = rollout(steady)

    steady.github.set_up(COLLEAGUE)

    assert run.exit_code == 0, {name: job.log for name, job in run.jobs.items() if job.result == "failure"}
    assert results(run, "success") == [*TRAINING, *DEPLOYING]
    assert steady.traffic == BLUE
    assert "promote.yml" in run.jobs["doctor"].summary


@pytest.mark.drill
def test_a_rollout_can_stop_after_a_stage(serving: Repository) -> None:
    """With stop-after the rollout rests there, and nothing is taken back."""
    run = rollout(serving, {"stop-after": FIRST})

    assert run.exit_code == 0
    assert results(run, "success") == [*TRAINING, *DEPLOYING, FIRST]
    assert serving.traffic == split(FIRST)


@pytest.mark.parametrize(
    ("inputs", "job", "complaint"),
    [
        ({"stop-after": "smoketest"}, "doctor", "--stop-after"),
        ({"version": "two"}, "doctor", "--version"),
        pytest.param({"version": "99"}, "rollout/deploy", "no version 99", marks=pytest.mark.drill),
        ({"version": "", "data": "model/nothing.csv"}, "train", "nothing.csv"),
    ],
)
def test_rollout_refuses_wrong_inputs(steady: Repository, inputs: dict[str, str], job: str, complaint: str) -> None:
    """A stage, a version or a data file that doesn't exist is refused where it is first looked at."""
    run = rollout(steady, inputs)

    assert run.exit_code == 1
    assert complaint in run.jobs[job].log
    assert steady.traffic == BLUE


@pytest.mark.drill
def test_model_below_its_gate(serving: Repository, tmp_path: Path) -> None:
    """A model that is worse than the gate in train.py is neither registered nor deployed."""
    copy_tree(serving.tree, tmp_path / "tree")
    worse = replace(serving, tree=tmp_path / "tree")
    worse.merge("model/train.py", r"MIN_SCORE = 0\.\d+", "MIN_SCORE = 0.99")

    run = worse.push()

    assert results(run, "failure") == ["train"]
    assert results(run, "success") == TRAINING[:-1]
    assert serving.traffic == BLUE


@pytest.mark.drill
def test_reviewers_that_vanish(serving: Repository) -> None:
    """When production loses its reviewers during a rollout, the next promotion refuses, and the split is held."""

    def vanish(name: str, job: Job) -> None:
        if name == f"rollout/{SECOND}":
            serving.github.environments["production"].reviewers.clear()

    run = rollout(serving, watch=vanish)

    assert results(run, "failure") == [SECOND]
    assert {"attest", *PROMOTING[2:], "delete-blue", "rollback"} <= {*results(run, "skipped")}
    assert serving.traffic == split(FIRST)


@pytest.mark.drill
def test_an_administrator_goes_past_the_reviewers(serving: Repository) -> None:
    """A job that nobody approved promotes nothing, and the split is held; one approval is not enough for two jobs."""

    def approve(name: str, job: Job) -> None:
        if name == f"rollout/{FIRST}" and not serving.github.runs[4712].approvals:
            serving.github.review(4712, COLLEAGUE)

    run = rollout(serving, watch=approve, reviewed=False, environ={"GITHUB_RUN_ID": "4712"})

    assert results(run, "failure") == [SECOND]
    assert "rollback" in results(run, "skipped")
    assert "nobody approved this job" in run.jobs[f"rollout/{SECOND}"].log
    assert serving.traffic == split(FIRST)


@pytest.mark.drill
def test_killed_runner(serving: Repository) -> None:
    """A runner that is killed in mid-promotion leaves an endpoint that serves, and the next rollout ends well."""
    act: list[subprocess.Popen[str]] = []

    def kill(name: str, job: Job) -> None:
        if name == f"rollout/{SECOND}" and "setting the traffic" in job.log and act[0].poll() is None:
            for process in [*psutil.Process(act[0].pid).children(recursive=True), act[0]]:
                process.kill()

    killed = rollout(serving, started=act.append, watch=kill)

    assert killed.jobs[f"rollout/{SECOND}"].result == "running"
    assert serving.traffic in (split(FIRST), split(SECOND))

    again = rollout(serving)

    assert again.exit_code == 0
    assert serving.traffic == {GREEN: 100}


@pytest.mark.drill
def test_rollback_while_a_rollout_waits(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """rollback.yml neither queues behind a rollout that waits for an approval nor leaves it there."""
    serving.github.add_run("rollout.yml", 4711, "waiting", on_cancel=ends(serving, approval, waiting))
    assert serving.traffic == split(FIRST)

    back = serving.dispatch("rollback")

    assert (back.exit_code, serving.traffic) == (0, BLUE)
    assert waiting.done()
    assert serving.github.runs[4711].conclusion == "cancelled"
    assert "4711" in back.jobs["rollback"].summary


def ends(repository: Repository, approval: Approval, run: Future[Run]) -> Callable[[], None]:
    """GitHub's part in a cancellation: the run gets its signal, and is over once its clean-up is."""

    def cancel() -> None:
        approval.cancel()
        run.result()
        repository.github.finish(4711, "cancelled")

    return cancel


@pytest.mark.drill
def test_cancelled_while_it_waits(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """A run that is cancelled while it waits for an approval gives all traffic back."""
    approval.cancel()
    run = waiting.result()

    assert run.jobs["rollout/rollback"].result == "success"
    assert serving.traffic == BLUE


@pytest.mark.drill
def test_second_approval_is_asked_for_each_stage(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """While one promotion waits, nothing after it moves; once approved the rollout goes on to its end."""
    assert serving.traffic == split(FIRST)

    approval.give()

    run = waiting.result()
    assert run.exit_code == 0, {name: job.log for name, job in run.jobs.items() if job.result == "failure"}
    assert serving.traffic == {GREEN: 100}


@pytest.mark.drill
def test_staging_comes_first(tmp_path: Path) -> None:
    """With a second workspace the same model, trained once, passes staging without approvals, then production."""
    staging = {"STAGING_AZURE_ML_WORKSPACE": "rehearsal", "STAGING_ENDPOINT_NAME": "heart-staging"}
    with repository(tmp_path, "--workspace=local", "--workspace=rehearsal", **staging) as ours:
        ours.github.add_environment("staging", reviewers=[], prevent_self_review=False)
        first = ours.push()
        ours.merge_model(seed=8)
        second = ours.push()
        production = ours.endpoint()
        ours.variables["ENDPOINT_NAME"] = "heart-staging"
        ours.environ["AZURE_ML_WORKSPACE"] = "rehearsal"
        rehearsed = ours.endpoint()

    assert (first.exit_code, second.exit_code) == (0, 0)
    skipped = {name for name, job in second.jobs.items() if job.result == "skipped"}
    never = {f"{call}/{job}" for call in ("rollout", "production-after-staging") for job in ("rollback", "tell")}
    assert skipped == {"attest", *never}
    assert [deployment["version"] for deployment in production["deployments"]] == ["2"]
    assert production["deployments"][0]["digest"] == rehearsed["deployments"][0]["digest"]
    assert second.jobs[f"production-after-staging/{FIRST}"].started > second.jobs["rollout/promote-100"].started
