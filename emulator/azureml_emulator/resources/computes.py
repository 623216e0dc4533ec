"""Compute clusters: what Azure says of one. No node is a machine here: jobs run as processes. Knows no HTTP."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from azureml_emulator.arm.documents import Document, Scope, now, resource
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.names import LOCATION
from azureml_emulator.arm.sent import Identity, Put, Sent, Tagged, any_case, not_emulated, not_emulated_but, validated
from azureml_emulator.arm.store import Store
from azureml_emulator.resources import skus
from azureml_emulator.resources.identities import Identities

#: The SDK's own rule for the names of computes.
NAME = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9-]{1,22})[a-zA-Z0-9]", re.ASCII)


class ScaleSettings(Sent):
    max_node_count: int = Field(ge=0, le=65000)
    min_node_count: int = Field(0, ge=0)
    node_idle_time_before_scale_down: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "ScaleSettings":
        if self.min_node_count > self.max_node_count:
            raise PydanticCustomError("nodes", "minNodeCount is more than maxNodeCount")
        return self


class Nodes(Sent):
    vm_size: str
    vm_priority: Annotated[Literal["Dedicated", "LowPriority"], any_case("Dedicated", "LowPriority")] = "Dedicated"
    scale_settings: ScaleSettings
    remote_login_port_public_access: str = "NotSpecified"
    os_type: str = "Linux"
    enable_node_public_ip: bool = True
    subnet: Annotated[None, not_emulated("a virtual network")] = None


class Cluster(Sent):
    compute_type: Annotated[Literal["AmlCompute"], not_emulated_but("a compute", "AmlCompute")]
    description: str | None = None
    disable_local_auth: bool = True
    properties: Nodes


class Compute(Tagged, Put[Cluster]):
    identity: Identity | None = None


class Computes:
    """The clusters of every workspace. One is there at once; at Azure it takes an operation of some seconds."""

    def __init__(self, store: Store, identities: Identities):
        self._store, self._identities = store, identities

    def all(self, scope: Scope) -> list[Document]:
        return self._store.children(f"{scope.key}/computes")

    def get(self, scope: Scope, name: str) -> Document:
        """The words are a guess."""
        if (found := self._store.get(f"{scope.key}/computes/{name.lower()}")) is None:
            raise NotFound(f"Requested compute '{name}' was not found in workspace.", "NotFound")
        return found

    def put(self, scope: Scope, name: str, body: Document) -> tuple[Document, bool]:
        """Creates or changes a cluster; says whether it is new."""
        if not NAME.fullmatch(name):
            raise BadRequest(f"The compute name {name!r} is not valid: a letter, then letters, digits and dashes.")
        given = validated(Compute.model_validate, body)
        skus.cores(given.properties.properties.vm_size)
        key = f"{scope.key}/computes/{name.lower()}"
        old = self._store.get(key)
        document = resource(scope, "computes", f"computes/{name}", self._properties(given.properties, old), old)
        document |= {"location": LOCATION, "tags": given.tags}
        if given.identity:
            made = f"{document['id']} {document['systemData']['createdAt']}"
            document["identity"] = self._identities.filled(given.identity.model_dump(exclude_none=True), made)
        self._store.put(key, document)
        return document, old is None

    def principal(self, compute: Document) -> tuple[str, str]:
        """The object id as which a cluster's jobs reach blobs, and its client id where it has one; or nothing."""
        identity = compute.get("identity") or {}
        for ids in identity.get("userAssignedIdentities", {}).values():
            return ids["principalId"], ids["clientId"]
        return identity.get("principalId", ""), ""

    def _properties(self, given: Cluster, old: Document | None) -> Document:
        """In the words of a recording."""
        nodes = {
            "currentNodeCount": 0,
            "targetNodeCount": 0,
            "nodeStateCounts": None,
            "allocationState": "Steady",
            "errors": None,
            "subnet": None,
            "virtualMachineImage": None,
            "isolatedNetwork": False,
            "enableBatchPrivateLink": False,
        }
        kept = given.model_dump()
        kept["properties"] |= {**nodes, "vmSize": given.properties.vm_size.upper()}
        return kept | {
            "createdOn": old["properties"]["createdOn"] if old else now(),
            "modifiedOn": now(),
            "resourceId": None,
            "provisioningState": "Succeeded",
            "provisioningErrors": None,
            "provisioningWarnings": None,
            "isAttachedCompute": False,
            "computeLocation": LOCATION,
        }
