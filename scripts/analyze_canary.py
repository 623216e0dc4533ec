"""Judge green by live traffic: how it fares beside blue since the split was written."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.judging import judged
from scripts.lib.azure.policy_file import of_the_file
from scripts.lib.azure.waiting import say
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options
from scripts.lib.cli.taking_back import Unhealthy, take_back
from scripts.lib.decisions.approval import propose
from scripts.lib.github import review_text, step_output


@command()
@endpoint_options
@click.option("--once", is_flag=True, help="One look; else until the verdict, or the deadline of the policy.")
@click.option("--undo", is_flag=True, help="Give all traffic to blue at once where green is unhealthy.")
def main(endpoint: OnlineEndpoint, once: bool, undo: bool) -> str:
    """Judge the split that is there by endpoints/rollout-policy.yml; prints the verdict as JSON.

    `healthy`, `unhealthy` or `inconclusive`, which also says why nothing can be seen; the output `verdict`, too. It
    ends with 1 where green is unhealthy. Every look begins with the split's first minute: run again, it goes on.
    """
    policy, state = of_the_file(), endpoint.read()
    verdict = judged(endpoint, state, policy, wait=not once)
    proposal = propose(state)
    told = review_text.question(proposal, "", None, verdict) if proposal else f"{verdict.word}: {verdict.reason}"
    step_output.output(verdict=verdict.word)
    step_output.summary(told)
    say(told.replace("**", ""))
    result = json.dumps({**asdict(verdict), "question": told.replace("**", "")})
    if verdict.word == "unhealthy":
        if undo:
            take_back(endpoint, state, verdict, result)
        raise Unhealthy(f"{verdict.reason}. rollback gives all traffic to blue.", result)
    return result


if __name__ == "__main__":
    main()
