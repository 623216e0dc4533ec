"""Evidence that may be looked at after every minute: a bet against "green is no worse", whose capital tells.

If green is no worse, no bet gains in the mean, so the capital, which begins at 1, reaches twenty in at most one of
twenty rollouts, however often somebody looks (Ville's inequality). The bets on failures are those of Turner, Ly and
Grünwald, "Generic E-variables for exact sequential k-sample tests that allow for optional stopping" (arXiv 2106.02693):
valid for any shares, also where both change from minute to minute, and for fractions of requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

RISES = {0.015: 0.5, 0.05: 0.25, 0.15: 0.15, 0.5: 0.1}
"""How much worse green may be, and how much of the capital bets on that: small rises take long, so they get more."""
HEADS = {0.75: 0.5, 0.97: 0.5}
"""The same for a coin that falls on heads more often than not."""
AT_ONCE = 0.8
"""The part of the capital that bets from the first minute on; the rest comes in later, for a green that goes bad."""
LEAST = 1e-6  # a share that nobody bets is 0 or 1: one request would ruin him
MOST = 600.0  # e to this is a number still


@dataclass(frozen=True)
class Counts:
    """Requests and failures among them, of one deployment in a minute."""

    requests: float
    failures: float

    @property
    def share(self) -> float:
        return self.failures / self.requests if self.requests else 0.0


def rises(blue: Counts, green: Counts, guess: float) -> list[float]:
    """What each of the RISES gains in a minute, as a logarithm, where blue's share is guessed."""
    return [gain(blue, green, (guess, min(guess + rise, 1 - LEAST)), 0.0) for rise in RISES]


def heads(more: bool) -> list[float]:
    """What each of the HEADS gains by a throw, as a logarithm."""
    return [log(2 * (chance if more else 1 - chance)) for chance in HEADS]


def gain(blue: Counts, green: Counts, bet: tuple[float, float], margin: float) -> float:
    """The logarithm of how likelier the counts are by the bet's two shares than by the nearest that are refuted.

    Refuted are, of the bets on a rise (margin 0), all pairs in which green's share is no greater; of a bet on no rise
    all in which it is greater by the margin or more.
    """
    if not blue.requests + green.requests:
        return 0.0
    nearest = _nearest(blue.requests, green.requests, bet, margin)
    return _likelier(blue, bet[0], nearest) + _likelier(green, bet[1], nearest + margin)


def capital(gains: Iterable[Sequence[float]], parts: Iterable[float], at_once: float = AT_ONCE) -> list[float]:
    """The capital after each minute. `parts` are those of the bets; what isn't bet `at_once` waits for later minutes.

    A bet that lost in good minutes never recovers: one that comes in later notices what goes bad then.
    """
    parts = list(parts)
    placed, path = [0.0] * len(parts), []
    for minute, gained in enumerate(gains, 1):
        fresh = at_once * (minute == 1) + (1 - at_once) / (minute * (minute + 1))
        placed = [
            min((held + fresh * part) * exp(max(-MOST, min(MOST, gain))), exp(MOST))
            for held, part, gain in zip(placed, parts, gained, strict=True)
        ]
        path.append(sum(placed) + (1 - at_once) / (minute + 1))
    return path


def _likelier(counts: Counts, bet: float, other: float) -> float:
    other = min(max(other, LEAST / 2), 1 - LEAST / 2)
    return counts.failures * log(bet / other) + (counts.requests - counts.failures) * log((1 - bet) / (1 - other))


def _nearest(blue: float, green: float, bet: tuple[float, float], margin: float) -> float:
    """Blue's share in the refuted pair that is hardest to tell from the bet; green's is greater by the margin."""
    if not margin:
        return (blue * bet[0] + green * bet[1]) / (blue + green)
    low, high = 0.0, 1 - margin
    for _ in range(40):
        middle = (low + high) / 2
        other = middle + margin
        slope = blue * (middle - bet[0]) / (middle * (1 - middle)) + green * (other - bet[1]) / (other * (1 - other))
        low, high = (middle, high) if slope < 0 else (low, middle)
    return (low + high) / 2
