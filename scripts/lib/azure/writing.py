"""One write: begun, and followed to its end. Once it is accepted, only its own word that it failed is a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf
from typing import Any

from scripts.lib.azure.errors import Ended, NotBegun, Passing, azures, reason
from scripts.lib.azure.waiting import Deadline, TimedOut, answered, say, within
from scripts.lib.decisions.state import BUSY

ENDED = {"failed": "Failed", "canceled": "Canceled"}


def write(deadline: Deadline, what: str, begin: Callable[[], Any], look: Callable[[], str | None], end: object) -> None:
    """Begin an operation and see it end.

    Where it can't be seen, `look` tells the state of the resource, None for gone: `end` is what it is after success.
    Raises NotBegun where Azure refused it or the answer was lost, Ended where it failed, TimedOut, or Passing where
    the resource is as if nothing had been begun.
    """
    try:
        poller = answered(deadline, begin, inf)
    except Exception as error:
        if azures(error) is None:
            raise
        raise NotBegun(what) from error
    try:
        within(deadline, what, poller.result)
    except TimedOut:
        raise
    except Exception as error:
        if status := _ended(error):
            raise Ended(what, status, error) from error
        if azures(error) is None:
            raise
        say(f"{what}: how it goes can't be seen ({reason(error)}); looking at what becomes of it")
        _look(deadline, what, look, end)


def remove(deadline: Deadline, what: str, begin: Callable[[], Any], look: Callable[[], str | None]) -> None:
    """As `write`, for a deletion. What is gone already is no error."""
    try:
        write(deadline, what, begin, look, None)
    except NotBegun as error:
        if getattr(azures(error), "status_code", None) != 404 or look() is not None:
            raise


def _look(deadline: Deadline, what: str, look: Callable[[], str | None], end: object) -> None:
    while (state := look()) in BUSY:
        if deadline.passed:
            raise TimedOut(f"{what}: not ended in time")
        deadline.pause(f"{what}: {state}")
    if state != end:
        if state and (status := ENDED.get(state.lower())):
            raise Ended(what, status)
        raise Passing(f"{what}: Azure shows no sign of it")


def _ended(error: Exception) -> str:
    """How the operation ended by its own word, "" where that isn't what the error says."""
    from azure.core.polling.base_polling import OperationFailed

    if not isinstance(error.__cause__, OperationFailed):
        return ""
    response = getattr(error, "response", None)
    try:
        status = str(json.loads(response.text()).get("status", "")) if response is not None else ""
    except (ValueError, AttributeError):
        status = ""
    return ENDED.get(status.lower(), "Failed")
