"""All that can go wrong: what each kind of fault takes, and what it does to what it meets."""

import asyncio
import random
import time
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BeforeValidator, Field, PrivateAttr

from azureml_emulator.api.routes import D, E, names, pattern
from azureml_emulator.arm.documents import Document, Scope
from azureml_emulator.arm.errors import ApiError, BadRequest
from azureml_emulator.arm.sent import validated
from azureml_emulator.faults.fault import Fault, OnCalls, alike, within
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.endpoints import Percent
from azureml_emulator.resources.operations import Work

ENDPOINT, DEPLOYMENT = pattern(E), pattern(D)
LOOK_SECONDS = 0.02  # between looks whether a client whose call is held is still there


class Disturbance(OnCalls):
    """Meets a call before its effect, or after it and before the answer."""

    when: Literal["before", "after"] = Field("before", description="before or after the call took effect.")

    async def disturb(self, request: web.Request) -> web.Response | None:
        """What is answered instead, None when the call goes on."""
        raise NotImplementedError


class Refuse(Disturbance):
    """Answer with a status and Azure's error envelope."""

    status: int = Field(503, ge=400, le=599, description="The HTTP status.")
    code: str = Field("InjectedFault", description="The error's code.")
    message: str = Field("Somebody asked the local Azure ML to fail here.", description="The error's message.")
    retry_after: int | None = Field(None, ge=0, description="Seconds in a Retry-After header; none without.")

    async def disturb(self, request: web.Request) -> web.Response:
        wait = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        body = {"error": {"code": self.code, "message": self.message}}
        return web.json_response(body, status=self.status, headers={"x-ms-error-code": self.code, **wait})


class Delay(Disturbance):
    """Let the call go on after some seconds, or when the fault is cleared."""

    seconds: float = Field(1, ge=0, description="How long.")

    async def disturb(self, request: web.Request) -> None:
        await within(self.seconds, self._cleared)


class Drop(Disturbance):
    """Close the connection without an answer."""

    async def disturb(self, request: web.Request) -> web.Response:
        if request.transport:
            request.transport.abort()
        return web.Response()  # goes nowhere


class Hold(Disturbance):
    """Hold the call until the fault is cleared or the client goes away. `before`: then it never takes effect."""

    async def disturb(self, request: web.Request) -> web.Response | None:
        def gone() -> bool:
            return request.transport is None or request.transport.is_closing()

        call = f"{request.method} {request.rel_url.raw_path}"
        self._held.append(call)
        try:
            while not self._cleared.is_set() and not gone():
                await within(LOOK_SECONDS, self._cleared)
            await asyncio.sleep(LOOK_SECONDS)  # a client that went away just before the fault was cleared shows now
            return web.Response() if gone() else None
        finally:
            self._held.remove(call)


class Behind(OnCalls):
    """Meets the operation that a matching call begins; if it isn't one OnOperations, only an update of an endpoint."""

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        """What becomes of the operation's work; `old` is the endpoint as it was, where one is updated."""
        raise NotImplementedError


class OnOperations(Behind):
    """Meets the long-running operation that a matching call starts; a call that starts none doesn't count."""


class Fail(OnOperations):
    """Let the operation fail."""

    code: str = Field("InternalServerError", description="The operation's error code.")
    message: str = Field("Somebody asked the local Azure ML to fail here.", description="The error's message.")

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        async def fail() -> None:
            raise ApiError(self.message, self.code)

        return replace(work, prepare=fail)


class Hang(OnOperations):
    """Let the operation never end. It goes on when the fault is cleared."""

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        async def hang() -> None:
            await self._cleared.wait()
            await work.prepare()

        return replace(work, prepare=hang)


class Break(OnOperations):
    """Let the deployment that is put not become healthy, with this at the end of its container log."""

    about = DEPLOYMENT
    method: Literal["PUT"] = Field("PUT", description="PUT.")
    log: str = Field("", description="What the container printed.")

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        place = names(DEPLOYMENT, path) or {}
        log = azure.deployments.log_file(place["endpoint"], place["deployment"])

        async def end() -> None:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as out:
                out.write(self.log + "\n")
            raise ApiError("The container is not healthy: the instance ended before it was ready", "ResourceNotReady")

        return replace(work, prepare=end)


