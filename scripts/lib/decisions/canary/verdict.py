"""What a canary's minutes say of it: healthy, unhealthy, or not known yet.

Every look begins anew with the split's first minute, so it finds whatever an earlier one found. What makes green bad
counts from the minute on that showed it; what makes it healthy must hold now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, log
from typing import Literal

from scripts.lib.decisions.canary import comparing, figures
from scripts.lib.decisions.canary.betting import Counts
from scripts.lib.decisions.canary.comparing import Failures
from scripts.lib.decisions.canary.figures import number, percent, total
from scripts.lib.decisions.canary.minutes import Evidence, Minute
from scripts.lib.decisions.canary.policy import StagePolicy
from scripts.lib.decisions.words import counted

USUAL = "Azure Monitor"  # of another source a verdict says so
RECENT = 10  # minutes that tell how things are now
SLOW = 0.25  # the part of alpha for latency, where that is judged: a coin needs but two minutes more for it
REFUSED = 0.05  # and for 4xx: only a green that hardly answers anybody else goes back for them
SEVERAL = 3  # failures: one or two of blue's are no trouble of its own
OUT = 0.5  # who fails more often than this is no measure for anybody; a green that refuses so many more is bad
SHARES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)

Word = Literal["healthy", "unhealthy", "inconclusive"]


@dataclass(frozen=True)
class Verdict:
    """`reason` is one sentence with figures. Pairs are blue's and green's.

    `missing` is how many of green's requests are still needed, `minutes` how long that takes at this percentage; None
    where nothing is missing or nobody can tell. `noticeable` says what would have been noticed by now.
    """

    word: Word
    reason: str
    requests: tuple[float, float]
    failures: tuple[float, float]
    latency: Mapping[str, tuple[float, float]]
    missing: float | None
    minutes: float | None
    noticeable: str


def judge(evidence: Evidence, policy: StagePolicy) -> Verdict:
    """Whether green is as good as blue. An equal one is found bad in at most the policy's alpha of all rollouts,
    at any look.

    With all traffic on green, it is held against blue's minutes before: weaker, since what changes for everybody then
    looks like green's doing.
    """
    blue, green = _pairs(evidence, policy)
    failed = Failures(figures.failing(blue), figures.failing(green), figures.failing(evidence.before))
    refused = Failures(figures.refusing(blue), figures.refusing(green), [])
    throws = comparing.throws(blue, green, policy.latency_budget) if policy.latency_budget else []
    totals, latency = (total(failed.blue), total(failed.green)), figures.latency(blue, green)
    said = figures.sentence(*totals, latency) + " before" * (policy.percent == 100)
    missing = _missing(failed, throws, policy)
    rate = totals[1].requests / len(green) if green else 0.0

    word: Word = "inconclusive"
    if why := _bad(failed, refused, throws, green, policy):
        word = "unhealthy"
    elif not (why := _silent(*totals, len(green), failed.before) or _doubt(failed, refused, policy)) and missing == 0:
        word, why = "healthy", f"a rise of {percent(policy.tolerated_rise)} or more is ruled out"
    by = "" if evidence.source == USUAL else f" (told by {evidence.source})"
    return Verdict(
        word,
        f"{said}; {why or _wanting(missing, rate, bool(throws) or not policy.latency_budget)}{by}",
        (totals[0].requests, totals[1].requests),
        (totals[0].failures, totals[1].failures),
        latency,
        missing if word == "inconclusive" and missing else None,
        missing / rate if word == "inconclusive" and missing and rate else None,
        _noticeable(failed, policy),
    )


def again(verdict: Verdict, policy: StagePolicy, passed: float) -> bool:
    """Whether another look is worth waiting for, `passed` minutes after the split.

    The bake is for whatever shows late. After it one waits only for what can come before the deadline, even if it comes
    in half the time that is said: nobody is held up by an endpoint with little traffic.
    """
    if verdict.word == "unhealthy" or passed >= policy.deadline_minutes:
        return False
    if passed < policy.bake_minutes:
        return True
    hopeful = all(verdict.requests) and passed + (verdict.minutes or 0.0) / 2 <= policy.deadline_minutes
    return verdict.word == "inconclusive" and hopeful


def noticed(failed: Failures, rise: float, alpha: float) -> int | None:
    """The index of the minute that shows a greater rise; None where none does."""
    for at, capital in enumerate(failed.rise()):
        if capital >= 1 / alpha and _recent_rise(failed, at) > rise:
            return at
    return None


def _pairs(evidence: Evidence, policy: StagePolicy) -> tuple[list[Minute], list[Minute]]:
    """The minutes that both have; after the last stage blue's before, the newest first, beside green's."""
    if policy.percent == 100:
        pairs = list(zip(reversed(evidence.before), evidence.green, strict=False))
    else:
        green = {minute.start: minute for minute in evidence.green}
        pairs = [(minute, green[minute.start]) for minute in evidence.blue if minute.start in green]
    return [blue for blue, _ in pairs], [green for _, green in pairs]


def _bad(
    failed: Failures,
    refused: Failures,
    throws: Sequence[bool],
    green: Sequence[Minute],
    policy: StagePolicy,
) -> str:
    """Why green is to be taken back, "" where nothing shows that."""
    found = []
    if (at := _noticed(failed, policy)) is not None:
        found.append(f"green fails more than blue, and more than chance explains, since {green[at].start:%H:%M}")
    if (at := noticed(refused, OUT, policy.alpha * REFUSED)) is not None:
        found.append(f"green refuses most of what blue takes ({_shares(refused)} 4xx), since {green[at].start:%H:%M}")
    if any(capital >= 1 / (policy.alpha * SLOW) for capital in comparing.above(throws)):
        share = f"in {sum(throws)} of {counted(len(throws), 'minute')}"
        found.append(f"green's latency is above {policy.latency_budget:g} times blue's {share}")
    return " and ".join(found)


def _noticed(failed: Failures, policy: StagePolicy) -> int | None:
    """By the policy, with what the other ways to be bad leave of alpha."""
    return noticed(failed, policy.tolerated_rise, policy.alpha * (1 - REFUSED - (SLOW if policy.latency_budget else 0)))


def _shares(failed: Failures) -> str:
    return f"{percent(total(failed.green).share)}, blue {percent(total(failed.blue).share)}"


def _silent(blue: Counts, green: Counts, minutes: int, before: Sequence[Counts]) -> str:
    """Why nothing can be compared, "" where it can."""
    if not minutes:
        quiet = before and not total(before).requests
        return "no minute has been told of yet" + f", and blue got no requests in {len(before)} before" * bool(quiet)
    without = [name for name, it in (("blue", blue), ("green", green)) if not it.requests]
    return f"{' and '.join(without)} got no requests in {counted(minutes, 'minute')}" if without else ""


def _doubt(failed: Failures, refused: Failures, policy: StagePolicy) -> str:
    """Why green doesn't count as healthy whatever its failures say, "" where nothing stands against it."""
    now, before = total(failed.blue[-RECENT:]), total(failed.before)
    more = bool(before.requests) and now.share > before.share + policy.tolerated_rise
    if now.failures >= SEVERAL and (now.share > OUT or more):
        shares = f"{percent(now.share)} of late ({percent(before.share)} before)"
        return f"blue itself fails {shares}: that is no reason to promote"
    if noticed(refused, policy.tolerated_rise, policy.alpha) is not None:
        return f"green answers 4xx more often ({_shares(refused)}): does it refuse what blue's clients send?"
    return ""


