"""Cancel the rollouts and promotions that run or wait for an approval."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from scripts.lib.azure.waiting import PROGRESS, Deadline, say
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.decisions.state import Refused
from scripts.lib.github import step_output
from scripts.lib.github.api import CannotTell, Denied, GitHub

WORKFLOWS = ("rollout.yml", "promote.yml")
#: Not `pending`: a newer run that waits for its turn has done nothing yet, and begins at 0 %.
ACTIVE = ("requested", "queued", "waiting", "in_progress")
PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between two looks, then always the last: a workflow may ask 1,000 times an hour
#: 409 is a run that is over, or one that can't be cancelled yet ("a re-run that has not yet queued").
AGAIN = (409, 429)
UNTOUCHED = "This has not touched the traffic. Run rollback once more when it has ended."

Run = dict[str, Any]


@dataclass
class Cancellation:
    """Of a run: whether GitHub still has to agree to it, and why it hasn't; `hopeless`: it won't."""

    run: Run
    agreed: bool = False
    hopeless: bool = False
    why: str = ""

    def ask(self, github: GitHub) -> None:
        """Once more, as long as that may help."""
        if self.agreed or self.hopeless:
            return
        say(f"cancelling {self.run['name']} {self.run['id']}, which is {self.run['status']}")
        try:
            github.cancel(self.run["id"])
            self.agreed, self.why = True, ""
        except CannotTell as why:  # not reached, or an error of GitHub's own
            self.why = str(why)
        except Denied as why:
            self.why, self.hopeless = str(why), why.status not in AGAIN and "rate limit" not in why.reason

    def ended(self, github: GitHub) -> bool:
        try:
            return bool(github.run(self.run["id"])["status"] == "completed")
        except CannotTell as why:  # it may tell later
            say(str(why))
            return False

    @property
    def by_hand(self) -> str:
        words = f"{self.run['name']} {self.run['id']} has not ended: cancel it at {self.run['html_url']}"
        return f"{self.why}\n{words}" if self.why else words


@command()
@timeout_option(600, "How long to wait for the runs to end at most: each rolls back before it does.")
def main(timeout: float) -> str:
    """Cancel what rolls out or promotes, wait until it has ended; prints the cancelled runs' ids as JSON.

    Nothing to cancel is no error. What GitHub refuses for a moment is asked again. The token needs `actions: write`.
    """
    deadline, github = Deadline(timeout), GitHub.here()
    runs, untold = _active(github)
    left = _wait(github, [Cancellation(run) for run in runs], deadline)
    if untold or left:
        raise Refused("\n".join([*untold, *(one.by_hand for one in left), UNTOUCHED]))
    links = [f"[{run['name']} {run['id']}]({run['html_url']})" for run in runs]
    step_output.summary(f"Cancelled: {', '.join(links)}" if runs else "Nothing to cancel: no rollout is in progress")
    return json.dumps([run["id"] for run in runs])


def _active(github: GitHub) -> tuple[list[Run], list[str]]:
    """What is found, and of which workflows GitHub doesn't tell.

    Asked twice: a run that goes from one status to another in between would slip through.
    """
    own, found, untold = os.environ.get("GITHUB_RUN_ID", ""), dict[int, Run](), dict[str, str]()
    for workflow in WORKFLOWS * 2:
        try:
            for status in ACTIVE:
                found |= {run["id"]: run for run in github.runs(workflow, status) if str(run["id"]) != own}
        except CannotTell as why:
            untold[workflow] = f"What {workflow} does: {why}"
    return list(found.values()), list(untold.values())


def _wait(github: GitHub, left: list[Cancellation], deadline: Deadline) -> list[Cancellation]:
    """Those that have not ended in time, or that GitHub won't cancel."""
    looks, told = 0, time.monotonic()
    while True:
        for one in left:
            one.ask(github)
        left = [one for one in left if not one.ended(github)]
        if deadline.passed or all(one.hopeless for one in left):
            return left
        if time.monotonic() - told > PROGRESS:
            say(f"waiting for {', '.join(str(one.run['id']) for one in left)} to end")
            told = time.monotonic()
        time.sleep(min(PAUSES[min(looks, len(PAUSES) - 1)], deadline.left))
        looks += 1


if __name__ == "__main__":
    main()
