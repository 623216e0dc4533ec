"""Online endpoints: their split, their keys, and what the router knows of them. Knows no HTTP."""

import secrets
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from azureml_emulator.arm.documents import Document, Scope, check_name, in_state, resource, updated
from azureml_emulator.arm.errors import BadRequest, Conflict, NotFound, passed_on
from azureml_emulator.arm.sent import Access, Sent, Texts, Tracked, any_case, not_emulated, validated
from azureml_emulator.arm.store import Store
from azureml_emulator.resources.deployments import Deployments
from azureml_emulator.resources.identities import Identities
from azureml_emulator.resources.operations import Operations, Work, new_name
from azureml_emulator.resources.tokens import ML, Tokens
from azureml_emulator.serving.router import Route, Router, any_of

MAX_MIRROR = 50
#: Azure/azureml-examples#1931
TAKEN = (
    "There is already an endpoint with this name, Endpoint name needs to be unique within a region. "
    "Try some other name."
)
TOKEN_SECONDS = 24 * 3600  # to be had anew after half of them
OPERATIONS = "oeidp"  # how the names of an endpoint's operations begin
READ_ONLY = {"compute": None, "scoringUri": None, "swaggerUri": None, "provisioningState": "Succeeded"}

Name = Annotated[str, StringConstraints(to_lower=True)]
Percent = Annotated[int, Field(ge=0, le=100)]
Split = Annotated[dict[Name, Percent], Field(default_factory=dict)]


class Properties(Sent):
    auth_mode: Annotated[Literal["Key", "AMLToken", "AADToken"], any_case("Key", "AMLToken", "AADToken")]
    compute: Annotated[None, not_emulated("Kubernetes")] = None
    keys: Annotated[None, not_emulated("bringing keys along")] = None
    description: str | None = None
    properties: Texts
    traffic: Split
    mirror_traffic: Split
    public_network_access: Access = "Enabled"


