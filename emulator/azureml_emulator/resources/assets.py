"""Named assets and their versions, the same for models, data and environments. Knows no HTTP."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from azureml_emulator.arm.documents import ASSET_NAME, Document, Scope, resource
from azureml_emulator.arm.errors import BadRequest, Conflict, NotFound
from azureml_emulator.arm.sent import Put, Sent, Texts, validated
from azureml_emulator.arm.store import Store

VIEWS = {"ActiveOnly": False, "ArchivedOnly": True, "All": None}


@dataclass(frozen=True)
class Page:
    """The part of a list that is asked for: `view` is listViewType, `stage` that of a model."""

    view: str = "ActiveOnly"
    skip: int = 0
    top: int = 100
    stage: str = ""
    oldest_first: bool = False

    @property
    def archived(self) -> bool | None:
        if self.view not in VIEWS:
            raise BadRequest(f"listViewType {self.view!r} is none of {', '.join(VIEWS)}.")
        return VIEWS[self.view]


class Described(Sent):
    """What containers and versions of every kind have."""

    description: str | None = None
    tags: Texts
    properties: Texts
    is_archived: bool = False


class Version(Described):
    is_anonymous: bool = False
    auto_delete_setting: Document | None = None
    intellectual_property: Document | None = None


class Assets:
    """The assets of one kind in every workspace: a container for each name, with versions in it."""

    kind: ClassVar[str]
    title: ClassVar[str]
    container_body: ClassVar[type[Put[Any]]] = Put[Described]
    version_body: ClassVar[type[Put[Any]]]
    version_name: ClassVar[re.Pattern[str]] = ASSET_NAME
    version_rule: ClassVar[str] = "letters, digits, dots, dashes and underscores"
    #: What a version says once and for all.
    fixed: ClassVar[tuple[str, ...]]
    changed: ClassVar[str] = "Asset paths cannot be updated."
    #: What each container and version is; Azure's data have no state.
    state: ClassVar[Document] = {"provisioningState": "Succeeded"}

    def __init__(self, store: Store):
        self._store = store

    def containers(self, scope: Scope, page: Page) -> list[Document]:
        """Those of anonymous assets, which a deployment brings along, aren't there."""
        found = self._store.page(f"{scope.key}/{self.kind}", page.skip, page.top, page.archived)
        return [self.container(scope, item["name"]) for item in found]

    def container(self, scope: Scope, name: str) -> Document:
        key = f"{scope.key}/{self.kind}/{name}"
        kept, latest = self._store.get(key), self._store.highest(f"{key}/versions")
        if kept is None and latest is None:
            raise self._not_found(f"{self.title} container with name: {name} not found.")
        following = int(latest) + 1 if latest and latest.isascii() and latest.isdigit() else 1
        found = self._described(scope, name, kept) if kept is None or "id" not in kept else kept
        numbers = {"latestVersion": latest, "nextVersion": str(following)}
        return {**found, "properties": {**found["properties"], **numbers}}

    def put_container(self, scope: Scope, name: str, body: Document) -> tuple[Document, bool]:
        """Changes what is said of all versions, archiving too; says whether it is new."""
        self._check_name(name)
        key = f"{scope.key}/{self.kind}/{name}"
        given = validated(self.container_body.model_validate, body).properties
        old = self._store.get(key)
        self._store.put(key, self._described(scope, name, old, **given.model_dump()))
        return self.container(scope, name), old is None

    def versions(self, scope: Scope, name: str, page: Page) -> list[Document]:
        """Newest first, unless asked otherwise. An archived container has archived versions only."""
        whole = bool(self.container(scope, name)["properties"].get("isArchived"))
        if whole and page.archived is False:
            return []
        archived = None if whole else page.archived
        parent = f"{scope.key}/{self.kind}/{name}/versions"
        return self._store.page(parent, page.skip, page.top, archived, page.stage, page.oldest_first)

    def version(self, scope: Scope, name: str, version: str) -> Document:
        found = self._store.get(f"{scope.key}/{self.kind}/{name}/versions/{version}")
        if found is None:
            raise self._not_found(f"{self.title} with name: {name} and version: {version} not found.")
        return found

    def put_version(self, scope: Scope, name: str, version: str, body: Document) -> tuple[Document, bool]:
        """Registers a version, or changes the tags, description and archiving of one; says whether it is new."""
        self._check_name(name)
        if not self.version_name.fullmatch(version):
            what = f"{self.title.lower()} version {version!r}"
            raise BadRequest(f"The {what} is not valid: versions are {self.version_rule}.")
        given = validated(self.version_body.model_validate, body).properties
        return self._keep(scope, name, version, given.model_dump())

    def _keep(self, scope: Scope, name: str, version: str, given: Document) -> tuple[Document, bool]:
        path = f"{self.kind}/{name}/versions/{version}"
        old = self._store.get(f"{scope.key}/{path}")
        kept = old["properties"] if old else {}
        if old and any(given[field] not in (None, kept.get(field)) for field in self.fixed):
            raise Conflict(self.changed, "UserError")
        properties = self._complete(scope, given, kept) | self.state
        document = resource(scope, f"{self.kind}/versions", path, properties, old)
        container = f"{scope.key}/{self.kind}/{name}"
        with self._store.transaction():
            if not (given["isAnonymous"] or self._store.get(container)):
                self._store.put(container, self._described(scope, name, None, **self._of_all(given)))
            self._store.put(f"{scope.key}/{path}", document)
        return document, old is None

    def _complete(self, scope: Scope, given: Document, kept: Document) -> Document:
        """What is kept of a version: what is `fixed` need not be said again."""
        return given | {field: given[field] or kept.get(field) for field in self.fixed}

    def _of_all(self, given: Document) -> Document:
        """What the first version says of its container."""
        return {}

    def _described(self, scope: Scope, name: str, old: Document | None, **given: object) -> Document:
        empty: Document = {"description": None, "tags": {}, "properties": {}, "isArchived": False}
        properties = empty | given | self.state
        old = old if old and "id" in old else None  # state folders of before have only the name
        return resource(scope, self.kind, f"{self.kind}/{name}", properties, old)

    def _check_name(self, name: str) -> None:
        if not ASSET_NAME.fullmatch(name):
            raise BadRequest(f"The {self.title.lower()} name {name!r} is not valid.")

    def _not_found(self, what: str) -> NotFound:
        """The service behind the resource manager says what; recorded by the SDK's own tests."""
        return NotFound(
            "The specified resource was not found.", details=[{"code": f"{self.title}NotFound", "message": what}]
        )
