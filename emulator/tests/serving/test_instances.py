"""Model processes: each is one, with its own log, and none outlives what it belongs to."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from azureml_emulator.serving import instances
from azureml_emulator.serving.instances import Instance
from azureml_emulator.serving.pool import Pool, Settings
from azureml_emulator.serving.supervision import Probe, Unhealthy
from tests.support.models import in_loop, model_pool, order, puppet_model, statuses, until

JSON = {"content-type": "application/json"}
PARENT = """
import asyncio, sys
from pathlib import Path
from azureml_emulator.serving.instances import Instance

async def main():
    instance = Instance(Path(sys.argv[1]), Path(sys.argv[2]))
    await instance.start()
    await instance.probe(60)
    print(instance.url, flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a puppet, one level down, as it is uploaded."""
    return puppet_model(tmp_path_factory.mktemp("model") / "1" / "mlflow").parent


def listening(url: str) -> bool:
    """Whether any process still has the port."""
    address = urlsplit(url)
    try:
        socket.create_connection((str(address.hostname), address.port or 0), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def gone(url: str, seconds: float = 20) -> bool:
    """Whether the port is closed, at the latest after a while."""
    deadline = time.monotonic() + seconds
    while listening(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not listening(url)


@in_loop
async def test_an_instance_answers_and_writes_its_log(model: Path, tmp_path: Path) -> None:
    """Ready means that it answers; what it prints goes to the container's log."""
    pool, _ = await model_pool(model, tmp_path / "log")

    answer = await pool.score(order("show AZUREML_MODEL_DIR"), JSON)
    await pool.stop()

    assert (answer.status, answer.body) == (200, b'["%s"]' % str(model).encode())
    assert answer.headers["x-ms-server-version"].startswith("azmlinfsrv/")
    assert "POST /score 200" in (tmp_path / "log").read_text()


@in_loop
async def test_an_instance_says_what_its_model_lacks_at_azure(tmp_path: Path) -> None:
    """Here it starts all the same; there public reports say that it doesn't."""
    model = puppet_model(tmp_path / "model")
    (model / "conda.yaml").write_text(
        "dependencies: [python=3.11, {pip: [mlflow, Azureml_AI_Monitoring==1.0.0, -r x, 'numpy==']}]"
    )

    pool, _ = await model_pool(model, tmp_path / "log")
    await pool.stop()

    said = [line for line in (tmp_path / "log").read_text().splitlines() if "conda.yaml lacks" in line]
    assert ["azureml-inference-server-http==1.5.1" in said[0], "mlflow<3.7" in said[1], len(said)] == [True, True, 2]
    assert "Azure/azureml-examples#3923" in said[0] and "W [" in said[0]


@in_loop
async def test_an_instance_sees_none_of_the_emulators_variables(model: Path, tmp_path: Path) -> None:
    """The model is somebody else's code. Here the emulator is pytest, which sets this one."""
    pool, _ = await model_pool(model, tmp_path / "log")

    answer = await pool.score(order("show PYTEST_CURRENT_TEST"), JSON)
    await pool.stop()

    assert answer.body == b'["unset"]'


@in_loop
async def test_a_stopped_instance_is_gone(model: Path, tmp_path: Path) -> None:
    """The master and its worker end, and the port is closed."""
    instance = Instance(model, tmp_path / "log")
    await instance.start()
    await instance.probe(60)

    await instance.stop()

    assert not listening(instance.url)


@in_loop
async def test_a_model_that_does_not_load_is_unhealthy(tmp_path: Path) -> None:
    """The log says what the exception cannot know, and nothing is left running."""
    log = tmp_path / "log"

    with pytest.raises(Unhealthy, match="ended with exit code 3, the last of 3 attempts"):
        await model_pool(tmp_path, log)

    assert log.read_text().count("Worker failed to boot") == 3


@in_loop
async def test_an_instance_that_takes_too_long_is_unhealthy(model: Path, tmp_path: Path) -> None:
    """It is ended, too."""
    with pytest.raises(Unhealthy, match="readiness probe failed 1 times"):
        await model_pool(model, tmp_path / "log", readiness=Probe(timeout=0.001, failure_threshold=1))


@in_loop
async def test_a_failed_start_of_one_instance_stops_the_others(model: Path, tmp_path: Path) -> None:
    """A pool has all its instances or none."""
    made: list[Instance] = []

    def make() -> Instance:
        folder = tmp_path / "nothing" if made else model
        made.append(Instance(folder, tmp_path / "log"))
        return made[-1]

    with pytest.raises(Unhealthy):
        await Pool.start(make, 2, Settings(clock=0.02))

    assert not listening(made[0].url)


def test_an_instance_ends_with_its_parent(model: Path, tmp_path: Path) -> None:
    """Even when the parent is killed by `kill -9` and can't tell anyone."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script), str(model), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        url = parent.stdout.readline().decode().strip()

        parent.kill()

    assert gone(url)


@in_loop
async def test_stopping_loses_no_request(model: Path, tmp_path: Path) -> None:
    """What was accepted before stop() is answered, what was waiting included."""
    pool, _ = await model_pool(model, tmp_path / "log", count=2, max_concurrent_requests_per_instance=4)
    requests = [asyncio.ensure_future(pool.score(order("sleep 0.05"), JSON)) for _ in range(16)]
    await asyncio.sleep(0)

    await pool.stop()

    assert statuses(await asyncio.gather(*requests, return_exceptions=True)) == [200] * 16


@in_loop
async def test_a_crash_takes_one_request_and_the_instance_comes_back(model: Path, tmp_path: Path) -> None:
    """Gunicorn restarts its worker, as in Azure's container; the next request waits for it."""
    pool, _ = await model_pool(model, tmp_path / "log")

    outcomes = [
        (await asyncio.gather(pool.score(order(text), JSON), return_exceptions=True))[0]
        for text in ("crash now", "show PATH")
    ]
    await pool.stop()

    assert statuses(outcomes) == ["ConnectionLost", 200]


@in_loop
async def test_no_worker_outlives_its_killed_master(model: Path, tmp_path: Path) -> None:
    """It would keep the port and the memory."""
    instance = Instance(model, tmp_path / "log")
    await instance.start()
    await instance.probe(60)

    os.kill(instance.pid, signal.SIGKILL)
    await instance.ended

    assert await asyncio.to_thread(gone, instance.url)


@in_loop
async def test_no_busy_worker_outlives_its_killed_master(model: Path, tmp_path: Path) -> None:
    """It would not notice by itself that the master is gone."""
    pool, [instance] = await model_pool(model, tmp_path / "log", request_timeout_ms=300)
    await asyncio.gather(pool.score(order("sleep 600"), JSON), return_exceptions=True)

    os.kill(instance.pid, signal.SIGKILL)
    await instance.ended

    assert await asyncio.to_thread(gone, instance.url)
    await pool.stop()


@in_loop
async def test_an_instance_that_has_just_ended_is_stopped(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although nobody has noticed yet that its process group is gone."""
    monkeypatch.setattr(instances, "STOP_SECONDS", 0)
    instance, loop = Instance(model, tmp_path / "log"), asyncio.get_running_loop()
    await instance.start()
    await instance.probe(60)
    loop.remove_reader(instance._process.sentinel)
    os.killpg(instance.pid, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(instance.pid))
    loop.call_later(0.1, instance._note_end)

    await instance.stop()

    assert instance.ended.done()


@in_loop
async def test_a_log_does_not_grow_without_end(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last lines stay, and what is printed next follows them."""
    monkeypatch.setattr(instances, "LOG_BYTES", 10_000)
    monkeypatch.setattr(instances, "LOG_SECONDS", 0.02)
    log = tmp_path / "log"
    log.write_text("old\n" * 100_000 + "new\n" * 100)
    pool, _ = await model_pool(model, log)
    await until(lambda: log.stat().st_size < 20_000)

    answer = await pool.score(order("show PATH"), JSON)
    await pool.stop()

    lines = log.read_text().splitlines()
    assert answer.status == 200
    assert lines.count("new") == 100
    assert any("POST /score 200" in line for line in lines[lines.index("new") + 100 :])
    assert log.stat().st_size < 20_000


@in_loop
async def test_a_killed_instance_is_replaced(model: Path, tmp_path: Path) -> None:
    """Until then the pool has no instance, and says so."""
    pool, made = await model_pool(model, tmp_path / "log")
    os.killpg(made[0].pid, signal.SIGKILL)
    await made[0].ended

    await until(lambda: len(made) == 2 and pool.ready == 1)
    answer = await pool.score(order("show PATH"), JSON)
    await pool.stop()

    assert (answer.status, len(made)) == (200, 2)
