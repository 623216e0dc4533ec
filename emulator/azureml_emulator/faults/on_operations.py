"""Faults of long-running operations, and of how an endpoint or a deployment reads once one has ended."""

import time
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BeforeValidator, Field, PrivateAttr

from azureml_emulator.api.routes import D, E, names, pattern
from azureml_emulator.arm.documents import Document, Scope
from azureml_emulator.arm.errors import ApiError
from azureml_emulator.faults.fault import OnCalls
from azureml_emulator.faults.told import Told
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.endpoints import Percent
from azureml_emulator.resources.operations import Work

ENDPOINT, DEPLOYMENT = pattern(E), pattern(D)


class Behind(OnCalls):
    """Meets the operation that a matching call begins; if it isn't one OnOperations, only an update of an endpoint."""

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        """What becomes of the operation's work; `old` is the endpoint as it was, where one is updated."""
        raise NotImplementedError


class OnOperations(Behind):
    """Meets the long-running operation that a matching call starts; a call that starts none doesn't count."""


class Fail(Told, OnOperations):
    """Let the operation fail; with the code OperationCanceled it ends as Canceled."""

    when: Literal["before", "after"] = Field("before", description="before it did anything, or after all went well.")

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        error = ApiError(**self.error("PUT", path))

        async def fail() -> None:
            raise error

        return replace(work, prepare=fail) if self.when == "before" else replace(work, told=error)


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


class Late(Behind):
    """What GETs of the thing that a matching call was about are answered, although its operation has ended."""

    reads: int = Field(1, ge=1, description="How many GETs; the SDK's own when a PUT ended is one of them.")
    seconds: float = Field(0, ge=0, description="How long after the operation ended; instead of `reads`.")

    _pasts: dict[str, "Past"] = PrivateAttr(default_factory=dict)

    def past(self, path: str) -> "Past | None":
        return self._pasts.get(path.lower())

    def _keep(self, path: str, document: Document, status: int = 200) -> None:
        self._pasts[path.lower()] = Past(document, status, inf if self.seconds else self.reads)

    def _end(self, path: str) -> None:
        if past := self.past(path):
            past.ends = time.monotonic() + (self.seconds or inf)


class Stale(Late):
    """Answer GETs of the endpoint with what it was before a matching PUT: so many, or for a time after it ended."""

    about = ENDPOINT
    method: Literal["PUT"] = Field("PUT", description="PUT.")

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        self._keep(path, old)

        def after() -> None:
            work.after()
            self._end(path)

        return replace(work, after=after)


class Vanish(Late, OnOperations):
    """Answer GETs of what a matching PUT wrote with 404, once its operation has succeeded."""

    method: Literal["PUT"] = Field("PUT", description="PUT.")

    def disturb(self, work: Work, azure: Azure, path: str, old: Document) -> Work:
        def commit() -> None:
            work.commit()
            self._keep(path, {"error": Told.model_validate({"like": "NotFound"}).envelope("GET", path)}, status=404)
            self._end(path)

        return replace(work, commit=commit)


@dataclass
class Past:
    """What GETs of a resource are answered with until `reads` or, where that is timed, `ends` are over."""

    document: Document
    status: int
    reads: float
    ends: float = inf

    def answer(self) -> web.Response | None:
        self.reads -= 1
        is_over = self.reads < 0 or time.monotonic() > self.ends
        return None if is_over else web.json_response(self.document, status=self.status)


def endpoint_at(path: str) -> tuple[Scope, str]:
    """The endpoint that a path of the resource manager is about."""
    place = names(ENDPOINT, path) or {}
    return Scope(place["subscription"], place["group"], place["workspace"]), place["endpoint"]
