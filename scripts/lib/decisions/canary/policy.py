"""endpoints/rollout-policy.yml: what each stage of a rollout must show, and for how long it may try."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import Document

FILE = Path("endpoints/rollout-policy.yml")
LONGEST = 340.0  # minutes: a job that judges lasts up to ten more, and one out of its 350 would roll back
ALPHA = "alpha"
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
MAY_BE_NULL = "latency_budget"


@dataclass(frozen=True)
class StagePolicy:
    """One stage's, with green at `percent`; the file explains the rest. No `latency_budget`: latency isn't judged."""

    percent: int
    bake_minutes: float
    deadline_minutes: float
    alpha: float
    tolerated_rise: float
    latency_budget: float | None
    fewest_requests: float


@dataclass(frozen=True)
class RolloutPolicy:
    """The whole file; its `alpha` is the sum that those of the stages stay below."""

    alpha: float
    delay_minutes: float
    before_minutes: float
    stages: Mapping[int, StagePolicy]

    def stage(self, percent: int) -> StagePolicy:
        """The policy at a percentage: what the file has for it, or for the next lower one, or the lowest."""
        return self.stages[max((at for at in self.stages if at <= percent), default=min(self.stages))]


def policy(document: Document, file: str) -> RolloutPolicy:
    """What the file says. Raises Refused with file, line and key for each that is wrong."""
    wrong = list(_wrong(document.content))
    if wrong:
        lines = document.lines
        raise Refused("\n".join(f"{file}, line {lines.get(path, 1)}: `{'.'.join(path)}` {why}." for path, why in wrong))
    said = {key: value for key, value in document.content.items() if key in ROLLOUT}
    stages = {int(key): StagePolicy(int(key), **value) for key, value in document.content.items() if key not in ROLLOUT}
    return RolloutPolicy(**said, stages=stages)


def _wrong(content: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The place of each key that is wrong, and why."""
    stages = {key: value for key, value in content.items() if _percentage(key)}
    rest = {key: value for key, value in content.items() if key not in stages}
    found = [*_numbers(rest, ROLLOUT, (), ', and stages like "10"')]
    for key, value in stages.items():
        if isinstance(value, dict):
            found += _stage(key, value)
        else:
            found.append(((key,), f"must hold {', '.join(STAGE)}"))
    yield from found
    if not stages:
        yield (ALPHA,), 'is all there is: a stage is missing, as in `"10": {bake_minutes: 10, …}`'
    if not found and (spent := sum(value[ALPHA] for value in stages.values())) > content[ALPHA] + 1e-9:
        yield (ALPHA,), f"is {content[ALPHA]}, but those of the stages add up to {spent:.6g}: lower them"


def _stage(key: str, said: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    wrong = list(_numbers(said, STAGE, (key,), ""))
    yield from wrong
    if not wrong and said["deadline_minutes"] < said["bake_minutes"]:
        yield (key, "deadline_minutes"), f"ends before its bake_minutes, {said['bake_minutes']}"


def _numbers(
    said: Mapping[str, Any], known: Mapping[str, tuple[float, float]], at: tuple[str, ...], more: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in said.items():
        if key not in known:
            near = get_close_matches(key.lower(), known, 1)
            there = f"write `{near[0]}`" if near else f"there is {', '.join(known)}{more}"
            yield (*at, key), f"is no key that is known: {there}"
        elif why := _no_number(value, *known[key], null=key == MAY_BE_NULL):
            yield (*at, key), why
    for key in known.keys() - said.keys():
        yield (*at, key), "is missing"


def _no_number(value: Any, least: float, most: float, null: bool) -> str:
    """Why it is none from `least` to `most`, "" where it is one."""
    if value is None and null:
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and least <= value <= most:
        return ""
    return f"must be a number from {least:g} to {most:g}{', or null' * null}, not {value!r}"


def _percentage(key: str) -> bool:
    return key.isascii() and key.isdigit() and str(int(key)) == key and 1 <= int(key) <= 100
