"""What clients ask is asked of one deployment: it is well, it is found bad, or it could not be asked (asker.py)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from scripts.lib.azure.asker import PATIENCE, Asker, CouldNotAsk
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import explain
from scripts.lib.azure.model_files import registered_contract
from scripts.lib.azure.scoring_client import ROWS, SAMPLE, Answer, Body, alone, load_request
from scripts.lib.azure.waiting import Deadline
from scripts.lib.decisions.contract import LABELS, listed
from scripts.lib.decisions.request_fit import misfits
from scripts.lib.decisions.state import EndpointState, Refused

Ask = Callable[[Body], Answer]
Failures = list[tuple[int, str]]  # the request's number, and what is wrong with its answer


class FoundBad(Refused):
    """The deployment answers wrongly, or never. `failures` has a line for each of them."""

    def __init__(self, name: str, failures: list[str]):
        super().__init__("\n  ".join([f"{name} fails the smoke test; the traffic is as it was:", *failures]))
        self.failures = failures


def ask(endpoint: OnlineEndpoint, state: EndpointState, name: str, patience: float = PATIENCE) -> None:
    """Ask the deployment `name` what clients ask. Raises FoundBad and CouldNotAsk, or nothing: then it is well.

    Without a tag that tells its labels an answer is right if it has one prediction for each row. Ends with exit code 2
    where the request files are wrong.
    """
    bodies = right_requests()
    failures, _ = right_input(Asker(endpoint, state, name, patience), bodies, name, labels(state, name))
    check_requests(endpoint, state, name, bodies, failures)
    if failures:
        raise FoundBad(name, told(failures))


def check_requests(
    endpoint: OnlineEndpoint, state: EndpointState, name: str, bodies: list[Body], failures: Failures
) -> None:
    """Ends with exit code 2 where all that failed are requests that aren't what the deployment's model asks for.

    A typo in a file makes no model bad. The model is read only for this.
    """
    if not failures or not all(problem.startswith("HTTP 4") for _, problem in failures):
        return
    try:
        found = registered_contract(endpoint.workspace, state.deployments[name].model, Deadline(PATIENCE))
    except Exception as error:
        if explain(error) is None:
            raise
        return  # without its signature nobody can blame the file
    if found is None or found.inputs is None:
        return
    wrong = {number: list(misfits(bodies[number], found.inputs)) for number, _ in failures}
    if all(wrong.values()):
        files = f"{name} refuses what isn't as its model wants it. Request 0 is {SAMPLE}, the others are the rows:"
        lines = [f"request {number}: {why}" for number, reasons in wrong.items() for why in reasons]
        raise click.BadParameter("\n  ".join([files, *lines]))


def told(failures: Failures) -> list[str]:
    """A line for each."""
    return [f"request {number}: {problem}" for number, problem in failures]


def right_requests(rows: Path = ROWS) -> list[Body]:
    """The sample request, and each row of a file alone. Ends with exit code 2 where a file is wrong."""
    sample = load_request(SAMPLE)
    alone(sample)  # of the same form
    return [sample, *alone(load_request(rows))]


def right_input(ask: Ask, bodies: list[Body], name: str, labels: list[Any] | None) -> tuple[Failures, list[float]]:
    """What is wrong with the answers to right requests, and how many seconds each answer took.

    Raises CouldNotAsk where nothing was wrong so far: what was found is found.
    """
    failures: Failures = []
    seconds: list[float] = []
    for number, body in enumerate(bodies):
        try:
            answer = ask(body)
        except CouldNotAsk as error:
            if not failures:
                raise
            return [*failures, (number, str(error))], seconds
        found = problems(answer, len(body["input_data"]["data"]), name, labels)
        failures += [(number, problem) for problem in found]
        seconds.append(answer.seconds)
    return failures, seconds


def problems(answer: Answer, rows: int, name: str, labels: list[Any] | None) -> Iterator[str]:
    """What is wrong with an answer to a right request of so many rows, sent to the deployment `name`."""
    if answer.deployment != name:
        yield f"answered by {answer.deployment or 'nobody'}, not by {name}"
    if answer.status != 200:
        yield f"HTTP {answer.status}: {answer.body.strip()[:500]}"
        return
    try:
        predictions = json.loads(answer.body)
    except (ValueError, RecursionError):
        predictions = None
    if not isinstance(predictions, list) or len(predictions) != rows:
        yield f"not a list of {rows} predictions: {answer.body[:500]}"
        return
    unknown = [value for value in predictions if not any(value == x and type(value) is type(x) for x in labels or ())]
    if labels is not None and unknown:
        yield f"{json.dumps(unknown)} are none of the labels {json.dumps(labels)}"


def labels(state: EndpointState, name: str, given: str | None = None) -> list[Any] | None:
    """What a deployment may predict: what is given as JSON, else what its tag says; None without either."""
    deployment = state.named(name)
    text = given or deployment.tags.get(LABELS)
    if not text:
        return None
    found = listed(text)
    if not found:
        raise Refused(f"{text!r} is not a JSON list of labels. Say it: smoke_test {name} --labels '[0, 1]'")
    return found
