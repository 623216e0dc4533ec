"""What live traffic showed of two deployments, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from scripts.lib.decisions.state import Refused

PERCENTILES = ("P50", "P90", "P95", "P99")


class NoEvidence(Refused):
    """The metrics can't be had. The message says whether a right is missing or Azure doesn't answer."""


@dataclass(frozen=True)
class Minute:
    """One closed minute of one deployment. Azure tells averages, so the counts may be fractions.

    `start` is its first second, UTC. `failures` are the model's or the platform's doing (424, 5xx), `client_errors`
    the 4xx that clients cause; both are among the `requests`. `latency` is in milliseconds by its PERCENTILES; what
    isn't there wasn't told.
    """

    start: datetime
    requests: float
    failures: float
    client_errors: float
    latency: Mapping[str, float]


@dataclass(frozen=True)
class Evidence:
    """What was told of an endpoint: the same closed minutes of blue and green since the split, and blue's `before` it.

    `until` is the end of the newest minute that counts, `source` who counted: "Azure Monitor" or "Log Analytics", and
    why it isn't the one that was to.
    """

    blue: tuple[Minute, ...]
    green: tuple[Minute, ...]
    before: tuple[Minute, ...]
    until: datetime
    source: str
