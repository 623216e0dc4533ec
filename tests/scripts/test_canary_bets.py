"""Bets on a canary: no gain in the mean where green is no worse, whoever looks when; and another's e-values."""

from __future__ import annotations

from datetime import datetime
from itertools import product
from math import comb, exp, log

import numpy as np
import pytest
from scipy.stats import chi2, norm
from ville import BettingTest, evalues

from scripts.lib.decisions.canary import betting, comparing
from scripts.lib.decisions.canary.betting import HEADS, RISES, Counts, capital, gain, rises
from scripts.lib.decisions.canary.comparing import Failures
from scripts.lib.decisions.canary.dispersion import ASSUMED, BLOCKS, MOST, Scatter, correlations, independent
from scripts.lib.decisions.canary.figures import total
from scripts.lib.decisions.canary.minutes import Minute


def chance(requests: int, failures: int, share: float) -> float:
    return comb(requests, failures) * share**failures * (1 - share) ** (requests - failures)


def mean(blue: int, green: int, shares: tuple[float, float], bet: tuple[float, float], margin: float) -> float:
    """What a bet multiplies its capital by in the mean: over all that may happen, exactly."""
    return sum(
        chance(blue, one, shares[0])
        * chance(green, other, shares[1])
        * exp(gain(Counts(blue, one), Counts(green, other), bet, margin))
        for one, other in product(range(blue + 1), range(green + 1))
    )


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("better", [0.0, 0.1])
@pytest.mark.parametrize(("blue", "green"), [(9, 1), (5, 5), (1, 6), (0, 3), (20, 2)])
def test_no_bet_on_a_rise_gains_where_there_is_none(share: float, better: float, blue: int, green: int) -> None:
    """Whatever blue's share is and was guessed, and also where green is better than blue."""
    for rise, guess in product(RISES, [0.005, 0.4]):
        bet = (guess, min(guess + rise, 1 - betting.LEAST))
        assert mean(blue, green, (share, max(0.0, share - better)), bet, 0.0) <= 1 + 1e-9


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.8])
@pytest.mark.parametrize("worse", [0.05, 0.2])
@pytest.mark.parametrize(("blue", "green"), [(9, 1), (5, 5), (1, 6), (0, 3)])
def test_no_bet_on_no_rise_gains_where_there_is_one(share: float, worse: float, blue: int, green: int) -> None:
    """Of the margin, or more."""
    for guess in (0.005, 0.4, 0.98):
        assert mean(blue, green, (share, share + worse), (guess, guess), 0.05) <= 1 + 1e-9


@pytest.mark.parametrize(("blue", "green", "share"), [(90, 10, 0.1), (0.9, 0.1, 0.1), (5, 50, 0.4), (300, 2, 0.93)])
def test_the_nearest_refuted_pair_is_the_hardest_to_tell(blue: float, green: float, share: float) -> None:
    """From counts as the bet on no rise expects them: nothing that it refutes is likelier, found by trying all."""
    other = np.linspace(0, 0.95, 100_001)[1:-1]
    both = [
        count * (share * np.log(share / at) + (1 - share) * np.log((1 - share) / (1 - at)))
        for count, at in [(blue, other), (green, other + 0.05)]
    ]

    found = gain(Counts(blue, blue * share), Counts(green, green * share), (share, share), 0.05)

    assert found == pytest.approx(float(np.min(sum(both))), rel=1e-6)


def test_both_bets_gain_where_they_are_right() -> None:
    """Else they would be safe and useless."""
    assert mean(20, 5, (0.01, 0.2), (0.01, 0.16), 0.0) > 1.2
    assert mean(20, 5, (0.01, 0.01), (0.01, 0.01), 0.1) > 1.2


def test_the_gain_is_the_product_of_another_s_two_e_values() -> None:
    """`ville` bets on one stream against a known share: both streams against the pooled share are the two of ours."""
    draw = np.random.default_rng(1)
    blue, green = draw.random(40) < 0.2, draw.random(10) < 0.6
    bet = (0.1, 0.5)
    pooled = (40 * bet[0] + 10 * bet[1]) / 50
    less = BettingTest(pooled, alternative="less", alpha=1e-300, c=1 - bet[0] / pooled)
    more = BettingTest(pooled, alternative="greater", alpha=1e-300, c=(bet[1] - pooled) / (1 - pooled))

    theirs = less.fit(blue).log_e_values_[-1] + more.fit(green).log_e_values_[-1]

    assert gain(Counts(40, blue.sum()), Counts(10, green.sum()), bet, 0.0) == pytest.approx(theirs)


