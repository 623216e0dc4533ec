"""Greens that live traffic judges, through act, with real load: what is bad is undone by itself, and told."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.workflows.act import Job, Run, commit
from scripts.lib.azure.policy_file import POLICY
from tests.support.listener import listener
from tests.support.load import Answers, asked
from tests.support.repository import COLLEAGUE, PROMOTING, Repository, repository, results
from tests.support.scripts import ROWS, SAMPLE, Live, restore, toy_model
from tests.workflows.drilling import BLUE, FIRST, GREEN, SECOND, rollout, served, split

pytestmark = pytest.mark.drill
STAGE = {"bake_minutes": 20, "deadline_minutes": 300, "tolerated_rise": 0.1, "latency_budget": 3, "fewest_requests": 20}
POLICIES = {"10": {**STAGE, "bake_minutes": 30}, "50": {**STAGE, "tolerated_rise": 0.02}, "100": STAGE}
HALF = {"default": 50, GREEN: 50}
PUT = {"method": "PUT", "path": "*/onlineEndpoints/*"}
MISBEHAVING = [{"kind": "refuse", **PUT, "status": status} for status in (429, 500, 409)]
FUSSY = """
class Toy:
    def predict(self, model_input, params=None):
        if (model_input["age"] > 60).any():
            raise ValueError("nobody is that old")
        return [1] * len(model_input)

def _load_pyfunc(path):
    return Toy()
"""
OLD = {"input_data": {**SAMPLE["input_data"], "data": [[70, 1.7, "red"]]}}
YOUNG = {"input_data": {**SAMPLE["input_data"], "data": ROWS[:1]}}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """One whose Azure's minutes take half a second. Version 2 can't bear some of the rows that version 1 takes."""
    folder = tmp_path_factory.mktemp("evidence")
    with repository(folder, "--minute=0.5", "--core-quota=1000") as made:
        (made.tree / POLICY).write_text(yaml.safe_dump(POLICIES))
        commit(made.tree, "A policy for a fast clock")
        made.know_head()
        fussy = toy_model(folder / "1", answer=1)
        (fussy / "code/toy.py").write_text(FUSSY)
        for model in (toy_model(folder / "0", answer=0), fussy):
            made.script("register_model", model)
        yield made


@pytest.fixture
def faults(quick: Repository) -> Iterator[Faults]:
    found = Faults(Path(quick.environ["SSL_CERT_FILE"]).parent)
    yield found
    unmet = [fault for fault in found.all() if not fault["hit"]]
    found.clear()
    assert not unmet, "these faults met nothing"


@pytest.fixture(scope="module")
def deployed(quick: Repository) -> tuple[Repository, Live]:
    """An endpoint for promotions by hand."""
    made = served(quick)
    made.script("deploy", "--version", 2)
    live = Live(made.variables["ENDPOINT_NAME"])
    live.tags = Arm(made.environ)("GET", f"onlineEndpoints/{live.name}").json()["tags"]
    return made, live


@pytest.fixture
def pair(deployed: tuple[Repository, Live]) -> Repository:
    """That endpoint as it was then: all traffic on blue, green beside it."""
    made, live = deployed
    restore(Arm(made.environ), live)
    made.github.set_up(COLLEAGUE)
    made.github.issues.clear()
    return made


def once_judged(job: str, begin: Callable[[], object]) -> Callable[[str, Job], None]:
    """Begin that as soon as the job has written green's share, and looks."""
    begun: list[str] = []

    def watch(name: str, seen: Job) -> None:
        if name == job and " so far; " in seen.log and not begun:
            begun.append(name)
            begin()

    return watch


def promoted(pair: Repository, begin: Callable[[], object] = lambda: None) -> Run:
    """Green to 50 %, by promote.yml."""
    return pair.dispatch("promote", {"percent": "50"}, watch=once_judged("promote", begin))


def blue_alone_serves(repository: Repository, answers: Answers) -> bool:
    return repository.traffic == BLUE and answers.more(50).failed == 0


def test_a_green_that_fails_half_the_time_is_undone(quick: Repository, faults: Faults) -> None:
    """Noticed at 10 %: all traffic is on blue again, the run is red, and an issue has the evidence."""
    made = served(quick)
    name = made.variables["ENDPOINT_NAME"]

    def begin() -> None:
        faults.add("misbehave", endpoint=name, deployment=GREEN, status=500, rate=0.5)

    with asked(made.environ, name) as answers:
        run = rollout(made, watch=once_judged(f"rollout/{FIRST}", begin))
        failed = answers.failed
        assert blue_alone_serves(made, answers), run.jobs[f"rollout/{FIRST}"].log

    log = run.jobs[f"rollout/{FIRST}"].log
    assert results(run, "failure") == [FIRST] and "is unhealthy at 10 %" in log, log
    assert "Taken back" in run.jobs[f"rollout/{FIRST}"].summary and 0 < failed <= 300, answers
    [issue] = made.github.issues.values()
    assert "is rolled back" in issue["body"] and "failed of" in issue["body"]


