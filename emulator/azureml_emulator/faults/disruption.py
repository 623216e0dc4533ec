"""Faults of what goes on behind the calls: in operations, in endpoints' documents, in containers."""

import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from math import inf
from urllib.parse import unquote

from azureml_emulator.arm.documents import Document, Scope, in_state
from azureml_emulator.arm.errors import ApiError
from azureml_emulator.faults.kinds import (
    DEPLOYMENT,
    ENDPOINT,
    Active,
    Break,
    Fail,
    Faults,
    Hang,
    Misbehave,
    OnOperations,
    OnUpdates,
    Overwrite,
    Stale,
)
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.operations import Work
from azureml_emulator.serving.container import FAULT

#: Method and path of the call that is being answered, for the operation that it may start.
CALL: ContextVar[tuple[str, str] | None] = ContextVar("CALL", default=None)


@dataclass
class _Past:
    """What GETs of an endpoint are answered with until `reads` or, where that is timed, `ends` are over."""

    active: Active
    document: Document
    reads: float
    ends: float = inf

    def end_in(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds

    def read(self) -> Document | None:
        self.reads -= 1
        over = self.active.cleared.is_set() or self.reads < 0 or time.monotonic() > self.ends
        return None if over else self.document


class Disruption:
    """Lets the faults meet the operations and the endpoints' documents of one Azure."""

    def __init__(self, azure: Azure, faults: Faults):
        self._azure, self._faults = azure, faults
        self._past: dict[str, _Past] = {}
        azure.operations.disturb = self._disturb
        azure.router.disturb = self._misbehave

    def read(self, path: str) -> Document | None:
        """To be called when a GET was answered well: what to answer instead. Somebody else's write may follow it."""
        for active in self._faults.due(OnUpdates, "GET", path):
            active.reached.set()
            self._overwrite(active, path)
        past = self._past.get(path.lower())
        return past.read() if past else None

    def _disturb(self, work: Work) -> Work:
        """What becomes of the work that the present call begins. The fault that was added first is met first."""
        if (call := CALL.get()) is None:
            return work
        due = [*self._faults.due(OnOperations, *call)]
        if (old := self._updating(call[1])) is not None:
            due += self._faults.due(OnUpdates, *call)
        for active in reversed(due):
            active.reached.set()
            work = self._disturbed(active, work, call[1], old or {})
        return work

    def _disturbed(self, active: Active, work: Work, path: str, old: Document) -> Work:
        match active.fault:
            case Fail(code=code, message=message):
                return replace(work, prepare=lambda: _raise(ApiError(message, code)))
            case Hang():
                return replace(work, prepare=lambda: _hang(active, work))
            case Break(log=log):
                return replace(work, prepare=lambda: self._break(path, log))
            case Overwrite():
                return replace(work, commit=_both(work.commit, lambda: self._overwrite(active, path)))
            case Stale(reads=reads, seconds=seconds):
                past = self._past[path.lower()] = _Past(active, old, inf if seconds else reads)
                return replace(work, after=_both(work.after, lambda: past.end_in(seconds or inf)))
        return work

    def _updating(self, path: str) -> Document | None:
        """The endpoint that is being updated, as it was."""
        if not ENDPOINT.fullmatch(path):
            return None
        document = self._azure.endpoints.get(*_endpoint(path))
        is_there = document["properties"]["provisioningState"] == "Updating"
        return in_state(document, "Succeeded") if is_there else None

    def _misbehave(self, endpoint: str, deployment: str) -> dict[str, str]:
        """The header of a scoring request that lets the container misbehave."""
        for active in self._faults.due(Misbehave, endpoint, deployment):
            active.reached.set()
            return {FAULT: active.fault.model_dump_json(include={"seconds", "status", "crash"})}
        return {}

    def _overwrite(self, active: Active, path: str) -> None:
        if isinstance(active.fault, Overwrite):
            self._azure.endpoints.overwrite(*_endpoint(path), active.fault.traffic)

    async def _break(self, path: str, text: str) -> None:
        endpoint, name = _names(DEPLOYMENT, path.lower())
        log = self._azure.deployments.log_file(endpoint, name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as out:
            out.write(text + "\n")
        raise ApiError("The container is not healthy: the instance ended before it was ready", "ResourceNotReady")


async def _raise(error: ApiError) -> None:
    raise error


async def _hang(active: Active, work: Work) -> None:
    await active.cleared.wait()
    await work.prepare()


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def both() -> None:
        first()
        second()

    return both


def _endpoint(path: str) -> tuple[Scope, str]:
    subscription, group, workspace, name = _names(ENDPOINT, path)
    return Scope(subscription, group, workspace), name.lower()


def _names(pattern: re.Pattern[str], path: str) -> list[str]:
    found = pattern.fullmatch(path)
    return [unquote(name) for name in found.groups()] if found else []
