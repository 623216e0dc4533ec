"""Cancel the rollouts and promotions that run or wait for an approval."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from scripts.lib.azure.waiting import PROGRESS, Deadline, say
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.decisions.state import Refused
from scripts.lib.github import step_output
from scripts.lib.github.api import CannotTell, GitHub

WORKFLOWS = ("rollout.yml", "promote.yml")
#: Not `pending`: a newer run that waits for its turn has done nothing yet, and begins at 0 %.
ACTIVE = ("requested", "queued", "waiting", "in_progress")
PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between two looks, then always the last: a workflow may ask 1,000 times an hour
UNTOUCHED = "This has not touched the traffic. Run rollback once more when it has ended."

Run = dict[str, Any]


@command()
@timeout_option(600, "How long to wait for the runs to end at most: each rolls back before it does.")
def main(timeout: float) -> str:
    """Cancel what rolls out or promotes, wait until it has ended; prints the cancelled runs' ids as JSON.

    Nothing to cancel is no error. The token needs `actions: write`.
    """
    deadline = Deadline(timeout)
    github = GitHub.here()
    runs = _active(github)
    refused = [why for run in runs if (why := _cancel(github, run))]
    left = _wait(github, runs, deadline) if not refused else runs
    if left:
        raise Refused("\n".join([*refused, *(_by_hand(run) for run in left), UNTOUCHED]))
    links = [f"[{run['name']} {run['id']}]({run['html_url']})" for run in runs]
    step_output.summary(f"Cancelled: {', '.join(links)}" if runs else "Nothing to cancel: no rollout is in progress")
    return json.dumps([run["id"] for run in runs])


def _active(github: GitHub) -> list[Run]:
    """Asked twice: a run that goes from one status to another in between would slip through."""
    own = os.environ.get("GITHUB_RUN_ID", "")
    found: dict[int, Run] = {}
    for _ in range(2):
        for workflow in WORKFLOWS:
            for status in ACTIVE:
                found |= {run["id"]: run for run in github.runs(workflow, status) if str(run["id"]) != own}
    return list(found.values())


def _cancel(github: GitHub, run: Run) -> str:
    """Why not; "" if it is asked to end."""
    say(f"cancelling {run['name']} {run['id']}, which is {run['status']}")
    try:
        github.cancel(run["id"])
    except Refused as why:
        return str(why)
    return ""


def _wait(github: GitHub, runs: list[Run], deadline: Deadline) -> list[Run]:
    """The runs that have not ended in time. What GitHub doesn't tell now it may tell later."""
    left, looks, told = runs, 0, time.monotonic()
    while left := [run for run in left if not _ended(github, run)]:
        if deadline.passed:
            break
        if time.monotonic() - told > PROGRESS:
            say(f"waiting for {', '.join(str(run['id']) for run in left)} to end")
            told = time.monotonic()
        time.sleep(min(PAUSES[min(looks, len(PAUSES) - 1)], deadline.left))
        looks += 1
    return left


def _ended(github: GitHub, run: Run) -> bool:
    try:
        return bool(github.run(run["id"])["status"] == "completed")
    except CannotTell as why:
        say(str(why))
        return False


def _by_hand(run: Run) -> str:
    return f"{run['name']} {run['id']} has not ended: cancel it at {run['html_url']}"


if __name__ == "__main__":
    main()
