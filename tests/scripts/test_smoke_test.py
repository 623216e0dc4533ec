"""smoke_test and invoke: what is wrong with an answer, and both against the local Azure ML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.faults.command import Faults
from azureml_emulator.testing import Arm
from scripts.lib.azure.asking import EXPECTATIONS, problems
from scripts.lib.azure.scoring_client import Answer
from scripts.lib.decisions.contract import Contract
from scripts.lib.decisions.expectations import Expected, Rule
from scripts.lib.decisions.request_fit import NO_VALUE
from scripts.smoke_test import wrong_input
from tests.support.scripts import GREEN, SAMPLE, Live, pair_endpoint, write
from tests.support.scripts import ROWS as ALL

ROWS = len(ALL)


def answer(body: str = "[1]", status: int = 200, deployment: str = "green") -> Answer:
    return Answer(status, {"azureml-model-deployment": deployment}, body, 0.01)


# what is wrong with an answer


def wrong(given: Answer, rows: int = 1) -> list[str]:
    return list(problems(given, rows, "green", Contract(), Expected(Rule(labels=[0, 1]))))


def test_a_right_answer_has_no_problem() -> None:
    """One label per row, from the deployment that was asked."""
    assert wrong(answer("[1, 0]"), 2) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (answer(status=424, body="no"), "HTTP 424: no"),
        (answer(deployment="default"), "answered by default, not by green"),
        (answer(deployment=""), "answered by nobody"),
        (answer("<html>"), "not a list of predictions"),
        (answer("[1, 1]"), "not a list of 1 predictions"),
        (answer("[2]"), "[2] are none of the labels [0, 1]"),
        (answer("[NaN]"), "NaN or infinite"),
    ],
)
def test_a_wrong_answer_has_a_problem(given: Answer, problem: str) -> None:
    """Status, sender, form and what it holds are each checked."""
    assert problem in wrong(given)[0]


def test_all_problems_of_an_answer_are_listed() -> None:
    """Not just the first."""
    assert len(wrong(answer("[7]", deployment="default"))) == 2


@pytest.mark.parametrize("status", [200, 500, 502, 401, 403, 404, 408, 429])
def test_wrong_input_must_be_refused_for_what_it_is(status: int) -> None:
    """An answer, a server's failure, or a 4xx that says nothing of the input are no refusal."""
    assert len(wrong_input(lambda body: answer(status=status), {"without a": SAMPLE, "without b": SAMPLE})) == 2


@pytest.mark.parametrize("status", [400, 415, 422, 424])
def test_refused_wrong_input_is_right(status: int) -> None:
    """The container's 400, and Azure's 424 for what it answers otherwise."""
    assert wrong_input(lambda body: answer(status=status), {"without a": SAMPLE}) == []


# against the local Azure ML


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


TABLE = {"no": 0.2, "yes": 0.8}
OUTPUTS = [{"type": "double", "name": name, "required": True} for name in TABLE]


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Green answers the label 1.

    Versions 3 to 5: a wrong label, a model without tags and signature, one that answers a table.
    """
    toys: list[dict[str, Any]] = [
        {"answer": 0},
        {"answer": 1},
        {"answer": 7},
        {"metadata": {}, "signature": False},
        {"answer": TABLE, "metadata": {}, "outputs": OUTPUTS},
    ]
    with pair_endpoint(tmp_path_factory.mktemp("smoke"), "toy-smoke", *toys) as live:
        yield live


@pytest.fixture(scope="module")
def bad(rollout: Live) -> Iterator[Live]:
    """An endpoint to deploy the bad versions to."""
    live = Live("toy-smoke-bad")
    live.do("create_endpoint")
    live.do("deploy", "--version", 1)
    live.do("promote", "--percent", 100)
    yield live


def test_a_good_deployment_passes(rollout: Live, tmp_path: Path) -> None:
    """Green is asked past the split, at 0 %; how many requests and how long they took is printed as JSON."""
    summary = tmp_path / "summary"

    result = json.loads(rollout.do("smoke_test", GREEN, GITHUB_STEP_SUMMARY=str(summary)))

    assert (result["deployment"], result["requests"]) == (GREEN, 1 + ROWS)
    assert 0 < result["p50_ms"] <= result["max_ms"]
    assert rollout.traffic == {"default": 100}
    assert "0 failures" in summary.read_text()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_deployment_is_asked_again(rollout: Live, faults: Faults, status: int) -> None:
    """Busy for a moment is no fault of the model's."""
    faults.add("refuse", method="POST", path="*/score", status=status, times=2)

    assert json.loads(rollout.do("smoke_test", GREEN))["requests"] == 1 + ROWS


