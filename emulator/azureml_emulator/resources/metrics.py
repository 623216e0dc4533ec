"""An endpoint's metrics as Azure Monitor tells them: late, averaged, and of what never was no series at all. No HTTP.

The form is that of public recordings of 2021 (rsethur/validate-metrics) and of azure-mgmt-monitor 7, the words of what
is refused those of azure-monitor/essentials/migrate-to-batch-api and of reports; a bad timespan's are a guess. So are
that RequestsPerMinute is the sum of the reporters', how late each of them is, and that a minute of which nobody has
told yet reads as one without requests.
"""

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import ApiError
from azureml_emulator.arm.names import LOCATION, PROVIDER
from azureml_emulator.serving.traffic import KEPT, Report

KIND = "Microsoft.Insights/metrics"
STATUSES = ("statusCode", "statusCodeClass", "modelStatusCode")
#: Seconds after a minute's end at which each reporter tells of it.
LATE = (30, 60, 120)
MOST = 20  # metrics in one call
TOP = 10  # series, unless more are asked for
CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ne)\s+'([^']*)'\s*(?:(and|or)\b|$)", re.IGNORECASE)
Series = dict[tuple[str, ...], dict[int, float]]


class Metric(NamedTuple):
    unit: str
    display: str
    dimensions: tuple[str, ...]
    percentile: float = 0  # of a latency; 0: its mean


LATENCIES = {f"RequestLatency_P{share}": share for share in (50, 90, 95, 99)}
METRICS = {
    "RequestsPerMinute": Metric("Count", "Requests Per Minute", ("deployment", *STATUSES)),
    "RequestLatency": Metric("MilliSeconds", "Request Latency", ("deployment",)),
    **{
        name: Metric("MilliSeconds", f"Request Latency P{share}", ("deployment",), share / 100)
        for name, share in LATENCIES.items()
    },
}
#: What Azure tells of connections nobody counts here.
NOT_EMULATED = ("ConnectionsActive", "NewConnectionsPerSecond", "NetworkBytes")


class Refused(ApiError):
    """Without the envelope that the resource manager's other errors have."""

    status, code, enveloped = 400, "BadRequest", False

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}, TraceId: {{{uuid.uuid4()}}}")

    @property
    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": str(self)}


class Condition(NamedTuple):
    """Of one dimension: which values, and which not; `*` is any."""

    wanted: set[str]
    unwanted: set[str]

    def lets(self, value: str) -> bool:
        return value.lower() not in self.unwanted and (not self.wanted or bool({"*", value.lower()} & self.wanted))


ABSENT = ("orderby", "rollupby", "resultType")  # which may be `data`, as without it


