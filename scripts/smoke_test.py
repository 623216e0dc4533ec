"""Ask one deployment, past the split, and check its answers."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.scoring_client import SAMPLE, Answer, load_request, primary_key, score_patiently
from scripts.lib.cli import names, paths
from scripts.lib.cli.command import command, endpoint_options
from scripts.lib.decisions.state import EndpointState, Refused
from scripts.lib.github import step_output

ROWS = Path("endpoints/smoke-requests.json")
NOT_THE_INPUT = frozenset({401, 403, 404, 408, 429})  # 4xx that say nothing about what was sent
Body = dict[str, Any]
Ask = Callable[[Body], Answer]


@command()
@endpoint_options
@click.argument("name", type=names.deployment)
@click.option("--requests", type=paths.FILE, default=ROWS, help="Rows, each of which is asked alone.")
@click.option("--labels", help="What a prediction may be, as a JSON list; else the deployment's tag `labels` says it.")
def main(endpoint: OnlineEndpoint, name: str, requests: Path, labels: str | None) -> str:
    """Send the sample request and each row of a file to NAME, and check every answer; prints the latencies as JSON.

    Each must be HTTP 200 from NAME itself with one prediction per row, each one a label; wrong input must be refused.
    All failures are listed; the exit code is then 1. The traffic is not touched.
    """
    sample, rows = load_request(SAMPLE), load_request(requests)
    wrong = broken(sample)
    state = endpoint.read()
    allowed = _labels(state, name, labels)
    ask = partial(score_patiently, state.scoring_uri, primary_key(endpoint), deployment=name)
    failures, seconds = right_input(ask, [sample, *alone(rows)], name, allowed)
    failures += wrong_input(ask, wrong)
    result = {"deployment": name, "requests": len(seconds), **_latencies(seconds)}
    step_output.summary(f"Smoke test of **{name}**: {len(failures)} failures; `{json.dumps(result)}`")
    if failures:
        raise click.ClickException("\n  ".join([f"{name} fails the smoke test; the traffic is as it was:", *failures]))
    return json.dumps(result)


def right_input(ask: Ask, bodies: list[Body], name: str, labels: list[Any]) -> tuple[list[str], list[float]]:
    """What is wrong with the answers to right requests, one line each, and how many seconds each answer took."""
    answers = [(body, ask(body)) for body in bodies]
    failures = [
        f"request {number}: {problem}"
        for number, (body, answer) in enumerate(answers)
        for problem in problems(answer, len(body["input_data"]["data"]), name, labels)
    ]
    return failures, [answer.seconds for _, answer in answers]


def wrong_input(ask: Ask, bodies: dict[str, Body]) -> list[str]:
    """What is wrong with the answers to wrong requests, by what is wrong with each: they must be refused."""
    answers = {what: ask(body).status for what, body in bodies.items()}
    return [
        f"{what}: answered {status}, but must be refused as wrong input (4xx)"
        for what, status in answers.items()
        if not 400 <= status < 500 or status in NOT_THE_INPUT
    ]


def problems(answer: Answer, rows: int, name: str, labels: list[Any]) -> Iterator[str]:
    """What is wrong with an answer to a right request of so many rows, sent to the deployment `name`."""
    if answer.deployment != name:
        yield f"answered by {answer.deployment or 'nobody'}, not by {name}"
    if answer.status != 200:
        yield f"HTTP {answer.status}: {answer.body.strip()[:500]}"
        return
    try:
        predictions = json.loads(answer.body)
    except ValueError:
        predictions = None
    if not isinstance(predictions, list) or len(predictions) != rows:
        yield f"not a list of {rows} predictions: {answer.body[:500]}"
        return
    unknown = [value for value in predictions if not any(value == x and type(value) is type(x) for x in labels)]
    if unknown:
        yield f"{json.dumps(unknown)} are none of the labels {json.dumps(labels)}"


def alone(body: Body) -> list[Body]:
    """One request for each row of a request. Ends with exit code 2 where it isn't MLflow's split form."""
    try:
        columns, data = body["input_data"]["columns"], body["input_data"]["data"]
        fits = all(len(row) == len(columns) for row in data)
    except (KeyError, TypeError):
        fits = False
    if not (fits and columns and data):
        raise click.BadParameter('the requests must be {"input_data": {"columns": […], "data": [[…], …]}}, with rows.')
    return [{"input_data": {"columns": columns, "index": [0], "data": [row]}} for row in data]


def broken(body: Body) -> dict[str, Body]:
    """Requests that must be refused, made from a right one."""
    row = alone(body)[0]["input_data"]
    short = {"columns": row["columns"][1:], "index": [0], "data": [values[1:] for values in row["data"]]}
    column = row["columns"][0]
    return {"a body without input_data": {"data": row["data"]}, f"a row without {column}": {"input_data": short}}


def _labels(state: EndpointState, name: str, given: str | None) -> list[Any]:
    if name not in state.deployments:
        raise Refused(f"{state.name} has no deployment {name}; it has: {', '.join(state.deployments) or 'none'}.")
    text = given or state.deployments[name].tags.get("labels")
    if not text:
        raise Refused(f"{name} has no tag `labels`, so what may it predict? Say it: --labels '[0, 1]'")
    try:
        labels = json.loads(text)
    except ValueError:
        labels = None
    if not isinstance(labels, list) or not labels:
        raise Refused(f"{text!r} is not a JSON list of labels.")
    return labels


def _latencies(seconds: list[float]) -> dict[str, float]:
    return {"p50_ms": round(statistics.median(seconds) * 1000, 1), "max_ms": round(max(seconds) * 1000, 1)}


if __name__ == "__main__":
    main()
