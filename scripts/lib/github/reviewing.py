"""Tell the next reviewer, on the page of the job before and in its outputs, what is to be approved."""

from __future__ import annotations

import json

from scripts.lib.decisions.approval import Proposal
from scripts.lib.decisions.canary.verdict import Verdict
from scripts.lib.decisions.state import EndpointState, percentages
from scripts.lib.github import commits, review_text, step_output


def tell(
    state: EndpointState,
    proposal: Proposal | None,
    job: str,
    percent: int | None = None,
    then: bool = False,
    stage: bool = False,
    verdict: Verdict | None = None,
) -> str:
    """What is asked, and what approving `job` will do ("": nothing follows). `percent`: what it gives green.

    The output `proposal` is empty where no job waits for it. `then`: blue's deletion is asked for after it; `stage`:
    it is one of a rollout; `verdict`: of live traffic, None where green has none.
    """
    question = ""
    if proposal:
        asks = review_text.consequence(proposal, job, percent, then, stage) if job else "Nothing waits for approval."
        question = review_text.question(proposal, job, percent, verdict)
        pair = proposal["blue_commit"], proposal["green_commit"]
        text = [
            question,
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
    step_output.output(proposal=json.dumps(proposal) if job else "")
    step_output.summary(*text)
    return f"{question}\n{percentages(state.traffic)}. {asks}".replace("**", "").strip()
