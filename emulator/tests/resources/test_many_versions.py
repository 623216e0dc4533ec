"""However many versions a model has, what is asked of the registry costs the same: the loop carries the traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.arm.documents import Scope, resource
from azureml_emulator.arm.store import Store
from azureml_emulator.resources.assets import Page
from azureml_emulator.resources.registry import Registry

SCOPE = Scope("s", "g", "w")
MODEL = {
    "modelUri": "azureml://x/datastores/workspaceblobstore/paths/a",
    "modelType": "custom_model",
    "isArchived": False,
    "stage": None,
    "flavors": {},
}
ASKED: dict[str, Callable[[Registry], Any]] = {
    "the container": lambda registry: registry.models.container(SCOPE, "many"),
    "the containers": lambda registry: registry.models.containers(SCOPE, Page()),
    "one version": lambda registry: registry.models.version(SCOPE, "many", "7"),
    "the latest": lambda registry: registry.models.versions(SCOPE, "many", Page(top=1)),
    "the oldest": lambda registry: registry.models.versions(SCOPE, "many", Page(top=1, oldest_first=True)),
    "a page": lambda registry: registry.models.versions(SCOPE, "many", Page(top=10)),
    "a page of a stage": lambda registry: registry.models.versions(SCOPE, "many", Page(stage="Production")),
    "all of a stage": lambda registry: registry.models.versions(SCOPE, "many", Page("All", stage="Production")),
    "archived ones": lambda registry: registry.models.versions(SCOPE, "many", Page("ArchivedOnly")),
    "all": lambda registry: registry.models.versions(SCOPE, "many", Page("All", top=10)),
    "none that is active": lambda registry: registry.models.versions(SCOPE, "retired", Page(stage="Retired")),
    "another one": lambda registry: registry.models.put_version(SCOPE, "many", "100000", {"properties": MODEL}),
    "a package": lambda registry: registry.package(SCOPE, "many", "7", {"targetEnvironmentName": "packed"}),
    "a version again": lambda registry: registry.models.put_version(SCOPE, "many", "7", {"properties": MODEL}),
}


def filled(folder: Path, count: int) -> Store:
    """A store with that many versions of one model, and of another, which are all archived and in one stage."""
    store = Store(folder)
    with store.transaction():
        for name, more in (("many", {}), ("retired", {"isArchived": True, "stage": "Retired"})):
            for number in range(1, count + 1):
                version = f"models/{name}/versions/{number}"
                store.put(f"{SCOPE.key}/{version}", resource(SCOPE, "models/versions", version, {**MODEL, **more}))
    return store


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """One with a few versions, and one with many."""
    few, many = (filled(tmp_path_factory.mktemp("versions"), count) for count in (20, 2000))
    with closing(few), closing(many):
        yield few, many


@pytest.mark.parametrize("asked", ASKED)
def test_many_cost_no_more_than_few(stores: tuple[Store, Store], asked: str) -> None:
    """The database takes as many steps for it among 2,000 versions as among 20, but for what a deeper tree costs."""
    few, many = (steps(store, ASKED[asked]) for store in stores)

    assert many <= 2 * few


def steps(store: Store, ask: Callable[[Registry], Any]) -> int:
    """The instructions of SQLite's virtual machine that it takes."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    registry = Registry(store)
    store._db.set_progress_handler(step, 1)
    try:
        ask(registry)
    finally:
        store._db.set_progress_handler(None, 1)
    return count
