"""Registered model versions: which there are, and whether one is what was trained."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure.errors import Passing
from scripts.lib.azure.login import login
from scripts.lib.azure.looking import check_workspace, found, twice
from scripts.lib.azure.trying import patiently
from scripts.lib.azure.waiting import Deadline, say, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import model_folder
from scripts.lib.decisions.state import Refused

PLACE = re.compile(r"/datastores/([^/]+)/paths/(.+?)/?$")  # in azureml://subscriptions/…/datastores/NAME/paths/…
PART = 1 << 20  # bytes that are fetched at once; the SDK holds some ten times as many


def version(workspace: Workspace, name: str, number: str, deadline: Deadline) -> Any:
    """The SDK's Model of that version, None where there is no such version."""
    return patiently(workspace, deadline, lambda: _find(workspace, name, deadline, version=number))


def latest(workspace: Workspace, name: str, deadline: Deadline) -> Any:
    """The SDK's Model of the version registered last, None where there is none. By time: as text, 9 is after 10."""
    return patiently(workspace, deadline, lambda: _find(workspace, name, deadline, label="latest"))


def verified(workspace: Workspace, name: str, number: str, digest: str, deadline: Deadline) -> Any:
    """The SDK's Model of that version, with the digest that its content has as the tag `digest`.

    Raises Refused where there is no such version, or its content is neither what `digest` says nor, with an empty
    one, what its own tag says. Without a tag there is nothing to compare with: that is said, and is no error.
    """
    model = version(workspace, name, number, deadline)
    if model is None:
        raise Refused(f"model {name} has no version {number}. register_model prints the version to deploy.")
    if str(model.type) != "mlflow_model":
        raise Refused(
            f"{name} {number} is registered as a {model.type}, not as an MLflow model, which alone Azure serves "
            "without code. Nothing is deployed. register_model registers an MLflow folder as a new version."
        )
    expected = digest or model.tags.get("digest", "")
    if not expected:
        say(f"{name} {number} has no tag `digest`, so it can't be told whether it is what was trained")
        return model
    content = stored_digest(workspace, model, deadline, expected)
    source = "training made" if digest else "its tag says"
    if content != expected:
        raise Refused(
            f"{name} {number} is registered with another content than {source}: digest {content}, not {expected}. "
            "Nothing is deployed. Find out who changed it. With what was trained, `python -m scripts.register_model "
            "FOLDER` (in a workflow: *Re-run all jobs*) compares what is stored, and uploads a new version elsewhere."
        )
    say(f"{name} {number} is what {source}: digest {model_folder.short(content)}")
    model.tags = {**model.tags, "digest": content}
    return model


def stored_digest(workspace: Workspace, model: Any, deadline: Deadline, like: str) -> str:
    """The digest that the content of a version has now, in the scheme of `like`."""

    def look() -> str:
        what = f"downloading {model.name} {model.version}"
        with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:  # given up, it may still write there
            folder = within(deadline, what, lambda: download(workspace, model, Path(temporary)))
            return model_folder.stored(folder, like)

    return patiently(workspace, deadline, look)


def _find(workspace: Workspace, name: str, deadline: Deadline, **which: str) -> Any:
    """A version of a model, None where its GET and the list of versions both lack it, twice."""
    from azure.ai.ml.exceptions import ValidationException

    for _ in twice():
        try:
            model = found(deadline, lambda: workspace.client.models.get(name, **which))
        except ValidationException:  # the container is there, but empty
            model = None
        if model is not None:
            return model
        check_workspace(workspace, deadline)
        listed = found(deadline, lambda: [str(one.version) for one in workspace.client.models.list(name)]) or []
        if which["version"] in listed if "version" in which else listed:
            raise Passing(f"Azure lists {name} {', '.join(which.values())}, but says that it isn't there")
    return None


def download(workspace: Workspace, model: Any, into: Path) -> Path:
    """All files of a version; gives the folder that they are in. Blobs come in parts: the SDK holds each as a whole."""
    if (place := blobs(workspace, model)) is None:
        workspace.client.models.download(model.name, str(model.version), str(into))
        return Path(into, model.name, Path(model.path).name)  # the SDK adds both
    copy(*place, into)
    return into


def copy(container: Any, folder: str, into: Path) -> None:
    """All files of a folder among blobs. Raises Refused where one of them would lie elsewhere.

    A mounted container has a blob for each folder, too.
    """
    for blob in container.list_blobs(name_starts_with=f"{folder}/", include=["metadata"]):
        if (blob.metadata or {}).get("hdi_isfolder"):
            continue
        name = str(blob.name)
        target = into / name.removeprefix(f"{folder}/")
        if not target.resolve().is_relative_to(into.resolve()):
            raise Refused(f"{folder} has a file {name!r}, which leads out of its folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            container.download_blob(name).readinto(file)


def blobs(workspace: Workspace, model: Any) -> tuple[Any, str] | None:
    """The SDK's ContainerClient and the folder that a version is in; None where that is something else than blobs."""
    from azure.storage.blob import ContainerClient

    place = PLACE.search(str(model.path))
    store: Any = workspace.client.datastores.get(place[1], include_secrets=True) if place else None
    if place is None or not hasattr(store, "container_name"):
        return None
    account = f"{store.protocol}://{store.account_name}.blob.{store.endpoint}"
    sizes: dict[str, Any] = {"max_single_get_size": PART, "max_chunk_get_size": PART}
    return ContainerClient(account, store.container_name, _credential(store.credentials), **sizes), place[2]


def _credential(secrets: Any) -> Any:
    """A storage account without shared keys has none: then it is whoever runs this."""
    from azure.core.credentials import AzureSasCredential

    if token := getattr(secrets, "sas_token", None):
        return AzureSasCredential(token.removeprefix("?"))
    return getattr(secrets, "account_key", None) or login()
