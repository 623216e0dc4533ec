"""Tell the next reviewer, on the page of the job before and in its outputs, what is to be approved."""

from __future__ import annotations

import json

from scripts.lib.decisions.approval import Proposal
from scripts.lib.decisions.state import EndpointState, percentages
from scripts.lib.github import commits, review_text, step_output


def tell(
    state: EndpointState,
    proposal: Proposal | None,
    job: str,
    percent: int | None = None,
    bake: int | None = None,
    stage: bool = False,
) -> str:
    """What approving `job` will do, in a line ("": nothing follows). `percent`: what it gives green; `bake`: minutes.

    The outputs are `proposal`, empty where no job waits for it, and `bake` in seconds. `stage`: one of a rollout.
    """
    if proposal:
        asks = review_text.consequence(proposal, job, percent, bake, stage) if job else "Nothing waits for approval."
        pair = proposal["blue_commit"], proposal["green_commit"]
        text = [
            *review_text.learnt(state),
            *review_text.age(proposal, commits.lost(*pair)),
            review_text.comparison_table(state, proposal, commits.same_code(*pair)),
            f"Traffic now: **{percentages(state.traffic)}**",
            asks,
            *(review_text.side_effects(state, proposal, percent, stage) if job and percent else []),
        ]
    else:
        asks = f"In {state.name} there is nothing to promote: {percentages(state.traffic)}, and no green."
        text = [asks]
    step_output.output(proposal=json.dumps(proposal) if job else "", bake="" if bake is None else str(60 * bake))
    step_output.summary(*text)
    return f"{percentages(state.traffic)}. {asks.replace('**', '')}"
