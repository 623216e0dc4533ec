"""The one secret that a workflow reads, through act: it reaches the step that tells of a rollback, and no log."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.workflows.act import Job
from tests.support.listener import listener
from tests.support.repository import Repository, results
from tests.workflows.drilling import BLUE, GREEN, SECOND, rollout


@pytest.mark.drill
def test_a_webhook_hears_of_a_green_that_was_taken_back(serving: Repository, tmp_path: Path) -> None:
    """By way of the called workflow, which gets it by its name."""
    faults = Faults(Path(serving.environ["SSL_CERT_FILE"]).parent)

    def fail(name: str, job: Job) -> None:
        if name == f"rollout/{SECOND}" and not faults.all():
            faults.add("misbehave", endpoint=serving.variables["ENDPOINT_NAME"], deployment=GREEN, status=500)

    with listener(tmp_path, serving.environ["SSL_CERT_FILE"]) as webhook:
        secret = {"ROLLBACK_WEBHOOK": webhook.environ.pop("ROLLBACK_WEBHOOK")}
        run = rollout(serving, watch=fail, environ=webhook.environ, secrets=secret)
    faults.clear()

    assert (results(run, "failure"), serving.traffic) == ([SECOND], BLUE), run.jobs[f"rollout/{SECOND}"].log
    [issue], [message] = serving.github.issues.values(), webhook.heard
    assert issue["html_url"] in message["text"]
    told = "".join(job.log + job.summary for job in run.jobs.values())
    assert secret["ROLLBACK_WEBHOOK"] not in told and "secret-path" not in told
