"""The control route, off Azure's paths: add, list and clear faults, read the record of calls."""

import asyncio
import hmac
import json
import os
import secrets
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import ApiError, BadRequest, Unauthorized
from azureml_emulator.faults.injection import PREFIX, Injection
from azureml_emulator.faults.kinds import parse

FILE = "control.json"
MAX_WAIT = 60  # seconds


class Control:
    """The routes below /emulator over one Injection; `key` is made anew at every start."""

    def __init__(self, injection: Injection):
        self._faults, self._calls = injection.faults, injection.calls
        self.key = secrets.token_urlsafe(32)
        self.app = web.Application(client_max_size=64 * 1024, middlewares=[self._guard])
        self.app.router.add_post("/faults", self._add)
        self.app.router.add_get("/faults", self._list)
        self.app.router.add_delete("/faults", self._clear)
        self.app.router.add_get(r"/faults/{id:\d{1,9}}", self._show)
        self.app.router.add_delete(r"/faults/{id:\d{1,9}}", self._clear)
        self.app.router.add_get("/calls", self._recorded)
        self.app.router.add_delete("/calls", self._reset)
        self.app.on_shutdown.append(self._release)

    def write(self, state: Path, base: str) -> None:
        """Leaves address and key in the state folder, for its owner alone."""
        descriptor = os.open(state / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            os.fchmod(out.fileno(), 0o600)  # it may have been there
            json.dump({"url": base + PREFIX.rstrip("/"), "key": self.key}, out)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {self.key}".encode()):
                raise Unauthorized(f"The control route takes the key in {FILE} of the state folder.")
            return await handler(request)
        except ApiError as refusal:
            error = {"error": {"code": refusal.code, "message": str(refusal)}}
            return web.json_response(error, status=refusal.status)

    async def _add(self, request: web.Request) -> web.Response:
        try:
            given = json.loads(await request.read())
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise BadRequest("A fault is a JSON object.")
        return web.json_response(self._faults.add(parse(given)).document, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"value": [active.document for active in self._faults.all.values()]})

    async def _show(self, request: web.Request) -> web.Response:
        """With `wait` (seconds): not before the fault has met something, unless the time is over."""
        active = self._faults[int(request.match_info["id"])]
        waited = [asyncio.ensure_future(event.wait()) for event in (active.reached, active.cleared)]
        await asyncio.wait(waited, timeout=_seconds(request), return_when=asyncio.FIRST_COMPLETED)
        for wait in waited:
            wait.cancel()
        return web.json_response(active.document)

    async def _clear(self, request: web.Request) -> web.Response:
        number = request.match_info.get("id")
        self._faults.clear(None if number is None else int(number))
        return web.Response(status=204)

    async def _recorded(self, request: web.Request) -> web.Response:
        calls = [dict(zip(("method", "path", "time"), call, strict=True)) for call in self._calls.last]
        record: Document = {"count": self._calls.count, "value": calls}
        return web.json_response(record)

    async def _reset(self, request: web.Request) -> web.Response:
        self._calls.reset()
        return web.Response(status=204)

    async def _release(self, _app: web.Application) -> None:
        """No call is held past the end."""
        self._faults.clear()


def _seconds(request: web.Request) -> float:
    try:
        seconds = float(request.query.get("wait", "0"))
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= MAX_WAIT:
        raise BadRequest(f"wait must be a number of seconds from 0 to {MAX_WAIT}.")
    return seconds
