"""What Azure Monitor's points mean: whose doing a status is, and which minutes both deployments are compared in.

A combination that never occurred has no series, and a minute without requests reads as one of which nothing has been
told yet. So silence counts as no traffic once it is older than LATEST; before that it may be lateness.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from statistics import median

from scripts.lib.decisions.canary.minutes import Evidence, Minute

MINUTE = timedelta(minutes=1)
LATEST = timedelta(minutes=15)
OVERLOADED, TOO_SLOW, CONTAINERS = "429", "408", "424"


@dataclass(frozen=True)
class Point:
    """One metric's value in the minute that begins at `start`: requests by their statuses, or a latency's percentile.

    `kind` is "requests" or "P50" and the like. What the container itself answered is `model_status`, with 424 for all.
    """

    deployment: str
    start: datetime
    value: float
    kind: str = "requests"
    status: str = ""
    model_status: str = ""


@dataclass(frozen=True)
class Window:
    """The minutes that were asked for: those before the `put` of the split, and those from `split` on that are closed.

    The minute in which it was written is nobody's.
    """

    start: datetime
    put: datetime
    split: datetime
    end: datetime

    @classmethod
    def of(cls, since: datetime, now: datetime, delay: timedelta, before: timedelta) -> Window:
        put = _floor(since)
        split = put if put == since else put + MINUTE
        return cls(_floor(put - before), put, split, max(split, _floor(now - delay)))


@dataclass(frozen=True)
class Usual:
    """An endpoint's traffic as it mostly is: requests and failures a minute, and the P90 of one in milliseconds."""

    requests: float = 0.0
    failures: float = 0.0
    p90: float | None = None


def usual(points: Iterable[Point], minutes: float) -> Usual:
    """What so many minutes had in the mean, whichever deployments answered; of the P90 the middle one."""
    known = _told(points)
    counts = [point for point in known if point.kind == "requests"]
    bad = sum(point.value for point in counts if failed(point.status, point.model_status))
    latencies = [point.value for point in known if point.kind == "P90"]
    p90 = median(latencies) if latencies else None
    return Usual(sum(point.value for point in counts) / minutes, bad / minutes, p90)


def evidence(points: Iterable[Point], blue: str, green: str, window: Window, now: datetime, source: str) -> Evidence:
    """The same minutes of both, up to the newest of which anything has been told."""
    known = _told(points)
    told = max((point.start + MINUTE for point in known), default=window.start)
    end = min(window.end, max(window.split, told, _floor(now - LATEST)))
    return Evidence(
        tuple(_minutes(known, blue, window.split, end)),
        tuple(_minutes(known, green, window.split, end)),
        tuple(_minutes(known, blue, window.start, window.put)),
        end,
        source,
    )


def failed(status: str, model_status: str) -> bool:
    """Whether the model or the platform did it: no client causes a 5xx, a 408, or, alone, a 429 on one of two.

    Nor is a status that HTTP doesn't have, or none at all, a success.
    """
    if status == CONTAINERS:
        return not _clients(model_status)
    return not status.startswith(("1", "2", "3", "4")) or status in (OVERLOADED, TOO_SLOW)


def clients(status: str, model_status: str) -> bool:
    """Whether the client did it: also where it is the container that refuses what it was sent."""
    return _clients(model_status if status == CONTAINERS else status)


def _clients(status: str) -> bool:
    return status.startswith("4") and status not in (OVERLOADED, TOO_SLOW, CONTAINERS)


def _minutes(points: Iterable[Point], deployment: str, start: datetime, end: datetime) -> Iterator[Minute]:
    by_minute = defaultdict[datetime, list[Point]](list)
    for point in points:
        if point.deployment.lower() == deployment.lower():
            by_minute[point.start].append(point)
    while start < end:
        found = by_minute[start]
        counts = [point for point in found if point.kind == "requests"]
        yield Minute(
            start,
            sum(point.value for point in counts),
            sum(point.value for point in counts if failed(point.status, point.model_status)),
            sum(point.value for point in counts if clients(point.status, point.model_status)),
            {point.kind: point.value for point in found if point.kind != "requests"},
        )
        start += MINUTE


def _told(points: Iterable[Point]) -> list[Point]:
    """Those that tell something: 0, NaN and less than nothing don't."""
    return [point for point in points if 0 < point.value < inf]


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
