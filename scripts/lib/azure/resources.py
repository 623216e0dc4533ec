"""The endpoint and its deployments as resources of Azure's: each written by one call that is followed to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.lib.azure import entities, writing
from scripts.lib.azure.looking import Look
from scripts.lib.azure.trying import patiently
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions.state import SUCCEEDED

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

STAMPS = ("createdBy", "createdAt", "lastModifiedAt")  # the SDK adds them to what it reads, and would write them


class Resources:
    """An endpoint of a workspace, and what is in it; neither need exist."""

    def __init__(self, workspace: Workspace, name: str):
        self.workspace = workspace
        self.name = name
        self.look = Look(workspace, name)

    @property
    def client(self) -> MLClient:
        return self.workspace.client

    def put(self, entity: Any, what: str, deadline: Deadline) -> None:
        """Write a fetched and changed endpoint, or a new one."""
        for stamp in STAMPS:
            (entity.properties or {}).pop(stamp, None)
        begin = self.client.online_endpoints.begin_create_or_update
        writing.write(deadline, what, lambda: begin(entity), lambda: self._state(deadline), SUCCEEDED)

    def delete(self, deadline: Deadline) -> None:
        """Delete it with all its deployments."""
        begin, what = self.client.online_endpoints.begin_delete, f"deleting endpoint {self.name}"
        writing.remove(deadline, what, lambda: begin(name=self.name), lambda: self._state(deadline))

    def put_deployment(self, entity: Any, what: str, deadline: Deadline) -> None:
        """Write a fetched and changed deployment, or a new one."""
        begin = self.client.online_deployments.begin_create_or_update
        writing.write(deadline, what, lambda: begin(entity), lambda: self.state_of(entity.name, deadline), SUCCEEDED)

    def remove(self, name: str, deadline: Deadline) -> None:
        """Delete a deployment; nothing happens where it is gone already."""
        begin = self.client.online_deployments.begin_delete
        call = lambda: begin(name=name, endpoint_name=self.name)  # noqa: E731
        writing.remove(deadline, f"deleting {name}", call, lambda: self.state_of(name, deadline))

    def state_of(self, name: str, deadline: Deadline) -> str | None:
        """Azure's state of a deployment, None where it is gone."""
        found = patiently(self.workspace, deadline, lambda: self.look.deployment(name, deadline))
        return found.state if found else None

    def _state(self, deadline: Deadline) -> str | None:
        entity = patiently(self.workspace, deadline, lambda: self.look.endpoint(deadline))
        return None if entity is None else entities.provisioning_state(entity)