def _split(value: Any) -> Any:
    """`blue=90,green=10` as the mapping it stands for."""
    return dict(part.partition("=")[::2] for part in value.split(",")) if isinstance(value, str) else value


class Overwrite(Behind):
    """Let somebody else write the endpoint's traffic, right after a matching PUT succeeded or GET was answered."""

    about = ENDPOINT
    method: Literal["PUT", "GET"] = Field("PUT", description="PUT or GET.")
    traffic: Annotated[dict[str, Percent], BeforeValidator(_split)] = Field(description="Like blue=90,green=10.")

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        def commit() -> None:
            work.commit()
            self.write(azure, path)

        return replace(work, commit=commit)

    def write(self, azure: Azure, path: str) -> None:
        azure.endpoints.overwrite(*endpoint_at(path), self.traffic)


class Stale(Behind):
    """Answer GETs of the endpoint with what it was before a matching PUT: so many, or for a time after it ended."""

    about = ENDPOINT
    method: Literal["PUT"] = Field("PUT", description="PUT.")
    reads: int = Field(1, ge=1, description="How many GETs; the SDK's own when a PUT ended is one of them.")
    seconds: float = Field(0, ge=0, description="How long after the PUT's operation ended; instead of `reads`.")

    _pasts: dict[str, "Past"] = PrivateAttr(default_factory=dict)

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        past = self._pasts[path.lower()] = Past(old, inf if self.seconds else self.reads)

        def after() -> None:
            work.after()
            past.ends = time.monotonic() + (self.seconds or inf)

        return replace(work, after=after)

    def past(self, path: str) -> "Past | None":
        return self._pasts.get(path.lower())


@dataclass
class Past:
    """What GETs of an endpoint are answered with until `reads` or, where that is timed, `ends` are over."""

    document: Document
    reads: float
    ends: float = inf

    def read(self) -> Document | None:
        self.reads -= 1
        return self.document if self.reads >= 0 and time.monotonic() <= self.ends else None


class Misbehave(Fault):
    """Let the containers of a deployment answer badly, slowly, or die of a scoring request; mirrored ones aside."""

    times: int = Field(0, ge=0, description="How many requests; 0 is all until it is cleared.")
    endpoint: str = Field("*", description="The endpoint's name; * stands for any text.")
    deployment: str = Field("*", description="The deployment's name; * stands for any text.")
    rate: float = Field(1, ge=0, le=1, description="The share of the requests that are hit, drawn at random.")
    seconds: float = Field(0, ge=0, description="Seconds that the container takes longer.")
    status: int | None = Field(None, ge=100, le=599, description="What the container answers instead.")
    crash: bool = Field(False, description="Kill the process that is to answer.")

    def matches(self, *subject: str) -> bool:
        drawn = random.random() < self.rate  # noqa: S311  # no secret
        return drawn and alike(subject, (self.endpoint, self.deployment))


KINDS: dict[str, type[Fault]] = {
    kind.__name__.lower(): kind for kind in (Refuse, Delay, Drop, Hold, Fail, Hang, Break, Overwrite, Stale, Misbehave)
}


def parse(document: Document) -> Fault:
    """The fault that `{"kind": …, …}` describes. Raises BadRequest."""
    given = dict(document)
    kind = KINDS.get(str(given.pop("kind", "")))
    if kind is None:
        raise BadRequest(f"kind must be one of {', '.join(KINDS)}.")
    return validated(kind.model_validate, given)


def endpoint_at(path: str) -> tuple[Scope, str]:
    """The endpoint that a path of the resource manager is about."""
    place = names(ENDPOINT, path) or {}
    return Scope(place["subscription"], place["group"], place["workspace"]), place["endpoint"]
