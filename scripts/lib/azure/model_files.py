"""What a registered model says of itself: MLmodel and the input example, without the gigabytes beside them."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure import registered
from scripts.lib.azure.login import login
from scripts.lib.azure.looking import found, twice
from scripts.lib.azure.trying import patiently
from scripts.lib.azure.waiting import ANSWER, Deadline, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import model_example
from scripts.lib.decisions.contract import Contract, contract
from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.state import Model

PLACE = re.compile(r"/datastores/([^/]+)/paths/(.+?)/?$")  # in azureml://subscriptions/…/datastores/NAME/paths/…


def registered_contract(workspace: Workspace, model: Model, deadline: Deadline) -> Contract | None:
    """The contract of a registered version; None where there is no such version, or it is no MLflow model."""
    ours = model.name and "/" not in model.name  # one of a registry is another workspace's
    known = registered.version(workspace, model.name, model.version, deadline) if ours else None
    if known is None:
        return None
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:  # given up, a download may still write there
        what, into = f"reading the MLmodel of {model.name} {model.version}", Path(temporary)
        folder = patiently(workspace, deadline, lambda: within(deadline, what, lambda: _fetch(workspace, known, into)))
        return contract(folder) if (folder / "MLmodel").is_file() else None


def _fetch(workspace: Workspace, model: Any, into: Path) -> Path:
    """The folder with both files, of all where they lie in something else than blobs."""
    place = PLACE.search(str(model.path))
    store: Any = workspace.client.datastores.get(place[1], include_secrets=True) if place else None
    if place is None or not hasattr(store, "container_name"):
        return registered.download(workspace, model, into)
    _copy(store, place[2], "MLmodel", into)
    if (into / "MLmodel").is_file() and (name := model_example.file_name(mlmodel(into))):
        _copy(store, place[2], name, into)
    return into


def _copy(store: Any, path: str, name: str, into: Path) -> None:
    """One file of a folder in a datastore; nothing where there is none, twice."""
    from azure.storage.blob import BlobClient

    account = f"{store.protocol}://{store.account_name}.blob.{store.endpoint}"
    blob = BlobClient(account, store.container_name, f"{path}/{name}", credential=_credential(store.credentials))
    for _ in twice():
        content = found(Deadline(ANSWER), lambda: blob.download_blob().readall())
        if content is not None:
            (into / name).write_bytes(content)
            return


def _credential(secrets: Any) -> Any:
    """A storage account without shared keys has none: then it is whoever runs this."""
    from azure.core.credentials import AzureSasCredential

    if token := getattr(secrets, "sas_token", None):
        return AzureSasCredential(token.removeprefix("?"))
    return getattr(secrets, "account_key", None) or login()
