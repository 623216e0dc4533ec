"""Live traffic judges the split that is there; a green that it finds bad is taken back at once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from scripts.lib.azure import live_traffic
from scripts.lib.azure.deployments import LOG_LINES, read_log
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import explain, passes
from scripts.lib.azure.waiting import Deadline
from scripts.lib.decisions import log_reason
from scripts.lib.decisions.canary.minutes import NoEvidence
from scripts.lib.decisions.canary.points import MINUTE
from scripts.lib.decisions.canary.policy import LONGEST, RolloutPolicy
from scripts.lib.decisions.canary.subject import Canary, canary, unknown
from scripts.lib.decisions.canary.verdict import Verdict, again, judge
from scripts.lib.decisions.record import live, mark, record
from scripts.lib.decisions.record import now as utc
from scripts.lib.decisions.state import EndpointState, Shift, percentages
from scripts.lib.decisions.way_back import plan_own_rollback, plan_rollback

PAUSE = 5.0  # seconds between two looks: what is bad is seen as soon as Azure tells of it
UNDOING = 300.0  # seconds
PATIENCE = 20.0  # seconds until blue's 100 % is written once more


def judged(endpoint: OnlineEndpoint, state: EndpointState, policy: RolloutPolicy, wait: bool = False) -> Verdict:
    """What live traffic says of the split, which is held meanwhile; `wait` looks until the verdict or the deadline.

    An error while looking is no verdict against green: a right that lacks ends the looks, an outage has until the bake
    would be over to pass. So does another split, of which nothing that was seen tells.
    """
    try:
        found = canary(state)
    except NoEvidence as why:
        return unknown(why)
    stage = found.stage(policy)
    delay, before = policy.delay_minutes * MINUTE, policy.before_minutes * MINUTE
    whole = Deadline(60 * LONGEST)
    while True:
        try:
            evidence = live_traffic.evidence(endpoint, found.blue, found.green, found.since, delay=delay, before=before)
            verdict = judge(evidence, stage)
            more = again(verdict, stage, _passed(endpoint, found))
        except NoEvidence as why:
            verdict, behind = unknown(f"no metrics: {why}"), why.__cause__
            outage = isinstance(behind, Exception) and passes(behind) is not None
            more = outage and _passed(endpoint, found) < stage.bake_minutes
        if wait and verdict.word != "unhealthy" and (other := _other(endpoint, found)):
            return unknown(other)
        if not (wait and more) or whole.passed:
            return verdict
        whole.pause(f"{found.green} at {found.percent} %: {verdict.word} so far; {verdict.reason}", PAUSE)


def _passed(endpoint: OnlineEndpoint, found: Canary) -> float:
    """How many minutes the split has been there, by Azure's clock."""
    return (endpoint.workspace.now() - found.since) / MINUTE


def _other(endpoint: OnlineEndpoint, found: Canary) -> str:
    """What somebody made of the split meanwhile; "" while it stands, or where the read is stale or tells nothing."""
    try:
        state = endpoint.read()
    except Exception as error:
        if explain(error) is None:
            raise
        return ""
    now = record(state)
    if now is None or now.at < found.record.at or live(state) == found.record:
        return ""
    return f"somebody wrote another split while this one was judged: {percentages(state.traffic)}"


def undo(endpoint: OnlineEndpoint, found: Canary, verdict: Verdict) -> Shift:
    """All traffic for blue, at once and in one write."""
    return endpoint.shift(partial(plan_taking_back, found, verdict), Deadline(UNDOING), patience=PATIENCE)


def log(endpoint: OnlineEndpoint, name: str) -> list[str]:
    """The lines of its server's log that say what is wrong, as far as Azure gives them."""
    return log_reason.reason(read_log(endpoint, name, "inference-server", LOG_LINES) or "")


def plan_taking_back(found: Canary, verdict: Verdict, state: EndpointState) -> Shift:
    """With the evidence as green's mark; only from the split that was judged, once more where that comes back."""
    now = record(state)
    if now is None or (now.at != found.record.at and not now.back):
        return Shift(state.traffic, f"left alone: somebody wrote {percentages(state.traffic)}", done=True, hold=True)
    plan = plan_rollback if state.traffic == found.record.split else plan_own_rollback
    shift, green = plan(state, found.record.rollout), state.standing(found.record.green)
    if shift.done or green is None:
        return shift
    text = f"rolled back from {found.percent} % on {utc()}, {found.record.rollout}: {verdict.reason}"
    return replace(shift, tags={**shift.tags, **mark(green, text)})
