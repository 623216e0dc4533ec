"""Conditions of requests for blobs, and what answers say of a blob."""

from __future__ import annotations

import base64
import hashlib
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azureml_emulator.arm.errors import ApiError
from azureml_emulator.arm.store import Blob
from azureml_emulator.resources.conditions import check, etag
from azureml_emulator.testing import Arm, blobs

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

BLOB = Blob("a", Path("a"), 1, 1_700_000_000.5, {})
TAG, OTHER = etag(BLOB), '"0x8D0"'
THEN, BEFORE, LATER = (formatdate(BLOB.modified + by, usegmt=True) for by in (0, -10, 10))


@pytest.fixture(scope="module")
def container(azure: dict[str, str]) -> ContainerClient:
    return blobs(Arm(azure))


@pytest.mark.parametrize(
    ("header", "value", "read", "write", "absent"),
    [
        ("If-Match", TAG, 0, 0, 412),
        ("If-Match", TAG.strip('"'), 0, 0, 412),
        ("If-Match", f"{OTHER}, {TAG}", 0, 0, 412),
        ("If-Match", "*", 0, 0, 412),
        ("If-Match", OTHER, 412, 412, 412),
        ("If-None-Match", TAG, 304, 412, 0),
        ("If-None-Match", OTHER, 0, 0, 0),
        ("If-None-Match", "*", 400, 409, 0),
        ("If-Modified-Since", BEFORE, 0, 0, 0),
        ("If-Modified-Since", THEN, 304, 412, 0),
        ("If-Modified-Since", LATER, 304, 412, 0),
        ("If-Modified-Since", "soon", 400, 400, 0),
        ("If-Unmodified-Since", BEFORE, 412, 412, 0),
        ("If-Unmodified-Since", THEN, 0, 0, 0),
        ("x-other", "*", 0, 0, 0),
    ],
)
def test_conditions(header: str, value: str, read: int, write: int, absent: int) -> None:
    """What each comes to for a read and a write of a blob that is there, and for a write of one that isn't."""
    found = [refusal({header: value}, *case) for case in ((BLOB, True), (BLOB, False), (None, False))]

    assert found == [read, write, absent]


def refusal(headers: dict[str, str], blob: Blob | None, reading: bool) -> int:
    try:
        check(headers, blob, reading)
    except ApiError as refused:
        return refused.status
    return 0


def test_a_blob_is_not_written_twice(container: ContainerClient) -> None:
    """An upload that is to overwrite nothing is refused by what is there, whole or in blocks."""
    from azure.core.exceptions import ResourceExistsError

    container.upload_blob("once", b"first")

    for content in (b"second", b"second" * 1000):
        with pytest.raises(ResourceExistsError) as refused:
            container.upload_blob("once", content)
        assert refused.value.error_code == "BlobAlreadyExists"  # type: ignore[attr-defined]
    assert container.download_blob("once").readall() == b"first"


def test_a_write_over_another_s(container: ContainerClient) -> None:
    """Who has read an older blob, or older metadata, can't write over what came later."""
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceModifiedError

    blob = container.get_blob_client("shared")
    before = blob.upload_blob(b"first")["etag"]
    after = blob.set_blob_metadata({"a": "b"})["etag"]

    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"mine", overwrite=True, etag=before, match_condition=MatchConditions.IfNotModified)
    blob.delete_blob(etag=after, match_condition=MatchConditions.IfNotModified)


def test_what_is_said_of_a_blob(container: ContainerClient) -> None:
    """Azure's client reads its MD5, lease, tag and settings; metadata that is set later leaves them."""
    from azure.storage.blob import ContentSettings

    blob = container.get_blob_client("described")
    md5 = bytearray(hashlib.md5(b"content", usedforsecurity=False).digest())
    answer = blob.upload_blob(b"content", content_settings=ContentSettings("text/plain", cache_control="no-store"))
    blob.set_blob_metadata({"a": "b"})

    found = blob.get_blob_properties()
    assert answer["content_md5"] == md5
    assert (found.content_settings.content_md5, found.content_settings.content_type) == (md5, "text/plain")
    assert (found.content_settings.cache_control, found.metadata) == ("no-store", {"a": "b"})
    assert (found.lease.status, found.lease.state, found.server_encrypted) == ("unlocked", "available", True)
    [listed] = container.list_blobs("described", include=["metadata"])
    assert (listed.content_settings.content_md5, listed.lease.state, listed.metadata) == (md5, "available", {"a": "b"})
    assert f'"{listed.etag}"' == found.etag


def test_a_content_that_was_damaged(container: ContainerClient, azure: dict[str, str]) -> None:
    """A content that isn't what its MD5 says is refused, and leaves nothing."""
    address, session = container.get_blob_client("damaged").url, Arm(azure).session
    wrong = base64.b64encode(hashlib.md5(b"a", usedforsecurity=False).digest()).decode()
    headers = {"x-ms-blob-type": "BlockBlob", "Content-MD5": wrong}

    answer = session.put(address, b"b", headers=headers, timeout=10)

    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "Md5Mismatch")
    assert not container.get_blob_client("damaged").exists()


def test_every_answer_names_the_version(container: ContainerClient, azure: dict[str, str]) -> None:
    """Refusals, too, which are XML as the Blob service's are."""
    address, session = container.get_blob_client("none").url, Arm(azure).session
    asked = {"x-ms-version": "2020-10-02", "x-ms-client-request-id": "mine"}

    found = [session.request(method, address, headers=asked, timeout=10) for method in ("GET", "HEAD")]
    bare = session.get(container.url, timeout=10)

    for answer in found:
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (404, "BlobNotFound")
        assert {name: answer.headers[name] for name in asked} == asked
    assert "<Error><Code>BlobNotFound</Code><Message>" in found[0].text
    assert bare.headers["x-ms-version"]


@pytest.mark.parametrize(
    ("method", "query", "headers", "why"),
    [
        ("PUT", "comp=lease", {}, "PUT of a blob with comp='lease' isn't emulated"),
        ("PUT", "comp=tags", {}, "comp='tags' isn't emulated"),
        ("PUT", "", {"x-ms-blob-type": "AppendBlob"}, "block blobs aren't emulated"),
        ("PUT", "", {"x-ms-copy-source": "https://a/b"}, "copying a blob isn't emulated"),
    ],
)
def test_what_is_not_emulated(
    container: ContainerClient, azure: dict[str, str], method: str, query: str, headers: dict[str, str], why: str
) -> None:
    """It is named."""
    address = f"{container.get_blob_client('any').url}&{query}"

    answer = Arm(azure).session.request(method, address, headers=headers, timeout=10)

    assert (answer.status_code, why in answer.text.replace("&apos;", "'")) == (400, True)