@pytest.mark.parametrize(
    ("misbehaviour", "others", "most"),
    [
        ({"status": 500, "rate": 0.05}, (), 200),
        ({"seconds": 0.3}, (), 0),  # more than a busy machine adds
        ({}, (YOUNG, YOUNG, OLD), 500),
        ({"crash": True}, (), 1500),
    ],
    ids=["5 % fail", "slower", "some rows", "dies"],
)
def test_a_bad_green_is_undone(
    pair: Repository, faults: Faults, misbehaviour: dict[str, Any], others: tuple[Mapping[str, Any], ...], most: int
) -> None:
    """Noticed at 50 %, all traffic is on blue again, the run is red, and an issue has the evidence."""

    def begin() -> None:
        if misbehaviour:
            faults.add("misbehave", endpoint=pair.variables["ENDPOINT_NAME"], deployment=GREEN, **misbehaviour)

    with asked(pair.environ, pair.variables["ENDPOINT_NAME"], *others) as answers:
        run = promoted(pair, begin)
        failed = answers.failed
        assert blue_alone_serves(pair, answers), run.jobs["promote"].log

    assert (results(run, "failure"), results(run, "success")) == (["promote"], ["review", "tell"])
    assert "is unhealthy at 50 %" in run.jobs["promote"].log
    assert (failed > 0) == (most > 0) and failed <= most, answers
    assert len(pair.github.issues) == 1


def test_a_green_goes_back_through_whatever_azure_answers(pair: Repository, faults: Faults) -> None:
    """Refusals, and an update that is lost: it is written until it reads back."""

    def begin() -> None:
        for fault in (*MISBEHAVING, {"kind": "overwrite", **PUT, "traffic": HALF}):
            faults.add(**fault)
        faults.add("misbehave", endpoint=pair.variables["ENDPOINT_NAME"], deployment=GREEN, status=500, rate=0.5)

    with asked(pair.environ, pair.variables["ENDPOINT_NAME"]) as answers:
        run = promoted(pair, begin)
        failed = answers.failed
        assert blue_alone_serves(pair, answers), run.jobs["promote"].log

    assert results(run, "failure") == ["promote"] and "is unhealthy at 50 %" in run.jobs["promote"].log
    assert 0 < failed <= 3000, answers


def test_a_green_that_goes_bad_before_blue_is_deleted_is_undone(pair: Repository, faults: Faults) -> None:
    """Live traffic is asked once more: blue stays, has all traffic again, and somebody hears of it."""

    def begin(name: str, seen: Job) -> None:
        if name == "promote" and "Delete version" in seen.log and not faults.all():
            faults.add("misbehave", endpoint=pair.variables["ENDPOINT_NAME"], deployment=GREEN, status=500)

    with asked(pair.environ, pair.variables["ENDPOINT_NAME"]) as answers:
        run = pair.dispatch("promote", {"percent": "100", "delete-blue": "true"}, watch=begin)
        assert blue_alone_serves(pair, answers), run.jobs["delete-blue"].log

    assert (results(run, "failure"), results(run, "success")) == (["delete-blue"], ["review", "promote", "tell"])
    assert "is unhealthy at 100 %" in run.jobs["delete-blue"].log and len(pair.github.issues) == 1


def test_a_rollout_whose_green_goes_bad_at_the_end_is_undone(quick: Repository, faults: Faults, tmp_path: Path) -> None:
    """So it is where rollout.yml was to delete blue: nothing goes back twice, and author and webhook hear of it."""
    made, last = served(quick), f"rollout/{PROMOTING[-1]}"
    told = {*made.github.issues}  # of other drills here

    def begin(name: str, seen: Job) -> None:
        if name == last and "Delete version" in seen.log and not faults.all():
            faults.add("misbehave", endpoint=made.variables["ENDPOINT_NAME"], deployment=GREEN, status=500)
            # The last look is a quick one: it comes once live traffic has told of what is bad.
            faults.add("delay", method="GET", path=f"*/{made.variables['ENDPOINT_NAME']}", seconds=6, times=3)

    with (
        listener(tmp_path, made.environ["SSL_CERT_FILE"]) as webhook,
        asked(made.environ, made.variables["ENDPOINT_NAME"]) as answers,
    ):
        secret = {"ROLLBACK_WEBHOOK": webhook.environ.pop("ROLLBACK_WEBHOOK")}
        run = rollout(made, watch=begin, environ=webhook.environ, secrets=secret)
        assert blue_alone_serves(made, answers), run.jobs["rollout/delete-blue"].log

    assert (results(run, "failure"), run.jobs["rollout/tell"].result) == (["delete-blue"], "success")
    assert "rollback" in results(run, "skipped")
    assert "is unhealthy at 100 %" in run.jobs["rollout/delete-blue"].log
    [number], [message] = {*made.github.issues} - told, webhook.heard
    issue = made.github.issues[number]
    assert "failed of" in issue["body"] and issue["html_url"] in message["text"]


