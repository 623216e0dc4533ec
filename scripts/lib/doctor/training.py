"""What training on a cluster needs: model/job.yml, its data, the cluster, and a datastore of its own for the output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.lib.azure import job_file
from scripts.lib.azure import training as jobs
from scripts.lib.azure.looking import found
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions import training
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor.azure_facts import PATIENCE, AzureFacts
from scripts.lib.doctor.finding import WRONG, Finding, Unknown, cannot_tell, ok, wrong
from scripts.lib.doctor.quota import Usage, limit
from scripts.lib.github import step_output

RUNNER, CLUSTER = "runner", "cluster"
SET_UP = "`python -m scripts.setup_github` prints the lines that make it."
OWN = "Make one with a container of its own. " + SET_UP


def where() -> str:
    """Which of the two trains."""
    return CLUSTER if jobs.FILE.is_file() else RUNNER


def file() -> Finding | None:
    """Whether model/job.yml can train; None where there is none."""
    if where() == RUNNER:
        return None
    try:
        job = job_file.checked()
    except Refused as why:
        return wrong("training job", str(why), f"Change {jobs.FILE} as said; docs/MAKE_IT_YOURS.md has one.")
    return ok("training job", f"{jobs.FILE} trains on {job['compute']}.")


def checks(azure: AzureFacts, data: str, variables: Mapping[str, str], everything: bool) -> Iterator[Finding]:
    """`data`: what somebody asked for instead. The output `data` gets its version."""
    if (found := file()) is None:
        if data.startswith("azureml:"):
            say = f"{data} can be read on a cluster alone, and there is no {jobs.FILE}."
            yield wrong("training data", say, "Name a path in the repository.")
        return
    yield found
    if found.verdict == WRONG:
        return
    job = jobs.read()
    if everything and not variables.get("TRAIN_AZURE_CLIENT_ID"):
        say = "the job that submits has no identity of its own: it logs in as the one that may deploy."
        yield wrong("training login", say, f"Set TRAIN_AZURE_CLIENT_ID. {SET_UP}")
    yield _told("training data", azure.ask(lambda workspace: _data(workspace, data or training.data(job))))
    yield _told("training output", azure.ask(lambda workspace: _output(workspace, training.store(job))))
    cluster = azure.ask(lambda workspace: _cluster(workspace, training.compute(job)))
    yield _told("training cluster", cluster if isinstance(cluster, Unknown) else fit(training.compute(job), cluster))
    if everything and not isinstance(cluster, Unknown) and cluster:
        yield node("cluster quota", cluster, azure.sizes(), azure.usages())


def _told(name: str, finding: Finding | Unknown) -> Finding:
    return cannot_tell(name, finding) if isinstance(finding, Unknown) else finding


def _data(workspace: Workspace, path: str) -> Finding:
    name = "training data"
    if not path:
        return ok(name, "the job has no input `data`.")
    try:
        version = jobs.resolved(workspace, path, Deadline(PATIENCE))
    except Refused as why:
        return wrong(name, str(why), f"Mend the input `data` of {jobs.FILE}, or what was typed.")
    step_output.output(data=version)
    if training.asset(version) is None:
        return ok(name, f"{version}, which has no version: a data asset would, and reviewers would see it.")
    return ok(name, f"{training.short(version)}.")


def _output(workspace: Workspace, store: str) -> Finding:
    """Whoever trains may write there, so it must not be where registered models are."""
    name, stores = "training output", workspace.client.datastores
    if (there := found(Deadline(PATIENCE), lambda: stores.get(store))) is None:
        return wrong(name, f"there is no datastore {store}.", OWN)
    places = [
        tuple(getattr(one, key, None) for key in ("account_name", "container_name"))
        for one in (there, stores.get_default())
    ]
    if places[0] == places[1]:
        return wrong(name, f"the datastore {store} is where registered models are, which training could change.", OWN)
    return ok(name, f"the datastore {store} is apart from registered models.")


def _cluster(workspace: Workspace, name: str) -> dict[str, Any] | None:
    there = found(Deadline(PATIENCE), lambda: workspace.client.compute.get(name))
    keys = ("type", "size", "min_instances", "max_instances", "identity")
    return there and {key: getattr(there, key, None) for key in keys}


def fit(name: str, cluster: Mapping[str, Any] | None) -> Finding:
    """Whether jobs can run there; None where there is no such compute."""
    check = "training cluster"
    if not cluster:
        return wrong(check, f"there is no compute {name}.", SET_UP)
    if str(cluster["type"]).lower() != "amlcompute" or not cluster["max_instances"]:
        return wrong(check, f"{name} is no cluster with a node: {cluster['type']}.", f"Name another one. {SET_UP}")
    if not cluster["identity"]:
        say = f"{name} has no identity, so its jobs can read no data and write no output but with keys."
        return cannot_tell(check, say, SET_UP)
    paid = f" {cluster['min_instances']} of them are paid for all the time." if cluster["min_instances"] else ""
    return ok(check, f"{name} has up to {cluster['max_instances']} nodes.{paid}")


def node(
    name: str,
    cluster: Mapping[str, Any],
    sizes: Mapping[str, tuple[int, str]] | Unknown,
    usages: Sequence[Usage] | Unknown,
) -> Finding:
    """Whether the cores suffice for one node more: without that a job waits for hours, without a word."""
    if isinstance(sizes, Unknown) or isinstance(usages, Unknown):
        return cannot_tell(name, sizes if isinstance(sizes, Unknown) else usages)
    cores, family = sizes.get(str(cluster["size"]).lower(), (0, ""))
    there = limit(family, usages) if family else None
    if there is None:
        return cannot_tell(name, f"Azure tells no quota of {cluster['size']}.")
    if 0 <= there.limit < there.used + cores:
        say = f"a node of {cluster['size']} needs {cores} cores, and {there.used} of {there.limit} are in use."
        return wrong(name, say, "Ask for more in the studio, under Quota, or take smaller nodes.")
    return ok(name, f"there are {cores} cores for a node.")
