"""What a verdict on a canary is, by its minutes; and how often it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from math import log
from multiprocessing import get_context

import pytest

from benchmarks.canary import ALPHA, BAD, EQUAL, EXTREME, LOOKS, Traffic, judged, within
from scripts.lib.decisions.canary import comparing, figures
from scripts.lib.decisions.canary.comparing import Failures
from scripts.lib.decisions.canary.minutes import Evidence, Minute
from scripts.lib.decisions.canary.outlook import minutes_to, sentence
from scripts.lib.decisions.canary.policy import RolloutPolicy, StagePolicy
from scripts.lib.decisions.canary.verdict import Verdict, again, judge

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
POLICY = StagePolicy(10, 10, 60, 0.02, 0.01, 1.5, 100)
AFTER = replace(POLICY, percent=100)
LATENCY = {"P50": 20.0, "P90": 50.0}


def minutes(
    count: int,
    requests: float,
    failures: float = 0.0,
    *,
    refused: float = 0.0,
    slower: float = 1.0,
    latency: Sequence[str] = ("P50", "P90"),
    first: int = 0,
) -> tuple[Minute, ...]:
    """So many minutes that are all alike."""
    told = {name: LATENCY[name] * slower for name in latency}
    starts = [START + timedelta(minutes=first + it) for it in range(count)]
    return tuple(Minute(start, requests, failures, refused, told) for start in starts)


def scattered(count: int, requests: float, every: int, first: int = 0) -> tuple[Minute, ...]:
    """A failure in each so many minutes: blue as it mostly is."""
    found = minutes(count, requests, first=first)
    return tuple(replace(it, failures=1.0) if at % every == 0 else it for at, it in enumerate(found))


BEFORE = scattered(60, 600, 2, first=-60)


def look(
    blue: tuple[Minute, ...],
    green: tuple[Minute, ...],
    before: tuple[Minute, ...] = BEFORE,
    policy: StagePolicy = POLICY,
) -> Verdict:
    return judge(Evidence(blue, green, before, START, "Azure Monitor"), policy)


@pytest.mark.parametrize(
    ("blue", "green", "word", "why"),
    [
        (minutes(30, 540), minutes(30, 60), "healthy", "a rise of 1 % or more is ruled out"),
        (minutes(3, 540), minutes(3, 60), "inconclusive", "more requests to green"),
        (minutes(10, 540, 1), minutes(10, 60, 3), "unhealthy", "more than chance explains, since 12:0"),
        (minutes(1, 540), minutes(1, 60, 30), "unhealthy", "since 12:00"),
        (minutes(30, 540, 3), minutes(20, 60) + minutes(3, 60, 30, first=20), "unhealthy", "since 12:2"),
        (minutes(15, 540), minutes(15, 60, slower=5), "unhealthy", "above 1.5 times blue's in 15 of 15 minutes"),
        (minutes(60, 540, 3), minutes(52, 60) + minutes(8, 60, 5, first=52), "unhealthy", "since 12:5"),
        (minutes(8, 540), minutes(8, 60, slower=5), "inconclusive", ""),  # latency has but a part of alpha
        (minutes(15, 540), minutes(15, 60, 20, slower=5), "unhealthy", " and green's latency is above"),
        (minutes(15, 540), minutes(15, 60, slower=1.4), "healthy", "P90 +40 %"),
        (minutes(30, 5400), minutes(30, 600, 1), "healthy", "0.2 % failed of 18,000"),
        (minutes(3, 54000), minutes(3, 6000, 30), "inconclusive", ""),  # shown, and less than is tolerated
        (minutes(30, 540, 270), minutes(30, 60, 30), "inconclusive", "blue itself fails 50 % of late (0."),
        (minutes(30, 540, 540), minutes(30, 60, 60), "inconclusive", "blue itself fails 100 % of late"),
        (minutes(30, 540, 54), minutes(30, 60), "inconclusive", "blue itself fails 10 % of late"),
        (minutes(30, 540), minutes(30, 60, refused=6), "inconclusive", "green answers 4xx more often (10 %, blue 0 %)"),
        (minutes(30, 540), minutes(30, 60, refused=29), "inconclusive", "green answers 4xx more often (48.3 %"),
        (minutes(2, 540), minutes(2, 60, refused=60), "unhealthy", "refuses most of what blue takes (100 %, blue 0 %"),
        (minutes(1, 27), minutes(1, 3, refused=3), "inconclusive", ""),  # that has but a part of alpha
        (minutes(30, 540, refused=54), minutes(30, 60, refused=6), "healthy", ""),  # the clients' doing
        (minutes(30, 540, refused=486), minutes(30, 60, refused=54), "healthy", ""),
        (minutes(30, 540), minutes(30, 60, latency=()), "inconclusive", "no minute tells how long both take"),
        (minutes(30, 540), minutes(30, 60, latency=["P50"]), "inconclusive", "no minute tells how long both take"),
        (minutes(30, 540), minutes(30, 60, slower=1.6), "unhealthy", "above 1.5 times blue's in 30 of 30 minutes"),
        (minutes(5, 540), minutes(5, 60, slower=1.6), "inconclusive", "doesn't speak for green, so nobody can tell"),
        (minutes(30, 540), minutes(30, 0, latency=()), "inconclusive", "green got no requests in 30 minutes"),
        (minutes(30, 0, latency=()), minutes(30, 60), "inconclusive", "blue got no requests in 30 minutes"),
        (minutes(30, 0), minutes(30, 0), "inconclusive", "blue and green got no requests"),
        (minutes(1, 9), minutes(1, 0, latency=()), "inconclusive", "green got no requests in 1 minute"),
        ((), (), "inconclusive", "no minute has been told of yet"),
        (minutes(30, 540), (), "inconclusive", "no minute has been told of yet"),
        (minutes(60, 54), minutes(60, 6, slower=1.0), "inconclusive", "more requests to green"),
        (minutes(15, 9), minutes(15, 1, slower=5, latency=["P50"]), "unhealthy", "latency"),
        (minutes(3, 540), minutes(3, 60, 61), "unhealthy", "100 % failed of 180"),  # two averages, rounded
    ],
)
def test_the_verdict(blue: tuple[Minute, ...], green: tuple[Minute, ...], word: str, why: str) -> None:
    """By what both showed in the same minutes, with figures and the reason."""
    found = look(blue, green)

    assert (found.word, why in found.reason) == (word, True), found.reason


@pytest.mark.parametrize(("requests", "said"), [(0, ", and blue got no requests in 60 before"), (1, "")])
def test_no_traffic_is_told_before_silence_can_be(requests: float, said: str) -> None:
    """Younger minutes may be late; where blue's before are silent, too, there is none."""
    found = look((), (), minutes(60, requests, first=-60))

    assert found.reason.endswith("no minute has been told of yet" + said)


