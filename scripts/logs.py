"""Show what a deployment's containers wrote: the model's server, and what fetches the model before."""

from __future__ import annotations

import click

from scripts.lib.azure.deployments import CONTAINERS, LOG_LINES, read_log
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.cli import names
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.ends import UNREACHED
from scripts.lib.decisions.state import Refused


class Unread(Refused):
    """Azure gave neither log."""

    exit_code = UNREACHED


@command()
@endpoint_options
@click.argument("name", type=names.deployment)
@click.option("--lines", type=click.IntRange(min=1), default=LOG_LINES[-1], help="At most so many, the last, of each.")
def main(endpoint: OnlineEndpoint, name: str, lines: int) -> str:
    """Print the last lines of both logs of the deployment NAME: of its first instance, as Azure picks it."""
    endpoint.look.expect(name)
    endpoint.read().named(name)
    logs = {told: read_log(endpoint, name, kind, [lines]) for kind, told in CONTAINERS.items()}
    if not any(log is not None for log in logs.values()):
        raise Unread(f"nothing of {name} can be read. Look with show_endpoint, and run this again later.")
    return "\n\n".join(f"{told} of {name}:\n{log or 'nothing'}" for told, log in logs.items() if log is not None)


if __name__ == "__main__":
    main()
