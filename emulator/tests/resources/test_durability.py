"""What was acknowledged survives `kill -9` at any moment."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_emulator.arm.store import Store
from azureml_emulator.process import start, variables
from azureml_emulator.testing import Arm, blobs, deployment, endpoint
from tests.support.models import in_loop
from tests.support.served import keys, once, register, score, serve

SPAWN = multiprocessing.get_context("spawn")
KEPT, GONE, KEYED = "kept-endpoint", "gone-endpoint", "keyed-endpoint"
SEEDS = range(10 if "SOAK" in os.environ else 2)


@in_loop
async def write_on(folder: str, acknowledged: Any) -> None:
    """Writes of every kind to a store, each acknowledged once it is done, until killed."""
    store = Store(Path(folder))
    for number in range(10**9):
        store.put("a/resource", {"number": number})
        acknowledged.send(("resource", number))
        with store.transaction():
            store.put("a/left", {"number": number})
            store.put("a/right", {"number": number})
        acknowledged.send(("pair", number))
        await store.put_blob("box", "blob", once(str(number).encode() * 500), {"number": str(number)})
        acknowledged.send(("blob", number))
        await store.put_blob("box", f"new-{number}", once(b"x"), {})
        await store.delete_blob("box", f"new-{number - 1}")
        acknowledged.send(("deleted", number - 1))


def write_until_killed(folder: Path, seconds: float) -> dict[str, int]:
    """Kills a process that writes to a store in `folder` after some seconds; gives the last numbers it acknowledged."""
    receive, send = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=write_on, args=(str(folder), send))
    process.start()
    with receive:
        send.close()
        acknowledged = dict([receive.recv()])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            acknowledged.update([receive.recv()])
        process.kill()
        with contextlib.suppress(EOFError, OSError):  # the last one may be cut off
            while True:
                acknowledged.update([receive.recv()])
    process.join()
    return acknowledged


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seconds=st.floats(0, 0.2))
def test_store(tmp_path_factory: pytest.TempPathFactory, seconds: float) -> None:
    """A killed store has everything it acknowledged, nothing by halves, and no content that no blob names."""
    folder = tmp_path_factory.mktemp("store")

    acknowledged = write_until_killed(folder, seconds)

    with contextlib.closing(Store(folder)) as store:
        assert_whole(store, acknowledged)


def assert_whole(store: Store, acknowledged: dict[str, int]) -> None:
    resource, left, right = (store.get(f"a/{name}") or {"number": -1} for name in ("resource", "left", "right"))
    blobs = store.blobs("box", "")
    assert resource["number"] >= acknowledged["resource"]
    assert left == right
    assert left["number"] >= acknowledged.get("pair", -1)
    for blob in blobs:
        number = blob.metadata.get("number")
        assert blob.path.read_bytes() == (number.encode() * 500 if number else b"x")
    assert {blob.path for blob in blobs} == set(store.contents.iterdir())
    assert f"new-{acknowledged.get('deleted', -1)}" not in [blob.name for blob in blobs]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """A state folder: two endpoints with a healthy deployment, all traffic on the kept one's, and bare endpoints."""
    folder = tmp_path_factory.mktemp("state")
    process = start(folder)
    arm = Arm(variables(folder))
    model = register(arm, "kept", model_folder)
    for name in (KEYED, *(f"doomed-{seed}" for seed in SEEDS)):
        arm.endpoint(name)
    for name in (KEPT, GONE):
        serve(arm, name, model, "default")
    process.kill()
    process.communicate()
    return folder


@pytest.mark.drill
@pytest.mark.parametrize("seed", SEEDS)
def test_kill_during_every_kind_of_write(state: Path, seed: int) -> None:
    """Killed while writes of every kind are in flight, the emulator has what it acknowledged, and nothing is stuck."""
    process = start(state, "--operation-seconds=0.05")
    arm = Arm(variables(state))
    key = keys(arm, KEYED)["primaryKey"]
    writes = writes_of_every_kind(arm, seed)
    answers: dict[str, requests.Response] = {}
    threads = [threading.Thread(target=collect, args=(answers, name, write)) for name, write in writes.items()]
    for thread in threads:
        thread.start()
    time.sleep(random.Random(seed).uniform(0, 0.4))  # noqa: S311  # repeatable moments
    process.kill()
    process.communicate()
    for thread in threads:
        thread.join()

    again = start(state)
    try:
        assert_kept(Arm(variables(state)), answers, seed)
        assert "keys" not in answers or keys(Arm(variables(state)), KEYED)["primaryKey"] != key
    finally:
        again.terminate()
        again.communicate()


