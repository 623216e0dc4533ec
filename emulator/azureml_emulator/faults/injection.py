"""Lets the faults meet calls and what goes on behind them; keeps a record of the calls. Without faults: one check."""

import contextlib
import time
from collections import deque
from contextvars import ContextVar

from aiohttp import web
from aiohttp.typedefs import Handler

from azureml_emulator.arm.documents import Document, in_state
from azureml_emulator.faults.fault import Injected
from azureml_emulator.faults.kinds import Misbehave
from azureml_emulator.faults.on_calls import Disturbance, Hide, Lag, Turn
from azureml_emulator.faults.on_jobs import OnJobs
from azureml_emulator.faults.on_operations import ENDPOINT, Behind, Late, OnOperations, Overwrite, endpoint_at
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.operations import Work
from azureml_emulator.serving.container import FAULT

PREFIX = "/emulator/"
MAX_CALLS = 10_000  # remembered; more are only counted
#: Method and path of the call that is being answered, for the operation that it may start.
CALL: ContextVar[tuple[str, str] | None] = ContextVar("CALL", default=None)


class Injection:
    """The faults of one Azure, and its calls since `forget`; `around` is the server's middleware.

    A call is `{method, path, time}`: the path without its query, which may be a signature; the time is epoch.
    """

    def __init__(self, azure: Azure):
        self.faults = Injected()
        self.forget()
        self._azure = azure
        azure.operations.disturb = self._begin
        azure.router.disturb = self._score
        azure.listed = self._listed
        azure.lag = self._lag
        azure.jobs.disturb = lambda name: [*self.faults.due(OnJobs, name)]

    def forget(self) -> None:
        self.count, self.calls = 0, deque[Document](maxlen=MAX_CALLS)

    @web.middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith(PREFIX):
            return await handler(request)
        self.count += 1
        self.calls.append({"method": request.method, "path": path, "time": time.time()})
        return await (self._disturbed(request, path, handler) if self.faults else handler(request))

    async def _disturbed(self, request: web.Request, path: str, handler: Handler) -> web.StreamResponse:
        CALL.set((request.method, path))
        with contextlib.suppress(web.RequestPayloadError):  # refused later, when it is wanted
            await request.read()  # with the body unread it would not show that a client has gone away
        for turn in self.faults.due(Turn, request.method, path):
            turn.meet().turn(self._azure)
        later = []
        for fault in self.faults.due(Disturbance, request.method, path):
            if fault.when == "after":
                later.append(fault)
            elif early := await fault.meet().disturb(request):
                return early
        answer = await handler(request)
        if request.method == "GET" and answer.status == 200 and (late := self._read(path)):
            answer = late
        for fault in later:
            answer = await fault.meet().disturb(request) or answer
        return answer

    def _read(self, path: str) -> web.Response | None:
        """What a GET that went well is answered instead. Somebody else's write may follow it."""
        for fault in self.faults.due(Overwrite, "GET", path):
            fault.meet().write(self._azure, path)
        pasts = [fault.past(path) for fault in self.faults.values() if isinstance(fault, Late)]
        last = next((past for past in reversed(pasts) if past), None)
        return last.answer() if last else None

    def _begin(self, work: Work) -> Work:
        """What becomes of the work that the present call begins. The fault that was added first is met first."""
        if (call := CALL.get()) is None:
            return work
        old = self._updating(call[1])
        due = [*self.faults.due(OnOperations if old is None else Behind, *call)]
        for fault in reversed(due):
            work = fault.meet().disturb(work, self._azure, call[1], old or {})
        return work

    def _updating(self, path: str) -> Document | None:
        """The endpoint that is being updated, as it was."""
        if not ENDPOINT.fullmatch(path):
            return None
        document = self._azure.endpoints.get(*endpoint_at(path))
        is_there = document["properties"]["provisioningState"] == "Updating"
        return in_state(document, "Succeeded") if is_there else None

    def _listed(self, found: list[Document]) -> list[Document]:
        """What the list that the present call asks for shows."""
        call = CALL.get()
        return [item for item in found if call is None or not self._hides(*call, item["name"])]

    def _hides(self, *subject: str) -> bool:
        hiding = [*self.faults.due(Hide, *subject)]
        for fault in hiding:
            fault.meet().hide()
        return bool(hiding)

    def _lag(self) -> float:
        """How many minutes later the metrics come that the present call asks for."""
        call = CALL.get()
        return sum(fault.meet().minutes for fault in (self.faults.due(Lag, *call) if call else ()))

    def _score(self, endpoint: str, deployment: str) -> dict[str, str]:
        """The header of a scoring request that lets the container misbehave."""
        for fault in self.faults.due(Misbehave, endpoint, deployment):
            return {FAULT: fault.meet().model_dump_json(include={"seconds", "status", "crash"})}
        return {}
