"""A repository with registered models, endpoints of it, and a rollout that waits for an approval."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from azureml_emulator.workflows.act import Run
from tests.support.repository import PROMOTING, Repository, repository
from tests.support.scripts import toy_model
from tests.workflows.drilling import SECOND, Approval, rollout, served


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A repository with two registered versions of a model, and the folder of a third."""
    if len(PROMOTING) < 2:
        pytest.skip("the drills wait between two promotions, and stages.yml has one")
    folder = tmp_path_factory.mktemp("drills")
    with repository(folder, "--core-quota=1000") as made:
        for answer in (0, 1):
            made.script("register_model", toy_model(folder / str(answer), answer=answer))
        yield made


@pytest.fixture(scope="module")
def steady(ready: Repository) -> Repository:
    """One for tests after which version 1 still serves."""
    return served(ready)


@pytest.fixture
def serving(ready: Repository) -> Repository:
    """One for a test of its own."""
    return served(ready)


@pytest.fixture
def approval(tmp_path: Path) -> Approval:
    """The second promotion waits for it."""
    return Approval(tmp_path / "approval", SECOND)


@pytest.fixture
def waiting(serving: Repository, approval: Approval) -> Iterator[Future[Run]]:
    """The rollout of version 2, which waits for that approval, after the first promotion."""
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(
            rollout,
            serving,
            environ={"APPROVALS": str(approval.folder), "GITHUB_RUN_ID": "4711"},
            stand_ins=approval.folder / "actions",
            started=approval.act.append,
        )
        approval.asked(run)
        yield run
        (approval.folder / approval.job).unlink(missing_ok=True)