def test_a_fair_coin_gains_nothing() -> None:
    """Nor loses, in the mean of both sides."""
    sides = zip(betting.heads(True), betting.heads(False), strict=True)

    assert [exp(one) + exp(other) for one, other in sides] == pytest.approx([2.0, 2.0])


def test_the_coin_s_capital_is_the_mean_of_another_s() -> None:
    """After each throw."""
    throws = np.random.default_rng(2).random(25) < 0.8
    theirs = [
        BettingTest(0.5, alternative="greater", alpha=1e-300, c=2 * heads - 1).fit(throws).e_values_ for heads in HEADS
    ]

    ours = capital(map(betting.heads, throws), HEADS.values(), at_once=1.0)

    assert ours == pytest.approx(evalues.combine(np.array(theirs), weights=[*HEADS.values()], axis=0))


def test_what_goes_bad_late_is_noticed_about_as_soon() -> None:
    """A bet from the first minute on has lost all by then; one that begins later hasn't."""
    good, bad = [log(0.1)] * 100, [log(3.0)] * 15

    assert capital([[it] for it in good + bad], [1.0])[-1] > 20 > capital([[it] for it in good], [1.0])[-1]


def test_the_capital_does_not_grow_by_waiting() -> None:
    """Fair bets leave it at what it was, whatever part comes in later."""
    assert capital([[0.0, 0.0]] * 50, [0.5, 0.5]) == pytest.approx([1.0] * 50)


def test_numbers_stay_numbers() -> None:
    """Through a day in which everything fails, at any rate, and afterwards."""
    all_fail = Failures([Counts(1e6, 0)] * 500, [Counts(1e6, 1e6)] * 500, [])

    assert np.isfinite(all_fail.rise()).all() and np.isfinite(all_fail.no_rise(0.01)).all()
    assert np.isfinite(capital([[1e5], [1e5], [-1e5]], [1.0])).all()


def test_minutes_without_requests_say_nothing() -> None:
    """Of one deployment or of both."""
    assert rises(Counts(0, 0), Counts(0, 0), 0.01) == [0] * len(RISES)
    assert rises(Counts(0, 0), Counts(9, 9), 0.01) == pytest.approx([0] * len(RISES))
    assert rises(Counts(9, 9), Counts(0, 0), 0.01) == pytest.approx([0] * len(RISES))


def test_fractions_of_requests_count_as_such() -> None:
    """Azure tells averages: half of everything is half of the gain."""
    whole, half = rises(Counts(90, 1), Counts(10, 3), 0.01), rises(Counts(45, 0.5), Counts(5, 1.5), 0.01)

    assert half == pytest.approx([it / 2 for it in whole])


def drawn(share: float, bursts: float | None, minutes: int, rate: int = 600, lasting: int = 1) -> list[Counts]:
    draw, now, found = np.random.default_rng(3), share, []
    for minute in range(minutes):
        if bursts and minute % lasting == 0:
            now = draw.beta(share * bursts, (1 - share) * bursts)
        found.append(Counts(rate, float(draw.binomial(rate, now))))
    return found


@pytest.mark.parametrize(
    ("before", "least", "most"),
    [
        (drawn(0.005, None, 60), 0.0, 0.004),
        (drawn(0.02, 50, 60), 1 / 51, 0.1),
        (drawn(0.02, 10, 60), 1 / 11, 0.5),
        ([Counts(600, 1.3), Counts(600, 4.7)] * 7, 0.001, 0.01),
        (drawn(0.02, 50, 60, lasting=5), 0.04, 0.5),
        ([], ASSUMED, ASSUMED),
        (drawn(0.005, None, 1), ASSUMED, ASSUMED),
        ([Counts(600, 0), Counts(600, 1)] * 4, ASSUMED, ASSUMED),
        ([Counts(600, 0)] * 60, ASSUMED, ASSUMED),
        ([Counts(600, 600)] * 60, ASSUMED, ASSUMED),
        ([Counts(0, 0)] * 60, ASSUMED, ASSUMED),
        ([Counts(600, 0)] * 57 + [Counts(600, 600)] * 3, MOST, MOST),
    ],
)
def test_correlation_is_above_the_true_one(before: list[Counts], least: float, most: float) -> None:
    """As blue's minutes show it, one by one or in blocks; assumed where they don't."""
    (known,) = correlations(before, [Counts(600, 3)])

    assert least <= known <= most


