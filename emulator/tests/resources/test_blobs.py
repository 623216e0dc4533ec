"""Blobs: that they go to the disk and come from it in parts, and what is left of uploads that never ended."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from multidict import CIMultiDict

from azureml_emulator.arm import store as parts
from azureml_emulator.arm.errors import BadRequest
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
    from azure.storage.blob import BlobClient, ContainerClient

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


@pytest.mark.parametrize("delimiter", ["", "/"])
def test_lists_in_pages(container: ContainerClient, delimiter: str) -> None:
    """Each page is as large as was asked for, a folder counts as one, and the next goes on where it ended."""
    for name in ("a/1", "a/2", "b", "c/1", "d"):
        container.upload_blob(f"paged/{name}", b"x", overwrite=True)
    ask = container.walk_blobs if delimiter else container.list_blobs

    pages = [[one.name.removeprefix("paged/") for one in page] for page in ask("paged/", results_per_page=2).by_page()]

    assert pages == ([["a/", "b"], ["c/", "d"]] if delimiter else [["a/1", "a/2"], ["b", "c/1"], ["d"]])


@pytest.mark.parametrize(
    ("asked", "code"),
    [("maxresults=0", "OutOfRangeQueryParameterValue"), ("maxresults=a", "InvalidQueryParameterValue")],
)
def test_sizes_of_pages(azure: dict[str, str], container: ContainerClient, asked: str, code: str) -> None:
    """No page is empty (rest/api/storageservices/enumerating-blob-resources)."""
    answer = Arm(azure).session.get(f"{container.url}&restype=container&comp=list&{asked}", timeout=10)

    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (lambda blob, other: blob.upload_blob_from_url(other.url), "copying a blob"),
        (lambda blob, other: blob.start_copy_from_url(other.url), "copying a blob"),
        (lambda blob, other: blob.stage_block_from_url("MQ==", other.url), "copying a blob"),
        (lambda blob, other: blob.upload_blob(b"x", tags={"a": "b"}), "tagging a blob"),
        (lambda blob, other: blob.upload_blob(b"x", lease="any"), "leasing a blob"),
    ],
)
def test_what_a_write_asks_for_is_not_dropped(
    container: ContainerClient, write: Callable[[BlobClient, BlobClient], object], named: str
) -> None:
    """A blob is not written without what isn't emulated, nor empty for want of the copy that it should be."""
    from azure.core.exceptions import HttpResponseError

    container.upload_blob("source", b"x", overwrite=True)

    with pytest.raises(HttpResponseError, match=f"{named} isn't emulated"):
        write(container.get_blob_client("target"), container.get_blob_client("source"))

    assert not container.get_blob_client("target").exists()


def test_metadata_keep_their_case(container: ContainerClient) -> None:
    """Their names do (rest/api/storageservices, metadata header format); a list tells them if it is asked to."""
    container.upload_blob("cased", b"x", metadata={"Author": "a", "lower": "b"})

    lists = [next(container.list_blobs("cased", include=include)).metadata for include in (None, ["metadata"])]

    assert [container.get_blob_client("cased").get_blob_properties().metadata, *lists] == [
        {"Author": "a", "lower": "b"},
        None,
        {"Author": "a", "lower": "b"},
    ]


@in_loop
async def test_metadata_of_one_name(store: Store) -> None:
    """Two that are the same but for their case are refused."""
    await store.put_blob("box", "name", once(b"x"), {})
    headers = CIMultiDict([("x-ms-meta-A", "1"), ("x-ms-meta-a", "2")])

    with pytest.raises(BadRequest, match="same name"):
        await Blobs(store, "key").answer(call(Blobs(store, "key"), "PUT", "name", {"comp": "metadata"}, headers))


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


def call(answers: Blobs, method: str, name: str, query: dict[str, str], headers: Mapping[str, str]) -> Call:
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
