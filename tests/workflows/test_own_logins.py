"""A rollout whose jobs log in as on GitHub, through act: each by a token of its own, which names its environment."""

from __future__ import annotations

from typing import Any

import pytest

from azureml_emulator.arm.names import ROLLOUT
from azureml_emulator.github.oidc import ISSUER, PATH
from azureml_emulator.testing import Arm
from azureml_emulator.workflows.act import Job
from tests.support import ROOT
from tests.support.repository import Repository, results
from tests.workflows.drilling import GREEN, rollout
from tests.workflows.files import Files

pytestmark = pytest.mark.drill
SUBJECT = "repo:local/rollout:environment:"
IDENTITY = "/subscriptions/{AZURE_SUBSCRIPTION_ID}/resourceGroups/{AZURE_RESOURCE_GROUP}/providers/"
IDENTITY += "Microsoft.ManagedIdentity/userAssignedIdentities/rollout/federatedIdentityCredentials/"


def environments() -> dict[str, str]:
    """The environment of each job of a rollout to production, as the files have it; jobs without one are left out."""

    def named(environment: Any) -> str:
        found = environment["name"] if isinstance(environment, dict) else environment
        return "production" if "inputs.target" in found else str(found)

    jobs = Files(ROOT).jobs
    return {
        where.partition(".")[2]: named(job["environment"])
        for where, job in jobs.items()
        if where.startswith(("rollout.", "stages.")) and "environment" in job
    }


def trust(repository: Repository, *names: str) -> None:
    """Let the jobs in these environments, and no others, log in as the identity."""
    arm = Arm(repository.environ)
    for name in names:
        given = {"issuer": ISSUER, "subject": SUBJECT + name, "audiences": ["api://AzureADTokenExchange"]}
        path = arm.base + IDENTITY.format(**repository.environ) + name
        assert arm("PUT", path, {"properties": given}).status_code in (200, 201)


def test_each_job_logs_in_by_its_own_token(serving: Repository) -> None:
    """The machine has no identity: what the jobs do at Azure they do by the word of GitHub, from doctor to the end."""
    trust(serving, "deploy", "production", "rollback")
    of_jobs = environments()
    token = serving.github.identify(SUBJECT + "nobody", serving.environ["IDENTITY_HEADER"])
    assert serving.github.job and serving.variables["AZURE_CLIENT_ID"] == ROLLOUT
    identity = serving.github.job

    def identify(name: str, job: Job) -> None:
        """GitHub gives each job a token of its own; a job in no environment is nobody here."""
        identity.subject = SUBJECT + of_jobs.get(name.split("/")[-1], "nobody")

    nobody = {"IDENTITY_ENDPOINT": "", "IDENTITY_HEADER": ""}
    run = rollout(serving, environ={**nobody, **token}, watch=identify)

    assert run.exit_code == 0, {name: job.log for name, job in run.jobs.items() if job.result == "failure"}
    assert serving.traffic == {GREEN: 100}
    assert serving.github.calls.count(("GET", PATH)) >= len(results(run, "success")) - 1  # train logs in nowhere
