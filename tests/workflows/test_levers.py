"""The workflows that people start by hand, through act: promote.yml, rollback.yml, teardown.yml."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azureml_emulator.workflows.act import Run
from tests.support.repository import AUTHOR, COLLEAGUE, Repository, repository, results
from tests.support.scripts import toy_model

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A repository whose endpoint has a green, which waits at 0 %."""
    folder = tmp_path_factory.mktemp("levers")
    with repository(folder, ENDPOINT_NAME="levers") as made:
        made.script("create_endpoint")
        for answer in (0, 1):
            made.merge_model(seed=answer + 10)
            version = made.script("register_model", toy_model(folder / str(answer), answer=answer)).strip()
            made.script("deploy", "--version", version)
            if version == "1":
                made.script("promote", "--first", "default")
        yield made


@pytest.fixture
def lever(waiting: Repository) -> Repository:
    """That repository, with green back at 0 % and production back behind its reviewers."""
    waiting.github.add_environment("production", reviewers=[COLLEAGUE])
    waiting.script("rollback")
    return waiting


GREEN = "xgboost-model-2"


def promote(lever: Repository, actor: str = COLLEAGUE, **inputs: str) -> Run:
    given = {"percent": "25", "delete-blue": "false", **inputs}
    return lever.dispatch("promote", given, actor=actor)


def test_promote_gives_green_its_share(lever: Repository) -> None:
    """promote.yml gives the green that is there the chosen percentage, and shows the reviewer what that means."""
    run = promote(lever)

    assert (run.exit_code, lever.traffic) == (0, {"default": 75, GREEN: 25})
    assert sorted(results(run, "skipped")) == ["delete-blue", "tell"]
    assert f"gives {GREEN} 25 %" in run.jobs["review"].summary


def test_promotion_without_reviewers_wants_another_person(lever: Repository) -> None:
    """Where production has no reviewers, the author of green's commit can't promote it; somebody else can."""
    lever.github.add_environment("production", reviewers=[], prevent_self_review=False)

    own, other = promote(lever, AUTHOR), promote(lever, COLLEAGUE)

    assert results(own, "failure") == ["review"]
    assert AUTHOR in own.jobs["review"].log
    assert (other.exit_code, lever.traffic) == (0, {"default": 75, GREEN: 25})


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({"percent": "$(id)"}, "--percent"),
        ({"delete-blue": "true", "percent": "50"}, "--then-delete goes with --percent 100"),
    ],
)
def test_promote_refuses_wrong_inputs(lever: Repository, inputs: dict[str, str], complaint: str) -> None:
    """What GitHub's form would not offer is refused before anybody is asked to approve it."""
    run = promote(lever, **inputs)

    assert results(run, "failure") == ["review"]
    assert complaint in run.jobs["review"].log
    assert lever.traffic == {"default": 100}


def test_rollback_gives_all_back(lever: Repository) -> None:
    """rollback.yml puts all traffic on blue, wherever the rollout was."""
    lever.script("promote", "--percent", 50)

    run = lever.dispatch("rollback")

    assert (run.exit_code, lever.traffic) == (0, {"default": 100})


@pytest.mark.drill
def test_rollback_does_not_wait_for_github(lever: Repository) -> None:
    """When GitHub doesn't tell what runs, the traffic is back on blue all the same; the run fails, to be looked at."""
    lever.script("promote", "--percent", 50)
    lever.github.forbidden.add("actions/list-workflow-runs")  # what may pass is waited for, minutes

    run = lever.dispatch("rollback")

    lever.github.forbidden.clear()
    assert (run.exit_code, lever.traffic) == (1, {"default": 100})
    assert list(run.jobs["rollback"].steps.values())[-3:] == ["success", "failure", "success"]


def test_teardown_refuses_another_name(lever: Repository) -> None:
    """teardown.yml deletes nothing unless exactly the endpoint's name was typed."""
    run = lever.dispatch("teardown", {"endpoint": "Levers"})

    assert run.exit_code == 1
    assert lever.traffic == {"default": 100}


def test_teardown_goes_past_no_reviewer(lever: Repository) -> None:
    """An administrator's by-pass deletes nothing; nor, where there are no reviewers, does who wrote what serves."""
    passed = lever.dispatch("teardown", {"endpoint": "levers"}, reviewed=False)
    lever.github.add_environment("production", reviewers=[], prevent_self_review=False)
    own = lever.dispatch("teardown", {"endpoint": "levers"}, actor=AUTHOR)

    assert results(passed, "failure") == ["teardown"] and results(own, "failure") == ["review"]
    assert "by-pass is no approval" in passed.jobs["teardown"].log
    assert f"that is {AUTHOR}" in own.jobs["review"].log
    assert lever.traffic == {"default": 100}


def test_promote_to_the_end_and_tear_down(lever: Repository) -> None:
    """At 100 % promote.yml deletes blue once it is approved; teardown.yml deletes what is left."""
    done = promote(lever, percent="100", **{"delete-blue": "true"})

    assert done.exit_code == 0, {name: job.log for name, job in done.jobs.items() if job.result == "failure"}
    assert [deployment["name"] for deployment in lever.endpoint()["deployments"]] == [GREEN]

    gone = lever.dispatch("teardown", {"endpoint": "levers"})

    assert gone.exit_code == 0
    assert "levers is deleted" in gone.jobs["teardown"].log
