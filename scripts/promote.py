"""Give green a share of the traffic, if the endpoint still is what the reviewer saw; blue keeps the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import click

from scripts.lib.azure.asker import PATIENCE
from scripts.lib.azure.asking import FoundBad, ask
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import brief, explain
from scripts.lib.azure.judging import judged
from scripts.lib.azure.marking import mark
from scripts.lib.azure.policy_file import of_the_file
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import names, option_types
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options, rollout_option
from scripts.lib.cli.taking_back import take_back_if_bad
from scripts.lib.decisions.approval import Proposal, has_share, offer, plan_promotion
from scripts.lib.decisions.canary.policy import RolloutPolicy
from scripts.lib.decisions.canary.verdict import Verdict
from scripts.lib.decisions.record import live
from scripts.lib.decisions.state import EndpointState, Ref, Refused, Shift, percentages
from scripts.lib.decisions.traffic import gaining, plan_first_traffic, plan_shift
from scripts.lib.decisions.way_back import superfluous
from scripts.lib.github import cloud_shell, step_output
from scripts.lib.github.reviewing import tell

Plan = Callable[[EndpointState], Shift]


@command()
@endpoint_options
@click.option("--percent", type=click.IntRange(0, 100), help="Its share.")
@click.option("--to", type=names.deployment, metavar="NAME", help="A deployment by its name, instead of green.")
@click.option("--first", type=option_types.ref, metavar="NAME", help="All traffic for the endpoint's first deployment.")
@click.option(
    "--expect",
    help="Refuse unless it is so now: what `review` printed, or with --to the split, default=90,xgboost-model-2=10.",
)
@click.option("--at-least", is_flag=True, help="Done where green has more already: only a person lowers its share.")
@click.option(
    "--next", "job", metavar="JOB", help="The job that asks for approval next, '' if none: its reviewer is told."
)
@click.option("--next-percent", type=option_types.SHARE, help="What that job gives green.")
@click.option("--later", metavar="ENVIRONMENT", help="Where that job asks nobody, if live traffic calls green healthy.")
@click.option("--judge", is_flag=True, help="Before, live traffic judges green; one that is unhealthy is taken back.")
@rollout_option
@timeout_option(900)
def main(
    endpoint: OnlineEndpoint,
    percent: int | None,
    to: str | None,
    first: Ref | None,
    expect: str | None,
    at_least: bool,
    job: str | None,
    next_percent: int | None,
    later: str | None,
    judge: bool,
    rollout: str,
    timeout: float,
) -> str:
    """Give green PERCENT of the traffic, and what it replaces the rest; prints the split as JSON.

    With --to another deployment gets it, 0 included, and its counterpart the rest. Who gets more is asked first, past
    the split. Refused where that is not healthy or answers wrongly, and where the endpoint is not what --expect says
    (without it: where anything but the pair has traffic). A split that is there already is done, so a repeated run goes
    on. What the promotion of green makes superfluous is deleted. With --next it ends as `review` does, after as long a
    look at live traffic as `analyze_canary` takes with --judge.
    """
    deadline = Deadline(timeout)
    plan, proposal = _planned(percent, to, first, expect, at_least, rollout)
    if (next_percent and job is None) or (job is not None and (first or to)):
        raise click.UsageError("--next goes with green's promotion, --next-percent with --next JOB.")
    if judge and job is None:
        raise click.UsageError("--judge goes with --next.")
    if later and not judge:
        raise click.UsageError("--later goes with --judge.")
    policy = of_the_file()  # a mistake in it is told before anything is written
    endpoint.look.expect(to, first.name if first else None)
    endpoint.look.expect(*((proposal["blue"], proposal["green"]) if proposal else ()))
    judging = policy if judge and proposal and has_share(proposal) else None
    shift = endpoint.shift(partial(_asked, endpoint, plan, rollout, deadline, judging), deadline)
    say(shift.say)
    step_output.summary(f"Traffic: **{percentages(shift.split)}**")
    state = endpoint.seen if first or to else _remove_superfluous(endpoint, rollout, deadline)
    if not first:  # which nothing served before
        step_output.summary(cloud_shell.way_back(endpoint.workspace.variables | {"ENDPOINT_NAME": endpoint.name}))
    if job is not None:
        state, verdict = _judged(endpoint, state, proposal, policy, judge)
        _tell_next(state, proposal, job, next_percent, rollout if at_least else "", verdict, later or "")
    return json.dumps(dict(shift.split))


def _planned(
    percent: int | None, to: str | None, first: Ref | None, expect: str | None, at_least: bool, rollout: str
) -> tuple[Plan, Proposal | None]:
    """What is to be written, and what of green was approved."""
    if (first is None) == (percent is None) or (first and (to or expect or at_least)):
        raise click.UsageError("--percent, or --first with nothing else.")
    if first:
        return partial(plan_first_traffic, first=first, rollout=rollout), None
    if to:
        split = None if expect is None else option_types.split(expect)
        return partial(plan_shift, to=to, percent=percent or 0, rollout=rollout, expect=split), None
    seen = None if expect is None else option_types.proposal(expect)
    share = option_types.SHARE(percent)
    return partial(plan_promotion, percent=share, rollout=rollout, expected=seen, at_least=at_least), seen


def _asked(
    endpoint: OnlineEndpoint,
    plan: Plan,
    rollout: str,
    deadline: Deadline,
    policy: RolloutPolicy | None,
    state: EndpointState,
) -> Shift:
    """The plan, once who gets more has answered. The output `wrote` says that a write begins, or that it is bad.

    With a policy live traffic is asked, too: the verdict that was approved, or trusted, may be days old.
    """
    shift = plan(state)
    if policy and not shift.done:
        take_back_if_bad(endpoint, state, judged(endpoint, state, policy))
    try:
        for name in [] if shift.done else gaining(state, shift):
            ask(endpoint, state, name, min(PATIENCE, deadline.left))
            shift = plan(endpoint.read(deadline))  # that may have taken a minute
    except FoundBad:
        step_output.output(wrote="true")
        mark(endpoint, state.deployments[name], "answered wrongly before its promotion", rollout)
        raise
    if not shift.done:
        step_output.output(wrote="true")
    return shift


def _judged(
    endpoint: OnlineEndpoint, state: EndpointState, promoted: Proposal | None, policy: RolloutPolicy, wait: bool
) -> tuple[EndpointState, Verdict]:
    """What live traffic says of green, and the state then: one that is bad is taken back at once where we `wait`.

    What comes after the split is no reason to go back, but for that: the output `wrote` is then `done`, unless green
    isn't healthy any more.
    """
    green = promoted["green"] if promoted and promoted["blue"] else ""
    if _stands(state, green):
        step_output.output(wrote="done")
    verdict = judged(endpoint, state, policy, wait)
    step_output.output(verdict=verdict.word)
    if wait:
        take_back_if_bad(endpoint, state, verdict)
        state = endpoint.read()
        if not _stands(state, green):
            step_output.output(wrote="true")
    return state, verdict


def _stands(state: EndpointState, green: str) -> bool:
    made = state.deployments.get(green)
    return made is None or made.healthy


def _tell_next(
    state: EndpointState,
    promoted: Proposal | None,
    job: str,
    percent: int | None,
    own: str,
    verdict: Verdict,
    later: str,
) -> None:
    """What the next reviewer sees of the state; `own`: the rollout whose stage this is."""
    green = promoted["green"] if promoted and promoted["blue"] else None
    try:
        proposal = offer(state, job, percent, green=green, rollout=own)
        seen = verdict if proposal and has_share(proposal) else None
        say(tell(state, proposal, job, percent, stage=bool(own), verdict=seen, later=later))
    except Exception as error:
        own = "as promoted: " * bool((last := live(state)) and not last.back)
        done = f"The traffic is {own}{percentages(state.traffic)}. The next reviewer isn't told"
        if (why := explain(error)) is None:
            say(f"{done}.")
            raise
        raise Refused(f"{done}: {why}\nRun the job again: while the traffic is so, it goes on from there.") from error


def _remove_superfluous(endpoint: OnlineEndpoint, rollout: str, deadline: Deadline) -> EndpointState:
    """Only after a split of this rollout's own; gives the last state that was seen.

    The split is what counts: what can't be deleted now is told.
    """
    name, state = "what earlier rollouts left", endpoint.seen
    try:
        while (last := live(state)) and last.rollout == rollout and (left := superfluous(state)):
            name = left[0]
            endpoint.remove(name, deadline)
            say(f"{name} is deleted: neither blue nor green, nor the way back")
            state = endpoint.read()  # each is planned from what is there then
    except Exception as error:
        if explain(error) is None:
            raise
        say(f"{name} could not be deleted now: {brief(error)}. The next promotion does it, or delete_blue NAME.")
    return state


if __name__ == "__main__":
    main()
