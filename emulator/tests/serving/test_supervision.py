"""What is done about instances that die, hang or never become ready, and what their requests get meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from azureml_emulator.serving import supervision
from azureml_emulator.serving.pool import Pool, Settings
from azureml_emulator.serving.supervision import Probe, Unhealthy
from azureml_emulator.testing import Arm
from tests.support.models import Stub, in_loop, model_pool, ok, order, puppet_model, slow, statuses, stub_pool, until
from tests.support.served import eventually, register

JSON = {"content-type": "application/json"}
SOON = Probe(initial_delay=0, period=10, timeout=0.2, failure_threshold=3)
PATIENT = Probe(timeout=0.5, failure_threshold=10)  # a model process on a busy machine starts in time
NEVER = Probe(failure_threshold=1_000_000)
IMPORTING = """
import sys
from azureml_emulator.serving import instances

if __name__ == "__main__":
    print("importing", flush=True)
    instances.warm()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a puppet."""
    return puppet_model(tmp_path_factory.mktemp("model") / "mlflow").parent


def answers(*said: bool | None) -> Callable[[float], Awaitable[bool | None]]:
    """Something to probe that says these, one after the other, and then that the probing is over."""
    left = list(said)

    async def ask(_seconds: float) -> bool | None:
        if not left:
            raise EOFError
        return left.pop(0)

    return ask


async def verdicts(probe: Probe, *said: bool | None) -> list[bool]:
    """What the probe makes of these answers."""
    found: list[bool] = []
    with pytest.raises(EOFError):
        async for good in probe.verdicts(answers(*said), clock=0):
            found.append(good)
    return found


@in_loop
async def test_a_probe_gives_up_after_as_many_failures_in_a_row_as_its_threshold() -> None:
    """A success in between starts the count again; an answer that doesn't count leaves it."""
    probe = Probe(failure_threshold=3, success_threshold=9)

    assert await verdicts(probe, False, False, True, False, None, False) == []
    assert await verdicts(probe, False, False, None, False) == [False]


@in_loop
async def test_a_probe_is_content_after_as_many_successes_in_a_row_as_its_threshold() -> None:
    """Likewise."""
    probe = Probe(failure_threshold=9, success_threshold=2)

    assert await verdicts(probe, True, False, True, True, True) == [True, True]


@in_loop
async def test_the_clock_scales_the_waiting_of_a_probe() -> None:
    """Azure's ten seconds before and between probes pass at once here; the time-out of a probe stays what it is."""
    asked: list[float] = []

    async def ask(seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) > 100

    async for _ in Probe(failure_threshold=1000, timeout=2).verdicts(ask, clock=0.0001):
        break

    assert asked == [2] * 101


@in_loop
async def test_an_instance_that_is_not_ready_gets_no_requests() -> None:
    """The other one answers them; it gets its share again when its probe succeeds."""
    pool, stubs = await stub_pool(count=2, liveness=NEVER, readiness=Probe(failure_threshold=2))
    stubs[0].well = False
    await until(lambda: pool.ready == 1)

    ended = [(await pool.score(b"{}", {})).status for _ in range(4)]
    stubs[0].well = True
    await until(lambda: pool.ready == 2)
    late = await asyncio.gather(*(pool.score(b"{}", {}) for _ in range(2)))

    assert (ended, stubs[0].answered, stubs[1].answered) == ([200] * 4, 1, 5)
    assert [answer.status for answer in late] == [200, 200]
    await pool.stop()


@in_loop
async def test_a_waiting_request_is_answered_by_the_instance_that_comes_back() -> None:
    """It waits in the pool, not in the backlog of one that is gone."""
    pool, stubs = await stub_pool(slow(0.1), liveness=NEVER, readiness=Probe(failure_threshold=1))
    requests = [asyncio.ensure_future(pool.score(b"{}", {})) for _ in range(2)]
    await until(lambda: stubs[0].most_busy == 1)
    await stubs[0].stop()

    ended = statuses(await asyncio.gather(*requests, return_exceptions=True))
    await pool.stop()

    assert ended == ["ConnectionLost", 200]


@in_loop
async def test_an_instance_that_hangs_is_replaced() -> None:
    """Its liveness probe gives up; the request that it never answered is lost, and its client told."""
    pool, stubs = await stub_pool(slow(600), liveness=SOON, request_timeout_ms=20)
    lost = await asyncio.gather(pool.score(b"{}", {}), return_exceptions=True)

    stubs[0].well = False
    await until(lambda: len(stubs) == 2 and pool.ready == 1)
    await pool.stop()

    assert (statuses(lost), stubs[0].ended.done()) == (["TimedOut"], True)


@in_loop
async def test_an_instance_that_is_busy_is_not_replaced() -> None:
    """A request that is within its time-out may keep it from answering probes: here three times as long as allowed."""
    pool, stubs = await stub_pool(slow(0.3), liveness=SOON, readiness=SOON)
    request = asyncio.ensure_future(pool.score(b"{}", {}))
    await until(lambda: stubs[0].most_busy == 1)
    stubs[0].well = False

    answer = await request
    stubs[0].well = True

    assert (answer.status, len(stubs), pool.ready) == (200, 1, 1)
    await pool.stop()


@in_loop
async def test_an_instance_that_is_never_ready_fails_the_deployment() -> None:
    """It is ended, and not tried again: it would take as long once more."""
    stubs: list[Stub] = []

    def make() -> Stub:
        stubs.append(Stub(ok))
        stubs[-1].well = False
        return stubs[-1]

    with pytest.raises(Unhealthy, match="its readiness probe failed 3 times in a row"):
        await Pool.start(make, 1, Settings(liveness=NEVER, readiness=SOON, clock=0.001))

    assert [stub.ended.done() for stub in stubs] == [True]


