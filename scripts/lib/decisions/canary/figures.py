"""Shares, numbers and latencies of a verdict, as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scripts.lib.decisions.canary.betting import Counts
from scripts.lib.decisions.canary.minutes import PERCENTILES, Minute

Latency = Mapping[str, tuple[float, float]]


def failing(minutes: Iterable[Minute]) -> list[Counts]:
    """Of each minute the requests, and those that failed by the model's or the platform's doing.

    Two averages of Azure's may disagree by a fraction: no more fail than there are.
    """
    return [Counts(minute.requests, min(minute.failures, minute.requests)) for minute in minutes]


def refusing(minutes: Iterable[Minute]) -> list[Counts]:
    """Of each minute the requests, and those that were answered as the client's mistake."""
    return [Counts(minute.requests, min(minute.client_errors, minute.requests)) for minute in minutes]


def total(counts: Sequence[Counts]) -> Counts:
    return Counts(sum(it.requests for it in counts), sum(it.failures for it in counts))


def latency(blue: Sequence[Minute], green: Sequence[Minute]) -> dict[str, tuple[float, float]]:
    """Both deployments' percentiles, each the mean of its minutes' by their requests, where both are told."""
    found = {name: (_mean(blue, name), _mean(green, name)) for name in PERCENTILES}
    return {name: pair for name, pair in found.items() if all(pair)}


def sentence(blue: Counts, green: Counts, both: Latency) -> str:
    """As in `0.4 % failed of 3,120, blue 0.5 % of 28,400; P90 +3 %`."""
    said = f"{percent(green.share)} failed of {number(green.requests)}, blue {percent(blue.share)} of "
    slower = [f"P90 {100 * (both['P90'][1] / both['P90'][0] - 1):+.0f} %"] if "P90" in both else []
    return "; ".join([said + number(blue.requests), *slower])


def percent(share: float) -> str:
    """With as many digits as tell it from nothing."""
    digits = 1 if not 0 < share < 0.001 else 3
    return f"{100 * share:.{digits}f}".rstrip("0").rstrip(".") + " %"


def number(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:.1f}".removesuffix(".0")


def _mean(minutes: Sequence[Minute], name: str) -> float:
    told = [minute for minute in minutes if name in minute.latency and minute.requests]
    weight = sum(minute.requests for minute in told)
    return sum(minute.requests * minute.latency[name] for minute in told) / weight if weight else 0.0