def writes_of_every_kind(arm: Arm, seed: int) -> dict[str, Callable[[], requests.Response]]:
    """By name; each takes a thread of its own."""
    model = f"{arm.workspace}/models/kept/versions/1"
    version = arm("GET", "models/kept/versions/1").json()["properties"]
    return {
        "tags": lambda: arm("PUT", "models/kept/versions/1", {"properties": version | {"tags": {"seed": str(seed)}}}),
        "version": lambda: arm("PUT", f"models/new-{seed}/versions/1", {"properties": version}),
        "package": lambda: arm("POST", "models/kept/versions/1/package", {"targetEnvironmentName": f"env-{seed}"}),
        "endpoint": lambda: arm("PUT", f"onlineEndpoints/new-{seed}", endpoint()),
        "traffic": lambda: arm(
            "PUT", f"onlineEndpoints/{KEPT}", endpoint(traffic={"default": 100}, description=str(seed))
        ),
        "deployment": lambda: arm("PUT", f"onlineEndpoints/{GONE}/deployments/new-{seed}", deployment(model)),
        "keys": lambda: arm("POST", f"onlineEndpoints/{KEYED}/regenerateKeys", {"keyType": "Primary"}),
        "deletion": lambda: arm("DELETE", f"onlineEndpoints/doomed-{seed}"),
        "blob": lambda: blob(arm, "PUT", f"blob-{seed}", data=b"content", headers={"x-ms-blob-type": "BlockBlob"}),
    }


def assert_kept(arm: Arm, answers: dict[str, requests.Response], seed: int) -> None:
    for answer in answers.values():
        assert answer.ok, answer.text
        assert outcome(arm, answer) in ("Succeeded", "Failed")
    if "tags" in answers:
        assert arm("GET", "models/kept/versions/1").json()["properties"]["tags"] == {"seed": str(seed)}
    for name, path in (("version", f"models/new-{seed}/versions/1"), ("endpoint", f"onlineEndpoints/new-{seed}")):
        if name in answers:
            assert arm("GET", path).status_code == 200
    if "blob" in answers:
        assert blob(arm, "GET", f"blob-{seed}").content == b"content"
    if "deletion" in answers:
        there = arm("GET", f"onlineEndpoints/doomed-{seed}").status_code == 200
        assert there == (outcome(arm, answers["deletion"]) == "Failed")
    states = [item["properties"]["provisioningState"] for item in every_resource(arm)]
    assert set(states) <= {"Succeeded", "Failed"}
    assert arm.endpoint(KEPT, traffic={"default": 100})["status"] == "Succeeded"
    assert score(arm, KEPT).status_code == 200


def outcome(arm: Arm, answer: requests.Response) -> str:
    """What became of the operation that an answer of the killed emulator started."""
    _, found, path = answer.headers.get("Azure-AsyncOperation", "").partition("/subscriptions")
    return str(arm("GET", f"{arm.base}{found}{path}").json()["status"]) if found else "Succeeded"


def every_resource(arm: Arm) -> list[dict[str, Any]]:
    endpoints = arm("GET", "onlineEndpoints").json()["value"]
    deployments = [arm("GET", f"onlineEndpoints/{item['name']}/deployments").json()["value"] for item in endpoints]
    return [*endpoints, *(item for items in deployments for item in items)]


def collect(answers: dict[str, requests.Response], name: str, write: Callable[[], requests.Response]) -> None:
    with contextlib.suppress(requests.RequestException):
        answers[name] = write()


def blob(arm: Arm, method: str, name: str, **options: Any) -> requests.Response:
    return arm.session.request(method, blobs(arm).get_blob_client(name).url, timeout=30, **options)