def test_figures_are_both_deployments() -> None:
    """The reason begins with what a reviewer asks first; the sums are in the verdict."""
    found = look(minutes(30, 947, 5), minutes(30, 104, 0.4, slower=1.03))

    assert found.reason.startswith("0.4 % failed of 3,120, blue 0.5 % of 28,410; P90 +3 %; ")
    assert found.requests == (28410, 3120) and found.failures == (150, pytest.approx(12))
    assert found.latency["P90"] == (50, pytest.approx(51.5))


@pytest.mark.parametrize(
    ("count", "said"), [(0.0, "0"), (1.0, "1"), (9.4, "9.4"), (9.96, "10"), (10.4, "10"), (1234.5, "1,234")]
)
def test_numbers_of_requests(count: float, said: str) -> None:
    """Averages of Azure's may be fractions, which are told where they are most of it."""
    assert figures.number(count) == said


def test_only_minutes_that_both_have_count() -> None:
    """One that is missing of either is left out."""
    blue, green = minutes(12, 540), minutes(12, 60)

    found = look(blue[:4] + blue[5:], green[2:])

    assert found.requests == (9 * 540, 9 * 60)


def test_what_was_bad_once_stays_bad() -> None:
    """A re-run that looks later finds what the first one found, also if green has recovered since."""
    green = minutes(3, 60, 30) + minutes(40, 60, first=3)

    assert look(minutes(3, 540), green[:3]).word == "unhealthy"
    assert look(minutes(43, 540), green).reason.endswith("since 12:00")
    slow = minutes(12, 60, slower=5) + minutes(31, 60, first=12)
    assert "above 1.5 times blue's in 12 of 43 minutes" in look(minutes(43, 540), slow).reason


def test_means_are_by_requests() -> None:
    """A minute of few requests says little of a latency."""
    found = look(minutes(2, 540), minutes(1, 90) + minutes(1, 10, slower=3, first=1))

    assert found.latency["P90"] == (50, pytest.approx(60))