def _missing(failed: Failures, throws: Sequence[bool], policy: StagePolicy) -> float | None:
    """How many of green's requests are still wanted: 0 where all that was asked is met, None where nobody can tell."""
    requests = total(failed.green).requests
    if not requests:
        return None
    needs = [max(0.0, policy.fewest_requests - requests)]
    needs.append(_still(failed.no_rise(policy.tolerated_rise)[-1], policy.alpha, requests))
    if policy.latency_budget:
        needs.append(_still(log(comparing.below(throws)), policy.alpha, requests))
    return max(needs) if isfinite(max(needs)) else None


def _still(grown: float, alpha: float, requests: float) -> float:
    """What the logarithm of a capital still needs, if it goes on growing as it did with so many requests.

    Less than nothing where it has that already.
    """
    return requests * (-log(alpha) - grown) / grown if grown > 0 else inf


def _wanting(missing: float | None, rate: float, timed: bool) -> str:
    if not timed:
        return "no minute tells how long both take, which is judged, too (latency_budget)"
    if missing is None or not rate:
        return "what came so far doesn't speak for green, so nobody can tell how long it takes"
    minutes = counted(number(missing / rate), "minute")
    return f"it takes about {counted(number(missing), 'more request')} to green: {minutes}"


def _recent_rise(failed: Failures, at: int) -> float:
    recent = slice(max(0, at - RECENT + 1), at + 1)
    return total(failed.green[recent]).share - total(failed.blue[recent]).share


def _noticeable(failed: Failures, policy: StagePolicy) -> str:
    """The smallest share of failures of green's that these very minutes would have shown."""
    for share in SHARES:
        green = [Counts(it.requests, share * it.requests) for it in failed.green]
        if _noticed(replace(failed, green=green), policy) is not None:
            return f"a rise to {percent(share)} would have been noticed by now"
    return "nothing would have been noticed by now, not even if every request failed"
