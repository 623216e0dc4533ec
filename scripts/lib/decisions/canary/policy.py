"""endpoints/rollout-policy.yml: what each stage of a rollout must show, and for how long it may try."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import Document

LONGEST = 300.0  # minutes: a job has 350, waits for the write before and tells after; one out of time would roll back
ALPHA = "alpha"
Wrong = tuple[tuple[str, ...], str]  # where, and why
ROLLOUT = {ALPHA: (1e-6, 0.5), "delay_minutes": (0.0, 60.0), "before_minutes": (0.0, 1440.0)}
STAGE = {
    "bake_minutes": (0.0, LONGEST),
    "deadline_minutes": (1.0, LONGEST),
    ALPHA: (1e-6, 0.5),
    "tolerated_rise": (0.0001, 0.99),
    "latency_budget": (1.0, 100.0),
    "fewest_requests": (0.0, 1e9),
}
"""The keys with the least and the greatest number of each."""
FIRST = 0.9  # of what a stage has left of its alpha is one promotion's
MAY_BE_NULL = "latency_budget"
PLAIN = re.compile(r"[+-]?(0|[1-9]\d*|(?=\.\d))(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class StagePolicy:
    """One stage's, with green at `percent`; the file explains the rest. No `latency_budget`: latency isn't judged."""

    percent: int
    bake_minutes: float = 10
    deadline_minutes: float = 60
    alpha: float = 0.015
    tolerated_rise: float = 0.01
    latency_budget: float | None = 1.5
    fewest_requests: float = 100


STAGES = (StagePolicy(10, alpha=0.02), StagePolicy(50), StagePolicy(100, bake_minutes=15, deadline_minutes=30))


@dataclass(frozen=True)
class RolloutPolicy:
    """The whole file, or what holds without one.

    The sum of the stages' `alpha` is no greater than its own, and no stage's promotions spend more than the stage's,
    however many they are: those between two percentages of the file, by hand, or again after green had less.
    """

    alpha: float = 0.05
    delay_minutes: float = 3
    before_minutes: float = 60
    stages: Mapping[int, StagePolicy] = field(default_factory=lambda: {stage.percent: stage for stage in STAGES})

    def stage(self, percent: int) -> StagePolicy:
        """The policy at a percentage: what there is for it, or for the next lower one, or the lowest."""
        return self.stages[max((at for at in self.stages if at <= percent), default=min(self.stages))]

    def at(self, *shares: int) -> StagePolicy:
        """The same, for green at the last of the shares that it has had, with this promotion's part of `alpha`."""
        stage = self.stage(shares[-1])
        earlier = sum(self.stage(share) == stage for share in shares[:-1])
        return replace(stage, percent=shares[-1], alpha=stage.alpha * FIRST * (1 - FIRST) ** earlier)


def policy(document: Document, file: str) -> RolloutPolicy:
    """What the file says; what it doesn't say is as without it. Raises Refused with file, line and key of all wrong."""
    wrong, found = list(_wrong(document)), RolloutPolicy()
    if not wrong:
        said = {int(key): value for key, value in document.content.items() if key not in ROLLOUT}
        own = {at: replace(found.stage(at), percent=at, **value) for at, value in said.items()}
        rest = {key: value for key, value in document.content.items() if key in ROLLOUT}
        found = RolloutPolicy(**rest, stages=dict(sorted({**found.stages, **own}.items())))
        wrong = list(_odd(found))
    if wrong:
        lines = document.lines  # what a stage doesn't say itself is told at its own line
        told = [(lines.get(path, lines.get(path[:1], 1)), ".".join(path), why) for path, why in wrong]
        raise Refused("\n".join(f"{file}, line {line}: `{key}` {why}." for line, key, why in told))
    return found


def _wrong(document: Document) -> Iterator[Wrong]:
    """The place of each key that is wrong, and why."""
    content, spelling = document.content, document.spelling
    stages = {key: value for key, value in content.items() if _percentage(key)}
    yield from _numbers({key: value for key, value in content.items() if key not in stages}, ROLLOUT, (), spelling)
    for key, value in stages.items():
        if isinstance(value, dict):
            yield from _numbers(value, STAGE, (key,), spelling)
        else:
            yield (key,), f"must hold some of {', '.join(STAGE)}"


def _odd(found: RolloutPolicy) -> Iterator[Wrong]:
    """What numbers don't go together."""
    for percent, stage in found.stages.items():
        if stage.deadline_minutes < stage.bake_minutes:
            why = f"is {stage.deadline_minutes:g}, before the end of its bake_minutes, {stage.bake_minutes:g}"
            yield (str(percent), "deadline_minutes"), why
    if (spent := sum(stage.alpha for stage in found.stages.values())) > found.alpha + 1e-9:
        parts = " + ".join(f"{stage.alpha:g}" for stage in found.stages.values())
        yield (ALPHA,), f"is {found.alpha:g}, but its stages have {parts} = {spent:g}: lower theirs, or raise it"


def _numbers(
    said: Mapping[str, Any],
    known: Mapping[str, tuple[float, float]],
    at: tuple[str, ...],
    spelling: Mapping[tuple[str, ...], str],
) -> Iterator[Wrong]:
    for key, value in said.items():
        if key not in known:
            yield (*at, key), f"is no key that is known{' here' * (key in (ROLLOUT | STAGE))}: {_instead(key, known)}"
        elif why := _no_number(value, spelling.get((*at, key), "0"), *known[key], null=key == MAY_BE_NULL):
            yield (*at, key), why


def _instead(key: str, known: Mapping[str, tuple[float, float]]) -> str:
    if key in ROLLOUT | STAGE:
        return "it belongs to the whole file" if key in ROLLOUT else 'it belongs into stages like "10"'
    near = get_close_matches(key.lower(), known, 1)
    there = f"there is {', '.join(known)}" + ', and stages like "10", in quotes' * (known is ROLLOUT)
    return f"write `{near[0]}`" if near else there


def _no_number(value: Any, spelt: str, least: float, most: float, null: bool) -> str:
    """Why it is none from `least` to `most`, "" where it is one. YAML reads 010 as 8, and 5:00 as 300."""
    if value is None and null:
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    guessed = number and not PLAIN.fullmatch(spelt)
    if number and not guessed and least <= value <= most:
        return ""
    return f"must be a number from {least:g} to {most:g}{', or null' * null}, not {spelt if guessed else repr(value)}"


def _percentage(key: str) -> bool:
    return key.isascii() and key.isdigit() and str(int(key)) == key and 1 <= int(key) <= 100
