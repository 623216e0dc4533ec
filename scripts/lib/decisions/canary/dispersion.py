"""Requests fail in bursts: how many of a minute's requests say something of their own.

Within a minute the requests of a deployment are alike by some correlation; n of them then tell as much as
n / (1 + (n - 1) × correlation) independent ones. It is the upper end of what blue's own minutes allow, one by one and
in blocks of five, since bursts may last. Whoever knows of too few failures assumes ASSUMED.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from scripts.lib.decisions.canary.betting import Counts

ASSUMED = 0.02  # the failures of a minute scatter as if its share were drawn anew from a beta distribution of 49
ENOUGH = 10  # failures, and minutes, from which on blue's scatter is believed
BLOCKS = {1: -1.64, 5: -1.28}
"""Minutes, and the normal quantile of the upper end: blocks are few, so theirs is less strict."""
MOST = 0.25  # what scatters more is an outage, after which something shall still be noticed


def independent(counts: Counts, correlation: float) -> Counts:
    """As many requests as tell as much if they were independent, failing in the same share."""
    alike = 1 + max(counts.requests - 1, 0.0) * correlation
    return Counts(counts.requests / alike, counts.failures / alike)


def correlations(before: Iterable[Counts], since: Iterable[Counts]) -> Iterable[float]:
    """What is known at the beginning of each of the minutes since the split: from those before it alone."""
    scatters = [Scatter(*it) for it in BLOCKS.items()]
    for counts in before:
        for scatter in scatters:
            scatter.add(counts)
    for counts in since:
        yield max(scatter.correlation() for scatter in scatters)
        for scatter in scatters:
            scatter.add(counts)


@dataclass
class Scatter:
    """Sums over blocks of `size` minutes, of which the unfinished one is `open`."""

    size: int
    quantile: float
    blocks: int = 0
    requests: float = 0.0
    failures: float = 0.0
    squares: float = 0.0  # of failures, each by its block's requests
    open: list[Counts] = field(default_factory=list)

    def add(self, counts: Counts) -> None:
        """One more minute. One without requests says nothing."""
        if counts.requests:
            self.open.append(counts)
        if len(self.open) < self.size:
            return
        requests, failures = sum(it.requests for it in self.open), sum(it.failures for it in self.open)
        self.blocks += 1
        self.requests += requests
        self.failures += failures
        self.squares += failures**2 / requests
        self.open = []

    def correlation(self) -> float:
        """The upper end by Pearson's χ², whose quantile is Wilson's and Hilferty's."""
        share = self.failures / self.requests if self.requests else 0.0
        known = min(self.blocks - 1, self.failures)
        assumed = ASSUMED if self.size == 1 else 0.0
        if known < 2 or not 0 < share < 1:
            return assumed
        scattered = (self.squares - self.failures * share) / (share * (1 - share)) / (self.blocks - 1)
        upper = scattered / (1 - 2 / (9 * known) + self.quantile * math.sqrt(2 / (9 * known))) ** 3
        mean = self.requests / self.blocks
        least = assumed if known < ENOUGH else 0.0
        return min(MOST, max(least, self.size * (upper - 1) / max(mean - 1, 1.0)))
