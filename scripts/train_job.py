"""Train on the workspace's cluster, by model/job.yml; prints the metrics. A run of a workflow has one job."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from scripts.lib.azure import job_file, trained
from scripts.lib.azure import training as jobs
from scripts.lib.azure.errors import bare
from scripts.lib.azure.tracking import track
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.azure.workspace import Workspace
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import workspace_options
from scripts.lib.decisions import training
from scripts.lib.decisions.state import Refused
from scripts.lib.github import provenance, step_output

CLEAN_UP = 60.0  # seconds; a runner that is cancelled kills after 10


@command()
@workspace_options
@click.option("--data", default="", show_default=False, metavar="ASSET", help="Instead of what job.yml names.")
@click.option("--cancel", is_flag=True, help="Cancel the job that this would wait for, and nothing else.")
@timeout_option(18000)
def main(workspace: Workspace, data: str, cancel: bool, timeout: float) -> str | None:
    """Submit model/job.yml as a command job, show its log as it grows, and print the metrics that train.py printed.

    The job's name is made of the run, of code and data, and of a number: run again it waits for the job that runs or
    has completed; after one that failed or was cancelled the next number starts. Interrupted it cancels its job. The
    output `job` is for `register_model --job`.
    """
    job = jobs.read() if cancel else job_file.checked()
    deadline = Deadline(CLEAN_UP if cancel else timeout)
    run = f"run-{os.environ.get('GITHUB_RUN_ID', 'by-hand')}"
    with _left("Nothing is submitted or cancelled.", "interrupted."):
        wanted = jobs.wanted(workspace, job, data, run, provenance.tags(), deadline)
    if cancel:
        say(f"cancelled: {_cancelled(workspace, wanted.base) or 'nothing, since nothing trains'}")
        return None
    try:
        return _trained(workspace, wanted, deadline, timeout)
    except KeyboardInterrupt as error:
        name = _cancelled(workspace, wanted.base)
        raise Refused(f"interrupted: {f'{name} is cancelled' if name else 'no job trains'}.") from error


@contextmanager
def _left(how: str, interrupted: str | None = None) -> Iterator[None]:
    """An error that isn't ours says `how` what trains is left. Its exit code stays."""
    try:
        yield
    except Refused:
        raise
    except (Exception, KeyboardInterrupt) as error:
        message = bare(error) if isinstance(error, Exception) else interrupted
        if message is None:
            raise
        raise Refused(f"{message}\n{how}") from error


def _cancelled(workspace: Workspace, base: str) -> str:
    """The name of what was cancelled, "" where nothing trains."""
    with _left(f"{base}-… may still train: run this again with --cancel.", "interrupted."):
        return jobs.cancel(workspace, base, Deadline(CLEAN_UP))


def _trained(workspace: Workspace, wanted: jobs.Wanted, deadline: Deadline, timeout: float) -> str:
    """Raises Refused where no model came of it."""
    then = "What training lacks `python -m scripts.doctor` tells. Run again this takes what is there, or submits it."
    with _left(f"No {wanted.base}-… is seen to train. {then}"):
        name, job = jobs.begun(workspace, wanted, deadline)
    on, cluster = f" on {training.short(wanted.data)}" if wanted.data else "", training.compute(wanted.job)
    step_output.output(job=f"{workspace.id}/jobs/{name}")
    step_output.summary(f"[{name}]({job.studio_url}) trains{on}, on the cluster {cluster}.")
    say(f"{name}{on}: {job.studio_url}")
    with _left(f"{name} goes on. Run this again to wait for it, or with --cancel to stop it."):
        seen = trained.watched(workspace, name, deadline)
    if seen.status in training.OVER:
        raise Refused(training.ended(name, seen.status, seen.error, seen.log))
    if seen.status != training.COMPLETED:
        raise trained.NotInTime(training.late(name, seen.status, cluster, timeout / 60, seen.log))
    found = training.metrics(seen.log)
    track(workspace, name, metrics=training.numbers(found), params=training.params(wanted.job, wanted.data, found))
    told = ", ".join(f"{metric} {value}" for metric, value in found.items())
    step_output.summary(told or "In its log no metrics are to be seen.")
    return json.dumps(found)


if __name__ == "__main__":
    main()