def test_wrong_labels_fail_and_are_all_listed(bad: Live) -> None:
    """Every request's failure is listed, the exit code is 1, and the traffic is as it was."""
    green = bad.do("deploy", "--version", 3)

    result = bad.run("smoke_test", green)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("[7] are none of the labels [0, 1]") == 1 + ROWS
    assert bad.traffic == {"default": 100}


def test_a_model_that_takes_wrong_input_fails(bad: Live, faults: Faults) -> None:
    """What its signature doesn't allow must not get a prediction."""
    faults.add("misbehave", endpoint=bad.name, deployment="default", status=200, skip=1 + ROWS, times=0)

    result = bad.run("smoke_test", "default")

    assert result.exit_code == 1
    assert f"a request without {SAMPLE['input_data']['columns'][0]}: answered 200" in result.stderr
    assert f"is {NO_VALUE}: answered 200" in result.stderr


def test_a_model_without_tags_is_not_stuck(bad: Live, arm: Arm) -> None:
    """Nothing is known of it but that it answers; tagging it afterwards helps, and so does an option."""
    green = bad.do("deploy", "--version", 4)

    without, given = bad.run("smoke_test", green), bad.run("smoke_test", green, "--labels", "[0]")
    retag(arm, 4, labels="[0]")
    tagged = bad.run("smoke_test", green)

    assert (without.exit_code, f"nothing says what {green} may predict" in without.stderr) == (0, True), without.output
    assert (given.exit_code, tagged.exit_code) == (1, 1)
    assert "[1] are none of the labels [0]" in given.stderr
    assert "[1] are none of the labels [0]" in tagged.stderr


def test_a_table_is_checked_by_the_signature_and_the_file(bad: Live) -> None:
    """Columns and types as the model promises them, ranges as the file beside the requests says."""
    green = bad.do("deploy", "--version", 5)

    with expecting("range: [0, 1]"):
        right = bad.run("smoke_test", green)
    with expecting("columns:\n  yes: {range: [0, 0.5]}".replace("yes", '"yes"')):
        wrong = bad.run("smoke_test", green)
    with expecting("columns:\n  yess: {range: [0, 0.5]}"):
        typo = bad.run("smoke_test", green)

    assert right.exit_code == 0, right.output
    assert (wrong.exit_code, "yes: [0.8] are outside of the range [0, 0.5]" in wrong.stderr) == (1, True)
    assert (typo.exit_code, f"{EXPECTATIONS}, line 2: the model answers no `yess`: write `yes`." in typo.stderr) == (
        2,
        True,
    )


def test_a_typo_in_the_expectations_makes_no_model_bad(rollout: Live, tmp_path: Path) -> None:
    """It is wrong usage, by smoke_test and promote, with its place; nothing is asked, nothing written."""
    with expecting("lables: [0, 1]"):
        tested = rollout.run("smoke_test", GREEN, GITHUB_OUTPUT=str(tmp_path / "output"))
        promoted = rollout.run("promote", "--percent", 10)

    assert (tested.exit_code, promoted.exit_code, (tmp_path / "output").exists()) == (2, 2, False)
    assert f"{EXPECTATIONS}, line 1: `lables` is no key that is known: write `labels`." in tested.stderr
    assert rollout.traffic == {"default": 100}


def test_a_promotion_asks_for_what_the_file_says(rollout: Live) -> None:
    """Who promotes may have no right to read models."""
    with expecting("range: [5, 6]"):
        result = rollout.run("promote", "--percent", 10)

    assert (result.exit_code, rollout.traffic) == (1, {"default": 100})
    assert "[1] are outside of the range [5, 6]" in result.stderr