def test_who_is_out_is_no_measure() -> None:
    """Also if blue was out before."""
    out = minutes(30, 540, 530)

    assert "blue itself fails 98.1 %" in look(out, minutes(30, 60, 58), minutes(60, 600, 590, first=-60)).reason


@pytest.mark.parametrize(("failures", "trouble"), [(2, False), (3, False), (6, True)])
def test_a_failure_or_two_are_no_trouble_of_blue_s(failures: int, trouble: bool) -> None:
    """With little traffic they are a large share."""
    blue, policy = minutes(59, 10) + minutes(1, 10, failures, first=59), replace(POLICY, tolerated_rise=0.05)

    found = look(blue, minutes(60, 10), scattered(60, 10, 60, first=-60), policy)

    assert (found.word != "healthy", "blue itself fails" in found.reason) == (trouble, trouble)


@pytest.mark.parametrize(("ago", "failures", "told"), [(10, 400, True), (11, 400, False), (1, 3, True), (1, 2, False)])
def test_blue_s_trouble_is_of_the_last_ten_minutes(ago: int, failures: int, told: bool) -> None:
    """Three failures at least; what was before is over."""
    blue = list(minutes(30, 540 if failures > 9 else 10))
    blue[-ago] = replace(blue[-ago], failures=failures)

    assert ("blue itself fails" in look(tuple(blue), minutes(30, 60)).reason) is told


@pytest.mark.parametrize("traffic", [*EQUAL[2:4], *BAD[:2]], ids=lambda it: it.name)
def test_each_look_finds_what_earlier_ones_found(traffic: Traffic) -> None:
    """Whatever the minutes are: from the first look that finds green bad, all do."""
    for seed in range(3):
        whole = traffic.evidence(seed, 40)
        policy = traffic.policy
        cut = [replace(whole, blue=whole.blue[:at], green=whole.green[:at]) for at in range(1, 41)]
        bad = [judge(it, policy).word == "unhealthy" for it in cut]
        assert bad == sorted(bad)


def test_missing_requests_and_minutes() -> None:
    """By the growth so far: what is said to be missing is about what it then takes."""
    early = look(minutes(5, 540), minutes(5, 60))
    assert early.missing and early.minutes == pytest.approx(early.missing / 60)

    in_time = 5 + round(early.minutes)

    words = [look(minutes(at, 540), minutes(at, 60)).word for at in (in_time - 3, in_time + 3)]
    assert words == ["inconclusive", "healthy"]


@pytest.mark.parametrize("failures", [0, 30])
def test_nothing_is_missing_of_a_verdict(failures: int) -> None:
    """Healthy or unhealthy: neither requests nor minutes."""
    found = look(minutes(30, 540), minutes(30, 60, failures))

    assert (found.missing, found.minutes) == (None, None) and found.word != "inconclusive"


def test_who_counted_is_said_unless_it_is_as_usual() -> None:
    """A log, or whoever stands in for it."""
    usual = Evidence(minutes(30, 540), minutes(30, 60), BEFORE, START, "Azure Monitor")

    assert "told by" not in judge(usual, POLICY).reason
    assert judge(replace(usual, source="a log"), POLICY).reason.endswith(" (told by a log)")


@pytest.mark.parametrize(("failures", "word"), [(30, "inconclusive"), (31, "unhealthy")])
def test_what_is_tolerated_is_no_reason_to_go_back(failures: int, word: str) -> None:
    """One more request in two hundred is tolerated, and so many fail."""
    policy = replace(POLICY, tolerated_rise=0.005)

    assert look(minutes(3, 54000), minutes(3, 6000, failures), policy=policy).word == word


@pytest.mark.parametrize(("factor", "word"), [(1.01, "unhealthy"), (0.99, "inconclusive")])
@pytest.mark.parametrize(("budget", "part"), [(1.5, 0.7), (None, 0.95)])
def test_failures_have_what_latency_and_refusals_leave(
    factor: float, word: str, budget: float | None, part: float
) -> None:
    """Of the stage's alpha: a quarter is latency's, where that is judged, a twentieth is for what green refuses."""
    blue, green = minutes(4, 540), minutes(4, 60, 3)
    capital = max(Failures(*(figures.failing(it) for it in (blue, green, BEFORE))).rise())

    found = look(blue, green, policy=replace(POLICY, latency_budget=budget, alpha=factor / capital / part))

    assert found.word == word


