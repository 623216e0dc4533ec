"""Delete the endpoint with all its deployments."""

from __future__ import annotations

import json
from dataclasses import replace

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.approval import Proposal, check_serving, serving
from scripts.lib.decisions.state import Shift, percentages
from scripts.lib.github import step_output


@command()
@endpoint_options
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--confirm", metavar="NAME", help="Don't ask: delete if this is exactly the endpoint's name.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be deleted, and print it as JSON, for --expect.")
@click.option("--expect", type=option_types.proposal, help="Refuse unless it serves as --dry-run printed.")
@timeout_option(1800)
def main(
    endpoint: OnlineEndpoint, yes: bool, confirm: str | None, dry_run: bool, expect: Proposal | None, timeout: float
) -> str | None:
    """Delete the endpoint and all its deployments, after asking. Registered models stay.

    With --dry-run the JSON is the output `proposal`, too: empty where there is nothing to delete.
    """
    if yes and confirm is not None:
        raise click.UsageError("--yes or --confirm, not both.")
    if confirm is not None and confirm != endpoint.name:
        raise click.BadParameter(f"{confirm!r} is not {endpoint.name}. Nothing is deleted.", param_hint="--confirm")
    state = endpoint.find()
    if state is None:
        say(f"there is no endpoint {endpoint.name}")
        return None
    what = f"{state.name} with {', '.join(state.deployments) or 'no deployments'}"
    if dry_run:
        printed = json.dumps(serving(state))
        step_output.output(proposal=printed)
        step_output.summary(f"Approving deletes **{what}**. It serves **{percentages(state.traffic)}**")
        return printed
    if expect:
        check_serving(state, expect)
    if not yes and confirm is None:
        click.confirm(f"Delete {what}? It serves {percentages(state.traffic)}", abort=True, err=True)
    deadline, deleted = Deadline(timeout), Shift({}, f"{endpoint.name} is deleted")

    def delete(*_: object) -> None:
        endpoint.delete(deadline)

    endpoint.change(lambda state: deleted, delete, deadline, absent=replace(deleted, done=True))
    say(deleted.say)
    step_output.summary(f"Endpoint **{endpoint.name}** deleted")
    return None


if __name__ == "__main__":
    main()
