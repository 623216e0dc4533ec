"""What goes wrong in a rollout, through act: two runs at once, approvals that come late, runners that die.

The login of a job is where it waits for its approval: the stand-in here blocks as long as a file with the job's name
is there.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.workflows.act import STAND_INS, Job, Run, copy_tree
from tests.support.repository import COLLEAGUE, DEPLOYING, PROMOTING, Repository, repository, results
from tests.support.scripts import toy_model

pytestmark = pytest.mark.drill
GREEN = "xgboost-model-2"
BLUE = {"default": 100}
LOGIN = """name: Log in to Azure, once it is approved
description: Waits as long as there is a file with the job's name.
inputs:
  client-id: { description: Not used. }
  tenant-id: { description: Not used. }
  subscription-id: { description: Not used. }
runs:
  using: composite
  steps:
    - run: |
        if [ -e "$APPROVALS/$GITHUB_JOB" ]; then touch "$APPROVALS/waits"; fi
        while [ -e "$APPROVALS/$GITHUB_JOB" ]; do sleep 0.1; done
      shell: bash
"""
numbers = itertools.count(1)


@dataclass
class Approval:
    """What a job waits for."""

    folder: Path
    job: str
    act: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        shutil.copytree(STAND_INS, self.folder / "actions")
        (self.folder / "actions/azure/login/action.yml").write_text(LOGIN)
        (self.folder / self.job).touch()

    def asked(self, run: Future[Run]) -> None:
        """Returns once the job waits."""
        deadline = time.monotonic() + 600
        while not (self.folder / "waits").exists():
            assert not run.done(), run.result()
            assert time.monotonic() < deadline, f"{self.job} never came to wait"
            time.sleep(0.1)

    def give(self) -> None:
        (self.folder / self.job).unlink()

    def cancel(self) -> None:
        """What the button on GitHub's page does."""
        self.act[0].send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A repository with two registered versions of a model, and the folder of a third."""
    folder = tmp_path_factory.mktemp("drills")
    with repository(folder) as made:
        for answer in (0, 1):
            made.script("register_model", toy_model(folder / str(answer), answer=answer))
        yield made


def served(ready: Repository) -> Repository:
    """That repository with an endpoint of its own, on which version 1 serves, and reviewers."""
    ready.github.set_up(COLLEAGUE)
    made = replace(ready, variables=ready.variables | {"ENDPOINT_NAME": f"drill-{next(numbers)}"})
    made.script("create_endpoint")
    made.script("deploy", "--version", 1)
    made.script("promote", "--first", "default")
    return made


@pytest.fixture(scope="module")
def steady(ready: Repository) -> Repository:
    """One for tests after which version 1 still serves."""
    return served(ready)


@pytest.fixture
def serving(ready: Repository) -> Repository:
    """One for a test of its own."""
    return served(ready)


@pytest.fixture
def approval(tmp_path: Path) -> Approval:
    """The second promotion waits for it."""
    return Approval(tmp_path / "approval", "promote-50")


@pytest.fixture
def waiting(serving: Repository, approval: Approval) -> Iterator[Future[Run]]:
    """The rollout of version 2, which waits for that approval at 10 %."""
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(
            rollout,
            serving,
            environ={"APPROVALS": str(approval.folder), "GITHUB_RUN_ID": "4711"},
            stand_ins=approval.folder / "actions",
            started=approval.act.append,
        )
        approval.asked(run)
        yield run
        (approval.folder / approval.job).unlink(missing_ok=True)


def rollout(repository: Repository, inputs: dict[str, str] | None = None, **options: object) -> Run:
    """rollout.yml, by hand, of version 2: nothing is trained."""
    return repository.dispatch("rollout", {"version": "2", **(inputs or {})}, **options)


def test_without_reviewers_the_rollout_stops_after_the_smoke_test(steady: Repository) -> None:
    """Where nobody must approve, nothing is promoted: green stays at 0 %, and the summary says how to go on."""
    steady.github.environments["production"].reviewers.clear()

    run = rollout(steady)

    steady.github.set_up(COLLEAGUE)

    assert run.exit_code == 0, {name: job.log for name, job in run.jobs.items() if job.result == "failure"}
    assert results(run, "success")[2:] == DEPLOYING
    assert steady.traffic == BLUE
    assert "promote.yml" in run.jobs["doctor"].summary


@pytest.mark.drill
def test_a_rollout_can_stop_after_a_stage(serving: Repository) -> None:
    """With stop-after the rollout rests there, and nothing is taken back."""
    run = rollout(serving, {"stop-after": "promote-10"})

    assert run.exit_code == 0
    assert results(run, "success")[2:] == [*DEPLOYING, "promote-10"]
    assert serving.traffic == {"default": 90, GREEN: 10}


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
    worse.merge("model/train.py", r"MIN_AUC = 0\.\d+", "MIN_AUC = 0.99")

    run = worse.push()

    assert results(run, "failure") == ["train"]
    assert results(run, "success") == ["doctor"]
    assert serving.traffic == BLUE


@pytest.mark.drill
def test_reviewers_that_vanish(serving: Repository) -> None:
    """When production loses its reviewers during a rollout, the next promotion refuses, and the split is held."""

    def vanish(name: str, job: Job) -> None:
        if name == "rollout/promote-50":
            serving.github.environments["production"].reviewers.clear()

    run = rollout(serving, watch=vanish)

    assert results(run, "failure") == ["promote-50"]
    assert results(run, "skipped")[:2] == ["attest", "promote-100"] and "rollback" in results(run, "skipped")
    assert serving.traffic == {"default": 90, GREEN: 10}


@pytest.mark.drill
def test_killed_runner(serving: Repository) -> None:
    """A runner that is killed in mid-promotion leaves an endpoint that serves, and the next rollout ends well."""
    act: list[subprocess.Popen[str]] = []

    def kill(name: str, job: Job) -> None:
        if name == "rollout/promote-50" and "setting the traffic" in job.log:
            for process in [*psutil.Process(act[0].pid).children(recursive=True), act[0]]:
                process.kill()

    killed = rollout(serving, started=act.append, watch=kill)

    assert killed.jobs["rollout/promote-50"].result == "running"
    assert serving.traffic in ({"default": 90, GREEN: 10}, {"default": 50, GREEN: 50})

    again = rollout(serving)

    assert again.exit_code == 0
    assert serving.traffic == {GREEN: 100}


@pytest.mark.drill
def test_rollback_while_a_rollout_waits(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """rollback.yml neither queues behind a rollout that waits for an approval nor leaves it there."""
    serving.github.add_run("rollout.yml", 4711, "waiting", on_cancel=ends(serving, approval, waiting))
    assert serving.traffic == {"default": 90, GREEN: 10}

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
def test_stale_approval(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """An approval for what is no longer there counts for nothing: green has been replaced, so nothing is promoted."""
    serving.script("rollback")
    serving.script("deploy", "--version", another_version(serving))

    approval.give()
    run = waiting.result()

    assert results(run, "failure") == ["promote-50"]
    assert "the pair that was reviewed is gone" in run.jobs["rollout/promote-50"].log
    assert "rollback" in results(run, "skipped")
    assert serving.traffic == BLUE


def another_version(repository: Repository, answer: int = 1) -> int:
    """A third version, or one that answers otherwise, registered once."""
    folder = repository.tree.parent / f"another-{answer}"
    made = folder if folder.exists() else toy_model(folder, answer=answer, metadata={"labels": [1, 0]})
    return int(repository.script("register_model", made))


@pytest.mark.drill
def test_drift_between_steps(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """When somebody has moved the split since the review, the promotion stops, says so, and leaves it to them."""
    serving.script("promote", "--to", GREEN, "--percent", 25)

    approval.give()
    run = waiting.result()

    assert results(run, "failure") == ["promote-50"]
    assert "traffic was default 90 %, xgboost-model-2 10 %" in run.jobs["rollout/promote-50"].log
    assert serving.traffic == {"default": 75, GREEN: 25}


@pytest.mark.drill
def test_promotion_by_hand_meets_a_waiting_rollout(
    serving: Repository, approval: Approval, waiting: Future[Run]
) -> None:
    """promote.yml doesn't wait for a rollout, and a rollout that is approved later doesn't overrule it."""
    by_hand = serving.dispatch("promote", {"percent": "75", "delete-blue": "false", "bake": "0"})
    assert (by_hand.exit_code, serving.traffic) == (0, {"default": 25, GREEN: 75})

    approval.give()
    run = waiting.result()

    assert results(run, "failure") == ["promote-50"]
    assert {"rollback", PROMOTING[2]} <= {*results(run, "skipped")}
    assert serving.traffic == {"default": 25, GREEN: 75}


@pytest.mark.drill
def test_a_promotion_by_hand_outlives_the_run_that_waited(
    serving: Repository, approval: Approval, waiting: Future[Run]
) -> None:
    """Whoever cancels the run that waits doesn't undo what somebody approved meanwhile; the job says whose it is."""
    by_hand = serving.dispatch("promote", {"percent": "100", "delete-blue": "false", "bake": "0"})
    assert (by_hand.exit_code, serving.traffic) == (0, {GREEN: 100})

    approval.cancel()
    run = waiting.result()

    assert run.jobs["rollout/rollback"].result == "success"
    assert "left alone" in run.jobs["rollout/rollback"].log
    assert serving.traffic == {GREEN: 100}


