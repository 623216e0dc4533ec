"""One online endpoint through the SDK: its state as the decisions see it, and the one loop that changes it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import timezone
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scripts.lib.azure.errors import found, login_refused, passes, reason
from scripts.lib.azure.waiting import PAUSE, Deadline, TimedOut, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import state as decided
from scripts.lib.decisions.state import EndpointState, Overwritten, Refused, Shift, percentages, positive

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

STAMPS = ("createdBy", "createdAt", "lastModifiedAt")  # the SDK adds them to what it reads, and would write them
Busy = Callable[[EndpointState], bool]
S = TypeVar("S", bound="Step")


class Step(Protocol):
    """What a plan says is to be done; `done`: nothing."""

    @property
    def done(self) -> bool: ...


class OnlineEndpoint:
    """An endpoint of a workspace, which may not exist yet."""

    def __init__(self, workspace: Workspace, name: str):
        self.workspace = workspace
        self.name = name

    @property
    def client(self) -> MLClient:
        return self.workspace.client

    def find(self) -> EndpointState | None:
        """The endpoint's state, None where there is no such endpoint."""
        return found(self._read)

    def read(self) -> EndpointState:
        """The endpoint's state. Raises Refused where there is no such endpoint."""
        if state := self.find():
            return state
        raise Refused(f"there is no endpoint {self.name} in workspace {self.workspace.name}. Run create_endpoint.")

    def settled(self, deadline: Deadline, busy: Busy = attrgetter("busy")) -> EndpointState | None:
        """The state once no operation changes the endpoint (or what `busy` looks at), or as it is at the deadline."""
        while (state := self.find()) and busy(state) and not deadline.passed:
            names = [d.name for d in state.deployments.values() if d.busy]
            deadline.pause(f"waiting for an operation on {', '.join(names) or self.name} to end")
        return state

    def change(
        self,
        plan: Callable[[EndpointState], S],
        write: Callable[[S, EndpointState], None],
        deadline: Deadline,
        *,
        busy: Busy = attrgetter("busy"),
        absent: S | None = None,
        overrule: bool = False,
    ) -> S:
        """Look, plan, and write unless that is done: the one loop of all that changes an endpoint; gives the plan.

        What passes is waited for until the deadline; then all begins anew, from what is there now. `overrule` begins
        anew when somebody else wrote, too. `absent` is the plan where there is no endpoint; else that is refused.
        """
        while True:
            try:
                state = self.settled(deadline, busy)
                step = plan(state) if state else absent or plan(self.read())
                if not step.done:
                    write(step, state or EndpointState(self.name))
                return step
            except Exception as error:
                overruled = overrule and isinstance(error, Overwritten | TimedOut)
                why = f"once more: {error}" if overruled else passes(error)
                if not why or deadline.passed:
                    raise
                deadline.pause(why)

    def shift(
        self,
        plan: Callable[[EndpointState], Shift],
        deadline: Deadline,
        absent: Shift | None = None,
        patience: float = inf,
    ) -> Shift:
        """Write the split that `plan` makes of the settled state, and look until it reads back.

        Raises Overwritten where somebody else wrote meanwhile, TimedOut where the old split is still there at the end.
        With `patience` (seconds until then) the split is written again instead, until the deadline.
        """

        def write(shift: Shift, state: EndpointState) -> None:
            self._write(shift, state.traffic, deadline)
            self._read_back(shift.split, state.traffic, Deadline(min(patience, deadline.left)))

        return self.change(plan, write, deadline, absent=absent, overrule=patience < inf)

    def put(self, entity: Any, what: str, deadline: Deadline) -> None:
        """Write a fetched and changed endpoint, or a new one."""
        for stamp in STAMPS:
            (entity.properties or {}).pop(stamp, None)
        within(deadline, what, self.client.online_endpoints.begin_create_or_update(entity).result)

    def remove(self, deployment: str, deadline: Deadline) -> None:
        """Delete a deployment; nothing happens where it is gone already."""
        poller = self.client.online_deployments.begin_delete(name=deployment, endpoint_name=self.name)
        within(deadline, f"deleting {deployment}", poller.result)

    def how_it_is_left(self) -> str:
        """For the end of an error message."""
        from azure.core.exceptions import AzureError

        try:
            return f"{self.name} is left with {percentages(self.read().traffic)}."
        except AzureError:
            return f"How {self.name} is left can't be read; show_endpoint tells later."

    def _read(self) -> EndpointState:
        for _ in range(5):
            entity: Any = self.client.online_endpoints.get(self.name)
            deployments = {d.name.lower(): _deployment(d) for d in self.client.online_deployments.list(self.name)}
            traffic = positive(entity.traffic or {})
            if traffic.keys() <= deployments.keys():
                return EndpointState(
                    name=entity.name,
                    traffic=traffic,
                    deployments=deployments,
                    mirror=positive(entity.mirror_traffic or {}),
                    tags=entity.tags or {},
                    state=_provisioning_state(entity),
                    scoring_uri=entity.scoring_uri or "",
                )
            time.sleep(PAUSE)  # read before and after somebody's change
        raise Refused(f"{self.name} sends traffic to a deployment that Azure doesn't list. Run this again later.")

    def _write(self, shift: Shift, was: Mapping[str, int], deadline: Deadline) -> None:
        from azure.core.exceptions import HttpResponseError

        entity: Any = self.client.online_endpoints.get(self.name)
        if (now := positive(entity.traffic)) != was:
            raise Overwritten(f"somebody changed the split meanwhile: {percentages(now)}. Nothing was written.")
        split = shift.split
        entity.traffic = dict(split)
        entity.mirror_traffic = {name: share for name, share in entity.mirror_traffic.items() if name not in split}
        entity.tags = {
            name: value for name, value in {**(entity.tags or {}), **shift.tags}.items() if value is not None
        }
        try:
            self.put(entity, f"setting the traffic to {percentages(split)}", deadline)
        except HttpResponseError as error:
            if passes(error) or login_refused(error):
                raise
            raise Refused(f"Azure did not set the split: {reason(error)}\n{self.how_it_is_left()}") from error

    def _read_back(self, split: Mapping[str, int], was: Mapping[str, int], deadline: Deadline) -> None:
        """The split is eventually consistent (Azure/azure-dev#3881), and two writers may overwrite each other."""
        while (traffic := self.read().traffic) != split:
            if traffic != was:
                raise Overwritten(f"somebody else wrote another split right after this one: {percentages(traffic)}.")
            if deadline.passed:  # late, or somebody wrote the old one again
                raise TimedOut(f"the split was written, but still reads back as {percentages(traffic)}")
            deadline.pause("waiting for the split to read back")


