"""Waiting for Azure: with progress on stderr, and never for ever."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

import click

Result = TypeVar("Result")

PROGRESS = 15.0  # seconds between two lines of progress
PAUSE = 1.0  # seconds between two looks at a state that changes within some tens of seconds


class TimedOut(Exception):
    """Azure did not end an operation in time; it may still do so."""


class Deadline:
    """A number of seconds from now, shared by all that one command waits for."""

    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds
        self._told = 0.0

    @property
    def left(self) -> float:
        """Seconds, 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0

    def pause(self, why: str) -> None:
        """Sleep before the next look; say why, but not each time."""
        if time.monotonic() - self._told > PROGRESS:
            say(why)
            self._told = time.monotonic()
        time.sleep(min(PAUSE, self.left))


def say(message: str) -> None:
    """Progress: to stderr, since stdout is for results."""
    click.echo(message, err=True)


def wait(poller: Any, what: str, deadline: Deadline) -> Any:
    """The result of a long-running operation (an LROPoller of azure.core). Raises TimedOut, or its own error."""
    started = time.monotonic()
    say(f"{what} …")
    while not poller.done():
        if deadline.passed:
            raise TimedOut(f"{what}: not ended after {time.monotonic() - started:.0f} s")
        poller.wait(min(deadline.left, PROGRESS))
        if not poller.done():
            say(f"{what}: {time.monotonic() - started:.0f} s")
    return poller.result()


def within(deadline: Deadline, what: str, call: Callable[[], Result]) -> Result:
    """The result of a call of the SDK that itself waits without a limit. Raises TimedOut, or what the call raised."""
    outcome: Future[Result] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except Exception as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()  # given up, it doesn't keep the script from ending
    try:
        return outcome.result(deadline.left)
    except FutureTimeout:
        raise TimedOut(f"{what}: not ended in time") from None


def again_on_conflict(attempt: Callable[[], Result], deadline: Deadline) -> Result:
    """Call until Azure no longer answers 409: an operation on the same endpoint is running (azure-sdk-for-net#36961).

    `attempt` starts by looking at the present state: what ran in between may have changed it.
    """
    from azure.core.exceptions import ResourceExistsError

    while True:
        try:
            return attempt()
        except ResourceExistsError:
            if deadline.passed:
                raise
            deadline.pause("another operation is running on the endpoint; waiting for it")
