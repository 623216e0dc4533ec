"""What a canary's minutes say of it: healthy, unhealthy, or not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Word = Literal["healthy", "unhealthy", "inconclusive"]


@dataclass(frozen=True)
class Verdict:
    """`reason` is one sentence with figures. Pairs are blue's and green's.

    `missing` is how many of green's requests are still needed, `minutes` how long that takes at this percentage; None
    where nothing is missing or nobody can tell. `noticeable` says what would have been noticed by now.
    """

    word: Word
    reason: str
    requests: tuple[float, float]
    failures: tuple[float, float]
    latency: Mapping[str, tuple[float, float]]
    missing: float | None
    minutes: float | None
    noticeable: str