@pytest.mark.parametrize(("factor", "word"), [(1.01, "unhealthy"), (0.99, "inconclusive")])
def test_latency_has_a_quarter(factor: float, word: str) -> None:
    """Of the stage's alpha."""
    policy = replace(POLICY, alpha=factor / max(comparing.above([True] * 12)) / 0.25)

    assert look(minutes(12, 540), minutes(12, 60, slower=5), policy=policy).word == word


def test_what_is_missing_is_told_from_the_first_minute_on() -> None:
    """Of which a little is known already."""
    assert look(minutes(1, 540), minutes(1, 60)).missing


def test_a_rise_is_what_green_has_more_than_blue() -> None:
    """Nine in a thousand more are shown, and less than is tolerated, whatever fails of blue's."""
    before = minutes(60, 60000, 1200, first=-60)

    assert look(minutes(10, 54000, 1080), minutes(10, 6000, 174), before).word != "unhealthy"
    assert look(minutes(10, 54000, 1080), minutes(10, 6000, 198), before).word == "unhealthy"


def test_the_fewest_requests_are_wanted_whatever_they_say() -> None:
    """And are counted among the missing ones."""
    found = look(minutes(30, 540), minutes(30, 60), policy=replace(POLICY, fewest_requests=2400))

    assert (found.word, found.missing, found.minutes) == ("inconclusive", 600, 10)


def test_a_latency_that_is_not_judged_is_not_wanted() -> None:
    """With a budget of null."""
    policy = replace(POLICY, latency_budget=None)

    assert look(minutes(30, 540), minutes(30, 60, slower=9, latency=()), policy=policy).word == "healthy"


@pytest.mark.parametrize(("count", "requests", "share"), [(1, 60, "5 %"), (3, 60, "2 %"), (10, 6, "5 %")])
def test_what_would_have_been_noticed(count: int, requests: float, share: str) -> None:
    """And it is true: so many failures are noticed in these minutes."""
    found = look(minutes(count, 9 * requests), minutes(count, requests))

    assert found.noticeable == f"a rise to {share} would have been noticed by now"
    bad = minutes(count, requests, requests * float(share[:-2]) / 100)
    assert look(minutes(count, 9 * requests), bad).word == "unhealthy"


def test_too_little_traffic_notices_nothing() -> None:
    """And says so."""
    assert look(minutes(3, 1), minutes(3, 0.1)).noticeable.startswith("nothing would have been noticed by now")


def test_after_the_last_stage_green_is_held_against_blue_before() -> None:
    """Blue has no traffic then; it is said against what."""
    good = look((), minutes(20, 600, 0.5), policy=AFTER)
    bad = look(minutes(20, 0), minutes(20, 600, 60), policy=AFTER)

    assert good.word == "healthy" and "blue 0.083 % of 12,000; P90 +0 % before; " in good.reason
    assert bad.word == "unhealthy"
    assert look((), minutes(20, 600), before=(), policy=AFTER).word == "inconclusive"


def test_after_the_last_stage_blue_s_newest_minutes_count() -> None:
    """As many as green's, so that each look sees the pairs of earlier ones."""
    before = minutes(40, 600, 60, first=-60) + minutes(20, 600, first=-20)

    assert "blue 0 % of 12,000" in look((), minutes(20, 600), before, AFTER).reason


def verdict(word: str, needed: float | None = None, green: float = 5) -> Verdict:
    return replace(look((), ()), word=word, minutes=needed, requests=(45, green))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "passed", "goes_on"),
    [
        (verdict("unhealthy"), 1, False),
        (verdict("healthy"), 9, True),
        (verdict("healthy"), 10, False),
        (verdict("inconclusive"), 9, True),
        (verdict("inconclusive"), 10, True),
        (verdict("inconclusive", green=0), 9, True),
        (verdict("inconclusive", green=0), 10, False),
        (verdict("inconclusive", 100), 10, True),
        (verdict("inconclusive", 101), 10, False),
        (verdict("inconclusive", 1), 60, False),
        (verdict("inconclusive"), 60, False),
        (verdict("healthy"), 60, False),
    ],
)
def test_another_look_is_waited_for_only_where_it_may_tell(found: Verdict, passed: float, goes_on: bool) -> None:
    """Through the bake, and then until a deadline that can be met."""
    assert again(found, POLICY, passed) is goes_on


@pytest.mark.parametrize("failing", [0.02, 0.05, 0.5])
def test_the_outlook_is_what_happens(failing: float) -> None:
    """As many minutes as in the median of runs."""
    policy, traffic = replace(POLICY, alpha=ALPHA), Traffic("", (), blue=0.0, green=failing, slower=1.0)
    runs = sorted(judged(traffic, seed) for seed in range(15))

    assert minutes_to("unhealthy", policy, 600, failing) == pytest.approx(runs[7], rel=0.5, abs=1)


