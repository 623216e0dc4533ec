"""The part of the Blob service's protocol that the SDK speaks to upload, list and download model folders.

https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from email.utils import formatdate
from urllib.parse import urlencode
from xml.etree import ElementTree

from azureml_emulator.arm.errors import ApiError, BadRequest, NotFound
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.arm.store import Blob, Content, Store, check_blob_name
from azureml_emulator.resources import listing
from azureml_emulator.resources.conditions import check, etag

ACCOUNT = "localstorage"
SUFFIX = "core.local"
SAS_SECONDS = 8 * 3600
UNCOMMITTED_SECONDS = 7 * 24 * 3600  # for which a block waits for its list, as in Azure
META = "x-ms-meta-"
SERVICE_VERSION = "2024-11-04"  # answered where none is asked for
#: What a blob keeps to be answered with, by the header that it is sent in.
KEPT = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
    "x-ms-blob-content-md5": "Content-MD5",
}
#: What Azure has besides, by the header that asks for it: to write a blob without it would be to drop it.
ABSENT = {
    "x-ms-copy-source": "copying a blob",
    "x-ms-tags": "tagging a blob",
    "x-ms-access-tier": "a blob's tier",
    "x-ms-lease-id": "leasing a blob",
    "x-ms-encryption-key": "a blob's own key",
}
LEASE = {"x-ms-lease-status": "unlocked", "x-ms-lease-state": "available"}
WRITTEN = {"x-ms-request-server-encrypted": "true"}


class Forbidden(ApiError):
    status, code = 403, "AuthenticationFailed"


class InvalidRange(ApiError):
    status, code = 416, "InvalidRange"


class Blobs:
    """Answers for the one storage account; its shared access signatures are signed with the key in the store.

    `admit` takes a bearer token, the method and the container, and raises Unauthorized or Forbidden.
    """

    def __init__(
        self, store: Store, key: str, admit: Callable[[str, str, str], None] | None = None, shared_keys: bool = True
    ):
        self._store = store
        self._key = key
        self._admit = admit
        self._shared_keys = shared_keys

    def sas(self, container: str) -> str:
        """A shared access signature for one container, good for SAS_SECONDS."""
        expires = str(int(time.time()) + SAS_SECONDS)
        signature = self._sign(container, expires)
        return urlencode({"sv": "2024-11-04", "sr": "c", "sp": "rwdl", "se": expires, "sig": signature})

    async def answer(self, call: Call) -> Reply:
        """Raises Forbidden for who has no access, NotFound and BadRequest."""
        self._authorize(call)
        found = HANDLERS.get((call.method, call.query.get("comp", ""), bool(call.names.get("name"))))
        if found is None:
            what = f"{call.method} of a {'blob' if call.names.get('name') else 'container'}"
            why = f"{what} with comp={call.query.get('comp', '')!r} isn't emulated."
            raise BadRequest(why, "UnsupportedQueryParameter")
        if absent := [what for header, what in ABSENT.items() if header in call.headers]:
            raise BadRequest(f"{absent[0]} isn't emulated.", "UnsupportedHeader")
        reply = await found(self._store, call)
        return Reply(reply.body, reply.status, {**of_blobs(call.headers), **reply.headers})

    def _authorize(self, call: Call) -> None:
        scheme, _, token = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and "sig" not in call.query and self._admit:
            return self._admit(token, call.method, call["container"])
        if not self._shared_keys:
            why = "Key based authentication is not permitted on this storage account."
            raise Forbidden(why, "KeyBasedAuthenticationNotPermitted")
        expires, signature = call.query.get("se", ""), call.query.get("sig", "")
        signed = self._sign(call["container"], expires)
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), signed.encode()) or int(expires) < time.time():
            raise Forbidden("The shared access signature is not valid or has expired.")
        return None

    def _sign(self, container: str, expires: str) -> str:
        return hmac.new(
            self._key.encode(), f"{container} {expires}".encode("utf-8", "replace"), hashlib.sha256
        ).hexdigest()


def of_blobs(headers: Mapping[str, str]) -> dict[str, str]:
    """What every answer of the service says: the version that was asked with, and the client's own id of the call."""
    asked = {name: headers.get(name, "") for name in ("x-ms-version", "x-ms-client-request-id")}
    return {"x-ms-version": SERVICE_VERSION} | {
        name: text for name, text in asked.items() if text and text.isprintable()
    }


async def put_blob(store: Store, call: Call) -> Reply:
    if call.headers.get("x-ms-blob-type") != "BlockBlob":
        raise BadRequest("Blobs but block blobs aren't emulated.", "UnsupportedHeader")
    return await _write(store, call, call.parts, hashed=True)


async def put_block(store: Store, call: Call) -> Reply:
    check_blob_name(call["name"])
    await store.expire(f"{call['container']}/blocks/", before=time.time() - UNCOMMITTED_SECONDS)
    given = call.headers.get("Content-MD5")
    async with store.written(call.parts) as content:
        _same(given, content)
        await store.keep_blob(*_block(call, call.query.get("blockid", "")), content, {})
    return Reply(status=201, headers=WRITTEN | ({"Content-MD5": given} if given else {}))


async def put_block_list(store: Store, call: Call) -> Reply:
    """Joins the blocks that were put before, in the order of the list."""
    try:
        text = b"".join([part async for part in call.parts]).decode()
        if "<!" in text:
            raise BadRequest("A block list holds no document type.", "InvalidXmlDocument")
        listed = ElementTree.fromstring(text)  # noqa: S314 (no document type: no entities)
    except (UnicodeDecodeError, ElementTree.ParseError):
        raise BadRequest("The block list is not valid XML.", "InvalidXmlDocument") from None
    blocks = [block for item in listed if (block := store.blob(*_block(call, item.text or "")))]
    try:
        if len(blocks) < len(listed):
            raise FileNotFoundError
        return await _write(store, call, (part for block in blocks async for part in block.read()))
    except FileNotFoundError:  # another list has just taken it
        raise BadRequest("The block list names a block that was not put.", "InvalidBlockList") from None


