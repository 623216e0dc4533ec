"""Datastores: which blob container a name stands for, and what opens it. Knows no HTTP."""

import re
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field

from azureml_emulator.arm.documents import Document, Scope, resource
from azureml_emulator.arm.errors import BadRequest, NotFound
from azureml_emulator.arm.sent import Put, Sent, Texts, any_case, not_emulated_but, validated
from azureml_emulator.arm.store import Store
from azureml_emulator.resources.blobs import ACCOUNT, SUFFIX

DATASTORE = "workspaceblobstore"
#: Holds what jobs log and leave in `outputs`.
ARTIFACTS = "workspaceartifactstore"
NAME = re.compile(r"[a-z0-9_]{1,255}", re.IGNORECASE | re.ASCII)
#: In short or with the workspace before it; to what jobs log it is told without `paths`.
PATH = re.compile(r"azureml:/(?:.*/)?datastores/([^/]+)/(?:paths/|(?=ExperimentRun/))(.*)", re.IGNORECASE)
Reader = Literal["None", "WorkspaceSystemAssignedIdentity", "WorkspaceUserAssignedIdentity"]
KINDS = Literal["AccountKey", "Sas", "None"]


class Credentials(Sent):
    """Their secrets aren't kept: blobs are opened by signatures and tokens of the emulator's own."""

    credentials_type: Annotated[KINDS, any_case("AccountKey", "Sas", "None", absent="ServicePrincipal")] = "None"


class BlobDatastore(Sent):
    datastore_type: Annotated[Literal["AzureBlob"], not_emulated_but("a datastore", "AzureBlob")]
    account_name: str
    container_name: str = Field(pattern=r"^[a-z0-9](-?[a-z0-9])+$", min_length=3, max_length=63)
    credentials: Credentials = Credentials()
    protocol: Literal["https"] = "https"
    service_data_access_auth_identity: Annotated[Reader, any_case(*get_args(Reader))] = "None"
    description: str | None = None
    tags: Texts
    properties: Texts


class Place(NamedTuple):
    """Where blobs are: `keyed` says that the datastore has credentials of its own, which open it to every job."""

    container: str
    path: str
    keyed: bool


class Datastores:
    """Those of every workspace: two that it is made with, and those that somebody made. `base` is the server's
    address; `keyed` says whether those two have keys.
    """

    def __init__(self, store: Store, base: str, keyed: bool):
        self._store = store
        self._account = f"{base.removeprefix('https://')}/{ACCOUNT}"
        self._keyed = keyed

    def all(self, scope: Scope) -> list[Document]:
        made = self._store.children(f"{scope.key}/datastores")
        return [*(self.get(scope, name) for name in (DATASTORE, ARTIFACTS)), *map(self._told, made)]

    def get(self, scope: Scope, name: str) -> Document:
        """Its credentials are called a key, and told as a signature: so they are recorded."""
        if name in (DATASTORE, ARTIFACTS):
            container = scope.container if name == DATASTORE else f"azureml-artifacts-{scope.workspace.lower()}"
            given = {"containerName": container, "isDefault": name == DATASTORE, "description": None}
            kind = {"credentialsType": "AccountKey" if self._keyed else "None"}
            return self._told(resource(scope, "datastores", f"datastores/{name}", {**given, "credentials": kind}))
        if (found := self._store.get(f"{scope.key}/datastores/{name}")) is None:
            raise NotFound(f"Could not find datastore: {name}.")
        return self._told(found)

    def put(self, scope: Scope, name: str, body: Document) -> tuple[Document, bool]:
        """Creates or changes one; says whether it is new."""
        if name in (DATASTORE, ARTIFACTS) or not NAME.fullmatch(name):
            raise BadRequest(f"A datastore {name!r} can't be made: a name has letters, digits and underscores.")
        given = validated(Put[BlobDatastore].model_validate, body).properties
        if given.account_name.rpartition("/")[2] != ACCOUNT:
            what = f"the storage account {given.account_name!r} isn't emulated: {ACCOUNT} is"
            raise BadRequest(f"properties.accountName: {what}.", "NotEmulated")
        old = self._store.get(f"{scope.key}/datastores/{name}")
        kept = given.model_dump(exclude={"account_name"}) | {"isDefault": False}
        document = resource(scope, "datastores", f"datastores/{name}", kept, old)
        self._store.put(f"{scope.key}/datastores/{name}", document)
        return self._told(document), old is None

    def delete(self, scope: Scope, name: str) -> bool:
        """Forgets a datastore, not its blobs; says whether it was there."""
        was = self._store.get(f"{scope.key}/datastores/{name}") is not None
        self._store.delete(f"{scope.key}/datastores/{name}")
        return was

    def container(self, scope: Scope, name: str) -> str:
        return str(self.get(scope, name)["properties"]["containerName"])

    def place(self, scope: Scope, uri: str) -> Place:
        """What `azureml://…datastores/NAME/paths/PATH` names. Raises BadRequest for other addresses, and NotFound."""
        found = PATH.fullmatch(uri)
        if not found:
            raise BadRequest(f"The address {uri!r} isn't emulated: azureml://datastores/NAME/paths/PATH is.")
        properties = self.get(scope, found[1])["properties"]
        keyed = properties["credentials"]["credentialsType"] != "None"
        return Place(properties["containerName"], found[2].strip("/"), keyed)

    def _told(self, document: Document) -> Document:
        """With what isn't kept, since the server's address changes."""
        everywhere: Document = {
            "datastoreType": "AzureBlob",
            "accountName": self._account,
            "endpoint": SUFFIX,
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "None",
            "subscriptionId": None,
            "resourceGroup": None,
            "tags": {},
            "properties": {},
        }
        return {**document, "properties": everywhere | document["properties"]}
