"""Operations: that each ends, also when the disk is full, and that they don't grow without end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azureml_emulator.arm.errors import Conflict, NotFound
from azureml_emulator.arm.store import Store
from azureml_emulator.resources import operations as module
from azureml_emulator.resources.operations import Operations, Work
from tests.support.models import in_loop, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.close()


def writes(store: Store, size: int = 1) -> Callable[[], None]:
    return lambda: store.put("a/resource", {"text": "x" * size})


async def end(operations: Operations, name: str) -> str:
    await until(lambda: operations.get(name)["status"] != "Updating")
    return str(operations.get(name)["status"])


@in_loop
async def test_outcome_that_does_not_fit(store: Store) -> None:
    """An operation whose outcome the disk has no room for has failed, with the reason; the endpoint is free again."""
    operations = Operations(store, 0)
    [[pages]] = store._db.execute("PRAGMA page_count")
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")

    name = operations.begin("e", Work(commit=writes(store, size=100_000)))
    failed = await end(operations, name)
    again = await end(operations, operations.begin("e", Work(commit=writes(store))))

    assert (failed, again) == ("Failed", "Succeeded")
    assert "disk is full" in operations.get(name)["error"]["message"]


@in_loop
async def test_no_outcome_can_be_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is tried again until it can be written; until then the endpoint is busy, and then free again."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    operations, reached = Operations(store, 0), asyncio.Event()

    async def prepare() -> None:
        store._db.execute("PRAGMA query_only = ON")
        asyncio.get_running_loop().call_later(0.1, reached.set)

    name = operations.begin("e", Work(prepare=prepare, commit=writes(store)))
    await reached.wait()
    with pytest.raises(Conflict):
        operations.refuse_if_busy("e", "update it")
    store._db.execute("PRAGMA query_only = OFF")

    assert await end(operations, name) == "Failed"
    await until(lambda: "e" not in operations._running)
    assert await end(operations, operations.begin("e", Work(commit=writes(store)))) == "Succeeded"


@in_loop
async def test_beginning_that_cannot_be_written(store: Store) -> None:
    """What can't be recorded as begun has had no effect."""
    operations = Operations(store, 0)
    store._db.execute("CREATE TRIGGER full BEFORE INSERT ON resources WHEN NEW.path LIKE 'operations/%' "
                      "BEGIN SELECT RAISE(ABORT, 'full'); END")  # fmt: skip

    with pytest.raises(sqlite3.Error, match="full"):
        operations.begin("e", Work(accept=writes(store)))

    operations.refuse_if_busy("e", "update it")
    assert store.get("a/resource") is None


@in_loop
async def test_failed_preparation(store: Store) -> None:
    """It is aborted, not committed."""
    operations = Operations(store, 0)

    async def fail() -> None:
        raise ValueError("no")

    name = operations.begin(
        "e", Work(prepare=fail, commit=writes(store), abort=lambda state: store.put(f"a/{state}", {}))
    )

    assert await end(operations, name) == "Failed"
    assert operations.get(name)["error"]["message"] == "ValueError: no"
    assert (store.get("a/resource"), store.get("a/Failed")) == (None, {})


@in_loop
async def test_the_oldest_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest that ended can be asked for, and all that run; also after a restart."""
    monkeypatch.setattr(module, "KEPT", 3)
    operations, forever = Operations(store, 0), asyncio.Event()

    async def hang() -> None:
        await forever.wait()

    running = operations.begin("busy", Work(prepare=hang))
    names = []
    for _ in range(5):
        names.append(operations.begin("e", Work()))
        await end(operations, names[-1])
        await until(lambda: "e" not in operations._running)

    assert [item["name"] for item in store.children("operations")] == [running, *names[2:]]
    with pytest.raises(NotFound):
        operations.get(names[0])
    await operations.close()
    again = Operations(store, 0)
    again.recover()
    assert len(store.children("operations")) == 3
    await end(again, again.begin("e", Work()))
    assert len(store.children("operations")) == 3


def test_commit_that_fails(store: Store) -> None:
    """A transaction whose COMMIT fails has had no effect, and the next one works."""
    store._db.executescript("PRAGMA foreign_keys = ON; CREATE TABLE a (id PRIMARY KEY);"
                            "CREATE TABLE b (id REFERENCES a DEFERRABLE INITIALLY DEFERRED)")  # fmt: skip

    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        writes(store)()
        store._db.execute("INSERT INTO b VALUES (1)")

    assert store.get("a/resource") is None
    with store.transaction():
        writes(store)()
    assert store.get("a/resource") == {"text": "x"}