@contextmanager
def expecting(text: str) -> Iterator[None]:
    """A file with expectations beside the requests."""
    EXPECTATIONS.write_text(text)
    yield
    EXPECTATIONS.unlink()


def retag(arm: Arm, version: int, **tags: str) -> None:
    """What `az ml model update --set tags.…` does."""
    path = f"models/toy-smoke/versions/{version}"
    body = arm("GET", path).json()
    body["properties"]["tags"] = {**(body["properties"].get("tags") or {}), **tags}
    assert arm("PUT", path, body).status_code in (200, 201)


@pytest.mark.parametrize("labels", ["0, 1", "1", "[]", '{"a": 1}'])
def test_malformed_labels_are_refused(rollout: Live, labels: str) -> None:
    """Labels are a JSON list."""
    result = rollout.run("smoke_test", GREEN, "--labels", labels)

    assert result.exit_code == 1
    assert "is not a JSON list of labels" in result.stderr


def test_an_unknown_deployment_is_refused(rollout: Live) -> None:
    """The error names those there are."""
    result = rollout.run("smoke_test", "nobody")

    assert result.exit_code == 1
    assert f"it has: default, {GREEN}" in result.stderr


@pytest.mark.parametrize("content", ["[1]", "{", ""])
def test_a_malformed_request_file_is_refused(rollout: Live, tmp_path: Path, content: str) -> None:
    """Nothing is sent that the endpoint would only refuse."""
    (tmp_path / "request.json").write_text(content)

    result = rollout.run("invoke", "--request", tmp_path / "request.json")

    assert result.exit_code == 2
    assert "request.json is not" in result.stderr


def test_invoke_asks_by_the_split(rollout: Live) -> None:
    """The answer is printed as it came; who answered, and how fast, is said beside it."""
    result = rollout.run("invoke")

    assert (result.exit_code, json.loads(result.stdout)) == (0, [0])
    assert result.stderr.startswith("default answered 200 in ")


def test_invoke_asks_one_deployment(rollout: Live) -> None:
    """A named deployment answers without traffic; the next call goes by the split again."""
    named, plain = rollout.run("invoke", "--deployment", GREEN), rollout.run("invoke")

    assert json.loads(named.stdout) == [1]
    assert json.loads(plain.stdout) == [0]


def test_invoke_tells_that_nobody_answered(rollout: Live, faults: Faults) -> None:
    """One line, instead of the traceback of a library; what can't be asked is no answer, and has its exit code."""
    faults.add("drop", method="POST", path="*/score", times=0)

    result = rollout.run("invoke", "--patience", 0.5)

    assert (result.exit_code, result.stdout) == (4, "")
    assert f"Error: {rollout.name} could not be asked: the endpoint's scoring URI can't be reached: " in result.stderr


@pytest.mark.parametrize("status", [0, 401, 404, 429, 502])
def test_invoke_goes_on_through_what_passes(rollout: Live, faults: Faults, status: int) -> None:
    """A lost connection, a gateway in trouble, a route or a login that it doesn't know yet."""
    score = {"method": "POST", "path": "*/score"}
    faults.add("refuse", **score, status=status) if status else faults.add("drop", **score)

    assert rollout.run("invoke").exit_code == 0


def test_invoke_asks_nobody_where_nobody_has_traffic(azure: dict[str, str], rollout: Live) -> None:
    """At once, with the name of the option that asks one past the split."""
    arm = Arm(azure)
    write(arm, rollout, {})

    result = rollout.run("invoke")

    write(arm, rollout, {"default": 100}, rollout.tags)
    assert result.exit_code == 1
    assert "has no traffic, so nobody would answer" in result.stderr


def test_invoke_names_who_is_there(rollout: Live) -> None:
    """A misspelt name is no reason to wait for it."""
    result = rollout.run("invoke", "--deployment", "nobody")

    assert result.exit_code == 1
    assert f"it has: default, {GREEN}" in result.stderr


def test_invoke_tells_a_refusal(rollout: Live, tmp_path: Path) -> None:
    """The endpoint's status and words, and exit code 1."""
    (tmp_path / "request.json").write_text('{"data": 1}')

    result = rollout.run("invoke", "--request", tmp_path / "request.json")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "HTTP 4" in result.stderr
