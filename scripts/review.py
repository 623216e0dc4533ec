"""Show a reviewer what is to be approved: green against blue, and what the approval will do."""

from __future__ import annotations

import json
from dataclasses import replace

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.judging import judged
from scripts.lib.azure.model_files import facts
from scripts.lib.azure.policy_file import of_the_file
from scripts.lib.azure.waiting import ANSWER, Deadline, say
from scripts.lib.cli import names, option_types
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.approval import has_share, offer
from scripts.lib.decisions.metrics import metrics
from scripts.lib.decisions.state import EndpointState
from scripts.lib.github import triggers
from scripts.lib.github.reviewing import tell


def _stages(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    """The jobs up to one, as rollout.yml offers to stop after them; blue's deletion comes last."""
    if not value:
        return []
    row = [*triggers.offered(triggers.ROLLOUT, "stop-after"), "delete-blue"]
    if value not in row:
        raise click.BadParameter(f"{value!r} is none of {', '.join(filter(None, row))}.")
    return row[: row.index(value) + 1]


@command()
@endpoint_options
@click.option(
    "--next", "job", default="", show_default=False, metavar="JOB", help="The job that asks for approval now, if any."
)
@click.option("--percent", type=option_types.SHARE, help="What that job gives green.")
@click.option(
    "--up-to",
    "last",
    callback=_stages,
    metavar="JOB",
    help="That job's approval is for what follows, up to this one, too.",
)
@click.option("--then-delete", is_flag=True, help="After 100 % the deletion of blue is asked for.")
@click.option("--green", type=names.deployment, metavar="NAME", help="What `deploy` printed; else whoever is green.")
@click.option("--rollout", metavar="ID", help="Refuse unless green is this rollout's.")
@timeout_option(300)
def main(
    endpoint: OnlineEndpoint,
    job: str,
    percent: int | None,
    last: list[str],
    then_delete: bool,
    green: str | None,
    rollout: str | None,
    timeout: float,
) -> str:
    """Compare green with blue for whoever approves JOB; prints the proposal as JSON, for --expect.

    On top stands what live traffic says of green by now. The proposal is an output, too, which is empty where no job
    waits for it. Refused where green is not healthy, and with --next where there is none.
    """
    if then_delete and percent != 100:
        raise click.UsageError("--then-delete goes with --percent 100: blue is the way back until green has all.")
    policy = of_the_file()
    endpoint.look.expect(green)
    state = endpoint.settled(Deadline(timeout)) or endpoint.read()
    proposal = offer(state, job, percent, then_delete, green, rollout or "")
    if proposal:
        state = with_metrics(endpoint, state, proposal["blue"], proposal["green"])
    verdict = judged(endpoint, state, policy) if proposal and has_share(proposal) else None
    covered = last[last.index(job) + 1 :] if job in last else []
    say(tell(state, proposal, job, percent, then_delete, bool(rollout), verdict, covered))
    return json.dumps(proposal)  # null where there is no pair


def with_metrics(endpoint: OnlineEndpoint, state: EndpointState, *names: str) -> EndpointState:
    """The state, with what registered models say of themselves where deployments have no metrics of their own."""
    bare = [state.deployments[name] for name in names if name and not metrics(state.deployments[name].tags)]
    known = {d.name: facts(endpoint.workspace, d.model, Deadline(ANSWER)) for d in bare}
    found = {d.name: replace(d, tags={**known[d.name], **d.tags}) for d in bare}
    return replace(state, deployments={**state.deployments, **found})


if __name__ == "__main__":
    main()
