"""Runs that meet what others did, through act: nobody takes back, or goes on with, what isn't theirs."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.workflows.act import Run, copy_tree
from scripts.lib.decisions.state import percentages
from tests.support.repository import PERCENTS, PROMOTING, Repository, results
from tests.workflows.drilling import BLUE, FIRST, GREEN, SECOND, Approval, another_version, fresh, rollout, split

pytestmark = pytest.mark.drill


@pytest.mark.drill
def test_stale_approval(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """An approval for what is no longer there counts for nothing: green has been replaced, so nothing is promoted."""
    serving.script("rollback")
    serving.script("deploy", "--version", another_version(serving))

    approval.give()
    run = waiting.result()

    assert results(run, "failure") == [SECOND]
    assert "the pair that was reviewed is gone" in run.jobs[f"rollout/{SECOND}"].log
    assert "rollback" in results(run, "skipped")
    assert serving.traffic == BLUE


@pytest.mark.drill
def test_drift_between_steps(serving: Repository, approval: Approval, waiting: Future[Run]) -> None:
    """When somebody has moved the split since the review, the promotion stops, says so, and leaves it to them."""
    somebody = PERCENTS[FIRST] + 1
    serving.script("promote", "--to", GREEN, "--percent", somebody)

    approval.give()
    run = waiting.result()

    assert results(run, "failure") == [SECOND]
    assert f"traffic was {percentages(split(FIRST))}" in run.jobs[f"rollout/{SECOND}"].log
    assert serving.traffic == {"default": 100 - somebody, GREEN: somebody}


@pytest.mark.drill
def test_promotion_by_hand_meets_a_waiting_rollout(
    serving: Repository, approval: Approval, waiting: Future[Run]
) -> None:
    """promote.yml doesn't wait for a rollout, and a rollout that is approved later doesn't overrule it."""
    by_hand = serving.dispatch("promote", {"percent": "75", "delete-blue": "false"})
    assert (by_hand.exit_code, serving.traffic) == (0, {"default": 25, GREEN: 75})

    approval.give()
    run = waiting.result()

    assert results(run, "failure") == [SECOND]
    assert {"rollback", *PROMOTING[2:]} <= {*results(run, "skipped")}
    assert serving.traffic == {"default": 25, GREEN: 75}


@pytest.mark.drill
def test_a_promotion_by_hand_outlives_the_run_that_waited(
    serving: Repository, approval: Approval, waiting: Future[Run]
) -> None:
    """Whoever cancels the run that waits doesn't undo what somebody approved meanwhile; the job says whose it is."""
    by_hand = serving.dispatch("promote", {"percent": "100", "delete-blue": "false"})
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
    by_hand = serving.dispatch("promote", {"percent": "100", "delete-blue": "false"})
    tags = Arm(serving.environ)("GET", f"onlineEndpoints/{serving.variables['ENDPOINT_NAME']}").json()["tags"]

    assert "failed its smoke test" in tags[f"mark-xgboost-model-{version}"]
    assert (results(run, "failure"), run.jobs["rollout/rollback"].result) == (["smoke-test"], "success")
    assert (results(by_hand, "failure"), serving.traffic) == (["review"], BLUE)


@pytest.mark.drill
def test_a_first_deployment_that_fails_its_smoke_test(ready: Repository, tmp_path: Path) -> None:
    """It gets no traffic, and leaves an endpoint that the next rollout uses."""
    begun = fresh(ready)
    copy_tree(begun.tree, tmp_path / "tree")
    broken = replace(begun, tree=tmp_path / "tree")
    broken.merge("endpoints/smoke-requests.json", r'("data": \[\s*\[)[^,]+', r'\1"unheard of"')

    failed = rollout(broken, {"version": "1"})
    left = begun.traffic
    mended = rollout(begun, {"version": "1"})

    assert (results(failed, "failure"), left) == (["smoke-test"], {})
    assert "rollback" in results(failed, "skipped")
    assert (mended.exit_code, begun.traffic) == (0, BLUE)


@pytest.mark.drill
def test_a_first_rollout_that_stopped_is_finished_by_hand(ready: Repository) -> None:
    """promote.yml tests the first deployment and, approved, gives it all traffic."""
    begun = fresh(ready)
    stopped = rollout(begun, {"version": "1", "stop-after": "deploy"})
    assert (stopped.exit_code, begun.traffic) == (0, {})

    run = begun.dispatch("promote", {"percent": "100", "delete-blue": "false"})

    assert run.exit_code == 0, {name: job.log for name, job in run.jobs.items() if job.result == "failure"}
    assert "the endpoint's first deployment, all traffic" in run.jobs["review"].summary
    assert begun.traffic == BLUE


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
