"""Blobs: that they go to the disk and come from it in parts, and what is left of uploads that never ended."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azureml_emulator.arm import store as parts
from azureml_emulator.arm.messages import Call
from azureml_emulator.arm.store import Store
from azureml_emulator.process import running
from azureml_emulator.resources import blobs as module
from azureml_emulator.resources.blobs import Blobs, Forbidden, InvalidRange
from azureml_emulator.testing import Arm, blobs
from tests.support.models import in_loop
from tests.support.raw_bytes import connected
from tests.support.served import eventually, once

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

BOX = "azureml-blobstore-local"
MEGABYTE = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as made:
        yield made


@pytest.fixture
def container(azure: dict[str, str]) -> ContainerClient:
    return blobs(Arm(azure))


@pytest.fixture
def contents(azure: dict[str, str]) -> Path:
    """Where the session's emulator keeps the contents of its blobs."""
    return Path(azure["SSL_CERT_FILE"]).parent / "blobs"


def test_range_of_a_blob_larger_than_memory(tmp_path: Path) -> None:
    """A range is read without the rest of its blob."""
    asyncio.run(put_terabyte(tmp_path))

    with running(tmp_path) as variables:
        part = blobs(Arm(variables)).download_blob("terabyte", offset=2**40 - 4, length=4).readall()

    assert part == b"last"


async def put_terabyte(folder: Path) -> None:
    with closing(Store(folder)) as store:
        await store.put_blob(BOX, "terabyte", once(b"x"), {})
        blob = store.blob(BOX, "terabyte")
        assert blob
        with blob.path.open("r+b") as sparse:
            sparse.seek(2**40 - 4)
            sparse.write(b"last")
        store._db.execute("UPDATE blobs SET size = ?", (2**40,))


def test_upload_goes_to_the_disk_as_it_comes(azure: dict[str, str], container: ContainerClient, contents: Path) -> None:
    """Half of an upload is on the disk before the other half was sent; when its client goes away, nothing is left."""
    before = set(contents.iterdir())
    path, _, secret = container.url.removeprefix(Arm(azure).base).partition("?")
    head = f"PUT {path}/half?{secret} HTTP/1.1\r\nHost: x\r\nx-ms-blob-type: BlockBlob\r\n"

    with connected(Arm(azure), seconds=20) as connection:
        connection.sendall(f"{head}Content-Length: {8 * MEGABYTE}\r\n\r\n".encode())
        connection.sendall(b"x" * 4 * MEGABYTE)
        eventually(lambda: size(set(contents.iterdir()) - before) > 3 * MEGABYTE)
    eventually(lambda: set(contents.iterdir()) == before)

    assert not container.get_blob_client("half").exists()


