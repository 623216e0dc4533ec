"""A rollout whose first approval is for its later stages, too, through act: unasked where live traffic is healthy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from azureml_emulator.faults.client import Faults
from azureml_emulator.workflows.act import Job, Run, commit
from scripts.lib.azure.policy_file import POLICY
from tests.support.load import asked
from tests.support.repository import COLLEAGUE, PROMOTING, Repository, repository, results, run_ids
from tests.support.scripts import toy_model
from tests.workflows.drilling import FIRST, GREEN, SECOND, rollout, served, split

pytestmark = pytest.mark.drill
STAGE = {"bake_minutes": 2, "tolerated_rise": 0.5, "latency_budget": None, "fewest_requests": 10}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """One whose Azure's minutes take half a second, set up for one approval; version 1 serves."""
    folder = tmp_path_factory.mktemp("once")
    with repository(folder, "--minute=0.5", APPROVALS="first") as made:
        (made.tree / POLICY).write_text(yaml.safe_dump(dict.fromkeys(("10", "50", "100"), STAGE)))
        commit(made.tree, "A policy for a fast clock")
        made.know_head()
        for answer in (0, 1):
            made.script("register_model", toy_model(folder / str(answer), answer=answer))
        yield served(made)


def approved_once(repository: Repository, then: Callable[[str], object] = lambda name: None) -> Run:
    """A rollout under load, whose first promotion alone somebody approves."""
    run = next(run_ids)

    def approve(name: str, job: Job) -> None:
        if name == f"rollout/{FIRST}" and not repository.github.runs[run].approvals:
            repository.github.review(run, COLLEAGUE)
        then(name)

    with asked(repository.environ, repository.variables["ENDPOINT_NAME"]):
        return rollout(repository, reviewed=False, watch=approve, environ={"GITHUB_RUN_ID": str(run)})


def test_unasked_only_where_live_traffic_is_healthy(quick: Repository) -> None:
    """Where it can't be told a person is asked, and the split held; an equal green goes to the end, and blue goes."""
    quick.github.add_environment("unattended", reviewers=[], prevent_self_review=False)
    faults = Faults(Path(quick.environ["SSL_CERT_FILE"]).parent)
    faults.add("refuse", path="*/Microsoft.Insights/metrics", status=403, code="AuthorizationFailed", times=0)

    held = approved_once(quick)

    faults.clear()
    first, second = (held.jobs[f"rollout/{name}"] for name in (FIRST, SECOND))
    assert (results(held, "failure"), quick.traffic) == ([SECOND], split(FIRST)), second.log
    assert "rollback" in results(held, "skipped") and "nobody approved this job" in second.log
    told = f"This approval is the only one**: it is for {', '.join(f'**{name}**' for name in PROMOTING[1:])}, **delete"
    assert told in held.jobs["rollout/smoke-test"].summary
    assert f"**{SECOND}** asks for another approval" in first.summary

    whole = approved_once(quick)

    assert whole.exit_code == 0, {name: job.log for name, job in whole.jobs.items() if job.result == "failure"}
    assert "delete-blue" in results(whole, "success") and quick.traffic == {GREEN: 100}
    assert [found["name"] for found in quick.endpoint()["deployments"]] == [GREEN]
    assert all("goes on by itself" in whole.jobs[f"rollout/{name}"].summary for name in PROMOTING)
