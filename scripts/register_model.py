"""Register a model folder as the next version of the model, unless the latest version is the same; begins a rollout."""

from __future__ import annotations

import functools
import re
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from scripts.lib.azure import trained
from scripts.lib.azure.endpoint_files import deployment_tags, model_name
from scripts.lib.azure.registered import latest, stored_digest
from scripts.lib.azure.tracking import track
from scripts.lib.azure.trying import Tries
from scripts.lib.azure.waiting import Deadline, say, within
from scripts.lib.azure.workspace import Workspace
from scripts.lib.cli import option_types, paths
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import workspace_options
from scripts.lib.decisions import model_folder, model_tags, servable, tags, training
from scripts.lib.decisions.metrics import metrics
from scripts.lib.decisions.state import Refused
from scripts.lib.github import provenance, step_output

JOB = re.compile(
    r"(?:azureml:)?(?:/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/[^/]+/workspaces/([^/]+)/jobs/)?([\w-]+)",
    re.IGNORECASE,
)


@command()
@workspace_options
@click.argument("folder", type=paths.FOLDER, required=False)
@click.option(
    "--version", type=option_types.version, metavar="NUMBER", help="One that is registered already, instead of FOLDER."
)
@click.option("--job", metavar="ID", help="The output of a job of train_job, instead of FOLDER.")
@click.option("--anyway", is_flag=True, help="Also one that Azure can't serve, by what its folder says.")
@timeout_option(1800)
def main(
    workspace: Workspace, folder: Path | None, version: int | None, job: str | None, anyway: bool, timeout: float
) -> str:
    """Register the MLflow model in FOLDER, or that a job has trained; prints its version.

    A folder with the same content as the latest version registers nothing: that version is printed. What can't be
    served is refused, what may not be is told. All files are uploaded, whatever an ignore file there says, without
    MLflow's stamps and compiled code; then what is stored is compared. In a workflow a rollout begins here: its id is
    the output `rollout`, for --rollout of all that follows.
    """
    if sum(map(bool, (folder, version, job))) != 1:
        raise click.UsageError("FOLDER, --version or --job: one of them.")
    step_output.output(rollout=provenance.rollout_id())
    if version:
        step_output.output(version=str(version))
        return str(version)
    name, deadline, by, origin = model_name(), Deadline(timeout), "", dict[str, str]()
    trained_in, its_name = _place(workspace, job) if job else (workspace, "")
    if folder is None:
        temporary = click.get_current_context().with_resource(TemporaryDirectory(ignore_cleanup_errors=True))
        folder = Path(temporary, "model")
        origin, by = _fetched(trained_in, its_name, folder, deadline)
    digest = model_folder.digest(folder)
    _check(folder, anyway)
    described = {**model_tags.tags(folder), "digest": digest, **origin, **provenance.tags()}
    beside = dict.fromkeys((*deployment_tags(), *tags.OF_A_MODEL, *origin, *tags.OF_A_DEPLOYMENT), "")
    tags.check(
        str(folder / "MLmodel"), {**beside, **described}, "Training writes them into `metadata`: change it there."
    )
    model = _registered(workspace, name, folder, described, by, deadline)
    step_output.output(version=str(model.version), digest=digest)
    if origin and trained_in == workspace:  # staging's identity may not write to production's
        track(workspace, origin["job"], tags={"registered": f"{name}:{model.version}"})
    shown = ", ".join(f"{metric} {value:g}" for metric, value in metrics(model.tags).items())
    step_output.summary(
        f"Model **{name} {model.version}**, digest `{model_folder.short(digest)}`, {shown or 'no metrics'}"
    )
    return str(model.version)


def _place(workspace: Workspace, job: str) -> tuple[Workspace, str]:
    """Where a job is, with its name: an id tells it, which may be in another workspace; a name doesn't."""
    if (found := JOB.fullmatch(job.strip())) is None:
        raise click.BadParameter(f"{job!r} is no job's name or id, /subscriptions/…/jobs/NAME.", param_hint="--job")
    *place, name = found.groups()
    return Workspace(*place) if all(place) else workspace, name


def _fetched(workspace: Workspace, name: str, folder: Path, deadline: Deadline) -> tuple[dict[str, str], str]:
    """Download what a job has put out; tags and a sentence that say by which job, and on what data, it was trained.

    By what Azure has of the job, not by what the job said.
    """
    found = trained.completed(workspace, name, deadline)
    trained.fetched(workspace, found, folder, deadline)
    data = training.short(str(getattr((found.inputs or {}).get("data"), "path", "")))
    by = f"Trained by [{name}]({found.studio_url})" + (f" on `{data}`" if data else "")
    step_output.summary(by)
    return {"job": name, **({"data": data[-tags.LONGEST_VALUE :]} if data else {})}, by


def _check(folder: Path, anyway: bool) -> None:
    """Tell what may keep Azure from serving the model. Raises Refused for what does."""
    found = servable.check(folder)
    for line in found.may_not:
        step_output.notice("The model may not be served", line)
    if not found.cannot:
        return
    cannot = "\n".join([f"{folder} can't be served:", *(f"  {line}" for line in found.cannot)])
    if not anyway:
        raise Refused(f"{cannot}\nNothing is registered. --anyway does so all the same; then roll out that version.")
    say(cannot)


def _registered(
    workspace: Workspace, name: str, folder: Path, tags: dict[str, str], by: str, deadline: Deadline
) -> Any:
    """The SDK's Model whose stored content is the folder's. What passes is gone on with, from what is there then.

    The SDK takes what was once uploaded for what is there, so where that was changed it is uploaded elsewhere.
    """
    tries, again = Tries(workspace, deadline), False
    while True:
        model = latest(workspace, name, deadline)
        known = model and not again and _same(folder, model.tags.get("digest", ""), tags["digest"])
        try:
            if not known:
                register = functools.partial(_register, workspace.client, folder, name=name, tags=tags, description=by)
                model = within(deadline, f"registering {name}", register)
        except Exception as error:
            if not tries.another(error):
                raise
            continue
        stored = stored_digest(workspace, model, deadline, tags["digest"])
        if stored == tags["digest"]:
            which = f"{name} {model.version}"
            say(f"{which} is this very model: nothing to register" if known else f"registered {which}")
            return model
        told = f"{name} {model.version} is stored with another content: digest {stored}, not {tags['digest']}."
        if not known:
            raise Refused(f"{told} It was just uploaded, so somebody changes it: find out who, then run this again.")
        say(f"{told} It is uploaded to another place.")
        again = True


def _same(folder: Path, tag: str, digest: str) -> bool:
    """Whether a version's tag is the folder's digest, in the tag's own scheme."""
    return tag == digest or (bool(tag) and tag == model_folder.digest(folder, like=tag))


def _register(client: Any, folder: Path, **described: Any) -> Any:
    """Each upload has a place of its own.

    In one that it knows the SDK takes what was once uploaded for what is there; and what was left there by an upload
    that was killed it doesn't overwrite, and waits for ever, without a word (azure-ai-ml 1.35).
    """
    from azure.ai.ml.constants import AssetTypes
    from azure.ai.ml.entities import Model
    from colorama import colorama_text  # the SDK writes colours, also where nobody sees any

    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary, colorama_text():
        path = model_folder.clean(folder, Path(temporary, f"model-{uuid.uuid4().hex[:8]}"))
        return client.models.create_or_update(Model(path=path, type=AssetTypes.MLFLOW_MODEL, **described))


if __name__ == "__main__":
    main()
