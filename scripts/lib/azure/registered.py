"""The registered model version that is to be deployed, and whether it is what was trained."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lib.azure.endpoint_files import model_name
from scripts.lib.azure.errors import found
from scripts.lib.azure.waiting import Deadline, say, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import model_folder
from scripts.lib.decisions.state import Refused


def verified(workspace: Workspace, version: str, digest: str, deadline: Deadline) -> Any:
    """The SDK's Model of that version, with the digest that its content has as the tag `digest`.

    Raises Refused where there is no such version, or its content is neither what `digest` says nor, with an empty
    one, what its own tag says. Without a tag there is nothing to compare with: that is said, and is no error.
    """
    name = model_name()
    model: Any = found(lambda: workspace.client.models.get(name, version))
    if model is None:
        raise Refused(f"model {name} has no version {version}. register_model prints the version to deploy.")
    expected = digest or model.tags.get("digest", "")
    if not expected:
        say(f"{name} {version} has no tag `digest`, so it can't be told whether it is what was trained")
        return model
    content, source = _digest(workspace, model, deadline), "training made" if digest else "its tag says"
    if content != expected:
        raise Refused(
            f"{name} {version} is registered with another content than {source}: digest {content}, not {expected}. "
            "Nothing is deployed. Find out who changed it; register_model registers a new version."
        )
    say(f"{name} {version} is what {source}: digest {content[:12]}")
    model.tags = {**model.tags, "digest": content}
    return model


def _digest(workspace: Workspace, model: Any, deadline: Deadline) -> str:
    which = f"{model.name} {model.version}"
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:  # given up, the download may still write there
        download = workspace.client.models.download
        within(deadline, f"downloading {which}", lambda: download(model.name, str(model.version), temporary))
        folder = Path(temporary, model.name, Path(model.path).name)  # the SDK adds both
        if not (folder / "MLmodel").is_file():
            raise Refused(f"what is registered as {which} is no MLflow model: it has no MLmodel.")
        return model_folder.digest(folder)