class Endpoints:
    """Endpoints of every workspace; `base` is the address they are called at."""

    def __init__(
        self,
        store: Store,
        operations: Operations,
        deployments: Deployments,
        router: Router,
        tokens: Tokens,
        identities: Identities,
        base: str,
    ):
        self._store = store
        self._operations = operations
        self._deployments = deployments
        self._router = router
        self._tokens = tokens
        self._identities = identities
        self._base = base
        deployments.publish = self.publish

    def all(self, scope: Scope) -> list[Document]:
        return [self._with_uris(item) for item in self._store.children(f"{scope.key}/onlineEndpoints")]

    def get(self, scope: Scope, name: str) -> Document:
        found = self._store.get(_key(scope, name))
        if found is None:
            raise NotFound.of(f"{scope.id}/onlineEndpoints/{name}")
        return self._with_uris(found)

    def put(self, scope: Scope, name: str, body: Document, version: str = "") -> tuple[Document, str]:
        """Creates or changes an endpoint; answers what is to be told at once, and the operation's name.

        `version` is the API version that the operation is to be asked for in.
        """
        name = check_name(name, "endpoint")
        self._operations.refuse_if_busy(name, "update the endpoint")
        key = _key(scope, name)
        old = self._store.get(key)
        if old is None and any(item["name"] == name for item in self._store.everywhere("onlineEndpoints")):
            details = passed_on("InferencingClientCallFailed", "", TAKEN)
            raise BadRequest("The request is invalid.", "BadRequest", details=details)
        path = f"onlineEndpoints/{name}"
        given = validated(Tracked[Properties].model_validate, body)
        if old and _place(given.location) != _place(old["location"]):
            raise Conflict.elsewhere(name, scope.resource_group, old["location"], given.location)
        given.location = old["location"] if old else given.location
        self._check(scope, name, given.properties)
        properties = given.properties.model_dump() | READ_ONLY
        operation = new_name(scope, OPERATIONS)
        properties["properties"] |= {  # the service's own, whatever was sent
            "azureml.onlineendpointid": f"{scope.id}/{path}".lower(),
            "AzureAsyncOperationUri": self._operations.address(scope, operation, version),
        }
        new = resource(scope, "onlineEndpoints", path, properties, old) | given.envelope()
        if given.identity:
            made = f"{new['id']} {new['systemData']['createdAt']}"
            new["identity"] = self._identities.filled(new["identity"], made)
        pending = in_state(old, "Updating") if old else in_state(new, "Creating")

        def accept() -> None:
            self._store.put(key, pending)
            if old is None:
                self._store.put(f"keys/{name}", {"primaryKey": _new_key(), "secondaryKey": _new_key()})

        work = Work(
            accept=accept,
            commit=lambda: self._store.put(key, in_state(new, "Succeeded")),
            abort=lambda state: self._store.put(key, in_state(old or new, state)),
            after=lambda: self.publish(scope, name),
        )
        told = {key: value for key, value in updated(new).items() if key not in ("location", "identity")}
        return told if old else pending, self._operations.begin(name, work, operation)

    def patch(self, scope: Scope, name: str, body: Document, version: str) -> tuple[Document, str]:
        """Changes tags and identity; the split, too, before API version 2022-05-01, which MLflow's plugin asks for.

        Answers as put does.
        """
        old = self.get(scope, name)
        changed = {part: body[part] for part in ("tags", "identity") if body.get(part) is not None}
        properties = body.get("properties") if version < "2022-05-01" else None
        changed |= {"properties": {**old["properties"], **(properties or {})}}
        return self.put(scope, name, {**old, **changed}, version)

    def delete(self, scope: Scope, name: str) -> str | None:
        """Starts the deletion of the endpoint and its deployments; None when there is no such endpoint."""
        key = _key(scope, name)
        old = self._store.get(key)
        if old is None:
            return None
        removal = self._operations.removal(name, "delete the endpoint")
        deployments = [item["name"] for item in self._deployments.all(scope, name)]

        async def prepare() -> None:
            if removal:
                await removal
            await self._deployments.stop(name, deployments)

        def commit() -> None:
            self._store.delete(key)
            self._store.delete(f"keys/{name}")

        work = Work(
            accept=lambda: self._store.put(key, in_state(old, "Deleting")),
            prepare=prepare,
            commit=commit,
            abort=lambda state: self._store.put(key, in_state(old, state)),
            after=lambda: self.publish(scope, name),
        )
        return self._operations.begin(name, work, new_name(scope, OPERATIONS))

    def keys(self, scope: Scope, name: str) -> Document:
        if self.get(scope, name)["properties"]["authMode"] != "Key":
            raise BadRequest(f"Endpoint {name} does not use key authentication.")
        return self._store.get(f"keys/{name}") or {}

    def token(self, scope: Scope, name: str) -> Document:
        """A token for an endpoint with the auth mode aml_token."""
        if self.get(scope, name)["properties"]["authMode"] != "AMLToken":
            raise BadRequest(f"Endpoint {name} does not use aml_token authentication.")
        token, expires = self._tokens.issue(audience=name, seconds=TOKEN_SECONDS)
        return {
            "accessToken": token,
            "tokenType": "Bearer",
            "expiryTimeUtc": expires,
            "refreshAfterTimeUtc": expires - TOKEN_SECONDS // 2,
        }

    def regenerate_key(self, scope: Scope, name: str, body: Document) -> str:
        """Replaces one key; the old one stops working at once."""
        keys = self.keys(scope, name)
        self._operations.refuse_if_busy(name, "regenerate a key")
        kind = str(body.get("keyType")).lower()
        if kind not in ("primary", "secondary"):
            raise BadRequest(f"keyType must be Primary or Secondary, not {body.get('keyType')!r}.")
        # The SDK sends the present key as keyValue and people get a new one: so it is ignored.
        new = keys | {f"{kind}Key": _new_key()}
        work = Work(accept=lambda: self._store.put(f"keys/{name}", new))
        operation = self._operations.begin(name, work, new_name(scope, OPERATIONS))
        self.publish(scope, name)
        return operation

    def overwrite(self, scope: Scope, name: str, traffic: dict[str, int]) -> None:
        """Writes another split at once and unchecked, as somebody else's update that has just ended."""
        key = _key(scope, name)
        if found := self._store.get(key):
            self._store.put(key, {**found, "properties": {**found["properties"], "traffic": traffic}})
            self.publish(scope, name)

    def publish(self, scope: Scope, name: str) -> None:
        """Tells the router what the endpoint is now."""
        found = self._store.get(_key(scope, name))
        if found is None:
            self._router.routes.pop(name, None)
            return
        properties, keys = found["properties"], self._store.get(f"keys/{name}") or {}
        audience = {"AMLToken": name, "AADToken": ML}.get(properties["authMode"])
        self._router.routes[name] = Route(
            accepts=self._tokens.opens(audience) if audience else any_of(keys.values()),
            traffic=properties["traffic"],
            mirror=properties["mirrorTraffic"],
            pools=self._deployments.serving(scope, name),
        )

    async def restore(self, scope: Scope) -> None:
        """After a restart: ends what was in flight, starts the deployments' processes and opens the routes."""
        for document in self._store.children(f"{scope.key}/onlineEndpoints"):
            name, state = document["name"], document["properties"]["provisioningState"]
            settled = {"Creating": "Failed", **dict.fromkeys(("Updating", "Scaling", "Deleting"), "Succeeded")}
            state = settled.get(state, state)
            self._store.put(_key(scope, name), in_state(document, state))
            await self._deployments.restore(scope, name)
            self.publish(scope, name)

    def _with_uris(self, document: Document) -> Document:
        """The addresses follow where the emulator listens, so they aren't stored."""
        if document["properties"]["provisioningState"] == "Creating":
            return document
        score = f"{self._base}/endpoints/{document['name']}/score"
        swagger = f"{self._base}/endpoints/{document['name']}/swagger.json"
        return {**document, "properties": {**document["properties"], "scoringUri": score, "swaggerUri": swagger}}

    def _check(self, scope: Scope, name: str, given: Properties) -> None:
        there = {item["name"] for item in self._store.children(f"{_key(scope, name)}/deployments")}
        for kind, split in (("traffic", given.traffic), ("mirrorTraffic", given.mirror_traffic)):
            if unknown := split.keys() - there:
                raise BadRequest(f"The {kind} names {min(unknown)}, which is no deployment of this endpoint.")
        check_split(given.traffic, given.mirror_traffic)


def check_split(traffic: dict[str, int], mirror: dict[str, int]) -> None:
    """Raises BadRequest for a split that Azure refuses (how-to-safely-rollout-online-endpoints); the words are ours."""
    if sum(traffic.values()) not in (0, 100):
        raise BadRequest(f"The sum of the traffic must be 0 or 100, not {sum(traffic.values())}.")
    mirrored = {name: percent for name, percent in mirror.items() if percent}
    if len(mirrored) > 1 or any(percent > MAX_MIRROR for percent in mirrored.values()):
        raise BadRequest(f"One deployment can be mirrored, with at most {MAX_MIRROR} %.")
    if both := [name for name in mirrored if traffic.get(name)]:
        raise BadRequest(f"Deployment {both[0]} cannot have live and mirrored traffic.")


def _key(scope: Scope, name: str) -> str:
    return f"{scope.key}/onlineEndpoints/{name}"


def _place(location: str) -> str:
    """A region's name, which may be written with spaces: West Europe."""
    return location.replace(" ", "").lower()


def _new_key() -> str:
    return secrets.token_urlsafe(48)
