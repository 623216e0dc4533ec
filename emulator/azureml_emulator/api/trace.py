"""A record of what was asked and answered, one JSON line a call, with the secrets replaced (`--trace FILE`)."""

import json
import re
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from azureml_emulator.private import open_private

#: Where the server leaves the body that it has read.
SENT = "sent"
REPLACED = "***"
SECRET_FIELDS = {"accessToken", "access_token", "keyValue", "primaryKey", "sasToken", "secondaryKey", "sig"}
#: A shared access signature in an address, a signed token anywhere.
SECRET_TEXT = re.compile(r"(?<=sig=)[^&\s]+|eyJ[\w-]*\.[\w-]+\.[\w-]+")


def recorder(path: Path) -> Middleware:
    """Appends every call to the file, which only its owner may read.

    A line is `{method, path, query, sent, status, headers, body}`: `sent` is the request's body, the rest of it the
    answer. A body that is no JSON is given as its size, a blob's not at all; `status` is null when none was made.
    """
    out = open_private(path, "a")

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer: web.StreamResponse | None = None
        try:
            answer = await handler(request)
            return answer
        finally:
            out.write(json.dumps(_line(request, answer)) + "\n")

    return record


def _line(request: web.Request, answer: web.StreamResponse | None) -> dict[str, Any]:
    body = answer.body if isinstance(answer, web.Response) else None
    return line(
        {"method": request.method, "path": request.rel_url.raw_path, "query": dict(request.query)},
        request.get(SENT, b""),
        {"status": answer.status if answer else None, "headers": dict(answer.headers) if answer else {}},
        body if isinstance(body, bytes) else b"",
    )


def line(asked: dict[str, Any], sent: bytes, answered: dict[str, Any], body: bytes) -> dict[str, Any]:
    """One call: `asked` is its method, path and query, `answered` the status and headers."""
    answered = {**_without_secrets(answered), "body": _readable(body)}
    return {**_without_secrets(asked), "sent": _readable(sent), **answered}


def _readable(body: bytes) -> Any:
    try:
        return _without_secrets(json.loads(body)) if body else None
    except (ValueError, RecursionError):
        return f"{len(body)} bytes"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: REPLACED if key in SECRET_FIELDS else _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return SECRET_TEXT.sub(REPLACED, value) if isinstance(value, str) else value
