"""Send one request to the endpoint."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.lib.azure.asker import LOG, PATIENCE, Asker
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.scoring_client import SAMPLE, load_request
from scripts.lib.azure.waiting import say
from scripts.lib.cli import names, paths
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.state import Refused


@command()
@endpoint_options
@click.option("--deployment", type=names.deployment, metavar="NAME", help="Ask this one, past the split.")
@click.option("--request", type=paths.FILE, default=SAMPLE, help="JSON to send.")
@click.option("--patience", type=click.FloatRange(min=0), default=PATIENCE, metavar="SECONDS", help="For what passes.")
def main(endpoint: OnlineEndpoint, deployment: str | None, request: Path, patience: float) -> str:
    """Send a request by the split, or past it to one deployment; prints the endpoint's answer."""
    body = load_request(request)
    endpoint.look.expect(deployment)
    state = endpoint.read()
    if deployment:
        state.named(deployment)
    elif not state.traffic:
        raise Refused(f"{state.name} has no traffic, so nobody would answer. Ask one: invoke --deployment NAME")
    answer = Asker(endpoint, state, deployment, patience, arrives=True)(body, final=424)
    say(f"{answer.deployment or 'nobody'} answered {answer.status} in {answer.seconds * 1000:.0f} ms")
    if answer.status != 200:
        log = f" {LOG.format(answer.deployment)}" if answer.status == 424 else ""
        raise click.ClickException(f"HTTP {answer.status}: {answer.body.strip() or 'no text'}{log}")
    return answer.body


if __name__ == "__main__":
    main()
