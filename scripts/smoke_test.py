"""Ask one deployment, past the split, and check its answers."""

from __future__ import annotations

import contextlib
import json
import statistics
from functools import partial
from pathlib import Path

import click

from scripts.lib.azure.asker import PATIENCE, Asker, CouldNotAsk
from scripts.lib.azure.asking import (
    EXPECTATIONS,
    Ask,
    FoundBad,
    check_requests,
    expected,
    right_input,
    right_requests,
    told,
)
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.marking import mark
from scripts.lib.azure.model_files import registered_contract
from scripts.lib.azure.scoring_client import ROWS
from scripts.lib.azure.waiting import ANSWER, Deadline, say
from scripts.lib.cli import names, paths
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions import predictions
from scripts.lib.decisions.contract import Contract
from scripts.lib.decisions.expectations import unknown_columns
from scripts.lib.decisions.request_fit import refusable
from scripts.lib.decisions.requests import Body
from scripts.lib.decisions.roles import roles
from scripts.lib.decisions.state import EndpointState, Refused, percentages
from scripts.lib.github import provenance, step_output

NOT_THE_INPUT = frozenset({401, 403, 404, 408, 429})  # 4xx that say nothing about what was sent


@command()
@endpoint_options
@click.argument("name", type=names.deployment, required=False)
@click.option("--requests", type=paths.FILE, default=ROWS, help="JSON: a request, asked row by row, or a list.")
@click.option("--labels", "given", default="", show_default=False, help="All that a prediction may be, as a JSON list.")
@click.option("--patience", type=click.FloatRange(min=0), default=PATIENCE, metavar="SECONDS", help="For what passes.")
@click.option("--mark", "marked", is_flag=True, help="Mark a failure, for the next review.")
@click.option("--rollout", metavar="ID", help="Mark it as this rollout's.")
def main(
    endpoint: OnlineEndpoint,
    name: str | None,
    requests: Path,
    given: str,
    patience: float,
    marked: bool,
    rollout: str | None,
) -> str:
    """Send the sample request and those of a file to NAME, and check every answer; prints the latencies as JSON.

    Without NAME green is asked, or else the only deployment. Each answer must be HTTP 200 from NAME itself, with what
    the signature of its model promises: columns, types, shapes, finite numbers; and only labels, and numbers of the
    range, that endpoints/smoke-expectations.yml or tags tell. What the signature doesn't allow must be refused. All
    failures are listed; the exit code is then 1, and the output `bad` is true. One that couldn't be asked isn't bad:
    then only the exit code is 1.
    """
    bodies = right_requests(requests)
    endpoint.look.expect(name)
    state = endpoint.read()
    name = name or candidate(state)
    model = of_its_model(endpoint, state, name)
    said = expected(state, name, given, model.tags)
    if unknown := unknown_columns(said, predictions.names(model.gives), str(EXPECTATIONS)):
        raise click.BadParameter("\n".join(unknown))
    if model.gives is None and not (said.columns or said.every.labels or said.every.range):
        say(f"nothing says what {name} may predict, so any answer for each row is right: {EXPECTATIONS} may say it")
    ask = Asker(endpoint, state, name, patience, arrives=True)
    wrong_answers, seconds = right_input(ask, bodies, name, model, said)
    check_requests(endpoint, state, name, bodies, wrong_answers)
    failures = told(wrong_answers)
    with contextlib.suppress(*[CouldNotAsk] * bool(failures)):  # what was found is found
        failures += wrong_input(partial(ask, final=424), refusable(bodies, model.takes))
    result = {"deployment": name, "requests": len(seconds), **_latencies(seconds)}
    step_output.summary(f"Smoke test of **{name}**: {len(failures)} failures; `{json.dumps(result)}`")
    if failures:
        step_output.output(bad="true")
        if rollout := rollout or (provenance.rollout_id() if marked else ""):
            mark(endpoint, state.deployments[name], "failed its smoke test", rollout)
        raise FoundBad(name, failures)
    return json.dumps(result)


def candidate(state: EndpointState) -> str:
    """Whom to ask where nobody is named: green, or the only deployment there is."""
    _, green = roles(state)
    if green is None and len(state.deployments) != 1:
        found = f"{percentages(state.traffic)} and {', '.join(state.deployments) or 'no deployment'}"
        raise Refused(f"{state.name} has {found}, but no green. Which is to be asked? smoke_test NAME")
    return green or next(iter(state.deployments))


def wrong_input(ask: Ask, bodies: dict[str, Body]) -> list[str]:
    """What is wrong with the answers to wrong requests, by what is wrong with each: they must be refused."""
    answers = {what: ask(body).status for what, body in bodies.items()}
    return [
        f"{what}: answered {status}, but must be refused as wrong input (4xx)"
        for what, status in answers.items()
        if not 400 <= status < 500 or status in NOT_THE_INPUT
    ]


def of_its_model(endpoint: OnlineEndpoint, state: EndpointState, name: str) -> Contract:
    """What its registered model says of itself; nothing where that isn't registered here as an MLflow model."""
    deployment = state.named(name)
    found = registered_contract(endpoint.workspace, deployment.model, Deadline(ANSWER))
    if found is None:
        say(f"{name}'s model isn't registered as an MLflow model, so its signature isn't known")
    return found or Contract()


def _latencies(seconds: list[float]) -> dict[str, float]:
    return {"p50_ms": round(statistics.median(seconds) * 1000, 1), "max_ms": round(max(seconds) * 1000, 1)}


if __name__ == "__main__":
    main()
