"""Who may do what: Azure's built-in roles, those that somebody made, and who has which over which scope. No HTTP."""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from azureml_emulator.arm.actions import VERBS, needed
from azureml_emulator.arm.documents import Document, now
from azureml_emulator.arm.errors import BadRequest, Forbidden, NotFound
from azureml_emulator.arm.names import PROVIDER
from azureml_emulator.arm.sent import Put, Sent, not_emulated, validated
from azureml_emulator.arm.store import Store

KIND = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
#: Whoever started the emulator, who owns the subscription.
OWNER = "local"
#: By the id of the definition; the actions are those of role-based-access-control/built-in-roles.
ROLES: dict[str, Document] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": {"name": "Owner", "actions": ["*"]},
    "b24988ac-6180-42a0-ab88-20f7382dd24c": {
        "name": "Contributor",
        "actions": ["*"],
        "notActions": [f"Microsoft.Authorization/*/{verb}" for verb in ("Delete", "Write")],
    },
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": {"name": "Reader", "actions": ["*/read"]},
    "43d0d8ad-25c7-4714-9337-8ba259a9fe05": {"name": "Monitoring Reader", "actions": ["*/read"]},
    "73c42c96-874c-492b-b04d-ab87d138a893": {"name": "Log Analytics Reader", "actions": ["*/read"]},
    "f6c7c914-8db3-469d-8ca1-694a8f32e121": {
        "name": "AzureML Data Scientist",
        "actions": [f"{PROVIDER}/workspaces/*/{verb}" for verb in ("read", "action", "delete", "write")],
        "notActions": [
            f"{PROVIDER}/workspaces/{path}"
            for path in (
                "delete", "write", "computes/*/write", "computes/*/delete", "computes/listKeys/action",
                "listKeys/action", "hubs/write", "hubs/delete", "featurestores/write", "featurestores/delete",
            )
        ],
    },
}  # fmt: skip
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
ROLES |= {
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": {
        "name": "Storage Blob Data Contributor",
        "actions": [f"{BLOBS}/{verb}" for verb in ("delete", "read", "write")],
        "dataActions": [f"{BLOBS}/blobs/{verb}" for verb in ("delete", "read", "write")],
    },
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": {
        "name": "Storage Blob Data Owner",
        "actions": [f"{BLOBS}/*"],
        "dataActions": [f"{BLOBS}/blobs/*"],
    },
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": {
        "name": "Storage Blob Data Reader",
        "actions": [f"{BLOBS}/read"],
        "dataActions": [f"{BLOBS}/blobs/read"],
    },
}
IDS = {role["name"]: id for id, role in ROLES.items()}


class Assignment(Sent):
    principal_id: str = Field(min_length=1)
    role_definition_id: str = Field(min_length=1)
    principal_type: str | None = None
    description: str | None = None
    condition: Annotated[None, not_emulated("a condition")] = None


class Permission(Sent):
    actions: list[str] = Field(default_factory=list)
    not_actions: list[str] = Field(default_factory=list)
    data_actions: list[str] | None = None
    not_data_actions: list[str] | None = None


class Definition(Sent):
    role_name: str = Field(min_length=1)
    description: str | None = None
    permissions: list[Permission] = Field(min_length=1, max_length=1)
    assignable_scopes: list[str] = Field(min_length=1)


