"""User-assigned managed identities, and which tokens of others each of them trusts. Knows no HTTP.

Whoever shows the identity header gets a token of any of them by its client id; federation.py checks tokens of others.
"""

import re
import uuid

from pydantic import Field

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.names import TENANT
from azureml_emulator.arm.sent import Put, Sent, Tagged, validated
from azureml_emulator.arm.store import Store

KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{2,127}", re.IGNORECASE | re.ASCII)


class Credential(Sent):
    issuer: str = Field(min_length=1)
    subject: str = Field(min_length=1)
    audiences: list[str]


class Identities:
    """The identities of every resource group, by paths that ignore case."""

    def __init__(self, store: Store):
        self._store = store

    def all(self, group: str) -> list[Document]:
        """Those of a resource group (`/subscriptions/…/resourceGroups/…`)."""
        return self._store.children(_key(group))

    def principal(self, client: str) -> str | None:
        """The object id of the identity with this client id."""
        found = (one["properties"] for one in self._store.everywhere("identities"))
        return next((ids["principalId"] for ids in found if ids["clientId"].lower() == client.lower()), None)

    def filled(self, identity: Document, resource: str) -> Document:
        """The identity of a resource with the ids that Azure adds. An identity that isn't here has ids all the same."""
        told: Document = {"type": identity["type"]}
        if "SystemAssigned" in identity["type"]:
            told |= {"principalId": _made_up(resource), "tenantId": TENANT}
        if "UserAssigned" in identity["type"]:
            told["userAssignedIdentities"] = {id: self._ids(id) for id in identity.get("userAssignedIdentities", {})}
        return told

    def _ids(self, id: str) -> Document:
        group, _, name = id.partition(f"/providers/{KIND}/")
        found = self._store.get(f"{_key(group)}/{name.lower()}")
        ids = found["properties"] if found else {}
        return {kind: ids.get(kind, _made_up(f"{id} {kind}".lower())) for kind in ("clientId", "principalId")}

    def put(self, group: str, name: str, body: Document, client: str = "") -> tuple[Document, bool]:
        """Creates an identity with ids of its own, the client id among them or given, or changes its tags; and whether
        it is new.
        """
        key = f"{_key(group)}/{_check_name(name).lower()}"
        old = self._store.get(key)
        ids = {"tenantId": TENANT, "principalId": str(uuid.uuid4()), "clientId": client or str(uuid.uuid4())}
        document = {
            "id": f"{group}/providers/{KIND}/{name}",
            "name": name,
            "type": KIND,
            "properties": old["properties"] if old else ids,
        }
        document |= validated(Tagged.model_validate, body).model_dump()
        self._store.put(key, document)
        return document, old is None

    def credentials(self, group: str, identity: str) -> list[Document]:
        return self._store.children(f"{self._identity(group, identity)}/federatedidentitycredentials")

    def put_credential(self, group: str, identity: str, name: str, body: Document) -> tuple[Document, bool]:
        """Trusts the tokens of an issuer for one subject; and whether this is new. Raises BadRequest."""
        given = validated(Put[Credential].model_validate, body)
        key = f"{self._identity(group, identity)}/federatedidentitycredentials/{_check_name(name).lower()}"
        is_new = self._store.get(key) is None
        document = {
            "id": f"{group}/providers/{KIND}/{identity}/federatedIdentityCredentials/{name}",
            "name": name,
            "type": f"{KIND}/federatedIdentityCredentials",
            "properties": given.properties.model_dump(),
        }
        self._store.put(key, document)
        return document, is_new

    def _identity(self, group: str, name: str) -> str:
        key = f"{_key(group)}/{name.lower()}"
        if self._store.get(key) is None:
            raise NotFound(f"The Resource '{KIND}/{name}' was not found.", "ResourceNotFound")
        return key


def _made_up(what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, what))


def _key(group: str) -> str:
    return f"{group}/identities".lower()


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise BadRequest(f"The name {name!r} is not valid: 3 to 128 letters, digits, dashes and underscores.")
    return name