async def set_metadata(store: Store, call: Call) -> Reply:
    blob = _found(store, call)
    check(call.headers, blob, reading=False)
    kept = {name: value for name, value in blob.metadata.items() if "-" in name}
    store.set_blob_metadata(call["container"], call["name"], kept | _metadata(call))
    return Reply(headers=WRITTEN | _written(_found(store, call)))


async def get_blob(store: Store, call: Call) -> Reply:
    blob = _found(store, call)
    check(call.headers, blob, reading=True)
    headers = _headers(blob)
    if call.method == "HEAD":
        return Reply(headers=headers | {"Content-Length": str(blob.size)})
    given = call.headers.get("x-ms-range") or call.headers.get("Range")
    if not given:
        return Reply(blob.read(), headers=headers | {"Content-Length": str(blob.size)})
    wanted = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", given)
    first, last = (int(wanted[1]), min(int(wanted[2] or blob.size), blob.size - 1)) if wanted else (1, 0)
    if first > last:
        raise InvalidRange(f"The range {given} is not in the blob.")
    headers |= {"Content-Length": str(last + 1 - first), "Content-Range": f"bytes {first}-{last}/{blob.size}"}
    if md5 := headers.pop("Content-MD5", ""):  # which is that of the whole
        headers["x-ms-blob-content-md5"] = md5
    return Reply(blob.read(first, last), 206, headers)


async def delete_blob(store: Store, call: Call) -> Reply:
    blob = _found(store, call)
    check(call.headers, blob, reading=False)
    await store.delete_blob(call["container"], blob.name)
    return Reply(status=202, headers={"x-ms-delete-type-permanent": "true"})


async def container(store: Store, call: Call) -> Reply:
    """The one container is always there."""
    return Reply(headers={"ETag": '"0x8"', "Last-Modified": formatdate(0, usegmt=True), **LEASE})


#: By method, `comp`, and whether the path names a blob.
HANDLERS: dict[tuple[str, str, bool], Callable[[Store, Call], Coroutine[None, None, Reply]]] = {
    ("PUT", "", True): put_blob,
    ("PUT", "block", True): put_block,
    ("PUT", "blocklist", True): put_block_list,
    ("PUT", "metadata", True): set_metadata,
    ("GET", "", True): get_blob,
    ("HEAD", "", True): get_blob,
    ("DELETE", "", True): delete_blob,
    ("GET", "", False): container,
    ("HEAD", "", False): container,
    ("GET", "list", False): listing.answer,
}


def _found(store: Store, call: Call) -> Blob:
    blob = store.blob(call["container"], call["name"])
    if blob is None:
        raise NotFound("The specified blob does not exist.", "BlobNotFound")
    return blob


async def _write(store: Store, call: Call, parts: AsyncIterator[bytes], hashed: bool = False) -> Reply:
    """Writes the blob; its blocks without a list are gone with that. `hashed`: the MD5 of the content is said of it."""
    kept = {kept: value for sent, kept in KEPT.items() if (value := call.headers.get(sent))}
    if not all(map(str.isprintable, kept.values())):
        raise BadRequest("A header's value must be printable.", "InvalidHeaderValue")
    async with store.written(parts) as content:
        if hashed:
            _same(call.headers.get("Content-MD5") or kept.get("Content-MD5"), content)
            kept["Content-MD5"] = content.md5
        check(call.headers, store.blob(call["container"], call["name"]), reading=False)
        await store.keep_blob(call["container"], call["name"], content, kept | _metadata(call))
    place, _ = _block(call, "")
    for block in store.blobs(place, ""):
        await store.delete_blob(place, block.name)
    written = _written(_found(store, call)) | WRITTEN
    return Reply(status=201, headers=written | ({"Content-MD5": content.md5} if hashed else {}))


def _same(md5: str | None, content: Content) -> None:
    if md5 not in (None, content.md5):
        what = "The MD5 value specified in the request did not match with the MD5 value calculated by the server."
        raise BadRequest(what, "Md5Mismatch")


def _block(call: Call, block: str) -> tuple[str, str]:
    """Where an uncommitted block waits: its id is base64 and may hold a slash, no container's name holds one."""
    return f"{call['container']}/blocks/{call['name']}", block.encode().hex()


def _metadata(call: Call) -> dict[str, str]:
    """Names keep their case, and are the same in another one."""
    given = [(key[len(META) :], value) for key, value in call.headers.items() if key.lower().startswith(META)]
    found = dict(given)
    if len({key.lower() for key in found}) < len(given):
        raise BadRequest("Two metadata have the same name.", "InvalidMetadata")
    if not all(key.isascii() and key.isidentifier() and value.isprintable() for key, value in found.items()):
        raise BadRequest("A metadata name must be an identifier, its value printable.", "InvalidMetadata")
    return found


def _written(blob: Blob) -> dict[str, str]:
    """What the answer to a write says of the blob."""
    return {"ETag": etag(blob), "Last-Modified": formatdate(blob.modified, usegmt=True)}


def _headers(blob: Blob) -> dict[str, str]:
    kept = {name if "-" in name else META + name: value for name, value in blob.metadata.items()}
    return {
        **_written(blob),
        **LEASE,
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-server-encrypted": "true",
        **kept,
    }
