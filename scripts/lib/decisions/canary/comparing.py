"""Blue's and green's minutes against each other: how the capital of each bet (betting.py) went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from scripts.lib.decisions.canary import betting
from scripts.lib.decisions.canary.betting import HEADS, RISES, Counts
from scripts.lib.decisions.canary.dispersion import correlations, independent
from scripts.lib.decisions.canary.minutes import Minute

FADING = 0.9  # of a minute's weight is left a minute later, where blue's share is guessed
PRIOR = Counts(100, 0.5)  # the guess of somebody who saw nothing
THIN = 10  # requests a minute below which a P90 is but the slowest of them: then the medians are compared


@dataclass(frozen=True)
class Failures:
    """What failed in the same minutes of both, and in blue's minutes before them."""

    blue: Sequence[Counts]
    green: Sequence[Counts]
    before: Sequence[Counts]

    def rise(self) -> list[float]:
        """The capital, after each minute, of who bets that more of green's requests fail."""
        gains = (betting.rises(blue, green, guess) for blue, green, guess in self._independent())
        return betting.capital(gains, RISES.values())

    def no_rise(self, margin: float) -> list[float]:
        """The same of who bets that green fails like blue, against a rise by the margin; as logarithms."""
        pairs = self._independent()
        return [*accumulate(betting.gain(blue, green, (guess, guess), margin) for blue, green, guess in pairs)]

    def _independent(self) -> Iterator[tuple[Counts, Counts, float]]:
        """Both counts, as many as are independent, and blue's share as it could be guessed before that minute."""
        guess = PRIOR
        for blue in self.before:
            guess = _learnt(guess, blue)
        alike = correlations(self.before, self.blue)
        for blue, green, correlation in zip(self.blue, self.green, alike, strict=True):
            yield independent(blue, correlation), independent(green, correlation), guess.share
            guess = _learnt(guess, blue)


def throws(blue: Sequence[Minute], green: Sequence[Minute], budget: float) -> list[bool]:
    """Of each minute that tells both latencies: whether green's is above budget × blue's.

    A coin that falls on either side alike if green's is at the budget, whatever the distribution.
    """
    found = []
    for one, other in zip(blue, green, strict=True):
        percentile = "P50" if min(one.requests, other.requests) < THIN else "P90"
        if one.requests and other.requests and percentile in one.latency and percentile in other.latency:
            found.append(other.latency[percentile] > budget * one.latency[percentile])
    return found


def above(throws: Sequence[bool]) -> list[float]:
    """The capital, after each throw, of who bets that the coin falls on True more often than not."""
    return betting.capital(map(betting.heads, throws), HEADS.values())


def below(throws: Sequence[bool]) -> float:
    """And of who bets on False all the while, after the last throw."""
    return (betting.capital((betting.heads(not it) for it in throws), HEADS.values(), at_once=1.0) or [1.0])[-1]


def _learnt(guess: Counts, blue: Counts) -> Counts:
    """The guess after one more minute; PRIOR never fades."""
    requests = PRIOR.requests + FADING * (guess.requests - PRIOR.requests) + blue.requests
    return Counts(requests, PRIOR.failures + FADING * (guess.failures - PRIOR.failures) + blue.failures)
