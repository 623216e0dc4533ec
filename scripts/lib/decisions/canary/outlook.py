"""What a stage can notice at an endpoint's traffic, and how soon: the judgement of minutes that go as expected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from scripts.lib.decisions.canary.minutes import Evidence, Minute
from scripts.lib.decisions.canary.policy import RolloutPolicy, StagePolicy
from scripts.lib.decisions.canary.verdict import Word, judge
from scripts.lib.decisions.words import counted

SHARES = (0.02, 0.05, 0.5)
START = datetime(2000, 1, 1, tzinfo=timezone.utc)


def minutes_to(word: Word, policy: StagePolicy, rate: float, failing: float) -> int | None:
    """After how many closed minutes the verdict is expected where that share of green's requests fails, blue's never.

    `rate`: requests a minute to the endpoint. None: not before the deadline.
    """
    whole = _expected(policy, rate, failing, int(policy.deadline_minutes))

    def decided(minutes: int) -> bool:
        return judge(_begun(whole, minutes), policy).word == word

    looks = range(1, len(whole.green) + 1)
    at = bisect_left(looks, True, key=decided)
    return looks[at] if at < len(looks) else None


def sentence(policy: RolloutPolicy, shares: Sequence[int], rate: float) -> str:
    """What the doctor says of a stage: of the last of the shares that green has until then."""
    stage = policy.at(*shares)
    found = [minutes_to("unhealthy", stage, rate, share) for share in SHARES]
    after = ", ".join("never" if it is None else f"{it + policy.delay_minutes:g}" for it in found)
    healthy = minutes_to("healthy", stage, rate, 0.0)
    good = f"healthy after {healthy + policy.delay_minutes:g}" if healthy else "no verdict: the reviewer decides"
    failing = ", ".join(f"{100 * share:g}" for share in SHARES)
    traffic = f"{stage.percent} % of {counted(f'{rate:g}', 'request')} a minute"
    return f"{traffic}: {failing} % failing noticed after {after} minutes; else {good}"


def _begun(whole: Evidence, minutes: int) -> Evidence:
    return replace(whole, blue=whole.blue[:minutes], green=whole.green[:minutes])


def _expected(policy: StagePolicy, rate: float, failing: float, minutes: int) -> Evidence:
    share = policy.percent / 100
    blue, green = rate * (1 - share), rate * share
    latency = {"P50": 1.0, "P90": 1.0}
    times = [START + timedelta(minutes=minute) for minute in range(minutes)]
    return Evidence(
        tuple(Minute(time, blue, 0.0, 0.0, latency) for time in times),
        tuple(Minute(time, green, failing * green, 0.0, latency) for time in times),
        tuple(Minute(time, rate, 0.0, 0.0, latency) for time in times),
        times[-1],
        "expected",
    )
