"""How often an equal green is taken back, and how soon a bad one: the judgement beside two rules that people use.

`python -m benchmarks.canary` prints the first table of docs/EVIDENCE.md, and ends with exit code 1 if a goal is missed:
six minutes at full size, `--runs 100` for a glance. `--power` prints the second: what is noticed at which traffic.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import product
from math import comb, inf
from multiprocessing import Pool

import click
import numpy as np

from scripts.lib.decisions.canary.minutes import Evidence, Minute
from scripts.lib.decisions.canary.outlook import SHARES, minutes_to
from scripts.lib.decisions.canary.policy import LONGEST, StagePolicy
from scripts.lib.decisions.canary.verdict import judge

ALPHA = 0.05
LOOKS = 120
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
FAILURES_ALONE = StagePolicy(10, 0, LOOKS, ALPHA, 0.01, None, 0)
LATENCY_TOO = replace(FAILURES_ALONE, latency_budget=1.5)
RATES = (1, 10, 60, 600, 6000)  # requests a minute


@dataclass(frozen=True)
class Traffic:
    """Requests at `rate` a minute of which the `split` goes to green, a request's chance to fail with each, and more.

    `outages`: both fail ten in a hundred for 5 of each 30 minutes. `bursts`: each minute of each deployment draws its
    chance from a beta distribution of that concentration, and keeps it for `lasting` minutes. `slower`: green's latency
    by blue's. `goal`: the share of alarms that is allowed, or the median and the 90th percentile of minutes until one.
    """

    name: str
    goal: tuple[float, ...]
    blue: float = 0.005
    green: float = 0.005
    outages: bool = False
    bursts: float | None = None
    lasting: int = 1
    split: float = 0.1
    before: int = 60
    slower: float | None = None
    rate: float = 600

    @property
    def policy(self) -> StagePolicy:
        return replace(LATENCY_TOO if self.slower else FAILURES_ALONE, percent=round(100 * self.split))

    def evidence(self, seed: int, looks: int = LOOKS) -> Evidence:
        """What a run of it shows after so many minutes."""
        draw = np.random.default_rng(seed)
        before = [*self._minutes(draw, self.rate, self.blue, self.before, -self.before)]
        blue = [*self._minutes(draw, self.rate * (1 - self.split), self.blue, looks, 0)]
        green = [*self._minutes(draw, self.rate * self.split, self.green, looks, 0, self.slower or 1)]
        return Evidence(tuple(blue), tuple(green), tuple(before), START + timedelta(minutes=looks), "simulated")

    def _minutes(
        self, draw: np.random.Generator, rate: float, chance: float, count: int, first: int, slower: float = 1
    ) -> Iterator[Minute]:
        for at in range(first, first + count):
            if self.outages and at >= 0 and at % 30 < 5:
                now = 0.1
            elif not self.bursts:
                now = chance
            elif (at - first) % self.lasting == 0:
                now = draw.beta(chance * self.bursts, (1 - chance) * self.bursts)
            requests = float(draw.poisson(rate))
            latency = {"P50": 20 * slower * draw.lognormal(0, 0.1), "P90": 50 * slower * draw.lognormal(0, 0.2)}
            failures = float(draw.binomial(int(requests), now))
            yield Minute(START + timedelta(minutes=at), requests, failures, 0.0, latency if requests else {})


EQUAL = (
    Traffic("nothing wrong, both at 0.5 %", (ALPHA,)),
    Traffic("nothing wrong, both rise to 10 % for 5 of 30 minutes", (ALPHA,), outages=True),
    Traffic("nothing wrong, bursts (2 %, k = 50)", (ALPHA,), 0.02, 0.02, bursts=50),
    Traffic("… k = 10", (ALPHA,), 0.02, 0.02, bursts=10),
    Traffic("… k = 50, half of the traffic on green", (ALPHA,), 0.02, 0.02, bursts=50, split=0.5),
    Traffic("… k = 50, none of blue's minutes before", (ALPHA,), 0.02, 0.02, bursts=50, before=0),
    Traffic("… k = 50, each for five minutes", (ALPHA,), 0.02, 0.02, bursts=50, lasting=5),
    Traffic("… k = 50, all traffic on green, blue's minutes before", (ALPHA,), 0.02, 0.02, bursts=50, split=1.0),
    Traffic("nothing wrong, latency judged, too", (ALPHA,), slower=1.0),
    Traffic("nothing wrong, 20 requests a minute", (ALPHA,), rate=20, slower=1.0),
    Traffic("… k = 50, 20 requests a minute", (ALPHA,), 0.02, 0.02, bursts=50, rate=20, slower=1.0),
    Traffic("… k = 10, 60 requests a minute", (ALPHA,), 0.02, 0.02, bursts=10, rate=60),
    Traffic("… k = 50, 6,000 requests a minute", (ALPHA,), 0.02, 0.02, bursts=50, rate=6000),
)
EXTREME = (
    Traffic("… k = 2", (ALPHA,), 0.02, 0.02, bursts=2),
    Traffic("nothing wrong, but mostly no failure, and rarely many (0.5 %, k = 5)", (ALPHA,), bursts=5),
)
BAD = (
    Traffic("green at 2 %", (7, 16), green=0.02),
    Traffic("green at 5 %", (2, 4), green=0.05),
    Traffic("green at 50 %", (1, 1), green=0.5),
    Traffic("green 5 times slower", (12, 12), slower=5.0),
)


def judged(traffic: Traffic, seed: int) -> float:
    """At which look the judgement found green bad, the first that did; infinite where none did."""
    whole, policy = traffic.evidence(seed), traffic.policy

    def bad(look: int) -> bool:
        now = replace(whole, blue=whole.blue[:look], green=whole.green[:look])
        return judge(now, policy).word == "unhealthy"

    if not bad(LOOKS):
        return inf
    return 1 + bisect_left(range(1, LOOKS), True, key=bad)  # what was found once is found by every later look


def repeated_z(traffic: Traffic, seed: int) -> float:
    """The same by a one-sided z-test of all requests so far, at each look."""
    whole = traffic.evidence(seed)
    (blue, blue_failed), (green, green_failed) = (_sums(side) for side in (whole.blue, whole.green))
    pooled = (blue_failed + green_failed) / np.maximum(blue + green, 1)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / np.maximum(blue, 1) + 1 / np.maximum(green, 1)))
    z = (green_failed / np.maximum(green, 1) - blue_failed / np.maximum(blue, 1)) / error
    return _first(z > 1.645)  # where blue has no requests there is no z


def five_looks(traffic: Traffic, seed: int) -> float:
    """The same by Flagger's rule: more than one in a hundred failed in five looks."""
    shares = [minute.failures > 0.01 * minute.requests for minute in traffic.evidence(seed).green]
    return _first(np.cumsum(shares) >= 5)


