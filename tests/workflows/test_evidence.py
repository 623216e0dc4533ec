"""A rollout whose green fails once clients ask it, through act, with real load: undone by itself, and told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from azureml_emulator.faults.client import Faults
from azureml_emulator.workflows.act import Job, commit
from scripts.lib.azure.policy_file import POLICY
from tests.support.load import asked
from tests.support.repository import Repository, repository, results
from tests.support.scripts import toy_model
from tests.workflows.drilling import BLUE, FIRST, GREEN, rollout, served

pytestmark = pytest.mark.drill
STAGE = {"bake_minutes": 60, "tolerated_rise": 0.2, "latency_budget": None, "fewest_requests": 20}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """One whose Azure's minutes take half a second; version 1 serves."""
    folder = tmp_path_factory.mktemp("evidence")
    with repository(folder, "--minute=0.5") as made:
        (made.tree / POLICY).write_text(yaml.safe_dump({"10": STAGE}))
        commit(made.tree, "A policy for a fast clock")
        made.know_head()
        for answer in (0, 1):
            made.script("register_model", toy_model(folder / str(answer), answer=answer))
        yield served(made)


def test_a_green_that_fails_half_the_time_is_undone(quick: Repository) -> None:
    """Noticed at 10 %, all traffic is on blue again, the run is red, and an issue has the evidence."""
    faults = Faults(Path(quick.environ["SSL_CERT_FILE"]).parent)
    broken = threading.Event()

    def fail(name: str, job: Job) -> None:
        if name == f"rollout/{FIRST}" and "90 %" in job.log and not broken.is_set():
            broken.set()
            faults.add("misbehave", endpoint=quick.variables["ENDPOINT_NAME"], deployment=GREEN, status=500, rate=0.5)

    with asked(quick.environ, quick.variables["ENDPOINT_NAME"]):
        run = rollout(quick, watch=fail)
    faults.clear()

    log = run.jobs[f"rollout/{FIRST}"].log
    assert (results(run, "failure"), quick.traffic) == ([FIRST], BLUE), log
    assert "is unhealthy at 10 %" in log and "Taken back" in run.jobs[f"rollout/{FIRST}"].summary
    [issue] = quick.github.issues.values()
    assert "is rolled back" in issue["body"] and "failed of" in issue["body"]
