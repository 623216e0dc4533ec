"""Creating a deployment: what becomes healthy stays, and of the rest only what Azure itself calls failed is removed."""

from __future__ import annotations

import functools
from typing import Any

from scripts.lib.azure import causes
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import Ended, NotBegun, Passing, azures, cause, explain, reason
from scripts.lib.azure.looking import found
from scripts.lib.azure.waiting import Deadline, TimedOut, answered, say
from scripts.lib.decisions.state import Refused

LOG_LINES = 100
CONTAINERS = {"storage-initializer": "storage initialiser", "inference-server": "container"}
REMOVAL = 300.0  # seconds for removing what failed, when --timeout may be used up


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
        _show_log(endpoint, name)
        raise Refused(
            f"{error}. {name} is still there, and Azure may still end it: look with show_endpoint, then run this again."
        ) from error
    except Ended as error:
        if error.status == "Canceled":
            raise
        short = f"\n{room}" if error.cause is causes.NO_QUOTA else ""
        left = f"{_clear_up(endpoint, name)} {endpoint.how_it_is_left()}"
        raise Refused(f"{name} did not become healthy: {explain(error)}{short}\n{left}") from error


def _clear_up(endpoint: OnlineEndpoint, name: str) -> str:
    """Show the log of a deployment whose creation failed, and remove it; what became of it, for people."""
    _show_log(endpoint, name)
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


def _show_log(endpoint: OnlineEndpoint, name: str) -> None:
    """That of its container, and of what fetches the model before: one that never started has said nothing itself."""
    for kind, told in CONTAINERS.items():
        read = functools.partial(
            endpoint.client.online_deployments.get_logs, name, endpoint.name, LOG_LINES, container_type=kind
        )
        try:
            log = answered(Deadline(REMOVAL), read)
            say(f"the last lines of {name}'s {told} log:\n{log.strip() or 'nothing'}")
        except Exception as error:
            if explain(error) is None:
                raise
            say(f"the {told}'s log of {name} can't be read: {reason(azures(error) or error)}")