def size(paths: set[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


@in_loop
async def test_model_is_copied_beside_the_loop(store: Store, tmp_path: Path) -> None:
    """While a slow disk gives a model's file, everything else goes on."""
    await store.put_blob("box", "model/weights", once(b"x"), {})
    blob = store.blob("box", "model/weights")
    assert blob
    blob.path.unlink()
    os.mkfifo(blob.path)  # reading it takes until somebody has written
    goes_on = threading.Event()
    disk = threading.Thread(target=lambda: (goes_on.wait(10), blob.path.write_bytes(b"weights")))
    disk.start()

    export = asyncio.ensure_future(store.export("box", "model", tmp_path / "target"))
    await asyncio.sleep(0.05)
    in_time = not export.done()
    goes_on.set()
    await export
    disk.join()

    assert in_time
    assert (tmp_path / "target" / "weights").read_bytes() == b"weights"


@in_loop
async def test_a_blob_that_is_replaced_is_read_to_its_end(store: Store) -> None:
    """Whoever has begun to read it gets what it was."""
    await store.put_blob("box", "name", once(b"old"), {})
    blob = store.blob("box", "name")
    assert blob
    content = blob.read()

    await store.put_blob("box", "name", once(b"new"), {})

    assert [part async for part in content] == [b"old"]
    assert len([*store.contents.iterdir()]) == 1


@in_loop
async def test_a_blob_is_read_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large it is, little of it is in memory at once; of a range nothing else is read."""
    monkeypatch.setattr(parts, "PART", 4)
    await store.put_blob("box", "name", once(b"0123456789"), {})
    blob = store.blob("box", "name")
    assert blob

    assert [part async for part in blob.read()] == [b"0123", b"4567", b"89"]
    assert [part async for part in blob.read(1, 5)] == [b"1234", b"5"]


@in_loop
async def test_an_upload_that_breaks_off_leaves_nothing(store: Store) -> None:
    """Nor does it replace what was there."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    await store.put_blob("box", "name", once(b"old"), {})

    with pytest.raises(ConnectionError):
        await store.put_blob("box", "name", broken(), {})

    blob = store.blob("box", "name")
    assert blob
    assert [blob.path] == [*store.contents.iterdir()]


def test_blocks_of_another_blob(container: ContainerClient) -> None:
    """A block list takes the blocks of its own blob alone, and leaves those of blobs below it."""
    below, above = container.get_blob_client("name/below"), container.get_blob_client("name")
    below.stage_block("MQ==", b"below")
    above.stage_block("MQ==", b"above")

    above.commit_block_list(["MQ=="])
    below.commit_block_list(["MQ=="])

    assert below.download_blob().readall() == b"below"


@pytest.mark.parametrize("how", ["list", "whole"])
def test_blocks_end_with_their_blob(container: ContainerClient, contents: Path, how: str) -> None:
    """Blocks that no list names are gone as soon as the blob is written, as in Azure."""
    before, blob = set(contents.iterdir()), container.get_blob_client(f"left-{how}")
    blob.stage_block("MQ==", b"named")
    blob.stage_block("Mg==", b"left")

    if how == "list":
        blob.commit_block_list(["MQ=="])
    else:
        blob.upload_blob(b"whole")

    assert len(set(contents.iterdir()) - before) == 1


@in_loop
async def test_blocks_without_a_list_end_after_a_week(store: Store) -> None:
    """Azure keeps them as long; then the next block that is put lets them go. Blobs stay."""
    answers = Blobs(store, "key")
    await store.put_blob("box", "blob", once(b"x"), {})
    await answers.answer(block_call(answers, "old"))
    store._db.execute("UPDATE blobs SET modified = ?", (time.time() - 7 * 24 * 3600 - 1,))

    await answers.answer(block_call(answers, "new"))

    places = {place for (place,) in store._db.execute("SELECT container FROM blobs")}
    assert places == {"box", "box/blocks/new"}
    assert len([*store.contents.iterdir()]) == 2


def block_call(answers: Blobs, name: str) -> Call:
    return call(answers, "PUT", name, {"comp": "block", "blockid": "MQ=="}, {})


def call(answers: Blobs, method: str, name: str, query: dict[str, str], headers: dict[str, str]) -> Call:
    signed = dict(part.split("=", 1) for part in answers.sas("box").split("&"))
    return Call(method, "", {"container": "box", "name": name}, signed | query, headers, b"", once(b"x"))


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("bytes=0-0", "0-0"),
        ("bytes=2-", "2-4"),
        ("bytes=3-99", "3-4"),
        ("bytes=5-", ""),
        ("bytes=3-2", ""),
        ("2-3", ""),
    ],
)
@in_loop
async def test_ranges(store: Store, asked: str, given: str) -> None:
    """A range ends with its blob, and one that begins behind it is refused."""
    await store.put_blob("box", "name", once(b"01234"), {})
    answers = Blobs(store, "key")
    asking = answers.answer(call(answers, "GET", "name", {}, {"Range": asked}))

    if not given:
        with pytest.raises(InvalidRange):
            await asking
    else:
        reply = await asking
        first, last = map(int, given.split("-"))
        assert reply.headers["Content-Range"] == f"bytes {given}/5"
        assert b"".join([part async for part in reply.body]) == b"01234"[first : last + 1]


@in_loop
async def test_a_signature_expires(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was signed for a time opens nothing after it."""
    answers = Blobs(store, "key")
    good = block_call(answers, "name")
    monkeypatch.setattr(module, "SAS_SECONDS", -1)
    late = block_call(answers, "name")

    with pytest.raises(Forbidden):
        await answers.answer(late)
    assert (await answers.answer(good)).status == 201
