"""promote --judge and analyze_canary on live traffic: a bad green goes back at once, all else waits for a person.

A minute of this local Azure's takes half a second.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from azureml_emulator.faults.client import Faults
from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.process import running
from azureml_emulator.testing import Arm
from scripts.lib.azure import judging
from tests.support.load import asked
from tests.support.scripts import GREEN, Live, outputs, pair_endpoint, restore, write

RUN = ("--rollout", "octo/heart/actions/runs/1/attempts/1")
JUDGED = ("promote", "--percent", 50, "--judge", "--next", "promote-100", "--next-percent", 100, *RUN)
STAGE = {"bake_minutes": 20, "tolerated_rise": 0.4, "latency_budget": None, "fewest_requests": 20}
HALF = {"default": 50, GREEN: 50}


@pytest.fixture(scope="module")
def state(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another emulator than the session's, while this module runs."""
    folder = tmp_path_factory.mktemp("fast")
    with running(folder, "--minute=0.5") as fast:
        os.environ.update(fast)
        yield folder
        os.environ.update(azure)


@pytest.fixture(scope="module")
def rollout(state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("judged"), "toy-judged", {"answer": 0}, {"answer": 1}) as live:
        Path("endpoints/rollout-policy.yml").write_text(yaml.safe_dump({"50": STAGE, "100": STAGE}))
        yield live