@in_loop
async def test_an_impatient_liveness_probe_fails_the_deployment() -> None:
    """A model that takes longer to load than its liveness probe allows is a common mistake on Azure."""
    stub = Stub(ok)
    stub.well = False

    with pytest.raises(Unhealthy, match="its liveness probe failed 3 times in a row"):
        await Pool.start(lambda: stub, 1, Settings(liveness=SOON, readiness=NEVER, clock=0.001))


@in_loop
async def test_restarts_back_off() -> None:
    """Ten, twenty, forty seconds of Azure's, each double the one before; here thousandths of that."""
    started: list[float] = []

    class Dying(Stub):
        """Dies as soon as it is started, but the first time."""

        async def start(self) -> None:
            """Note when."""
            await super().start()
            started.append(asyncio.get_running_loop().time())
            if 1 < len(started) < 5:
                await self.stop()

    stubs: list[Stub] = []

    def make() -> Stub:
        stubs.append(Dying(ok))
        return stubs[-1]

    pool = await Pool.start(make, 1, Settings(clock=0.001))
    await stubs[0].stop()
    await until(lambda: len(started) == 5 and pool.ready == 1)
    await pool.stop()

    waited = [after - before for before, after in itertools.pairwise(started[1:])]
    assert all(seconds >= least for seconds, least in zip(waited, (0.02, 0.04, 0.08), strict=True))


@in_loop
async def test_restarts_are_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that ran for long enough is restarted as soon as one that fails for the first time."""
    monkeypatch.setattr(supervision, "FORGIVEN", 0)
    monkeypatch.setattr(supervision, "BACK_OFF", (0, 10**9))
    pool, stubs = await stub_pool()

    for count in (2, 3, 4):
        await stubs[-1].stop()
        await until(lambda count=count: len(stubs) == count and pool.ready == 1)

    await pool.stop()


@in_loop
@pytest.mark.drill
async def test_a_stopped_process_is_noticed_and_replaced(model: Path, tmp_path: Path) -> None:
    """SIGSTOP: the port is open and nobody answers. Meanwhile the other instance has all requests."""
    pool, instances = await model_pool(model, tmp_path / "log", 2, liveness=PATIENT, readiness=PATIENT)
    os.killpg(instances[0].pid, signal.SIGSTOP)
    await until(lambda: pool.ready == 1)

    meanwhile = [(await pool.score(order("show PATH"), JSON)).status for _ in range(3)]
    await until(lambda: pool.ready == 2)
    await pool.stop()

    assert (meanwhile, len(instances), instances[0].ended.done()) == ([200] * 3, 3, True)


@in_loop
@pytest.mark.drill
async def test_a_predict_that_never_returns_is_noticed_and_replaced(model: Path, tmp_path: Path) -> None:
    """Its request is answered as timed out; as soon as that is over, an unanswered probe counts."""
    pool, instances = await model_pool(model, tmp_path / "log", liveness=PATIENT, request_timeout_ms=300)

    lost = await asyncio.gather(pool.score(order("sleep 600"), JSON), return_exceptions=True)
    await until(lambda: len(instances) == 2 and pool.ready == 1)
    answer = await pool.score(order("show PATH"), JSON)
    await pool.stop()

    assert (statuses(lost), answer.status) == (["TimedOut"], 200)


@in_loop
@pytest.mark.drill
async def test_a_long_legal_prediction_is_not_interrupted(model: Path, tmp_path: Path) -> None:
    """The probes wait behind it in gunicorn's backlog for longer than they may."""
    impatient = Probe(initial_delay=150, period=10, timeout=0.1, failure_threshold=2)  # 3 seconds after the start
    pool, instances = await model_pool(model, tmp_path / "log", liveness=impatient, request_timeout_ms=60_000)

    answer = await pool.score(order("sleep 5"), JSON)
    await pool.stop()

    assert (answer.status, len(instances)) == (200, 1)


@pytest.mark.drill
def test_a_deployment_whose_probe_gives_up_has_failed(azure: dict[str, str], model_folder: Path) -> None:
    """Its container's log is there."""
    arm, hasty = Arm(azure), {"timeout": "PT0.0001S", "failureThreshold": 5}
    model = register(arm, "probed", model_folder)
    arm.endpoint("probed-endpoint")

    status = arm.deployment("probed-endpoint", "default", model, readinessProbe=hasty)
    log = arm("POST", "onlineEndpoints/probed-endpoint/deployments/default/getLogs", {"tail": 200}).json()["content"]

    assert (status["status"], status["error"]["code"]) == ("Failed", "ResourceNotReady")
    assert "its readiness probe failed 5 times in a row" in status["error"]["message"]
    assert "Starting gunicorn" in log
    arm.settle(arm("DELETE", "onlineEndpoints/probed-endpoint"))


@pytest.mark.drill
def test_the_fork_server_ends_with_an_emulator_that_is_killed_while_it_imports() -> None:
    """It would run for ever, and hold its memory."""
    command = [sys.executable, "-c", IMPORTING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as emulator:
        assert emulator.stdout and emulator.stdout.readline()
        time.sleep(0.5)  # it has been started and needs seconds

        emulator.kill()

    eventually(lambda: not in_group(emulator.pid))


def in_group(group: int) -> bool:
    """Whether a process of the group is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False
