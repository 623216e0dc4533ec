"""The conditions of a request for a blob: If-Match and the like.

https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations
"""

import re
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz

from azureml_emulator.arm.errors import ApiError, BadRequest
from azureml_emulator.arm.store import Blob


class AlreadyExists(ApiError):
    status, code = 409, "BlobAlreadyExists"


class NotMet(ApiError):
    status, code = 412, "ConditionNotMet"


class NotModified(NotMet):
    status = 304


def etag(blob: Blob) -> str:
    """Changes with each write, of metadata too."""
    return f'"0x8{int(blob.modified * 10**7):X}"'


def check(headers: Mapping[str, str], blob: Blob | None, reading: bool) -> None:
    """Raises NotMet, NotModified or AlreadyExists where a request is not to be carried out. `blob` is what is there."""
    unchanged = NotModified if reading else NotMet
    words = "The condition specified using HTTP conditional header(s) is not met."
    tags = {name: headers.get(name) for name in ("If-Match", "If-None-Match")}
    if tags["If-Match"] and not _is(blob, tags["If-Match"]):
        raise NotMet(words)
    if tags["If-None-Match"] == "*" and reading:
        raise BadRequest("If-None-Match: * can't be met by what is there.", "UnsatisfiableCondition")
    if tags["If-None-Match"] == "*" and blob:
        raise AlreadyExists("The specified blob already exists.")
    if tags["If-None-Match"] and _is(blob, tags["If-None-Match"]):
        raise unchanged(words)
    written = int(blob.modified) if blob else 0
    if blob and written <= _time(headers, "If-Modified-Since", -1):
        raise unchanged(words)
    if blob and written > _time(headers, "If-Unmodified-Since", written):
        raise NotMet(words)


def _is(blob: Blob | None, wanted: str) -> bool:
    """Whether the blob is one of these: tags with or without quotes, `*` for any."""
    tags = {tag.strip('"') for tag in re.split(r"\s*,\s*", wanted.strip())}
    return blob is not None and ("*" in tags or etag(blob).strip('"') in tags)


def _time(headers: Mapping[str, str], name: str, otherwise: int) -> float:
    """The second that a header names."""
    if (text := headers.get(name)) is None:
        return otherwise
    try:
        if parsed := parsedate_tz(text):
            return mktime_tz(parsed)
    except (ValueError, OverflowError):
        pass
    raise BadRequest(f"{name} must be a time of HTTP, not {text!r}.", "InvalidHeaderValue")
