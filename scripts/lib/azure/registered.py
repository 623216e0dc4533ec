"""Registered model versions: which there are, and whether one is what was trained."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure.endpoint_files import model_name
from scripts.lib.azure.errors import Passing
from scripts.lib.azure.looking import check_workspace, found, twice
from scripts.lib.azure.trying import patiently
from scripts.lib.azure.waiting import Deadline, say, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import model_folder
from scripts.lib.decisions.state import Refused


def version(workspace: Workspace, name: str, number: str, deadline: Deadline) -> Any:
    """The SDK's Model of that version, None where there is no such version."""
    return patiently(workspace, deadline, lambda: _find(workspace, name, deadline, version=number))


def latest(workspace: Workspace, name: str, deadline: Deadline) -> Any:
    """The SDK's Model of the version registered last, None where there is none. By time: as text, 9 is after 10."""
    return patiently(workspace, deadline, lambda: _find(workspace, name, deadline, label="latest"))


def verified(workspace: Workspace, number: str, digest: str, deadline: Deadline) -> Any:
    """The SDK's Model of that version, with the digest that its content has as the tag `digest`.

    Raises Refused where there is no such version, or its content is neither what `digest` says nor, with an empty
    one, what its own tag says. Without a tag there is nothing to compare with: that is said, and is no error.
    """
    name = model_name()
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
    content = patiently(workspace, deadline, lambda: _digest(workspace, model, deadline))
    source = "training made" if digest else "its tag says"
    if content != expected:
        raise Refused(
            f"{name} {number} is registered with another content than {source}: digest {content}, not {expected}. "
            "Nothing is deployed. Find out who changed it; register_model registers a new version."
        )
    say(f"{name} {number} is what {source}: digest {content[:12]}")
    model.tags = {**model.tags, "digest": content}
    return model


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
    """All files of a version; gives the folder that they are in."""
    workspace.client.models.download(model.name, str(model.version), str(into))
    return Path(into, model.name, Path(model.path).name)  # the SDK adds both


def _digest(workspace: Workspace, model: Any, deadline: Deadline) -> str:
    which = f"{model.name} {model.version}"
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:  # given up, the download may still write there
        folder = within(deadline, f"downloading {which}", lambda: download(workspace, model, Path(temporary)))
        if not (folder / "MLmodel").is_file():
            raise Refused(f"what is registered as {which} is no MLflow model: it has no MLmodel.")
        return model_folder.digest(folder)
