"""Waiting for Azure: with progress on stderr, and never for ever."""

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import TypeVar

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
        self._told: dict[str, float] = {}

    @property
    def left(self) -> float:
        """Seconds, 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0

    def pause(self, why: str) -> None:
        """Sleep before the next look; say why, but not each time."""
        self.tell(why)
        time.sleep(min(PAUSE, self.left))

    def tell(self, what: str) -> None:
        """Say something that is true at each look, but not each time."""
        if time.monotonic() - self._told.get(what, -PROGRESS) > PROGRESS:
            say(what)
            self._told[what] = time.monotonic()


def say(message: str) -> None:
    """Progress: to stderr, since stdout is for results."""
    click.echo(message, err=True)


def within(deadline: Deadline, what: str, call: Callable[[], Result]) -> Result:
    """The result of a call of the SDK that itself waits without a limit. Raises TimedOut, or what the call raised."""
    outcome: concurrent.futures.Future[Result] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except Exception as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()  # given up, it doesn't keep the script from ending
    started = time.monotonic()
    say(f"{what} …")
    while not concurrent.futures.wait([outcome], min(deadline.left, PROGRESS)).done:
        took = f"{time.monotonic() - started:.0f} s"
        if deadline.passed:
            raise TimedOut(f"{what}: not ended after {took}")
        say(f"{what}: {took}")
    return outcome.result()