def _provisioning_state(entity: Any) -> str:
    """Azure's word for it: the SDK has some as an enum, which would print as its Python name."""
    state = entity.provisioning_state or ""
    return str(getattr(state, "value", state))


def _deployment(entity: Any) -> decided.Deployment:
    """The SDK's ManagedOnlineDeployment as the decisions see it; a packaged model is known by the tags alone."""
    tags = {str(name): str(value) for name, value in (entity.tags or {}).items()}
    created = getattr(entity.creation_context, "created_at", None)
    model = decided.Model(tags.get("model", ""), tags.get("version", ""), tags.get("digest", ""))
    named = re.search(r"models/([^/]+)/versions/([^/]+)$", str(entity.model or ""))
    if named and named.groups() != (model.name, model.version):
        model = decided.Model(*named.groups())  # somebody changed it in place: the tags' digest is another model's
    return decided.Deployment(
        entity.name.lower(),
        model,
        _provisioning_state(entity),
        created=created.astimezone(timezone.utc).isoformat(timespec="microseconds") if created else "",
        replaces=decided.Ref.parse(tags.get("replaces", "")),
        rollout=tags.get("rollout", ""),
        settings=tags.get("settings", ""),
        instances=entity.instance_count or 1,
        concurrency=getattr(entity.request_settings, "max_concurrent_requests_per_instance", None) or 1,
        machine=entity.instance_type or "",
        tags=tags,
    )
