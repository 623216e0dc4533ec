"""Creating a deployment: what becomes healthy stays, and of the rest only what Azure itself calls failed is removed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from scripts.lib.azure import causes
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import Ended, NotBegun, Passing, azures, cause, explain, reason
from scripts.lib.azure.looking import found
from scripts.lib.azure.waiting import Deadline, TimedOut, answered, say
from scripts.lib.decisions import log_reason
from scripts.lib.decisions.state import Refused

LOG_LINES = (5000, 100)  # what is asked for, and what Azure surely gives; as many of them are shown
CONTAINERS = {"storage-initializer": "storage initialiser", "inference-server": "container"}
REMOVAL = 300.0  # seconds for removing what failed, when --timeout may be used up


class NotStarted(Refused):
    """A deployment did not become healthy; `why` are the lines of its log that say why."""

    def __init__(self, message: str, why: list[str]):
        super().__init__(message)
        self.why = why


def create(endpoint: OnlineEndpoint, entity: Any, deadline: Deadline, room: str) -> None:
    """Create a deployment. `room` is what makes room for one, where Azure has no quota left.

    Raises Refused where it doesn't become healthy, Ended where Azure canceled its creation: that may be tried again.
    """
    name = entity.name
    if found(deadline, lambda: endpoint.client.online_deployments.get(name, endpoint.name)) is not None:
        endpoint.look.expect(name)
        raise Passing(f"{name} is there, though Azure's list lacks it")
    try:
        endpoint.put_deployment(entity, f"creating {name}", deadline)
    except NotBegun as error:
        azure = azures(error)
        if azure is None or cause(azure) is not causes.NO_QUOTA:
            raise
        raise Refused(f"{explain(error)}\n{room}\n{endpoint.how_it_is_left()}") from error
    except TimedOut as error:
        why = _show_log(endpoint, name)
        left = f"{name} is still there, and Azure may still end it: look with show_endpoint, then run this again."
        raise NotStarted(f"{error}. {left}", why) from error
    except Ended as error:
        if error.status == "Canceled":
            raise
        short = f"\n{room}" if error.cause is causes.NO_QUOTA else ""
        why = _show_log(endpoint, name)
        said = f"\nIts log says: {log_reason.headline(why)}" if why else ""
        left = f"{_clear_up(endpoint, name)} {endpoint.how_it_is_left()}"
        raise NotStarted(f"{name} did not become healthy: {explain(error)}{said}{short}\n{left}", why) from error


def _clear_up(endpoint: OnlineEndpoint, name: str) -> str:
    """Remove a deployment whose creation failed; what became of it, for people."""
    deadline = Deadline(REMOVAL)
    try:
        state = endpoint.state_of(name, deadline)
        if state not in ("Failed", "Canceled", None):
            return f"{name} reads as {state}, so it stays: look with show_endpoint, then run this again."
        endpoint.remove(name, deadline)
    except Exception as error:
        if explain(error) is None:
            raise
        why = reason(azures(error) or error)
        return f"{name} is still there, since it can't be removed now ({why}); the next deploy removes it."
    return f"{name} is removed."


def _show_log(endpoint: OnlineEndpoint, name: str) -> list[str]:
    """That of its container, and of what fetches the model before: one that never started has said nothing itself.

    Gives the lines that say why, for who keeps them: the log goes with the deployment.
    """
    logs = {told: read_log(endpoint, name, kind, LOG_LINES) for kind, told in CONTAINERS.items()}
    for told, log in logs.items():
        if log is not None:
            shown = "\n".join(log.splitlines()[-LOG_LINES[-1] :])
            say(f"the last lines of {name}'s {told} log:\n{shown or 'nothing'}")
    log = next((log for log in reversed(logs.values()) if log), "")
    if not log:
        return []
    return log_reason.reason(log)


def read_log(endpoint: OnlineEndpoint, name: str, kind: str, counts: Sequence[int]) -> str | None:
    """The last lines of a container's log, so many or, where Azure refuses, fewer; None, which is told, without."""
    for lines in counts:
        read = functools.partial(
            endpoint.client.online_deployments.get_logs, name, endpoint.name, lines, container_type=kind
        )
        try:
            return str(answered(Deadline(REMOVAL), read) or "").strip()
        except Exception as error:
            if explain(error) is None:
                raise
            failed = reason(azures(error) or error)
    say(f"the {CONTAINERS[kind]}'s log of {name} can't be read: {failed}")
    return None
