"""Which split live traffic is to judge, and the verdict where it can't."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from scripts.lib.decisions.canary.minutes import NoEvidence
from scripts.lib.decisions.canary.policy import RolloutPolicy, StagePolicy
from scripts.lib.decisions.canary.verdict import Verdict
from scripts.lib.decisions.record import Record, live
from scripts.lib.decisions.state import EndpointState, percentages


@dataclass(frozen=True)
class Canary:
    """Green, at `percent` since `since`, beside blue; `record` is what its writer left."""

    blue: str
    green: str
    percent: int
    since: datetime
    record: Record

    def stage(self, policy: RolloutPolicy) -> StagePolicy:
        """What it must show, with its part of alpha; older releases recorded no shares."""
        return policy.at(*self.record.shares or [self.percent])


def canary(state: EndpointState) -> Canary:
    """What the record of the live split tells: every look, of a job run again, too, begins with its first minute.

    Raises NoEvidence where there is nothing to compare, or nobody can tell since when.
    """
    found = live(state)
    if found is None:
        raise NoEvidence(f"no record tells since when it is so: {percentages(state.traffic)}")
    if not (found.blue and found.green and found.split.get(found.green.name)):
        raise NoEvidence(f"there is no green beside a blue with live traffic: {percentages(state.traffic)}")
    if state.standing(found.blue) is None:
        raise NoEvidence(
            f"{found.blue.name}, which green replaced, is deleted, so nothing is held against green any more"
        )
    try:
        since = datetime.fromisoformat(found.at.replace("Z", "+00:00"))
    except ValueError as error:
        raise NoEvidence(f"the record's time is none: {found.at!r}") from error
    since = since if since.tzinfo else since.replace(tzinfo=timezone.utc)
    return Canary(found.blue.name, found.green.name, found.split[found.green.name], since, found)


def unknown(why: object) -> Verdict:
    """Nothing was seen, which speaks neither for green nor against it."""
    return Verdict("inconclusive", str(why), (0.0, 0.0), (0.0, 0.0), {}, None, None, "nothing would have been noticed")