@dataclass(frozen=True)
class Asked:
    """What a call asks for; times are minutes since the epoch. Of deployments that are `hidden` nothing is told."""

    names: tuple[str, ...]
    first: int
    end: int
    timespan: str
    conditions: Mapping[str, Condition]
    averages: bool
    top: int
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, query: Mapping[str, str], now: float) -> "Asked":
        """Raises Refused."""
        if absent := [name for name in ABSENT if query.get(name, "data").lower() != "data"]:
            raise Refused(f"{absent[0]} isn't emulated")
        first, end = timespan(query.get("timespan", ""), now)
        if (interval := query.get("interval", "PT1M")).upper() != "PT1M":
            raise Refused(f"Detected invalid time grain input: {interval}, supported ones are: 00:01:00")
        names = tuple(_known(name.strip()) for name in query.get("metricnames", "RequestsPerMinute").split(","))
        if len(names) > MOST:
            raise Refused(f"The number of requested metrics is {len(names)}, more than {MOST}")
        conditions = _conditions(query.get("$filter", ""))
        for name in names:
            known = {dimension.lower() for dimension in METRICS[name].dimensions}
            if odd := [dimension for dimension in conditions if dimension not in known]:
                supported = ",".join(METRICS[name].dimensions)
                what = f"does not support requested dimension combination: {','.join(odd)}"
                raise Refused(f"Metric: {name} {what}, supported ones are: {supported}")
        if not (top := query.get("top", str(TOP))).isdecimal():
            raise Refused(f"The value of top is no number: {top}")
        told = "/".join(_told(at * 60) for at in (first, end))
        averages = "average" in query.get("aggregation", "Average").lower().split(",")
        first, end = max(first, int(now // 60) - KEPT), min(end, int(now // 60) + 1)
        return cls(names, first, end, told, conditions, averages, int(top))


def answer(id: str, asked: Asked, minutes: Mapping[int, list[Report]], now: float, lag: float) -> Document:
    """What Azure Monitor says of the resource. It comes `lag` minutes later than usual."""
    visible = {
        at: [one for one, late in zip(reports, LATE, strict=True) if now >= (at + 1 + lag) * 60 + late]
        for at, reports in minutes.items()
        if asked.first <= at < asked.end
    }
    return {
        "cost": (asked.end - asked.first) * len(asked.names),
        "timespan": asked.timespan,
        "interval": "PT1M",
        "value": [_metric(id, name, asked, visible) for name in asked.names],
        "namespace": f"{PROVIDER}/workspaces/onlineEndpoints",
        "resourceregion": LOCATION,
    }


def _metric(id: str, name: str, asked: Asked, minutes: Mapping[int, list[Report]]) -> Document:
    metric, series = METRICS[name], defaultdict[tuple[str, ...], dict[int, float]](dict)
    for at, reports in minutes.items():
        for key, value in _values(metric, reports, asked):
            series[key][at] = value
    return {
        "id": f"{id}/providers/{KIND}/{name}",
        "type": KIND,
        "name": _localized(name),
        "displayDescription": f"{metric.display}, aggregated over a minute.",
        "unit": metric.unit,
        "timeseries": [_series(key, series[key], asked) for key in sorted(series)[: asked.top]],
        "errorCode": "Success",
    }


def _values(metric: Metric, reports: list[Report], asked: Asked) -> Iterator[tuple[tuple[str, ...], float]]:
    """By the dimensions that are asked for, of one minute."""
    if metric.unit == "Count":
        counts: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for (deployment, status, model), count in ((key, n) for one in reports for key, n in one.counts.items()):
            values = (deployment, status, f"{status[0]}xx", model)
            known = dict(zip(map(str.lower, metric.dimensions), values, strict=True))
            if deployment not in asked.hidden and all(
                condition.lets(known[name]) for name, condition in asked.conditions.items()
            ):
                counts[tuple(known[name] for name in asked.conditions)] += count
        yield from counts.items()
        return
    told = defaultdict[tuple[str, ...], list[float]](list)
    for one in reports:
        for name in one.latencies:
            if name not in asked.hidden and all(condition.lets(name) for condition in asked.conditions.values()):
                value = one.percentile(name, metric.percentile) if metric.percentile else one.mean(name)
                told[(name,) * len(asked.conditions)].append(value)
    yield from ((key, sum(values) / len(values)) for key, values in told.items())


def _series(key: tuple[str, ...], values: Mapping[int, float], asked: Asked) -> Document:
    names = [{"name": _localized(name), "value": value} for name, value in zip(asked.conditions, key, strict=True)]
    data: list[Document] = [{"timeStamp": _told(at * 60)} for at in range(asked.first, asked.end)]
    if asked.averages:
        for at, point in zip(range(asked.first, asked.end), data, strict=True):
            point["average"] = float(values.get(at, 0))
    return {"metadatavalues": names, "data": data}


def _conditions(text: str) -> dict[str, Condition]:
    """By the dimension, in lower case as it is answered. Raises Refused."""
    found: dict[str, Condition] = {}
    position, before = 0, ("", "")
    while text.strip() and position < len(text):
        if (clause := CLAUSE.match(text, position)) is None:
            raise Refused(f"The filter can't be read: {text}")
        name, operator, value, joint = clause[1].lower(), clause[2].lower(), clause[3].lower(), clause[4] or ""
        if before[1] == "or" and before[0] != name:
            raise Refused(f"The logical or operator cannot separate two different metadata names: {text}")
        condition = found.setdefault(name, Condition(set(), set()))
        (condition.wanted if operator == "eq" else condition.unwanted).add(value)
        position, before = clause.end(), (name, joint.lower())
    if before[1]:
        raise Refused(f"The filter can't be read: {text}")
    return found


def _known(name: str) -> str:
    """As Azure spells it. Raises Refused."""
    spelt = {known.lower(): known for known in (*METRICS, *NOT_EMULATED)}.get(name.lower())
    if spelt is None:
        valid = ",".join((*METRICS, *NOT_EMULATED))
        what = (
            f"provider: {PROVIDER}, resource Type: workspaces/onlineEndpoints, metric: {name}, Valid metrics: {valid}"
        )
        raise Refused(f"Failed to find metric configuration for {what}")
    if spelt in NOT_EMULATED:
        raise Refused(f"{spelt} isn't emulated")
    return spelt


def timespan(text: str, now: float) -> tuple[int, int]:
    """The first minute, and the one after the last, of the hour past if nothing is said. Raises Refused."""
    if not text:
        return int(now // 60) - 60, int(now // 60)
    try:
        start, end = (_epoch(part) for part in text.split("/"))
    except (ValueError, OverflowError):
        raise Refused(f"Failed to parse timespan: {text}") from None
    if start >= end:
        raise Refused(f"The start time of the timespan must be before its end time: {text}")
    return int(start // 60), int(-(-end // 60))


def _epoch(text: str) -> float:
    at = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip().replace(" ", "+")))
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()


def _told(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _localized(name: str) -> Document:
    return {"value": name, "localizedValue": name}
