"""HTTPS on loopback: reads requests, checks who asks, calls the routes' handlers, writes answers and errors."""

import inspect
import json
import logging
import re
import socket
import ssl
import uuid
from collections.abc import AsyncIterator, Iterable
from email.utils import formatdate
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from azureml_emulator.api.routes import BLOBS, Row, names, table
from azureml_emulator.api.trace import SENT
from azureml_emulator.api.tracking import put_artifact
from azureml_emulator.arm.actions import needed
from azureml_emulator.arm.documents import Scope
from azureml_emulator.arm.errors import (
    ApiError,
    BadRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
)
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.arm.names import PROVIDER
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT, of_blobs
from azureml_emulator.resources.operations import CALLER
from azureml_emulator.resources.tokens import ARM, RUN

log = logging.getLogger(__name__)
MEGABYTE = 1024 * 1024
MAX_DOCUMENT = 4 * MEGABYTE  # ARM's own limit for a request body
MAX_BLOB = 72 * MEGABYTE  # the SDK puts up to 64 MB at once


class Server:
    """The web application over one Azure; `around` it is what sees every request and answer."""

    def __init__(self, azure: Azure, base: str, around: Iterable[Middleware] = ()):
        self._azure = azure
        self._base = base
        self._rows = table()
        self.app = web.Application(client_max_size=MAX_BLOB, middlewares=[*around, refusals])
        self.app.on_response_prepare.append(self._date)
        self.app.router.add_post("/endpoints/{endpoint}/score", self._score)
        self.app.router.add_get("/endpoints/{endpoint}/swagger.json", self._score)
        self.app.router.add_route("*", r"/{path:[\s\S]*}", self._answer)

    async def _date(self, _request: web.Request, answer: web.StreamResponse) -> None:
        answer.headers["Date"] = formatdate(self._azure.clock.now(), usegmt=True)

    async def _score(self, request: web.Request) -> web.Response:
        body = await whole(request, received(request, self._azure.options.max_payload))
        asks = body if request.method == "POST" else request.query_string
        answer = await self._azure.router.score(request.match_info["endpoint"], request.headers, asks)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    async def _answer(self, request: web.Request) -> web.Response:
        return _response(await self._dispatch(request))

    async def _dispatch(self, request: web.Request) -> Reply:
        path = request.rel_url.raw_path
        matches = [(row, found) for row in self._rows if (found := names(row.path, path)) is not None]
        guarded = [(row, found) for row, found in matches if row.guarded]
        if path.lower().startswith("/subscriptions/") or guarded:
            self._authorize(request, path, guarded)
        if not matches:
            raise NotFound(f"{what(request.method, path)} isn't emulated; the README lists what is.", "NotEmulated")
        if path.lower().startswith("/subscriptions/"):  # the services behind a workspace have versions of their own
            check_version(request.query.get("api-version", ""), path)
        for row, found in matches:
            if row.method == request.method:
                return await self._call(request, row, found)
        methods = " and ".join(sorted({row.method for row, _ in matches}))
        raise MethodNotAllowed(f"{request.method} of {path} isn't emulated; {methods} is.")

    async def _call(self, request: web.Request, row: Row, found: dict[str, str]) -> Reply:
        streams = row.handler in (BLOBS[0][2], put_artifact)
        parts = received(request, MAX_BLOB if streams else MAX_DOCUMENT)
        body = b"" if streams else await whole(request, parts)
        path = unquote(request.rel_url.raw_path)
        call = Call(request.method, self._base, found, request.query, request.headers, body, parts, path)
        if "workspace" in found:
            self._azure.check(call.scope)
        if body and row.guarded and not row.action:
            check_type(request.headers.get("Content-Type", "<null>"))
        answer = row.handler(self._azure, call)
        answer = await answer if inspect.isawaitable(answer) else answer
        return answer if isinstance(answer, Reply) else Reply(answer)

    def _authorize(self, request: web.Request, path: str, rows: list[tuple[Row, dict[str, str]]]) -> None:
        """Who calls, and may they? Raises Unauthorized and Forbidden; of what isn't there, too."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Authentication failed. The 'Authorization' header is missing.")
        asked = [(row, found) for row, found in rows if row.action and row.method == request.method]
        caller = self._azure.tokens.check(token, [ARM, RUN] if asked else [ARM])
        CALLER.set(caller)
        if asked:
            row, found = asked[0]
            workspace = Scope(found["subscription"], found["group"], found["workspace"]).id
            self._azure.roles.require(caller, f"{PROVIDER}/workspaces/{row.action}", workspace)
        elif not self._azure.operations.is_of(caller, path):
            self._azure.roles.check(caller, request.method, unquote(path))


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever was raised, as an answer."""
    try:
        return await handler(request)
    except ApiError as refusal:
        return _error(refusal, request)
    except (web.RequestPayloadError, ConnectionError):
        early = "The request body ends early, or is not in the encoding that its headers name."
        return _error(BadRequest(early), request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _error(ApiError("The local Azure ML has a bug; its log says more."), request)


def received(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises TooLarge: at once if its length says so, or when `limit` bytes have come."""
    too_large = TooLarge(f"The request body is larger than {limit} bytes.")
    if (request.content_length or 0) > limit:
        raise too_large

    async def parts() -> AsyncIterator[bytes]:
        if request.content.at_eof():
            yield await request.read()  # a fault may have had it read already
        left = limit
        async for part in request.content.iter_any():
            left -= len(part)
            if left < 0:
                raise too_large
            yield part

    return parts()


async def whole(request: web.Request, parts: AsyncIterator[bytes]) -> bytes:
    """The body at once, which is recorded then."""
    request[SENT] = body = b"".join([part async for part in parts])
    return body


def check_type(given: str) -> None:
    """Raises UnsupportedMediaType for a body that isn't said to be JSON (Azure/azure-cli#32972)."""
    media = given.partition(";")[0].strip()
    if media.lower() != "application/json":
        said = f"The content media type '{media}' is not supported. Only 'application/json' is supported."
        raise UnsupportedMediaType(said)


def check_version(version: str, path: str) -> None:
    """Raises NotFound for an api-version that can't be one; those that can are all taken, as is none."""
    if version and not re.fullmatch(r"\d{4}-\d\d-\d\d(-[a-z]+)?", version, re.IGNORECASE | re.ASCII):
        provider, *parts = unquote(path).rpartition("/providers/")[2].split("/")
        kind = f"The resource type '{'/'.join(parts[::2])}' could not be found in the namespace '{provider}'"
        raise NotFound(f"{kind} for api version '{version}'.", "InvalidResourceType")


def what(method: str, path: str) -> str:
    """What a call that no row is for wants, as people know it, or as the resource manager calls the permission."""
    if not re.match("/subscriptions/.*/providers/", path, re.IGNORECASE):
        return f"{method} {path}"
    return needed(method, unquote(path))[0]


async def listen(server: Server, listener: socket.socket, certificate: ssl.SSLContext) -> web.AppRunner:
    """Serves on the socket until the runner is cleaned up. Requests are not logged: they carry secrets."""
    runner = web.AppRunner(server.app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=certificate).start()
    return runner


def _response(reply: Reply) -> web.Response:
    headers = {"x-ms-request-id": str(uuid.uuid4()), **reply.headers}
    if isinstance(reply.body, bytes | AsyncIterator):
        return web.Response(body=reply.body, status=reply.status, headers=headers)
    if reply.body is None and reply.status != 202:
        return web.Response(status=reply.status, headers=headers)
    return web.json_response(reply.body, status=reply.status, headers=headers)


def _error(refusal: ApiError, request: web.Request) -> web.Response:
    """ARM's error envelope; the Blob service has one of its own, and names the code in a header, too."""
    headers = {"x-ms-error-code": refusal.code, "x-ms-request-id": str(uuid.uuid4())}
    if isinstance(refusal, Unauthorized):
        headers["WWW-Authenticate"] = f'Bearer error="invalid_token", error_description="{refusal}"'
    if not request.path.startswith(f"/{ACCOUNT}.blob."):
        body = json.dumps({"error": refusal.body} if refusal.enveloped else refusal.body)
        return web.Response(text=body, status=refusal.status, headers=headers, content_type="application/json")
    told = f"<Error><Code>{refusal.code}</Code><Message>{escape(str(refusal))}</Message></Error>"
    text = (
        f'<?xml version="1.0" encoding="utf-8"?>{told}' if refusal.status >= 400 and request.method != "HEAD" else None
    )
    return web.Response(
        text=text, status=refusal.status, headers=headers | of_blobs(request.headers), content_type="application/xml"
    )
