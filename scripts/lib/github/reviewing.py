"""Tell the next reviewer, on the page of the job before and in its outputs, what is to be approved."""

from __future__ import annotations

import json
from collections.abc import Sequence

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
    covered: Sequence[str] = (),
    later: str = "",
) -> str:
    """What is asked, and what approving `job` will do ("": nothing follows). `percent`: what it gives green.

    The output `proposal` is empty where no job waits for it. `then`: blue's deletion is asked for after it; `stage`:
    it is one of a rollout; `verdict`: of live traffic, None where green has none; `covered`: the jobs that the approval
    of this one is for, too; `later`: the environment in which this is one of those, the output `later` if it is so.
    """
    question = ""
    alone = bool(later and verdict and verdict.word == "healthy")
    if proposal:
        asks = "Nothing waits for approval."
        if job:
            asks = review_text.consequence(proposal, job, percent, then, stage, not alone)
            asks += review_text.going_on(job, alone) if later else review_text.only_one(covered)
        question = review_text.question(proposal, job, percent, verdict)
        pair = proposal["blue_commit"], proposal["green_commit"]
        text = [
            question,
            *review_text.learnt(state),
            *review_text.age(proposal, commits.lost(*pair)),
            *([review_text.OWN_POLICY] if commits.own_policy(*pair) else []),
            review_text.comparison_table(state, proposal, commits.same_code(*pair)),
            f"Traffic now: **{percentages(state.traffic)}**",
            asks,
            *(review_text.side_effects(state, proposal, percent, stage) if job and percent else []),
        ]
    else:
        asks = f"In {state.name} there is nothing to promote: {percentages(state.traffic)}, and no green."
        text = [asks]
    step_output.output(proposal=json.dumps(proposal) if job else "", **({"later": later} if alone else {}))
    step_output.summary(*text)
    return f"{question}\n{percentages(state.traffic)}. {asks}".replace("**", "").strip()