RULES = {"this": judged, "z-test at every look": repeated_z, "> 1 % in 5 looks": five_looks}


def reached(traffic: Traffic, found: Sequence[float]) -> bool:
    """Whether the alarms came, or stayed away, as they were to."""
    if len(traffic.goal) == 1:
        return sum(it < inf for it in found) <= traffic.goal[0] * len(found)
    return _minutes_until(found)[0] <= traffic.goal[0] and _minutes_until(found)[1] <= traffic.goal[1]


def within(alarms: int, runs: int, alpha: float) -> bool:
    """Whether so few alarms, or fewer, have at most one chance in twenty if their probability were `alpha`: exact."""
    return sum(comb(runs, it) * alpha**it * (1 - alpha) ** (runs - it) for it in range(alarms + 1)) <= 0.05


def _sums(minutes: Sequence[Minute]) -> tuple[np.ndarray, np.ndarray]:
    return np.cumsum([it.requests for it in minutes]), np.cumsum([it.failures for it in minutes])


def _first(alarms: np.ndarray) -> float:
    return float(np.argmax(alarms)) + 1 if alarms.any() else inf


def _minutes_until(found: Sequence[float]) -> tuple[float, float]:
    return float(np.median(found)), float(np.quantile(found, 0.9, method="inverted_cdf"))


def _cell(traffic: Traffic, found: Sequence[float]) -> str:
    if len(traffic.goal) == 1:
        return f"{sum(it < inf for it in found) / len(found):.1%}".replace("%", " %")
    return " / ".join(f"{it:.0f}" if it < inf else "–" for it in _minutes_until(found)) + " min"


def _table(runs: int) -> bool:
    """Prints it row by row, and whether each goal was reached."""
    click.echo(f"| {runs:,} runs, alpha {ALPHA} | {' | '.join(RULES)} | was to be |\n|{'---|' * (len(RULES) + 2)}")
    good = []
    with Pool() as pool:
        for traffic in (*EQUAL, *EXTREME, *BAD):
            found = [pool.map(partial(rule, traffic), range(runs)) for rule in RULES.values()]
            goal = (
                f"≤ {traffic.goal[0]:.0%}".replace("%", " %")
                if len(traffic.goal) == 1
                else " / ".join(map(str, traffic.goal)) + " min"
            )
            good.append(reached(traffic, found[0]))
            click.echo(f"| {traffic.name} | {' | '.join(_cell(traffic, it) for it in found)} | {goal} |")
    click.echo(f"{sum(good)} of {len(good)} goals reached: all were to be")
    return all(good)


def _power() -> None:
    """Prints minutes until a verdict of a stage that may last as long as a job can; – where none comes."""
    shares = " | ".join(f"{share:.0%} failing".replace("%", " %") for share in SHARES)
    click.echo(f"| requests a minute | on green | tolerated rise | {shares} | healthy |\n|{'---|' * (len(SHARES) + 4)}")
    for rate, percent, rise in product(RATES, (10, 50), (0.03, 0.01)):
        policy = StagePolicy(percent, deadline_minutes=LONGEST, tolerated_rise=rise, fewest_requests=0)
        found = [minutes_to("unhealthy", policy, rate, share) for share in SHARES]
        cells = [str(it or "–") for it in (*found, minutes_to("healthy", policy, rate, 0.0))]
        click.echo(f"| {rate:,} | {percent} % | {100 * rise:g} % | {' | '.join(cells)} |")


@click.command()
@click.option("--runs", default=1000, show_default=True, help="Of each row.")
@click.option("--power", is_flag=True, help="The second table instead.")
def main(runs: int, power: bool) -> None:
    """The table, and whether it is as it was to be."""
    if power:
        _power()
        return
    sys.exit(not _table(runs))


if __name__ == "__main__":
    main()
