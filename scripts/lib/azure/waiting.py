"""Waiting for Azure: with progress on stderr, and never for ever."""

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import click

from scripts.lib.decisions import ends

Result = TypeVar("Result")
PROGRESS = 15.0  # seconds between two lines of progress
PAUSE = 1.0  # seconds between two looks at a state that changes within some tens of seconds
ANSWER = 60.0  # seconds after which a call without an answer is given up, to be made again
GRACE = 2.0  # seconds that a call gets at least, when --timeout is (nearly) used up


class TimedOut(Exception):
    """Azure did not end an operation in time; it may still do so."""

    exit_code = ends.LATE


class Unanswered(TimedOut):
    """Azure did not answer a call at all."""

    exit_code = ends.UNREACHED


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

    def pause(self, why: str, seconds: float = PAUSE) -> None:
        """Sleep before the next look; say why, but not each time."""
        self.tell(why)
        time.sleep(min(seconds, self.left))

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
    outcome = _begun(call)
    started = time.monotonic()
    say(f"{what} …")
    while not concurrent.futures.wait([outcome], min(deadline.left, PROGRESS)).done:
        took = f"{time.monotonic() - started:.0f} s"
        if deadline.passed:
            raise TimedOut(f"{what}: not ended after {took}")
        say(f"{what}: {took}")
    return outcome.result()


def answered(deadline: Deadline, call: Callable[[], Result], most: float | None = None) -> Result:
    """The result of a call that is answered soon (`most`: seconds). Raises Unanswered, or what the call raised."""
    outcome, seconds = _begun(call), max(GRACE, min(deadline.left, ANSWER if most is None else most))
    if not concurrent.futures.wait([outcome], seconds).done:
        raise Unanswered(f"Azure did not answer for {seconds:.0f} s")
    return outcome.result()


def _begun(call: Callable[[], Result]) -> concurrent.futures.Future[Result]:
    """The call, in a thread that doesn't keep the script from ending when it is given up."""
    outcome: concurrent.futures.Future[Result] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except Exception as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return outcome
