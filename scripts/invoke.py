"""Send one request to the endpoint."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.lib.azure.endpoint import LOOKING, OnlineEndpoint
from scripts.lib.azure.scoring_client import SAMPLE, load_request, primary_key, score
from scripts.lib.azure.trying import patiently
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import names, paths
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options


@command()
@endpoint_options
@click.option("--deployment", type=names.deployment, metavar="NAME", help="Ask this one, past the split.")
@click.option("--request", type=paths.FILE, default=SAMPLE, help="JSON to send.")
def main(endpoint: OnlineEndpoint, deployment: str | None, request: Path) -> str:
    """Send a request by the split, or past it to one deployment; prints the endpoint's answer."""
    body = load_request(request)
    deadline = Deadline(LOOKING)
    uri = endpoint.read(deadline).scoring_uri
    answer = score(uri, patiently(endpoint.workspace, deadline, lambda: primary_key(endpoint)), body, deployment)
    say(f"{answer.deployment or 'nobody'} answered {answer.status} in {answer.seconds * 1000:.0f} ms")
    if answer.status != 200:
        raise click.ClickException(f"HTTP {answer.status}: {answer.body.strip() or 'no text'}")
    return answer.body


if __name__ == "__main__":
    main()
