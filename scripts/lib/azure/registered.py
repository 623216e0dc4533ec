"""The registered model version that is to be deployed, and whether it is what was trained."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure.errors import missing_workspace
from scripts.lib.azure.waiting import Deadline, say, within
from scripts.lib.azure.workspace import Workspace, model_name
from scripts.lib.decisions import model_folder
from scripts.lib.decisions.state import Refused


def verified(workspace: Workspace, version: str, digest: str, deadline: Deadline) -> Any:
    """The SDK's Model of that version, with the digest that its content has as the tag `digest`.

    Raises Refused where there is no such version, or its content is neither what `digest` says nor, with an empty
    one, what its own tag says. Without a tag there is nothing to compare with: that is said, and is no error.
    """
    model = _find(workspace, version)
    expected = digest or model.tags.get("digest", "")
    if not expected:
        say(f"{model.name} {version} has no tag `digest`, so it can't be told whether it is what was trained")
        return model
    found = _digest(workspace, model, deadline)
    source = "training made" if digest else "its tag says"
    if found != expected:
        raise Refused(
            f"{model.name} {version} is registered with another content than {source}: digest {found}, not {expected}. "
            "Nothing is deployed. Find out who changed it; register_model registers a new version."
        )
    say(f"{model.name} {version} is what {source}: digest {found[:12]}")
    model.tags = {**model.tags, "digest": found}
    return model


def _find(workspace: Workspace, version: str) -> Any:
    from azure.core.exceptions import ResourceNotFoundError

    name = model_name()
    try:
        return workspace.client.models.get(name, version)
    except ResourceNotFoundError as error:
        if missing_workspace(error):
            raise
        raise Refused(f"model {name} has no version {version}. register_model prints the version to deploy.") from error


def _digest(workspace: Workspace, model: Any, deadline: Deadline) -> str:
    what = f"downloading {model.name} {model.version}"
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # given up, the download may still write there
        within(deadline, what, lambda: workspace.client.models.download(model.name, str(model.version), folder))
        found = Path(folder, model.name, Path(model.path).name)  # the SDK adds both
        if not (found / "MLmodel").is_file():
            raise Refused(f"what is registered as {model.name} {model.version} is no MLflow model: it has no MLmodel.")
        return model_folder.digest(found)
