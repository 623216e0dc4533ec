"""One online endpoint through the SDK: its state as `_rollout` sees it, its traffic, the removal of a deployment."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from scripts.lib.azure.errors import missing_workspace, reason
from scripts.lib.azure.waiting import PAUSE, Deadline, TimedOut, again_on_conflict, wait
from scripts.lib.decisions.state import FIRST_ROLLOUT, Deployment, Endpoint, Model, Moved, Refused, percentages
from scripts.lib.decisions.traffic import Shift, positive

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from scripts.lib.azure.workspace import Workspace

STAMPS = ("createdBy", "createdAt", "lastModifiedAt")  # the SDK adds them to what it reads, and would write them


class OnlineEndpoint:
    """An endpoint of a workspace, which may not exist yet."""

    def __init__(self, workspace: Workspace, name: str):
        self.workspace = workspace
        self.name = name

    @property
    def client(self) -> MLClient:
        return self.workspace.client

    def find(self) -> Endpoint | None:
        """The endpoint's state, None where there is no such endpoint."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self._read()
        except ResourceNotFoundError as error:
            if missing_workspace(error):
                raise
            return None

    def read(self) -> Endpoint:
        """The endpoint's state. Raises Refused where there is no such endpoint."""
        state = self.find()
        if state is None:
            raise Refused(f"there is no endpoint {self.name} in workspace {self.workspace.name}. Run create_endpoint.")
        return state

    def settled(self, deadline: Deadline, also: Callable[[Endpoint], bool] = lambda state: False) -> Endpoint | None:
        """The state once no operation changes the endpoint (nor what `also` looks at), or as it is at the deadline."""
        while (state := self.find()) and (state.busy or also(state)) and not deadline.passed:
            busy = [d.name for d in state.deployments.values() if d.busy]
            deadline.pause(f"waiting for an operation on {', '.join(busy) or self.name} to end")
        return state

    def shift(self, plan: Callable[[Endpoint], Shift], deadline: Deadline, patience: float = inf) -> Shift:
        """Write the split that `plan` makes of the settled state, and poll until it reads back.

        Writes nothing where the plan is done. Raises Moved where someone else wrote meanwhile, or the old split is
        still there after `patience` seconds; TimedOut where it is at the deadline; and whatever `plan` raises.
        """
        return again_on_conflict(lambda: self._shift(plan, deadline, patience), deadline)

    def remove(self, deployment: str, deadline: Deadline) -> None:
        """Delete a deployment; nothing happens where it is gone already."""
        poller = self.client.online_deployments.begin_delete(name=deployment, endpoint_name=self.name)
        wait(poller, f"deleting {deployment}", deadline)

    def key(self) -> str:
        """The primary key. Raises Refused where the endpoint has none: another auth mode."""
        keys: Any = self.client.online_endpoints.get_keys(self.name)
        if not getattr(keys, "primary_key", None):
            raise Refused(f"{self.name} has no keys; these scripts need `auth_mode: key`.")
        return str(keys.primary_key)

    def left(self) -> str:
        """For the end of an error message: how the endpoint is now."""
        from azure.core.exceptions import AzureError

        try:
            return f"{self.name} is left with {percentages(self.read().traffic)}."
        except AzureError:
            return f"How {self.name} is left can't be read; show_endpoint tells later."

    def _read(self) -> Endpoint:
        for _ in range(5):
            entity = self.client.online_endpoints.get(self.name)
            deployments = {d.name: deployment(d) for d in self.client.online_deployments.list(self.name)}
            state = _state(entity, deployments)
            if state.traffic.keys() <= deployments.keys():
                return state
            time.sleep(PAUSE)  # read before and after somebody's change
        raise Refused(f"{self.name} sends traffic to a deployment that Azure doesn't list. Run this again later.")

    def _shift(self, plan: Callable[[Endpoint], Shift], deadline: Deadline, patience: float) -> Shift:
        state = self.settled(deadline) or self.read()
        shift = plan(state)
        if not shift.done:
            self._write(shift.split, state.traffic, deadline)
            self._read_back(shift.split, state.traffic, deadline, Deadline(patience))
        return shift

    def _write(self, split: Mapping[str, int], was: Mapping[str, int], deadline: Deadline) -> None:
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError

        entity: Any = self.client.online_endpoints.get(self.name)
        if positive(entity.traffic) != was:
            raise Moved(f"somebody changed the split meanwhile: {percentages(entity.traffic)}. Nothing was written.")
        entity.traffic = dict(split)
        entity.mirror_traffic = {name: share for name, share in entity.mirror_traffic.items() if name not in split}
        entity.tags = {name: value for name, value in (entity.tags or {}).items() if name not in FIRST_ROLLOUT}
        try:
            self.put(entity, f"setting the traffic to {percentages(split)}", deadline)
        except (ClientAuthenticationError, ResourceExistsError):
            raise
        except HttpResponseError as error:
            raise Refused(f"Azure did not set the split: {reason(error)}\n{self.left()}") from error

    def put(self, entity: Any, what: str, deadline: Deadline) -> None:
        """Write a fetched and changed endpoint, or a new one."""
        for stamp in STAMPS:
            (entity.properties or {}).pop(stamp, None)
        wait(self.client.online_endpoints.begin_create_or_update(entity), what, deadline)

    def _read_back(
        self, split: Mapping[str, int], was: Mapping[str, int], deadline: Deadline, patience: Deadline
    ) -> None:
        """The split is eventually consistent (Azure/azure-dev#3881), and two writers may overwrite each other."""
        while (found := self.read().traffic) != split:
            if found != was:
                raise Moved(f"somebody else wrote another split right after this one: {percentages(found)}.")
            if patience.passed:  # late, or somebody wrote the old one again
                raise Moved(f"the split was written, but still reads back as {percentages(found)}.")
            if deadline.passed:
                raise TimedOut(f"the split was written, but still reads back as {percentages(found)}")
            deadline.pause("waiting for the split to read back")


def _state(entity: Any, deployments: dict[str, Deployment]) -> Endpoint:
    return Endpoint(
        name=entity.name,
        traffic=positive(entity.traffic or {}),
        deployments=deployments,
        mirror=positive(entity.mirror_traffic or {}),
        tags=entity.tags or {},
        state=_provisioning_state(entity),
        scoring_uri=entity.scoring_uri or "",
    )


def _provisioning_state(entity: Any) -> str:
    """Azure's word for it: the SDK has some as an enum, which would print as its Python name."""
    state = entity.provisioning_state or ""
    return str(getattr(state, "value", state))


def deployment(entity: Any) -> Deployment:
    """The SDK's ManagedOnlineDeployment as `_rollout` sees it."""
    tags = {str(name): str(value) for name, value in (entity.tags or {}).items()}
    return Deployment(
        name=entity.name,
        model=_model(str(entity.model or ""), tags),
        state=_provisioning_state(entity),
        replaces=tags.get("replaces", ""),
        instances=entity.instance_count or 1,
        tags=tags,
    )


def _model(identity: str, tags: Mapping[str, str]) -> Model:
    """By the model's ARM id; by the tags where there is none, which is so for a packaged model."""
    found = re.search(r"models/([^/]+)/versions/([^/]+)$", identity)
    tagged = Model(tags.get("model", ""), tags.get("version", ""), tags.get("digest", ""))
    if not found or found.groups() == (tagged.name, tagged.version):
        return tagged
    return Model(*found.groups())  # somebody changed it in place: the digest in the tags is another model's