class Roles:
    """The role assignments and the custom roles of one subscription."""

    def __init__(self, store: Store):
        self._store = store

    def put(self, scope: str, name: str, body: Document) -> Document:
        """Lets a principal have a role over a scope and all below it. Raises BadRequest for a role that isn't known."""
        given = validated(Put[Assignment].model_validate, body).properties
        if self._role(given.role_definition_id) is None:
            what = f"The specified role definition with ID '{given.role_definition_id}' does not exist."
            raise BadRequest(what, "RoleDefinitionDoesNotExist")
        role = _definition(scope.split("/")[2], given.role_definition_id.rpartition("/")[2])
        document = {
            "id": f"{scope}/providers/{KIND}/{name}",
            "name": name,
            "type": KIND,
            "properties": {
                **given.model_dump(exclude_none=True),
                "roleDefinitionId": role,
                "scope": scope,
                "createdOn": now(),
            },
        }
        self._store.put(_key(name), document)
        return document

    def define(self, scope: str, id: str, body: Document) -> Document:
        """A role that Azure doesn't have. Where it may be assigned is kept, but not held."""
        given = validated(Put[Definition].model_validate, body).properties.model_dump(exclude_none=True)
        document = {"id": f"{scope}/providers/{DEFINITIONS}/{id}", "name": id, "type": DEFINITIONS, "properties": given}
        self._store.put(f"roledefinitions/{id.lower()}", document)
        return document

    def definition(self, subscription: str, id: str) -> Document:
        """A role, by the id that assignments name."""
        if made := self._store.get(f"roledefinitions/{id.lower()}"):
            return made
        if (role := ROLES.get(id.lower())) is None:
            raise NotFound(
                f"The specified role definition with ID '{id}' does not exist.", "RoleDefinitionDoesNotExist"
            )
        said = {"roleName": role["name"], "permissions": permissions([role]), "assignableScopes": ["/"]}
        return {"id": _definition(subscription, id), "name": id, "type": DEFINITIONS, "properties": said}

    def delete(self, name: str) -> Document | None:
        """The assignment that was there."""
        found = self._store.get(_key(name))
        self._store.delete(_key(name))
        return found

    def over(self, scope: str) -> list[Document]:
        """The assignments over this scope: those made at it, and above it."""
        found = self._store.children("roleassignments")
        return [one for one in found if within(scope, one["properties"]["scope"])]

    def of(self, principal: str, scope: str) -> list[Document]:
        """The roles that a principal has over a scope."""
        if principal == OWNER:
            return [ROLES[IDS["Owner"]]]
        had = [one["properties"] for one in self.over(scope) if one["properties"]["principalId"] == principal]
        return [role for one in had if (role := self._role(one["roleDefinitionId"]))]

    def opens_blobs(self, principal: str, container: str, method: str) -> bool:
        """Whether the principal may read, write or delete blobs of a container. Here its owner may; Azure's may not."""
        action = f"{BLOBS}/blobs/{VERBS.get(method, 'write')}"
        return principal == OWNER or may(self.of(principal, container), action, "dataActions")

    def _role(self, definition: str) -> Document | None:
        id = definition.rpartition("/")[2].lower()
        made = self._store.get(f"roledefinitions/{id}")
        return made["properties"]["permissions"][0] if made else ROLES.get(id)

    def check(self, principal: str, method: str, path: str) -> None:
        """Raises Forbidden where no role lets the principal make this call.

        Of its own permissions everybody is told who has a role there, though the page says that it takes the action
        permissions/read: the studio greys out what a Data Scientist, who lacks that, may not do. A guess.
        """
        self.require(principal, *needed(method, path))

    def require(self, principal: str, action: str, scope: str) -> None:
        """The same for an action that the call's address doesn't show."""
        roles = self.of(principal, scope)
        if not may(roles, action) and not (roles and action == "Microsoft.Authorization/permissions/read"):
            raise Forbidden.to(principal, action, scope)


def permissions(roles: Iterable[Document]) -> list[Document]:
    """As Azure lists them, of each role one."""
    nothing: Document = {"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}
    return [nothing | {name: value for name, value in role.items() if name in nothing} for role in roles]


def may(roles: Iterable[Document], action: str, kind: str = "actions") -> bool:
    """What one role excludes another may allow (role-definitions#notactions). Of blobs the `kind` is dataActions."""
    excluded = f"not{kind[0].upper()}{kind[1:]}"
    return any(
        any(covers(pattern, action) for pattern in role.get(kind, ()))
        and not any(covers(pattern, action) for pattern in role.get(excluded, ()))
        for role in roles
    )


def covers(pattern: str, action: str) -> bool:
    """`*` stands for any text, between two slashes for none, too: the role Data Scientist takes workspaces/write out of
    workspaces/*/write, so that is in it.
    """
    quoted = re.escape(pattern).replace(r"/\*/", "/(.*/)?").replace(r"\*", ".*")
    return bool(re.fullmatch(quoted, action, re.IGNORECASE))


def _definition(subscription: str, id: str) -> str:
    """A role's id is the subscription's, wherever it was made."""
    return f"/subscriptions/{subscription}/providers/{DEFINITIONS}/{id.lower()}"


def within(scope: str, above: str) -> bool:
    return f"{scope}/".lower().startswith(f"{above}/".lower())


def _key(name: str) -> str:
    return f"roleassignments/{name.lower()}"