@pytest.mark.drill
def test_a_run_without_work_takes_nothing_back(serving: Repository, tmp_path: Path) -> None:
    """A merge that deploys nothing tests what serves: where that fails the run is red, and the split stays."""
    assert rollout(serving, {"stop-after": "promote-100"}).exit_code == 0
    copy_tree(serving.tree, tmp_path / "tree")
    broken = replace(serving, tree=tmp_path / "tree")
    broken.merge("endpoints/smoke-requests.json", r'("data": \[\s*\[)[^,]+', r'\1"unheard of"')

    run = rollout(broken)

    assert results(run, "failure") == ["smoke-test"]
    assert {*PROMOTING, "delete-blue", "rollback"} <= {*results(run, "skipped")}
    assert "review" not in run.jobs["rollout/smoke-test"].steps
    assert serving.traffic == {GREEN: 100}


@pytest.mark.drill
def test_a_green_that_is_found_bad_is_remembered(serving: Repository) -> None:
    """Its smoke test fails: nothing is promoted, a mark stays for the next review, and promote.yml refuses it, too."""
    version = another_version(serving, answer=7)

    run = rollout(serving, {"version": str(version)})
    by_hand = serving.dispatch("promote", {"percent": "100", "delete-blue": "false", "bake": "0"})
    tags = Arm(serving.environ)("GET", f"onlineEndpoints/{serving.variables['ENDPOINT_NAME']}").json()["tags"]

    assert "failed its smoke test" in tags[f"mark-xgboost-model-{version}"]
    assert (results(run, "failure"), run.jobs["rollout/rollback"].result) == (["smoke-test"], "success")
    assert (results(by_hand, "failure"), serving.traffic) == (["review"], BLUE)


