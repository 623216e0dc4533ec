"""Register a model folder as the next version of the model, unless the latest version is the same; begins a rollout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scripts.lib.azure.endpoint_files import deployment_tags, model_name
from scripts.lib.azure.registered import latest
from scripts.lib.azure.trying import Tries
from scripts.lib.azure.waiting import Deadline, say, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.cli import option_types, paths
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import workspace_options
from scripts.lib.decisions import model_folder, model_tags, tags
from scripts.lib.decisions.metrics import metrics
from scripts.lib.decisions.state import Refused
from scripts.lib.github import provenance, step_output


@command()
@workspace_options
@click.argument("folder", type=paths.FOLDER, required=False)
@click.option(
    "--version", type=option_types.version, metavar="NUMBER", help="One that is registered already, instead of FOLDER."
)
@timeout_option(1800)
def main(workspace: Workspace, folder: Path | None, version: int | None, timeout: float) -> str:
    """Register the MLflow model in FOLDER; prints its version.

    A folder with the same content as the latest version registers nothing: that version is printed. In a workflow a
    rollout begins here: its id is the output `rollout`, for --rollout of all that follows.
    """
    if (folder is None) == (version is None):
        raise click.UsageError("FOLDER or --version: one of them.")
    step_output.output(rollout=provenance.rollout_id())
    if folder is None:
        step_output.output(version=str(version))
        return str(version)
    name = model_name()
    if "python_function" not in (model_folder.mlmodel(folder).get("flavors") or {}):
        raise Refused(f"{folder}/MLmodel has no flavor python_function, without which Azure can't serve it.")
    digest = model_folder.digest(folder)
    described = {**model_tags.tags(folder), "digest": digest, **provenance.tags()}
    beside = dict.fromkeys((*deployment_tags(), *tags.OF_A_MODEL, *tags.OF_A_DEPLOYMENT), "")
    tags.check(
        str(folder / "MLmodel"), {**beside, **described}, "Training writes them into `metadata`: change it there."
    )
    model = _registered(workspace, name, folder, described, Deadline(timeout))
    step_output.output(version=str(model.version), digest=digest)
    shown = ", ".join(f"{metric} {value:g}" for metric, value in metrics(model.tags).items())
    step_output.summary(f"Model **{name} {model.version}**, digest `{digest[:12]}`, {shown or 'no metrics'}")
    return str(model.version)


def _registered(workspace: Workspace, name: str, folder: Path, tags: dict[str, str], deadline: Deadline) -> Any:
    """The SDK's Model that has the folder's content. What passes is gone on with, from what is registered then."""
    tries = Tries(workspace, deadline)
    while True:
        model = latest(workspace, name, deadline)
        if model and model.tags.get("digest") == tags["digest"]:
            say(f"{name} {model.version} is this very model: nothing to register")
            return model
        try:
            model = within(deadline, f"registering {name}", lambda: _register(workspace.client, name, folder, tags))
        except Exception as error:
            if not tries.another(error):
                raise
        else:
            say(f"registered {name} {model.version}")
            return model


def _register(client: Any, name: str, folder: Path, tags: dict[str, str]) -> Any:
    from azure.ai.ml.constants import AssetTypes
    from azure.ai.ml.entities import Model

    return client.models.create_or_update(Model(path=folder, name=name, type=AssetTypes.MLFLOW_MODEL, tags=tags))


if __name__ == "__main__":
    main()
