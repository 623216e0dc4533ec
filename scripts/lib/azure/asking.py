"""What clients ask is asked of one deployment: it is well, it is found bad, or it could not be asked (asker.py)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from scripts.lib.azure.asker import LOG, PATIENCE, Asker, CouldNotAsk
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import explain
from scripts.lib.azure.model_files import registered_contract
from scripts.lib.azure.scoring_client import ROWS, SAMPLE, Answer, load_request, load_requests
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import read_yaml
from scripts.lib.decisions import expectations, predictions
from scripts.lib.decisions.contract import Contract
from scripts.lib.decisions.expectations import Expected, with_tags
from scripts.lib.decisions.model_tags import listed
from scripts.lib.decisions.request_fit import misfits
from scripts.lib.decisions.requests import Body, rows
from scripts.lib.decisions.state import EndpointState, Refused

EXPECTATIONS = Path("endpoints/smoke-expectations.yml")
Ask = Callable[[Body], Answer]
Failures = list[tuple[int, str]]  # the request's number, and what is wrong with its answer


class FoundBad(Refused):
    """The deployment answers wrongly, or never. `failures` has a line for each of them."""

    def __init__(self, name: str, failures: list[str]):
        log = [LOG.format(name)] if any("HTTP 424" in line for line in failures) else []
        super().__init__("\n  ".join([f"{name} fails the smoke test; the traffic is as it was:", *failures, *log]))
        self.failures = failures


def ask(endpoint: OnlineEndpoint, state: EndpointState, name: str, patience: float = PATIENCE) -> None:
    """Ask the deployment `name` what clients ask. Raises FoundBad and CouldNotAsk, or nothing: then it is well.

    Who promotes may have no right to read models, so its tags and the file alone say what is right. Ends with exit code
    2 where the files are wrong.
    """
    bodies, said = right_requests(), expected(state, name)
    if said.per_row is None and not said.every.labels:
        said = replace(said, per_row=False)  # whether each row has a prediction the signature tells
    failures, _ = right_input(Asker(endpoint, state, name, patience), bodies, name, Contract(), said)
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
    if found is None or found.takes is None:
        return
    wrong = {number: list(misfits(bodies[number], found.takes, found.params)) for number, _ in failures}
    if all(wrong.values()):
        files = f"{name} refuses what isn't as its model wants it. Request 0 is {SAMPLE}, the others are the rows:"
        lines = [f"request {number}: {why}" for number, reasons in wrong.items() for why in reasons]
        raise click.BadParameter("\n  ".join([files, *lines]))


def told(failures: Failures) -> list[str]:
    """A line for each."""
    return [f"request {number}: {problem}" for number, problem in failures]


def right_requests(rows: Path = ROWS) -> list[Body]:
    """The sample request, and those of a file. Ends with exit code 2 where a file is wrong."""
    load_requests(SAMPLE)  # of a form that Azure takes
    return [load_request(SAMPLE), *load_requests(rows)]


def right_input(
    ask: Ask, bodies: list[Body], name: str, model: Contract, said: Expected
) -> tuple[Failures, list[float]]:
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
        found = problems(answer, rows(body, model.takes), name, model, said)
        failures += [(number, problem) for problem in found]
        seconds.append(answer.seconds)
    return failures, seconds


def problems(answer: Answer, count: int | None, name: str, model: Contract, said: Expected) -> Iterator[str]:
    """What is wrong with an answer to a right request of so many rows, sent to the deployment `name`."""
    if answer.deployment != name:
        yield f"answered by {answer.deployment or 'nobody'}, not by {name}"
    if answer.status != 200:
        yield f"HTTP {answer.status}: {answer.body.strip()[:500]}"
        return
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        yield f"not JSON, so not a list of predictions: {answer.body[:500]}"
        return
    yield from predictions.problems(content, count, model.gives, said)


def expected(state: EndpointState, name: str, given: str = "", model: Mapping[str, str] | None = None) -> Expected:
    """What a deployment may predict: the labels given as JSON, else what the file, its tags and its model's say."""
    found = with_tags(of_the_file(), {**(model or {}), **state.named(name).tags})
    labels = listed(given)
    if given and not labels:
        raise Refused(f"{given!r} is not a JSON list of labels. Say it: smoke_test {name} --labels '[0, 1]'")
    return replace(found, every=replace(found.every, labels=labels), columns={}) if given else found


def of_the_file(path: Path = EXPECTATIONS) -> Expected:
    """What the file beside the requests says, which may be missing. Ends with exit code 2 where it is wrong."""
    if not path.exists():
        return Expected()
    try:
        return expectations.expected(read_yaml(path), str(path))
    except Refused as error:
        raise click.BadParameter(str(error)) from error
