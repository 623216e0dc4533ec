"""What a registered model says of itself: MLmodel and the input example, without the gigabytes beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure import registered
from scripts.lib.azure.errors import brief, explain
from scripts.lib.azure.looking import found, twice
from scripts.lib.azure.trying import patiently
from scripts.lib.azure.waiting import ANSWER, Deadline, say, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import model_example
from scripts.lib.decisions.contract import Contract, contract
from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.state import Model


def registered_contract(workspace: Workspace, model: Model, deadline: Deadline) -> Contract | None:
    """The contract of a registered version; None where there is no such version, or it is no MLflow model."""
    ours = model.name and "/" not in model.name  # one of a registry is another workspace's
    known = registered.version(workspace, model.name, model.version, deadline) if ours else None
    if known is None:
        return None
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:  # given up, a download may still write there
        what, into = f"reading the MLmodel of {model.name} {model.version}", Path(temporary)
        folder = patiently(workspace, deadline, lambda: within(deadline, what, lambda: _fetch(workspace, known, into)))
        said = contract(folder) if (folder / "MLmodel").is_file() else None
        return said and replace(said, tags={**said.tags, **(known.tags or {})})


def facts(workspace: Workspace, model: Model, deadline: Deadline) -> Mapping[str, str]:
    """What a registered version's MLmodel and its tags say; nothing where that can't be read, which is told."""
    try:
        said = registered_contract(workspace, model, deadline)
    except Exception as error:
        if explain(error) is None:
            raise
        say(f"what {model.name} {model.version} says of itself can't be read: {brief(error)}")
        return {}
    return said.tags if said else {}


def _fetch(workspace: Workspace, model: Any, into: Path) -> Path:
    """The folder with both files, of all where they lie in something else than blobs."""
    if (place := registered.blobs(workspace, model)) is None:
        return registered.download(workspace, model, into)
    _copy(*place, "MLmodel", into)
    if (into / "MLmodel").is_file() and (name := model_example.file_name(mlmodel(into))):
        _copy(*place, name, into)
    return into


def _copy(container: Any, folder: str, name: str, into: Path) -> None:
    """One file of a folder in a datastore; nothing where there is none, twice."""
    for _ in twice():
        content = found(Deadline(ANSWER), lambda: container.download_blob(f"{folder}/{name}").readall())
        if content is not None:
            (into / name).write_bytes(content)
            return