@pytest.fixture
def pair(rollout: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Green has had half of the traffic, and its job is killed before the verdict."""
    monkeypatch.setattr(judging, "PAUSE", 1.0)
    restore(Arm(dict(os.environ)), rollout)
    rollout.do("promote", "--percent", 50, *RUN)
    return rollout


@pytest.fixture
def wrong(state: Path) -> Iterator[Faults]:
    faults = Faults(state)
    yield faults
    faults.clear()


def step(live: Live, folder: Path, *arguments: object) -> tuple[Any, dict[str, str], str]:
    """How a verb ends, its outputs and its page."""
    output, page = folder / "output", folder / "page"
    result = live.run(*arguments, GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(page))
    return result, outputs(output), page.read_text()


@pytest.mark.parametrize(
    ("misbehaviour", "why"),
    [({"status": 500}, "100 % failed of"), ({"status": 400}, "refuses most"), ({"crash": True}, "fails more")],
    ids=["fails", "refuses", "dies"],
)
def test_a_bad_green_goes_back_at_once(
    pair: Live, wrong: Faults, tmp_path: Path, misbehaviour: dict[str, Any], why: str
) -> None:
    """In one write, by the job that is run again, too; its log and the evidence are on the page, and it is marked."""
    wrong.add("misbehave", endpoint=pair.name, deployment=GREEN, **misbehaviour)
    wrong.forget()
    with asked(dict(os.environ), pair.name):
        result, output, page = step(pair, tmp_path, *JUDGED)
    writes = [call for call in wrong.calls() if call["method"] == "PUT"]

    assert (result.exit_code, output["wrote"], output["verdict"]) == (1, "true", "unhealthy"), result.output
    assert (len(writes), pair.traffic) == (1, {"default": 100})
    assert f"{GREEN} is unhealthy at 50 %: " in result.stderr and "proposal" not in output
    assert "Taken back" in page and f"The log of {GREEN} says:" in page
    assert why in step(pair, tmp_path, "review", "--green", GREEN)[2]


def test_a_bad_green_goes_back_through_whatever_azure_answers(
    pair: Live, wrong: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals, and an update that is lost: it is written until it reads back."""
    monkeypatch.setattr(judging, "PATIENCE", 0.5)
    for status in (429, 500, 409):
        wrong.add("refuse", method="PUT", path=f"*/onlineEndpoints/{pair.name}", status=status)
    wrong.add("overwrite", path=f"*/onlineEndpoints/{pair.name}", traffic=HALF)
    wrong.add("misbehave", endpoint=pair.name, deployment=GREEN, status=500)
    with asked(dict(os.environ), pair.name):
        result, output, _ = step(pair, tmp_path, *JUDGED)

    assert (result.exit_code, output["verdict"], pair.traffic) == (1, "unhealthy", {"default": 100}), result.output
    assert all(fault["hit"] for fault in wrong.all())


@pytest.mark.parametrize("percent", [50, 100])
def test_what_went_bad_since_is_not_promoted(pair: Live, wrong: Faults, tmp_path: Path, percent: int) -> None:
    """An approval comes late, or a job is run again: live traffic is asked first, and green gets no more.

    Nor is its way back deleted then.
    """
    if percent == 100:
        pair.do("promote", "--percent", 100, *RUN)
    job = ("promote-100", "--percent", 100) if percent == 50 else ("delete-blue",)
    approved = step(pair, tmp_path, "review", "--next", *job)[1]["proposal"]
    wrong.add("misbehave", endpoint=pair.name, deployment=GREEN, status=500)
    with asked(dict(os.environ), pair.name):
        assert "unhealthy: " in pair.run("analyze_canary").stderr
    wrong.forget()

    more = ("promote", "--percent", 100, "--judge", "--next", "delete-blue", *RUN)
    more = more if percent == 50 else ("delete_blue", "default")
    result, output, _ = step(pair, tmp_path, *more, "--expect", approved)

    assert (result.exit_code, output["wrote"], output["verdict"]) == (1, "true", "unhealthy"), result.output
    assert pair.traffic == {"default": 100} and f"{GREEN} is unhealthy at {percent} %" in result.stderr
    assert len([call for call in wrong.calls() if call["method"] == "PUT"]) == 1
    with LocalGitHub("octo/heart") as github:  # a run of promote.yml, for the split of a rollout
        told = pair.do("tell_rollback", **github.environ(), GITHUB_RUN_ID="2")
        [issue] = github.issues.values()
    assert told == issue["html_url"] and "octo/heart/actions/runs/1)" in issue["body"]


def test_an_equal_green_waits_for_a_person(pair: Live, tmp_path: Path) -> None:
    """The question stands on top, with the verdict; the split is held."""
    with asked(dict(os.environ), pair.name):
        result, output, page = step(pair, tmp_path, *JUDGED)

    assert (result.exit_code, output["wrote"], output["verdict"]) == (0, "done", "healthy"), result.output
    assert pair.traffic == HALF and json.loads(output["proposal"])["traffic"] == HALF
    assert "Promote version 2 from 50 % to 100 %? **healthy**: 0 % failed of" in page
    assert "Promote version 2 from 50 % to 100 %? healthy: 0 % failed of" in result.stderr


def test_an_equal_green_goes_on_where_the_first_approval_was_for_it(pair: Live, tmp_path: Path) -> None:
    """The next job's environment is handed on, and the page says that nobody is asked, and what will be done."""
    with asked(dict(os.environ), pair.name):
        result, output, page = step(pair, tmp_path, *JUDGED, "--later", "unattended")

    assert (result.exit_code, output["verdict"], output["later"]) == (0, "healthy", "unattended"), result.output
    assert "**promote-100** gives" in page and "**promote-100** goes on by itself" in page
    assert "Approving" not in page


def test_another_split_ends_the_bake(pair: Live, tmp_path: Path) -> None:
    """What was seen tells nothing of it: no approval is for what somebody wrote meanwhile, and that stays."""
    other = {"default": 80, GREEN: 20}
    somebody = threading.Timer(3, write, (Arm(dict(os.environ)), pair, other))
    with asked(dict(os.environ), pair.name):
        somebody.start()
        result, output, page = step(pair, tmp_path, *JUDGED, "--later", "unattended")
    somebody.join()

    assert (result.exit_code, output["verdict"], pair.traffic) == (0, "inconclusive", other), result.output
    assert "somebody wrote another split while this one was judged: default 80 %" in page
    assert "later" not in output and "asks for another approval" in page


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({}, "green got no requests"),
        ({"kind": "refuse", "status": 403, "code": "AuthorizationFailed"}, "no metrics: "),
        ({"kind": "refuse", "status": 503, "code": "ServiceUnavailable"}, "no metrics: "),
    ],
    ids=["no traffic", "no right", "an outage"],
)
def test_what_cannot_be_seen_neither_promotes_nor_goes_back(
    pair: Live, wrong: Faults, tmp_path: Path, fault: dict[str, Any], why: str
) -> None:
    """No traffic, no right, an outage: said, and a person is asked."""
    if fault:
        wrong.add(**fault, path="*/Microsoft.Insights/metrics", times=0)

    result, output, page = step(pair, tmp_path, *JUDGED, "--later", "unattended")

    assert (result.exit_code, output["wrote"], output["verdict"]) == (0, "done", "inconclusive"), result.output
    assert pair.traffic == HALF and output["proposal"] and "later" not in output
    assert "Approving **promote-100** gives" in page and "asks for another approval" in page
    assert "**inconclusive**: " in page and why in page


def test_analyze_canary_tells_and_leaves_it(pair: Live, wrong: Faults, tmp_path: Path) -> None:
    """The verdict as JSON, also where it ends with 1; only --undo takes back."""
    wrong.add("misbehave", endpoint=pair.name, deployment=GREEN, status=500)
    with asked(dict(os.environ), pair.name):
        result, output, page = step(pair, tmp_path, "analyze_canary")
    told = json.loads(result.stdout)

    assert (result.exit_code, told["word"], output["verdict"]) == (1, "unhealthy", "unhealthy"), result.output
    assert pair.traffic == HALF and told["question"] in page.replace("**", "")
    assert pair.run("analyze_canary", "--once", "--undo").exit_code == 1
    assert pair.traffic == {"default": 100}
