"""Going on: what passes is tried again until the deadline, with a pause that grows; what stays is raised at once."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

from scripts.lib.azure.errors import Ended, Passing, azures, brief, cause, retry_after, signed_out
from scripts.lib.azure.waiting import Deadline, TimedOut, Unanswered, answered
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions.state import Overwritten, Refused

Result = TypeVar("Result")
FIRST, GROWTH, LONGEST = 0.5, 1.6, 15.0  # seconds of pause, from one try to the next


class Tries:
    """The tries of one thing. `stubborn`: whatever ended the last one, but for a cause that is known to stay."""

    def __init__(self, workspace: Workspace, deadline: Deadline, stubborn: bool = False):
        self._workspace, self._deadline, self._stubborn = workspace, deadline, stubborn
        self._last, self._row, self._pause = "", 0, FIRST

    def another(self, error: Exception) -> bool:
        """Whether another try may help after this error and there is time for one: true once the pause is over."""
        kind = f"{type(error).__name__} {getattr(azures(error), 'status_code', '')}"
        self._last, self._row = kind, self._row + 1 if kind == self._last else 1
        if self._row > self._often(error) or self._deadline.passed:
            return False
        found = azures(error)
        if signed_out(error):
            self._workspace.sign_in_again()
        self._deadline.pause(f"once more: {brief(error)}", max(self._pause, retry_after(found) if found else 0))
        self._pause = min(LONGEST, self._pause * GROWTH)
        return True

    def _often(self, error: Exception) -> float:
        """How often in a row another try may help after this error."""
        if isinstance(error, Passing | Unanswered):
            return inf
        if isinstance(error, Ended) and error.status == "Canceled":
            return inf
        if isinstance(error, Ended | TimedOut | Overwritten):
            return inf if self._stubborn else 0
        found = None if isinstance(error, Refused) else azures(error)
        if found is None:
            return 0
        known = cause(found)
        return inf if self._stubborn and not known.means else known.again


def patiently(workspace: Workspace, deadline: Deadline, look: Callable[[], Result]) -> Result:
    """What a look that takes several calls, each limited by itself, tells in the end."""
    tries = Tries(workspace, deadline)
    while True:
        try:
            return look()
        except Exception as error:
            if not tries.another(error):
                raise


def asked(workspace: Workspace, deadline: Deadline, call: Callable[[], Result]) -> Result:
    """What a single call of the SDK that only looks answers in the end."""
    return patiently(workspace, deadline, lambda: answered(deadline, call))
