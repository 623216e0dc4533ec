"""The shapes of ARM: ids, envelopes, and the fields Azure fills in."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.names import PROVIDER

Document = dict[str, Any]

#: Endpoints and deployments: how-to-manage-quotas, "Azure Machine Learning online endpoints".
NAME = re.compile(r"[a-z](?:-?[a-z0-9])*", re.IGNORECASE | re.ASCII)
#: Models and environments: the SDK's own rule for asset names.
ASSET_NAME = re.compile(r"[a-zA-Z0-9][\w.-]{0,254}", re.ASCII)


@dataclass(frozen=True)
class Scope:
    """The workspace that a request is about."""

    subscription: str
    resource_group: str
    workspace: str

    @property
    def key(self) -> str:
        """Where the workspace's resources stand in the store; ARM ids ignore case."""
        return f"{self.subscription}/{self.resource_group}/{self.workspace}".lower()

    @property
    def group(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def id(self) -> str:
        return f"{self.group}/providers/{PROVIDER}/workspaces/{self.workspace}"

    @property
    def guid(self) -> str:
        """The workspace's own id, which doesn't change."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.id.lower()))

    @property
    def container(self) -> str:
        """The blob container of the workspace's default datastore."""
        return f"azureml-blobstore-{self.workspace.lower()}"


def now() -> str:
    """Always with microseconds, as Azure writes its times: two resources are hardly ever made at the same one."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def check_name(name: str, what: str) -> str:
    """An endpoint's or a deployment's name, lower-cased as the service does."""
    if not 3 <= len(name) <= 32 or not NAME.fullmatch(name):
        rule = "3 to 32 characters: a letter first, then letters, digits and single dashes, no dash at the end"
        raise BadRequest(f"The {what} name {name!r} is not valid. A name has {rule}.")
    return name.lower()


def resource(scope: Scope, kind: str, path: str, properties: Document, old: Document | None = None) -> Document:
    """The envelope of a resource at `path` below the workspace; `old` keeps its creation time."""
    created = old["systemData"]["createdAt"] if old else now()
    who = {"createdByType": "User", "lastModifiedBy": "local", "lastModifiedByType": "User"}
    return {
        "id": f"{scope.id}/{path}",
        "name": path.rpartition("/")[2],
        "type": f"{PROVIDER}/workspaces/{kind}",
        "properties": properties,
        "systemData": {
            "createdAt": created,
            "createdBy": "local",
            "lastModifiedAt": now(),
            **({} if kind.startswith("onlineEndpoints") else who),
        },
    }


def updated(document: Document) -> Document:
    """As the answer to an updating PUT shows what it will be: as if it were new, and had never been made."""
    return in_state(document, "Creating") | {"systemData": {"lastModifiedAt": now()}}


def in_state(document: Document, state: str) -> Document:
    """The document with another provisioning state."""
    return {**document, "properties": {**document["properties"], "provisioningState": state}}