@pytest.mark.parametrize(
    ("minutes", "size"),
    [
        (drawn(0.05, 20, 60, rate=40), 1),
        (drawn(0.05, 20, 13, rate=90), 1),
        (drawn(0.05, 60, 60, rate=40), 5),
        (drawn(0.3, 40, 67, rate=7), 5),
        ([Counts(9, 0), Counts(30, 0.5), Counts(0, 0), Counts(20, 2.5)] * 5, 1),  # fewer failures than minutes
    ],
)
def test_correlation_is_the_upper_end_by_pearson(minutes: list[Counts], size: int) -> None:
    """As another's chi-square tells it, whichever is less: the blocks, or the failures in them."""
    told = [it for it in minutes if it.requests]
    blocks = [total(told[at : at + size]) for at in range(0, len(told) - size + 1, size)]
    whole, free = total(blocks), len(blocks) - 1
    known = min(free, whole.failures)
    squares = sum((it.failures - it.requests * whole.share) ** 2 / it.requests for it in blocks)
    upper = squares / (whole.share * (1 - whole.share)) / free * known / chi2.ppf(norm.cdf(BLOCKS[size]), known)

    scatter = Scatter(size, BLOCKS[size])
    for it in minutes:
        scatter.add(it)

    expected = size * (upper - 1) / (whole.requests / len(blocks) - 1)
    assert ASSUMED < expected < MOST and scatter.correlation() == pytest.approx(expected, rel=0.006)


@pytest.mark.parametrize(
    ("minutes", "least", "most"),
    [
        ([Counts(600, 3), Counts(600, 4)] * 5, ASSUMED, ASSUMED),
        ([Counts(600, 3), *[Counts(600, 4), Counts(600, 3)] * 5], 0.0, 0.001),
        ([Counts(50, 0), Counts(50, 9)], ASSUMED, ASSUMED),
        ([Counts(50, 0), Counts(50, 9), Counts(50, 2)], MOST, MOST),
    ],
)
def test_few_minutes_are_believed_only_where_they_scatter(minutes: list[Counts], least: float, most: float) -> None:
    """From the eleventh on also where they don't; below three nothing is."""
    scatter = Scatter(1, BLOCKS[1])
    for it in minutes:
        scatter.add(it)

    assert least <= scatter.correlation() <= most


def test_correlation_is_learnt_of_the_past_alone() -> None:
    """A minute doesn't change what counted at its own beginning: each look finds what an earlier one found."""
    minutes = drawn(0.02, 10, 40)

    assert [*correlations([], minutes)][:20] == [*correlations([], minutes[:20])]
    assert next(iter(correlations([], minutes))) == ASSUMED < [*correlations([], minutes)][-1]


def test_independent_requests_fail_in_the_same_share() -> None:
    """They are fewer, however many there are: at most as many as the correlation allows."""
    assert independent(Counts(51, 5.1), 0.02) == Counts(25.5, 2.55)
    assert independent(Counts(1e9, 0), 0.02).requests == pytest.approx(50)
    assert independent(Counts(0.5, 0.1), 0.9) == Counts(0.5, 0.1)


@pytest.mark.parametrize(
    ("requests", "green", "above"),
    [
        (10, {"P50": 99, "P90": 30}, [False]),
        (10, {"P50": 1, "P90": 30.1}, [True]),
        (9, {"P50": 15, "P90": 99}, [False]),
        (9, {"P50": 15.1, "P90": 1}, [True]),
        (10, {"P50": 99}, []),
        (0, {"P50": 99, "P90": 99}, []),
    ],
)
def test_a_throw_is_above_the_budget_or_none(requests: float, green: dict[str, float], above: list[bool]) -> None:
    """By the P90 where ten requests tell of it, else by the median; a minute that doesn't tell is no throw."""
    one, other = (Minute(datetime(2026, 1, 1), requests, 0, 0, told) for told in ({"P50": 10, "P90": 20}, green))

    assert comparing.throws([one], [other], 1.5) == above


def test_blue_s_share_is_guessed_from_what_was_before() -> None:
    """And from each minute for the next one."""
    learnt = comparing.PRIOR
    for _ in range(100):
        learnt = comparing._learnt(learnt, Counts(600, 60))

    assert learnt.share == pytest.approx(0.1, rel=0.02) and comparing.PRIOR.share == 0.005
