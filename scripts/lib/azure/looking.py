"""What there is of an endpoint. Not seen isn't not there: gone is only what two different calls both lack, twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from scripts.lib.azure import entities
from scripts.lib.azure.errors import Passing
from scripts.lib.azure.waiting import Deadline, answered
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions.record import claim, told
from scripts.lib.decisions.state import Deployment, EndpointState, Refused

Result = TypeVar("Result")
GAP = 3.0  # seconds between the two looks: a list may lag behind what was written (Azure/azure-dev#4037)


class Look:
    """Looks at one endpoint, and remembers which names are gone: that is found out once.

    `entity` and `seen` are what the last look at all of it saw, for whoever needs no newer one; None: there was none.
    """

    def __init__(self, workspace: Workspace, name: str):
        self.workspace, self.name = workspace, name
        self.entity: Any = None
        self.seen: EndpointState | None = None
        self._gone: set[str] = set()
        self._expected: set[str] = set()

    def expect(self, *names: str | None) -> None:
        """From now on these deployments are asked for by their names where the list lacks them."""
        self._expected |= {name for name in names if name}
        self._gone -= self._expected

    def state(self, deadline: Deadline, known: Iterable[str] = ()) -> EndpointState | None:
        """The endpoint with its deployments, None where it isn't there.

        A deployment that the list lacks is asked for by its name where that is `known` or the endpoint tells it.
        Raises Passing where the answers contradict each other.
        """
        self.seen = None
        self.entity = self.endpoint(deadline)
        if self.entity is None:
            return None
        state = replace(entities.endpoint(self.entity), deployments=self._list(deadline))
        while missing := (_named(state) | self._expected | set(known)) - state.deployments.keys() - self._gone:
            state = replace(state, deployments={**state.deployments, **self._missing(missing, deadline)})
        if lost := state.traffic.keys() - state.deployments.keys():
            self._gone -= lost
            raise Passing(f"{self.name} sends traffic to {', '.join(lost)}, which Azure says isn't there")
        self.seen = state
        return state

    def endpoint(self, deadline: Deadline) -> Any:
        """The SDK's OnlineEndpoint; None where its GET and the workspace's list both lack it, twice."""
        for _ in twice():
            entity = found(deadline, lambda: self.workspace.client.online_endpoints.get(self.name))
            if entity is not None:
                return entity
            check_workspace(self.workspace, deadline)
            listed = answered(deadline, lambda: [*self.workspace.client.online_endpoints.list()])
            there = [one.name.lower() for one in listed]
            if self.name.lower() in there:
                raise Passing(f"Azure lists the endpoint {self.name}, but says that it isn't there")
        return None

    def deployment(self, name: str, deadline: Deadline) -> Deployment | None:
        """One deployment, None where its GET and the list both lack it, twice."""
        self._gone.discard(name)
        return self._one(name, deadline) or self._missing({name}, deadline).get(name)

    def _missing(self, names: Iterable[str], deadline: Deadline) -> dict[str, Deployment]:
        """What the list has lacked once, as far as it is there after all."""
        there = {name: one for name in names if (one := self._one(name, deadline))}
        if rest := set(names) - there.keys():
            time.sleep(GAP)
            listed = self._list(deadline)
            there |= {name: one for name in rest if (one := self._one(name, deadline) or listed.get(name))}
        self._gone |= set(names) - there.keys()
        return there

    def _one(self, name: str, deadline: Deadline) -> Deployment | None:
        entity = found(deadline, lambda: self.workspace.client.online_deployments.get(name, self.name))
        return None if entity is None else entities.deployment(entity)

    def _list(self, deadline: Deadline) -> dict[str, Deployment]:
        listed = found(deadline, lambda: [*self.workspace.client.online_deployments.list(self.name)])
        if listed is None:
            raise Passing(f"Azure has the endpoint {self.name}, but says that its list of deployments isn't there")
        return {one.name: one for one in map(entities.deployment, listed)}


def twice() -> Iterator[None]:
    """The two looks that it takes to call something gone, with the time between them."""
    yield
    time.sleep(GAP)
    yield


def found(deadline: Deadline, call: Callable[[], Result]) -> Result | None:
    """What a call answers, None where that is 404: the word of one witness, who may mean the workspace, or err."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return answered(deadline, call)
    except ResourceNotFoundError:
        return None


def check_workspace(workspace: Workspace, deadline: Deadline) -> None:
    """Raises Refused where the workspace itself isn't there, twice: then a 404 tells nothing of what is in it."""
    for _ in twice():
        if found(deadline, lambda: workspace.client.workspaces.get(workspace.name)) is not None:
            return
    raise Refused(
        f"there is no workspace {workspace.name} in resource group {workspace.resource_group}. "
        "Check AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZURE_ML_WORKSPACE."
    )


def _named(state: EndpointState) -> set[str]:
    """The deployments that the endpoint itself tells of: its traffic, its tags, and the claims of those seen."""
    claims = [claim(state, d).blue for d in state.deployments.values()]
    names = told(state) | {blue.name for blue in claims if blue}
    return {name.lower() for name in names} | state.traffic.keys() | state.mirror.keys()