@pytest.mark.drill
def test_a_first_deployment_that_fails_its_smoke_test(ready: Repository, tmp_path: Path) -> None:
    """It gets no traffic, and leaves an endpoint that the next rollout uses."""
    fresh = replace(ready, variables=ready.variables | {"ENDPOINT_NAME": f"drill-{next(numbers)}"})
    copy_tree(fresh.tree, tmp_path / "tree")
    broken = replace(fresh, tree=tmp_path / "tree")
    broken.merge("endpoints/smoke-requests.json", r'("data": \[\s*\[)[^,]+', r'\1"unheard of"')

    failed = rollout(broken, {"version": "1"})
    left = fresh.traffic
    mended = rollout(fresh, {"version": "1"})

    assert (results(failed, "failure"), left) == (["smoke-test"], {})
    assert "rollback" in results(failed, "skipped")
    assert (mended.exit_code, fresh.traffic) == (0, BLUE)


@pytest.mark.drill
def test_a_first_rollout_that_stopped_is_finished_by_hand(ready: Repository) -> None:
    """promote.yml tests the first deployment and, approved, gives it all traffic."""
    fresh = replace(ready, variables=ready.variables | {"ENDPOINT_NAME": f"drill-{next(numbers)}"})
    stopped = rollout(fresh, {"version": "1", "stop-after": "deploy"})
    assert (stopped.exit_code, fresh.traffic) == (0, {})

    run = fresh.dispatch("promote", {"percent": "100", "delete-blue": "false", "bake": "0"})

    assert run.exit_code == 0, {name: job.log for name, job in run.jobs.items() if job.result == "failure"}
    assert "the endpoint's first deployment, all traffic" in run.jobs["review"].summary
    assert fresh.traffic == BLUE


@pytest.mark.drill
def test_a_hotfix_that_does_not_start_leaves_the_way_back(serving: Repository) -> None:
    """What serves and what served before it stay until the successor is proven: a rollback leads there."""
    assert rollout(serving, {"stop-after": "promote-100"}).exit_code == 0
    version = another_version(serving)
    faults = Faults(Path(serving.environ["SSL_CERT_FILE"]).parent)
    broken = faults.add("fail", method="PUT", path=f"*/deployments/xgboost-model-{version}")["id"]

    run = rollout(serving, {"version": str(version)})

    back = serving.dispatch("rollback")

    assert faults.get(broken)["hit"]
    assert results(run, "failure") == ["deploy"]
    assert "rollback" in results(run, "skipped")
    assert (back.exit_code, serving.traffic) == (0, BLUE)


@pytest.mark.drill
def test_second_approval_is_asked_for_each_stage(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """While one promotion waits, nothing after it moves; once approved the rollout goes on to its end."""
    assert serving.traffic == {"default": 90, GREEN: 10}

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
    assert skipped == {"attest", "rollout/rollback", "production-after-staging/rollback"}
    assert [deployment["version"] for deployment in production["deployments"]] == ["2"]
    assert production["deployments"][0]["digest"] == rehearsed["deployments"][0]["digest"]
    assert second.jobs["production-after-staging/promote-10"].started > second.jobs["rollout/promote-100"].started
