"""Show a reviewer what is to be approved: green against blue, and what the approval will do."""

from __future__ import annotations

import re

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import Deadline, say
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command, endpoint_options, timeout_option
from scripts.lib.decisions.approval import Reviewed, check, reviewed
from scripts.lib.decisions.metrics import comparison, metrics, table
from scripts.lib.decisions.state import Deployment, Endpoint, Refused, percentages
from scripts.lib.github import step_output, workflow_files

NOTHING = "null"  # printed where there is no pair
Next = tuple[str, int | None]  # the job that waits for approval, and green's percentage if it promotes


@command()
@endpoint_options
@click.option("--percent", type=option_types.SHARE, help="What promote is about to give green.")
@click.option("--after", help="The job of stages.yml that has just ended: what follows there is to be approved.")
@click.option("--stop-after", default="", help="The job of stages.yml after which the rollout rests.")
@click.option("--delete-blue", type=bool, default=False, help="Whether blue is to be deleted then, at 100 %.")
@click.option("--bake", type=option_types.MINUTES, default=0, help="Minutes between the two.")
@timeout_option(300)
def main(
    endpoint: OnlineEndpoint,
    percent: int | None,
    after: str | None,
    stop_after: str,
    delete_blue: bool,
    bake: int,
    timeout: float,
) -> str:
    """Compare green with blue for whoever approves what comes next; prints what there is as JSON, for --expect.

    The output `reviewed` is that JSON, or empty where nothing is to be approved; `seen` is it in any case, unless
    there is no green. Refused where green is not healthy, and with --percent where there is no green.
    """
    _check_usage(percent, after, stop_after, delete_blue)
    state = endpoint.settled(Deadline(timeout)) or endpoint.read()
    pair = reviewed(state)
    if pair is None:
        return _nothing(state, asked=percent is not None)
    check(state, pair)
    following = ("promote", percent) if percent else _following(after, stop_after)
    _tell(state, pair, following, f"{bake} min later **delete-blue** asks to delete blue." if delete_blue else "")
    return str(pair)


def _check_usage(percent: int | None, after: str | None, stop_after: str, delete_blue: bool) -> None:
    if percent and after is not None:
        raise click.UsageError("--percent or --after, not both.")
    if delete_blue and percent != 100:
        raise click.UsageError("--delete-blue goes with --percent 100: blue is the way back until green has all.")
    if delete_blue and percent != 100:
        raise click.BadParameter("blue can be deleted only with --percent 100", param_hint="--delete-blue")
    if stop_after and stop_after not in workflow_files.stages():
        hint = "--stop-after"
        raise click.BadParameter(f"{stop_after!r} is none of {', '.join(workflow_files.stages())}", param_hint=hint)


def _nothing(state: Endpoint, asked: bool) -> str:
    why = f"there is nothing to promote: {percentages(state.traffic)}, and no green."
    if asked:
        raise Refused(f"{why} deploy makes one.")
    say(why)
    step_output.output(reviewed="", seen="", blue="", green="")
    step_output.summary(f"In {state.name} {why}")
    return NOTHING


def _following(after: str | None, stop_after: str) -> Next | None:
    """What follows in stages.yml; nothing after a job of another workflow, or where the rollout is to stop."""
    if after is None or after == stop_after or after not in workflow_files.stages():
        return None
    return workflow_files.after(after)


def _tell(state: Endpoint, pair: Reviewed, following: Next | None, then: str) -> None:
    asks = f"{consequence(pair, *following)} {then}".strip() if following else "Nothing waits for approval."
    say(f"{percentages(state.traffic)}. {asks.replace('**', '')}")
    step_output.output(reviewed=str(pair) if following else "", seen=str(pair))
    step_output.output(blue=pair.blue.deployment, green=pair.green.deployment)
    step_output.summary(comparison_table(state, pair), f"Traffic now: **{percentages(state.traffic)}**", asks)


def consequence(pair: Reviewed, job: str, percent: int | None) -> str:
    """What approving a job will do, in one sentence."""
    blue, green = pair.blue.deployment, pair.green.deployment
    if percent == 100:
        return f"Approving **{job}** gives {green} all traffic; {blue} stays, without any, as the way back."
    if percent:
        now = pair.traffic.get(green, 0)
        return f"Approving **{job}** gives {green} {percent} % (now {now} %), and {blue} keeps {100 - percent} %."
    if pair.traffic == {green: 100}:
        return f"Approving **{job}** deletes {blue}: from then on, going back means rolling out its version again."
    return f"**{job}** comes next; it changes no traffic."


def comparison_table(state: Endpoint, pair: Reviewed) -> str:
    """Green against blue (Markdown): version, metrics and their change, commits with their difference, runs."""
    blue, green = (state.deployments[side.deployment] for side in (pair.blue, pair.green))
    rows = [
        ("model", *(f"{side.model} {side.version}" for side in (pair.blue, pair.green)), ""),
        ("digest", *(_short(side.digest) for side in (pair.blue, pair.green)), ""),
        *comparison(metrics(blue.tags), metrics(green.tags)),
        ("commit", _commit(pair.blue.commit), _commit(pair.green.commit), _difference(pair)),
        ("run", _run(blue), _run(green), ""),
    ]
    return table(("", f"{blue.name} (blue)", f"{green.name} (green)", "change"), rows)


def _commit(commit: str) -> str:
    address = step_output.address()
    return f"[`{commit[:12]}`]({address}/commit/{commit})" if address and _is_commit(commit) else _short(commit)


def _difference(pair: Reviewed) -> str:
    address, commits = step_output.address(), (pair.blue.commit, pair.green.commit)
    if pair.blue.commit == pair.green.commit or not address or not all(_is_commit(commit) for commit in commits):
        return ""
    return f"[diff]({address}/compare/{commits[0]}...{commits[1]})"


def _run(deployment: Deployment) -> str:
    run = deployment.tags.get("run", "")
    return f"[run]({run})" if re.fullmatch(r"https?://[\w./:-]+", run) else "–"


def _is_commit(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{6,64}", text))


def _short(text: str) -> str:
    plain = re.sub(r"\W", "", text)[:12]
    return f"`{plain}`" if plain else "–"


if __name__ == "__main__":
    main()
