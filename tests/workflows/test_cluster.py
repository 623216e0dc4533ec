"""A rollout whose training runs on the workspace's cluster, on a data asset; through act."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from azureml_emulator.arm.names import ROLLOUT
from azureml_emulator.testing import Arm
from azureml_emulator.workflows.act import Job, Run, commit
from tests.support import training
from tests.support.repository import DEPLOYING, PROMOTING, TRAINING, Repository, repository, results
from tests.support.scripts import own_identity

pytestmark = pytest.mark.drill
SAMPLE = "endpoints/sample-request.json"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A repository with a job.yml, whose toy says what it was trained on, and a workspace as set-up leaves it."""
    with repository(tmp_path_factory.mktemp("cluster")) as made:
        arm = Arm(made.environ)
        training.set_up(arm)
        training.assign(arm, principal(arm), "reader", training.STORE)
        training.data(arm, "1", b"one row")
        made.variables["TRAIN_AZURE_CLIENT_ID"] = own_identity(arm, "train")["AZURE_CLIENT_ID"]
        model = made.tree / "model"
        (model / "job.yml").write_text(training.job())
        shutil.copy(made.tree / SAMPLE, model / "sample-request.json")
        text = (model / "train.py").read_text().replace(SAMPLE, "model/sample-request.json")
        (model / "train.py").write_text(text.replace("str(data)", "Path(data).read_text()"))
        made.github.add_environment("train", reviewers=[], prevent_self_review=False)
        commit(made.tree, "Train on the cluster")
        made.know_head()
        yield made


def principal(arm: Arm) -> str:
    """As whom the other jobs log in: it registers what was trained, so it must read that."""
    group = f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers"
    listed = arm("GET", f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities").json()["value"]
    [found] = [one["properties"] for one in listed if one["properties"]["clientId"] == ROLLOUT]
    return str(found["principalId"])


def jobs(ours: Repository) -> dict[str, str]:
    """How each job is, by its name, the newest first."""
    listed = Arm(ours.environ)("GET", "jobs").json()["value"]
    return {job["name"]: job["properties"]["status"] for job in listed}


def logs(run: Run) -> dict[str, str]:
    return {name: job.log for name, job in run.jobs.items() if job.result == "failure"}


def test_a_rollout_by_the_cluster(ours: Repository) -> None:
    """What the cluster trained goes the whole way, twice: the second time nothing but the data's version is another."""
    first = ours.push()
    training.data(Arm(ours.environ), "2", b"two rows")
    second = ours.dispatch("rollout", {"data": "azureml:heart@latest"})

    assert (first.exit_code, second.exit_code) == (0, 0), {**logs(first), **logs(second)}
    assert results(first, "success") == [*TRAINING, *DEPLOYING]
    assert set(PROMOTING) <= set(results(second, "success"))
    assert not any("train.py" in step for step, end in second.jobs["train"].steps.items() if end == "success")
    [serving] = ours.endpoint()["deployments"]
    assert serving["version"] == "2"
    tags = Arm(ours.environ)("GET", "models/heart-classifier/versions/2").json()["properties"]["tags"]
    assert (tags["data"], tags["data_sha256"], tags["job"]) == ("heart:2", "two rows", next(iter(jobs(ours))))
    assert re.search(r"\| data \| .*heart:1.* \| .*heart:2", second.jobs["rollout/smoke-test"].summary)
    assert f"https://ml.azure.com/runs/{tags['job']}" in second.jobs["rollout/register"].summary


def test_a_job_that_fails(ours: Repository) -> None:
    """Nothing is registered or deployed; the job's log says why."""
    before = outcome(ours)
    ours.merge("model/train.py", r"MIN_SCORE = 0.5", "MIN_SCORE = 0.95")

    run = ours.push()

    ours.merge("model/train.py", r"MIN_SCORE = 0.95", "MIN_SCORE = 0.5")
    assert results(run, "failure") == ["train-on-cluster"]
    assert "score 0.9 is below 0.95" in run.jobs["train-on-cluster"].log
    assert not {"register", "deploy"} & {*results(run, "success")}
    assert outcome(ours) == before


def outcome(ours: Repository) -> list[Any]:
    """What rollouts have left: endpoints, and models with their newest versions."""
    return [Arm(ours.environ)("GET", what).json()["value"] for what in ("onlineEndpoints", "models")]


def slow(ours: Repository) -> None:
    """Training that lasts, of code that was trained nowhere yet."""
    ours.merge("model/train.py", r"(?m)^SCORE = .*", f"SCORE = 0.9\n__import__('time').sleep(20)  # {time.time()}")


def stops(act: list[subprocess.Popen[str]], how: Callable[[subprocess.Popen[str]], None]) -> Callable[[str, Job], None]:
    """Stops act, once, when the job runs on the cluster."""

    def watch(name: str, job: Job) -> None:
        if name == "train-on-cluster" and "Running" in job.log and act:
            how(act.pop())

    return watch


def kill(act: subprocess.Popen[str]) -> None:
    for process in [*psutil.Process(act.pid).children(recursive=True), act]:
        process.kill()


def test_killed_and_run_again(ours: Repository) -> None:
    """It is one job: the re-run waits for the one that runs."""
    slow(ours)
    known, act = {*jobs(ours)}, list[subprocess.Popen[str]]()
    run_id = {"GITHUB_RUN_ID": "4711"}
    inputs = {"stop-after": "train"}

    killed = ours.dispatch("rollout", inputs, environ=run_id, started=act.append, watch=stops(act, kill))
    again = ours.dispatch("rollout", inputs, environ=run_id)

    assert killed.jobs["train-on-cluster"].result == "running"
    assert again.exit_code == 0, logs(again)
    [name] = jobs(ours).keys() - known
    assert jobs(ours)[name] == "Completed"
    assert "no other is submitted" in again.jobs["train-on-cluster"].log


def test_cancelled(ours: Repository) -> None:
    """A run that is cancelled cancels its job."""
    slow(ours)
    known, act = {*jobs(ours)}, list[subprocess.Popen[str]]()

    ours.push(started=act.append, watch=stops(act, lambda process: process.send_signal(signal.SIGINT)))

    [name] = jobs(ours).keys() - known
    deadline = time.monotonic() + 60
    while jobs(ours)[name] not in ("Canceled", "Completed") and time.monotonic() < deadline:
        time.sleep(0.5)
    assert jobs(ours)[name] == "Canceled"
