"""Makes faults happen to calls, and keeps a record of them; without faults a call costs one check."""

import asyncio
import contextlib
import time
from collections import deque

from aiohttp import web
from aiohttp.typedefs import Handler

from azureml_emulator.faults.disruption import CALL, Disruption
from azureml_emulator.faults.kinds import Active, Delay, Disturbance, Drop, Faults, Hold, Refuse
from azureml_emulator.resources.azure import Azure

PREFIX = "/emulator/"
MAX_CALLS = 10_000  # remembered; more are only counted
LOOK_SECONDS = 0.02  # between looks whether a client whose call is held is still there


class Calls:
    """The calls since the last reset: method, path without its query (which may be a signature) and time (epoch)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.count = 0
        self.last: deque[tuple[str, str, float]] = deque(maxlen=MAX_CALLS)

    def note(self, method: str, path: str) -> None:
        self.count += 1
        self.last.append((method, path, time.time()))


class Injection:
    """The faults of one Azure and the record of its calls; `around` is the server's middleware."""

    def __init__(self, azure: Azure):
        self.faults = Faults()
        self.calls = Calls()
        self._disruption = Disruption(azure, self.faults)

    @web.middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith(PREFIX):
            return await handler(request)
        self.calls.note(request.method, path)
        return await (self._disturbed(request, path, handler) if self.faults else handler(request))

    async def _disturbed(self, request: web.Request, path: str, handler: Handler) -> web.StreamResponse:
        CALL.set((request.method, path))
        with contextlib.suppress(web.RequestPayloadError):  # refused later, when it is wanted
            await request.read()  # with the body unread it would not show that a client has gone away
        later = []
        for active in self.faults.due(Disturbance, request.method, path):
            if isinstance(active.fault, Disturbance) and active.fault.when == "after":
                later.append(active)
            elif early := await self._disturb(active, request):
                return early
        answer = await handler(request)
        if request.method == "GET" and answer.status == 200 and (stale := self._disruption.read(path)):
            answer = web.json_response(stale)
        for active in later:
            answer = await self._disturb(active, request) or answer
        return answer

    async def _disturb(self, active: Active, request: web.Request) -> web.Response | None:
        """What is answered instead, None when the call goes on."""
        active.reached.set()
        match active.fault:
            case Refuse() as fault:
                return _refusal(fault)
            case Delay(seconds=seconds):
                await _cleared(active, seconds)
            case Drop():
                return _dropped(request)
            case Hold():
                return await _held(active, request)
        return None


def _refusal(fault: Refuse) -> web.Response:
    headers = {"x-ms-error-code": fault.code}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    body = {"error": {"code": fault.code, "message": fault.message}}
    return web.json_response(body, status=fault.status, headers=headers)


def _dropped(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()  # goes nowhere


async def _held(active: Active, request: web.Request) -> web.Response | None:
    call = f"{request.method} {request.rel_url.raw_path}"
    active.held.append(call)
    try:
        while not active.cleared.is_set() and not _gone(request):
            await _cleared(active, LOOK_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)  # a client that went away just before the fault was cleared shows now
        return _dropped(request) if _gone(request) else None
    finally:
        active.held.remove(call)


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _cleared(active: Active, seconds: float) -> None:
    """Returns when the fault has been cleared, or after so many seconds."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(active.cleared.wait(), seconds)
