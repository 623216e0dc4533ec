"""What Azure Monitor's points mean, and which minutes are compared."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import pytest

from scripts.lib.decisions.canary import points
from scripts.lib.decisions.canary.minutes import Evidence
from scripts.lib.decisions.canary.points import Point, Window

SINCE = datetime(2026, 3, 1, 12, 0, 30, tzinfo=timezone.utc)


def at(minute: float) -> datetime:
    """So many minutes after noon."""
    return SINCE.replace(second=0) + timedelta(minutes=minute)


@pytest.mark.parametrize(
    ("status", "model_status", "whose"),
    [
        ("200", "200", ""),
        ("400", "N/A", "client"),
        ("413", "N/A", "client"),
        ("424", "400", "client"),
        ("424", "422", "client"),
        ("424", "500", "model"),
        ("424", "429", "model"),
        ("424", "", "model"),
        ("424", "N/A", "model"),
        ("408", "N/A", "model"),
        ("429", "N/A", "model"),
        ("500", "N/A", "model"),
        ("502", "N/A", "model"),
        ("503", "N/A", "model"),
        ("0", "N/A", "model"),
        ("", "", "model"),
        ("304", "304", ""),
    ],
)
def test_whose_doing_a_status_is(status: str, model_status: str, whose: str) -> None:
    """A 4xx is the client's, of the container, too; what no client can cause is the model's or the platform's."""
    found = {"model": points.failed(status, model_status), "client": points.clients(status, model_status)}

    assert [name for name, so in found.items() if so] == [whose] * bool(whose)


def told(*found: Point, now: float = 10, delay: float = 3, before: float = 5, since: datetime = SINCE) -> Evidence:
    window = Window.of(since, at(now), timedelta(minutes=delay), timedelta(minutes=before))
    return points.evidence(found, "blue", "green", window, at(now), "Azure Monitor")


def requests(name: str, minute: int, value: float, status: str = "200") -> Point:
    return Point(name, at(minute), value, status=status, model_status=status)


def test_both_have_the_same_closed_minutes() -> None:
    """The split's own minute is nobody's; none is younger than the delay; what one lacks is without requests."""
    found = told(
        *(requests("blue", minute, 90) for minute in range(-5, 9)), requests("GREEN", 2, 10), requests("other", 3, 5)
    )

    assert (
        [minute.start for minute in found.blue] == [minute.start for minute in found.green] == [*map(at, range(1, 7))]
    )
    assert [minute.requests for minute in found.green] == [0, 10, 0, 0, 0, 0]
    assert {minute.requests for minute in found.blue} == {90}
    assert [minute.start for minute in found.before] == [*map(at, range(-5, 0))]
    assert found.until == at(7)


def test_counts_and_latencies_of_a_minute() -> None:
    """Statuses are added up by whose doing they are; a percentile without requests isn't told."""
    found = told(
        requests("green", 1, 7.5), requests("green", 1, 1, "503"), requests("green", 1, 0.5, "400"),
        Point("green", at(1), 12.5, "P90"), Point("green", at(2), 0.0, "P90"), requests("blue", 6, 1),
    )  # fmt: skip

    first, second = found.green[:2]
    assert (first.requests, first.failures, first.client_errors, dict(first.latency)) == (9, 1, 0.5, {"P90": 12.5})
    assert (second.requests, dict(second.latency)) == (0, {})


@pytest.mark.parametrize("value", [math.nan, math.inf, -3.0])
def test_what_is_no_number_of_anything_tells_nothing(value: float) -> None:
    """Neither of a minute nor of what is usual; nor is it taken for a minute that was told of."""
    odd = [Point("blue", at(6), value, kind, "500", "500") for kind in ("requests", "P90")]

    found = told(requests("blue", 1, 90), *odd)

    assert [(it.requests, it.failures, dict(it.latency)) for it in found.blue] == [(90, 0, {})]
    assert points.usual(odd, 60) == points.Usual()


def test_silence_may_be_lateness() -> None:
    """Minutes after the newest that was told of don't count, unless they are so old that it would have been told."""
    late = told(requests("blue", 2, 90), now=10)
    silent = told(requests("blue", 2, 90), now=30)
    nothing = told(now=30)

    assert late.until == at(3) and len(late.blue) == len(late.green) == 2
    assert silent.until == at(15) and len(silent.green) == 14
    assert len(nothing.blue) == 14 and not sum(minute.requests for minute in nothing.blue)
    assert told(now=10).blue == ()


def test_nothing_is_closed_yet() -> None:
    """Right after the split there are no minutes of it, but blue's before."""
    found = told(*(requests("blue", minute, 90) for minute in range(-5, 3)), now=2)

    assert (found.blue, found.green, found.until) == ((), (), at(1))
    assert [minute.requests for minute in found.before] == [90] * 5


def test_a_split_on_the_minute() -> None:
    """Where it was written in a minute's first second, that minute is the first."""
    found = told(requests("blue", 0, 90), requests("blue", 5, 90), since=at(0))

    assert found.blue[0].start == at(0)
    assert [minute.start for minute in found.before] == [*map(at, range(-5, 0))]