@pytest.mark.parametrize(("percent", "failing"), [(10, 0.05), (50, 0.02), (90, 0.05)])
def test_the_outlook_is_what_such_minutes_show(percent: int, failing: float) -> None:
    """The first of them that does, up to the deadline's."""
    policy, share = replace(POLICY, percent=percent), 6.0 * percent
    blue, before = minutes(40, 600 - share), minutes(60, 600, first=-60)
    green = minutes(40, share, failing * share)

    first = next(at for at in range(1, 41) if look(blue[:at], green[:at], before, policy).word == "unhealthy")

    assert minutes_to("unhealthy", policy, 600, failing) == first
    assert minutes_to("unhealthy", replace(policy, deadline_minutes=first), 600, failing) == first
    assert minutes_to("unhealthy", replace(policy, deadline_minutes=first - 1), 600, failing) is None


@pytest.mark.parametrize(("fewest", "after"), [(1800, 30), (1801, 31)])
def test_the_outlook_knows_green_s_share(fewest: int, after: int) -> None:
    """Of 600 requests a minute 60 are green's at 10 %."""
    assert minutes_to("healthy", replace(POLICY, fewest_requests=fewest), 600, 0.0) == after


def test_the_doctor_s_sentence() -> None:
    """At an endpoint's traffic, by the policy; with little of it there is no verdict."""
    policy = RolloutPolicy(0.05, 3, 60, {10: POLICY})

    assert sentence(policy, [10], 600) == (
        "10 % of 600 requests a minute: 2, 5, 50 % failing noticed after 12, 7, 4 minutes; else healthy after 18"
    )
    assert sentence(policy, [50], 600).endswith("healthy after 13")
    assert "of 1 request a minute" in sentence(policy, [10], 1)
    assert sentence(policy, [10], 0.5).endswith(
        "noticed after never, never, never minutes; else no verdict: the reviewer decides"
    )


def test_an_outage_before_does_not_blind() -> None:
    """All that blue failed then tells of no bursts that hide a green of which half fails."""
    before = minutes(30, 600, 1, first=-60) + minutes(5, 600, 600, first=-30) + minutes(25, 600, 1, first=-25)

    assert look(minutes(4, 540), minutes(4, 60, 30), before).word == "unhealthy"


def alarms(traffic: Traffic, runs: int) -> int:
    with get_context("spawn").Pool() as pool:
        return sum(look <= LOOKS for look in pool.map(partial(judged, traffic), range(runs)))


@pytest.mark.parametrize("traffic", EQUAL, ids=lambda it: it.name)
def test_an_equal_green_is_left_alone(traffic: Traffic) -> None:
    """A few runs of each kind of traffic."""
    assert sum(judged(traffic, seed) <= LOOKS for seed in range(12)) <= 2


@pytest.mark.drill
@pytest.mark.parametrize("traffic", EQUAL, ids=lambda it: it.name)
def test_a_thousand_equal_greens_are_taken_back_in_at_most_alpha(traffic: Traffic) -> None:
    """By an exact binomial bound."""
    assert within(alarms(traffic, 1000), 1000, ALPHA)


@pytest.mark.drill
@pytest.mark.parametrize("traffic", EXTREME, ids=lambda it: it.name)
def test_a_thousand_equal_greens_in_wild_bursts_are_taken_back_no_more_often(traffic: Traffic) -> None:
    """Near alpha, so the runs themselves are counted."""
    assert alarms(traffic, 1000) <= 1000 * ALPHA


def called_healthy(seed: int) -> bool:
    """Whether a green that fails by one in a hundred more is so by any look."""
    traffic = Traffic("", (), blue=0.01, green=0.02, bursts=50)
    whole = traffic.evidence(seed)
    failed = Failures(*(figures.failing(it) for it in (whole.blue, whole.green, whole.before)))
    return max(failed.no_rise(0.01)) >= log(1 / ALPHA)


@pytest.mark.drill
def test_a_thousand_bad_greens_are_called_healthy_in_at_most_alpha() -> None:
    """The same bound for the other mistake, in bursts, too."""
    with get_context("spawn").Pool() as pool:
        assert within(sum(pool.map(called_healthy, range(1000))), 1000, ALPHA)
