"""What Log Analytics tells of an endpoint's live traffic: true counts and percentiles, of a row for each request.

The table is AmlOnlineEndpointTrafficLog, which diagnostic settings fill: minutes late, and not all of a minute at once.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from scripts.lib.azure.endpoint import LOOKING, OnlineEndpoint
from scripts.lib.azure.errors import UNREADABLE, explain
from scripts.lib.azure.trying import asked
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import CALLS, manager
from scripts.lib.decisions.canary import points
from scripts.lib.decisions.canary.minutes import Evidence, NoEvidence
from scripts.lib.decisions.canary.points import LATEST, MINUTE, Point, Window

SOURCE = "Log Analytics"
VARIABLE = "LOG_ANALYTICS_WORKSPACE_ID"
QUERY = """
let rows = AmlOnlineEndpointTrafficLog
| where strcat(_ResourceId, "/") startswith {workspace} and EndpointName =~ {endpoint}
    and DeploymentName in~ ({blue}, {green})
| extend minute = bin(TimeGenerated, 1m), status = tostring(ResponseCode), model = tostring(ModelStatusCode);
union
    (rows | summarize value = todouble(count()) by minute, DeploymentName, status, model | extend what = "requests"),
    (rows | summarize values = percentiles_array(TotalDurationMs, 50, 90, 95, 99) by minute, DeploymentName
        | mv-expand what = dynamic(["P50", "P90", "P95", "P99"]) to typeof(string), value = values to typeof(real))
| project minute, DeploymentName, what, status, model, value
"""


def evidence(
    endpoint: OnlineEndpoint, blue: str, green: str, since: datetime, *, delay: timedelta, before: timedelta, log: str
) -> Evidence:
    """As Azure Monitor's (metrics.py), from the workspace with the customer id `log`. Its newest row is its "now": what
    is as old as `delay` then gets no more.

    Raises NoEvidence, with the reason, where the log can't be read, or is behind.
    """
    try:
        now = endpoint.workspace.now()
        found = _ask(endpoint, log, blue, green, Window.of(since, now, delay, before).start, now)
    except UNREADABLE as error:
        raise NoEvidence(f"{SOURCE} answers what can't be read: {error!r}") from error
    except Exception as error:
        if isinstance(error, NoEvidence) or (why := explain(error)) is None:
            raise
        raise NoEvidence(f"{SOURCE} can't be read: {why}") from error
    told = min(now, max((point.start + MINUTE for point in found), default=now - 2 * LATEST))
    if told < now - LATEST:
        raise NoEvidence(f"{SOURCE} tells of no request in the last {LATEST // MINUTE} minutes")
    return points.evidence(found, blue, green, Window.of(since, told, delay, before), told, SOURCE)


def _ask(endpoint: OnlineEndpoint, log: str, blue: str, green: str, start: datetime, end: datetime) -> list[Point]:
    """The names are put as JSON writes them, which Kusto reads alike: none of them can end its text."""
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", log, re.IGNORECASE | re.ASCII):
        raise NoEvidence(f"{VARIABLE} is no customer id: az monitor log-analytics workspace show tells it (customerId)")
    workspace = endpoint.workspace
    names = {"workspace": f"{workspace.id}/", "endpoint": endpoint.name, "blue": blue, "green": green}
    query = QUERY.format_map({name: json.dumps(text, ensure_ascii=False) for name, text in names.items()})
    call = lambda: _client(endpoint).query_workspace(log, query, timespan=(start, end))  # noqa: E731
    answer = asked(workspace, Deadline(LOOKING), call)
    if error := getattr(answer, "partial_error", None):
        raise NoEvidence(f"{SOURCE} answers in part only: {error.code}: {error.message}")
    return [
        Point(
            row["DeploymentName"], row["minute"].astimezone(timezone.utc), float(row["value"] or 0), row["what"], *about
        )
        for row in answer.tables[0].rows
        for about in [[str(row[name] or "") for name in ("status", "model")]]
    ]


def _client(endpoint: OnlineEndpoint) -> Any:
    """Its answers are dated, too: who looks at the log alone hears no other clock of Azure's."""
    from azure.monitor.query import LogsQueryClient

    workspace, options = endpoint.workspace, {**CALLS, "raw_response_hook": endpoint.workspace.hear}
    return LogsQueryClient(workspace.credential, endpoint=_service(manager()[0]), **options)


@cache
def _service(base: str) -> str:
    """Where logs are asked in the cloud of this resource manager, by its own word; tokens are for the same address."""
    from azure.core import PipelineClient
    from azure.core.rest import HttpRequest, HttpResponse

    request = HttpRequest("GET", f"{base}/metadata/endpoints", params={"api-version": "2022-09-01"})
    with PipelineClient[HttpRequest, HttpResponse](base, **CALLS) as client:
        answer = client.send_request(request)
        answer.raise_for_status()
        found = answer.json()
    clouds = found if isinstance(found, list) else [found]
    [here] = [cloud for cloud in clouds if cloud["resourceManager"].strip("/") == base]
    return str(here["logAnalyticsResourceId"]).strip("/")
