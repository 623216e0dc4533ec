"""What Azure Monitor tells of an endpoint's live traffic (azure-monitor/reference/supported-metrics).

RequestsPerMinute is an average over what several reporters counted. Whether that is their sum isn't documented: where
it is their mean, the judgement has fewer requests than there were, and is slower for it, not wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from scripts.lib.azure.endpoint import LOOKING, OnlineEndpoint
from scripts.lib.azure.errors import UNREADABLE, Passing, explain
from scripts.lib.azure.trying import asked
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import CALLS, Workspace, manager
from scripts.lib.decisions.canary import points
from scripts.lib.decisions.canary.minutes import PERCENTILES, Evidence, NoEvidence
from scripts.lib.decisions.canary.points import MINUTE, Point, Usual, Window

SOURCE = "Azure Monitor"
REQUESTS = "RequestsPerMinute"
LATENCY = "RequestLatency_"
HOUR = timedelta(hours=1)
SERIES = 200  # without that Azure tells of ten, whichever they are


def evidence(
    endpoint: OnlineEndpoint, blue: str, green: str, since: datetime, *, delay: timedelta, before: timedelta
) -> Evidence:
    """What was told of both since the split, in minutes that ended `delay` ago, and of blue in the time `before` it.

    Two calls. "Now" is Azure's. Raises NoEvidence, with the reason, where Azure Monitor can't be read.
    """
    try:
        now = endpoint.workspace.now()
        window = Window.of(since, now, delay, before)
        pair = f"deployment eq '{blue}' or deployment eq '{green}'"
        counted = _ask(endpoint, REQUESTS, window, f"{pair} and statusCode eq '*' and modelStatusCode eq '*'")
        latencies = _ask(endpoint, ",".join(LATENCY + name for name in PERCENTILES), window, pair)
    except Exception as error:
        if isinstance(error, NoEvidence) or (why := explain(error)) is None:
            raise
        raise NoEvidence(f"{SOURCE} can't be read, so nothing is known of the traffic: {why}") from error
    return points.evidence([*counted, *latencies], blue, green, window, now, SOURCE)


def usual(endpoint: OnlineEndpoint, *, delay: timedelta) -> Usual:
    """The last hour that ended `delay` ago. Two calls: statuses are no dimension of latencies."""
    now = endpoint.workspace.now()
    window = Window.of(now - delay - HOUR, now, delay, timedelta())
    counted = _ask(endpoint, REQUESTS, window, "deployment eq '*' and statusCode eq '*' and modelStatusCode eq '*'")
    latencies = _ask(endpoint, f"{LATENCY}P90", window, "deployment eq '*'")
    return points.usual([*counted, *latencies], (window.end - window.start) / MINUTE)


def _ask(endpoint: OnlineEndpoint, names: str, window: Window, wanted: str) -> list[Point]:
    workspace = endpoint.workspace
    uri = workspace.endpoint(endpoint.name).lstrip("/")
    timespan = "/".join(at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (window.start, window.end))
    query = {"metricnames": names, "aggregation": "Average", "top": SERIES, "filter": wanted}

    def call() -> list[Point]:
        try:
            answer = _client(workspace).metrics.list(uri, timespan=timespan, interval="PT1M", **query)
            return [point for metric in answer.value for point in _points(metric)]
        except UNREADABLE as error:
            raise Passing(f"it answers what can't be read: {error!r}") from error

    return asked(workspace, Deadline(LOOKING), call)


def _points(metric: Any) -> Iterator[Point]:
    """Names of dimensions come back in lower case."""
    if (metric.error_code or "Success") != "Success":
        raise Passing(f"it tells no {metric.name.value}: {metric.error_code}: {metric.error_message or 'nothing more'}")
    kind = metric.name.value.removeprefix(LATENCY) if metric.name.value != REQUESTS else "requests"
    for series in metric.timeseries:
        said = {pair.name.value.lower(): pair.value for pair in series.metadatavalues}
        about = said.get("deployment", ""), said.get("statuscode", ""), said.get("modelstatuscode", "")
        for point in series.data:
            yield Point(about[0], point.time_stamp.astimezone(timezone.utc), point.average or 0.0, kind, *about[1:])


def _client(workspace: Workspace) -> Any:
    """It doesn't know the variables that lead azure-ai-ml to another cloud, so that is told."""
    from azure.mgmt.monitor import MonitorManagementClient

    base, scopes = manager()
    options = {**CALLS, "credential_scopes": scopes, "raw_response_hook": workspace.hear}
    return MonitorManagementClient(workspace.credential, workspace.subscription_id, base, **options)
