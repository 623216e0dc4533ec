"""What model/job.yml must say so that it can train here; what else Azure's schema has the SDK looks at. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.lib.decisions.training import ASSET, DEFAULT_STORES, OUTPUT, data, part

CLUSTER = re.compile(r"(azureml:)?[A-Za-z][\w-]*", re.ASCII)
NOWHERE = ("local", "serverless")  # computes that have no identity of their own
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
#: Of data: an asset of a version, one by its id or of a registry, a path in a datastore.
DATA = re.compile(rf"{ASSET.pattern}|azureml:(//|/subscriptions/)\S+")
NOT_HERE = {
    "name": "each job gets one of its own",
    "parent_job_name": "no other job starts it",
    "services": "nobody logs in to what trains",
}
KEYS: Mapping[str, tuple[str, ...]] = {
    "": (
        "code", "command", "compute", "description", "display_name", "distribution", "environment",
        "environment_variables", "experiment_name", "identity", "inputs", "limits", "outputs", "properties",
        "queue_settings", "resources", "tags", "type",
    ),
    "environment": ("build", "conda_file", "description", "image", "name", "tags", "version"),
    "inputs.data": ("description", "mode", "path", "type"),
    "outputs.model": ("description", "mode", "path", "type"),
    "resources": ("docker_args", "instance_count", "instance_type", "properties", "shm_size"),
    "limits": ("timeout",),
}  # fmt: skip
"""Which keys the SDK knows, to say which one was meant."""


def problems(job: Mapping[str, Any]) -> Iterator[str]:
    """Why it can't be what trains, a sentence each."""
    if (kind := job.get("type", "command")) != "command":
        yield f"`type` is {kind}: what trains here is a command job."
        return
    yield from (f"`{key}` is there: {why}." for key, why in NOT_HERE.items() if job.get(key))
    if job.get("code") != "..":
        yield "`code` must be `..`: the command runs in the repository's root, with model/ in it."
    for key in ("tags", "inputs", "outputs"):
        if not isinstance(job.get(key, {}), Mapping):
            yield f"`{key}` must hold lines like `name: value`{', such as outputs.model.path' * (key == 'outputs')}."
    for name, value in part(job, "environment_variables").items():
        if not isinstance(value, str):
            yield f'`environment_variables.{name}` must be a text: write "{value}".'
    yield from _command(job)
    yield from _where(job)
    yield from _environment(job.get("environment"))
    yield from _data(job)
    if isinstance(job.get("outputs", {}), Mapping):
        for name in _outputs(job):
            yield from _output(name, part(job, "outputs", name))


def _outputs(job: Mapping[str, Any]) -> list[str]:
    """Their names, the model's first, whether it is there or not."""
    return [*{"model": "", **part(job, "outputs")}]


def _command(job: Mapping[str, Any]) -> Iterator[str]:
    """Whatever stands in its `${{…}}` Azure replaces, or refuses the job."""
    command = job.get("command")
    if not isinstance(command, str) or not command.strip():
        yield "`command` is missing: it is one text."
        return
    known = [f"${{{{inputs.{name}}}}}" for name in part(job, "inputs")]
    known += [f"${{{{outputs.{name}}}}}" for name in _outputs(job)]
    if unknown := sorted({*EXPRESSION.findall(command)} - {*known}):
        yield f"the command has {', '.join(unknown)}, which is none of {', '.join(known)}."
    if "${{outputs.model}}" not in command:
        yield "the command writes no `${{outputs.model}}`: say --out ${{outputs.model}}."
    if part(job, "inputs", "data") and "${{inputs.data}}" not in command:
        yield "the command reads no `${{inputs.data}}`: say --data ${{inputs.data}}."


def _where(job: Mapping[str, Any]) -> Iterator[str]:
    """On a cluster, as that: it alone may write the output, and may do nothing else."""
    compute, who = job.get("compute"), part(job, "identity").get("type", "managed")
    if not compute or compute in NOWHERE:
        yield f"`compute` {f'is {compute}' if compute else 'is missing'}: a cluster of the workspace trains, as itself."
    elif not CLUSTER.fullmatch(str(compute)):
        yield f"`compute` is {compute}: write the cluster's name, azureml:NAME."
    if who in ("user_identity", "user"):
        yield f"`identity` is {who}: training would run as the job that submits it, which may do more. Take it out."


def _environment(environment: Any) -> Iterator[str]:
    if isinstance(environment, str) and environment.startswith(("azureml:", "file:")):
        return
    if not isinstance(environment, Mapping) or not {*environment} & {"image", "build"}:
        yield "`environment` is missing: an `image`, a `build`, file:NAME, or a registered one (azureml:NAME:VERSION)."


def _data(job: Mapping[str, Any]) -> Iterator[str]:
    given, path = part(job, "inputs").get("data"), data(job)
    if given is not None and not path:
        yield "`inputs.data` has no `path`: write its `type` and `path` below it."
    if path and not DATA.fullmatch(path):
        yield (
            f"the data {path} are neither an asset (azureml:NAME:VERSION, or azureml:NAME@latest) nor in a datastore "
            "(azureml://datastores/…)."
        )


def _output(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Registered models lie in the default store; what trains must not write there, nor register."""
    found = OUTPUT.fullmatch(str(given.get("path")))
    if not found:
        yield f"`outputs.{name}.path` must be azureml://datastores/NAME/paths/…${{{{name}}}}…: a folder for each job."
    elif found[1] in DEFAULT_STORES:
        yield f"`outputs.{name}.path` is in {found[1]}, where registered models are: take a datastore of its own."
    if given.get("name"):
        yield f"`outputs.{name}.name` is there: register_model registers, and nothing that trains."
    if name == "model" and (kind := given.get("type", "uri_folder")) != "uri_folder":
        yield f"`outputs.model.type` is {kind}: a model is a folder, uri_folder."
