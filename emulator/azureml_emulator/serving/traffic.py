"""What was routed, minute by minute, as the reporters of a gateway tell it: counts, and latencies by deployment.

Within bounds: a day of minutes, and of each a count for every hundredth that a latency is longer than another.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

KEPT = 24 * 60  # minutes
REPORTERS = 3  # take turns; each tells percentiles of its own
STEP = math.log(1.01)
NO_MODEL = "N/A"  # no container answered; what Azure has there is a guess

Answered = tuple[str, str, str]  # deployment, status, model status


@dataclass
class Report:
    """What one reporter saw in one minute."""

    counts: Counter[Answered] = field(default_factory=Counter)
    latencies: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, answered: Answered, milliseconds: float) -> None:
        self.counts[answered] += 1
        self.latencies[answered[0]][round(math.log(max(milliseconds, 0.01)) / STEP)] += 1

    def percentile(self, deployment: str, share: float) -> float:
        """In milliseconds; of a deployment that it saw."""
        slices, passed = self.latencies[deployment], 0
        wanted = max(1, math.ceil(share * slices.total()))
        for step in sorted(slices):
            if (passed := passed + slices[step]) >= wanted:
                break
        return math.exp(step * STEP)

    def mean(self, deployment: str) -> float:
        slices = self.latencies[deployment]
        return sum(math.exp(step * STEP) * count for step, count in slices.items()) / slices.total()

    def document(self) -> list[Any]:
        """As JSON has it."""
        return [
            [[*answered, count] for answered, count in self.counts.items()],
            [[name, *pair] for name, slices in self.latencies.items() for pair in slices.items()],
        ]

    @classmethod
    def sum(cls, reports: "Iterable[Report]") -> "Report":
        """What several saw together."""
        whole = cls()
        for one in reports:
            whole.counts.update(one.counts)
            for name, slices in one.latencies.items():
                whole.latencies[name].update(slices)
        return whole

    @classmethod
    def of(cls, document: list[Any]) -> "Report":
        report = cls(Counter({(name, status, model): count for name, status, model, count in document[0]}))
        for name, step, count in document[1]:
            report.latencies[name][step] = count
        return report


class Traffic:
    """`now` is Azure's time, epoch; `keep` is given each minute when it is over, as a document, or None: it is old."""

    def __init__(self, now: Callable[[], float], keep: Callable[[int, dict[str, Any] | None], None]):
        self._now, self._keep = now, keep
        self._minutes: dict[int, dict[str, list[Report]]] = {}
        self._turn = 0

    def count(self, endpoint: str, answered: Answered, milliseconds: float) -> None:
        minute = int(self._now() // 60)
        if minute not in self._minutes:
            self._turn_over(minute)
        reports = self._minutes[minute].setdefault(endpoint, [Report() for _ in range(REPORTERS)])
        self._turn = (self._turn + 1) % REPORTERS
        reports[self._turn].add(answered, milliseconds)

    def minutes(self, endpoint: str) -> Iterator[tuple[int, list[Report]]]:
        """Since the epoch; those in which it was asked something."""
        yield from ((minute, there[endpoint]) for minute, there in self._minutes.items() if endpoint in there)

    def restore(self, kept: Iterable[dict[str, Any]]) -> None:
        """What `keep` was given before."""
        for document in kept:
            reports = {name: [Report.of(one) for one in found] for name, found in document["endpoints"].items()}
            self._minutes[document["minute"]] = reports

    def close(self) -> None:
        """Keeps the minute that isn't over."""
        if self._minutes:
            self._put(max(self._minutes))

    def _turn_over(self, minute: int) -> None:
        self.close()
        for old in [known for known in self._minutes if known <= minute - KEPT]:
            del self._minutes[old]
            self._keep(old, None)
        self._minutes[minute] = {}

    def _put(self, minute: int) -> None:
        told = {name: [one.document() for one in reports] for name, reports in self._minutes[minute].items()}
        self._keep(minute, {"minute": minute, "endpoints": told})