def test_a_shift_that_azure_loses_is_none(pair: Repository, faults: Faults) -> None:
    """Refusals are waited for; where somebody writes blue's 100 % right after, that stays, and no request fails."""
    for fault in (*MISBEHAVING, {"kind": "overwrite", **PUT, "traffic": BLUE}):
        faults.add(**fault)

    with asked(pair.environ, pair.variables["ENDPOINT_NAME"]) as answers:
        run = promoted(pair)
        assert blue_alone_serves(pair, answers), run.jobs["promote"].log

    assert results(run, "failure") == ["promote"] and answers.failed == 0
    assert "somebody else wrote another split" in run.jobs["promote"].log


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [(403, "AuthorizationFailed", "Monitoring Reader"), (503, "ServiceUnavailable", "can't be read")],
    ids=["no right", "an outage"],
)
def test_without_metrics_the_split_is_held(pair: Repository, faults: Faults, status: int, code: str, why: str) -> None:
    """The job is green, says what is missing, and nothing fails."""
    faults.add("refuse", path="*/Microsoft.Insights/metrics", times=0, status=status, code=code)

    with asked(pair.environ, pair.variables["ENDPOINT_NAME"]) as answers:
        run = promoted(pair)

    assert (run.exit_code, pair.traffic, answers.failed) == (0, HALF, 0), run.jobs["promote"].log
    assert "inconclusive" in run.jobs["promote"].summary and why in run.jobs["promote"].summary


def test_without_traffic_the_rollout_waits_for_a_person(quick: Repository) -> None:
    """The first promotion ends green, the split is held, and the next one doesn't go on by itself."""
    made = served(quick)

    def approve(name: str, job: Job) -> None:
        if name == f"rollout/{FIRST}" and not made.github.runs[4713].approvals:
            made.github.review(4713, COLLEAGUE)

    run = rollout(made, watch=approve, reviewed=False, environ={"GITHUB_RUN_ID": "4713"})

    assert (results(run, "failure"), made.traffic) == ([SECOND], split(FIRST))
    assert "blue and green got no requests" in run.jobs[f"rollout/{FIRST}"].summary
    assert "nobody approved this job" in run.jobs[f"rollout/{SECOND}"].log
    assert FIRST in results(run, "success") and "rollback" in results(run, "skipped")


def test_an_equal_green_goes_to_the_end(quick: Repository) -> None:
    """Found healthy at each stage; then it serves alone, and no request has failed."""
    made = served(quick)

    with asked(made.environ, made.variables["ENDPOINT_NAME"]) as answers:
        run = rollout(made)

    found = [run.jobs[f"rollout/{job}"].outputs.get("verdict") for job in PROMOTING]
    assert (run.exit_code, found) == (0, ["healthy"] * len(PROMOTING))
    assert (made.traffic, answers.failed) == ({GREEN: 100}, 0), answers
    assert list(made.endpoint()["traffic"]) == [GREEN]


def test_a_runner_killed_before_the_verdict(quick: Repository, faults: Faults) -> None:
    """The run that is repeated writes no second split; what green did before it counts, though it has recovered."""
    made, act = served(quick), list[subprocess.Popen[str]]()
    name = made.variables["ENDPOINT_NAME"]

    def kill() -> None:
        faults.add("misbehave", endpoint=name, deployment=GREEN, status=500)
        time.sleep(4)  # eight of Azure's minutes, of which few are told of
        for process in [*psutil.Process(act[0].pid).children(recursive=True), act[0]]:
            process.kill()
        faults.clear()

    with asked(made.environ, name) as answers:
        killed = rollout(
            made, started=act.append, watch=once_judged(f"rollout/{FIRST}", kill), environ={"GITHUB_RUN_ID": "4714"}
        )
        assert (killed.jobs[f"rollout/{FIRST}"].result, made.traffic) == ("running", split(FIRST))
        answers.more(50)
        recovered = answers.failed
        faults.forget()
        again = rollout(made, environ={"GITHUB_RUN_ID": "4714", "GITHUB_RUN_ATTEMPT": "2"})
        writes = [call for call in faults.calls() if call["method"] == "PUT" and call["path"].endswith(name)]
        assert blue_alone_serves(made, answers), again.jobs[f"rollout/{FIRST}"].log

    assert results(again, "failure") == [FIRST] and "is unhealthy at 10 %" in again.jobs[f"rollout/{FIRST}"].log
    assert len(writes) == 1 and answers.failed == recovered
