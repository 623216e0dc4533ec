"""The log of endpoints' requests as Log Analytics tells it: to one query, in minutes. No HTTP.

The names are those of the table AmlOnlineEndpointTrafficLog, the errors those of azure-monitor/logs/api/errors and of
reports (Azure/azure-quickstart-templates#5174). How late each part of a minute's rows comes is a guess, as is that a
table isn't there before its first row. Every endpoint's log goes to the one workspace there is.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import ApiError, BadRequest
from azureml_emulator.arm.names import GROUP, SUBSCRIPTION
from azureml_emulator.resources.metrics import Refused, timespan
from azureml_emulator.serving.traffic import NO_MODEL, Report

TABLE = "AmlOnlineEndpointTrafficLog"
PROVIDER = "Microsoft.OperationalInsights"
NAME = "local"
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{PROVIDER}/workspaces/{NAME}"
READ = f"{PROVIDER}/workspaces/query/{TABLE}/read"
#: Seconds after a minute's end at which each part of its rows is there.
LATE = (60, 120, 240)
PERCENTILES = (50, 90, 95, 99)
COLUMNS = {
    "minute": "datetime", "DeploymentName": "string", "what": "string", "status": "string", "model": "string",
    "value": "real",
}  # fmt: skip
#: The query that is understood, in which four texts may differ.
QUERY = f"""
let rows = {TABLE}
| where strcat(_ResourceId, "/") startswith <workspace> and EndpointName =~ <endpoint>
    and DeploymentName in~ (<one>, <other>)
| extend minute = bin(TimeGenerated, 1m), status = tostring(ResponseCode), model = tostring(ModelStatusCode);
union
    (rows | summarize value = todouble(count()) by minute, DeploymentName, status, model | extend what = "requests"),
    (rows | summarize values = percentiles_array(TotalDurationMs, 50, 90, 95, 99) by minute, DeploymentName
        | mv-expand what = dynamic(["P50", "P90", "P95", "P99"]) to typeof(string), value = values to typeof(real))
| project minute, DeploymentName, what, status, model, value
"""
TEXT = r'"(?:[^"\\\\]|\\\\.)*"'
UNDERSTOOD = re.compile(re.sub(r"<(\w+)>", rf"(?P<\1>{TEXT})", re.escape(" ".join(QUERY.split()))))


class Asked(NamedTuple):
    """Whose requests, by which of its deployments, from the minute `first` on and before `end`."""

    workspace: str
    endpoint: str
    deployments: tuple[str, str]
    first: int
    end: int

    @classmethod
    def of(cls, body: Document, now: float) -> "Asked":
        """Raises BadRequest for any other query."""
        query = str(body.get("query") or "")
        if (found := UNDERSTOOD.fullmatch(" ".join(query.split()))) is None:
            what = f"Of Log Analytics one query of {TABLE} is emulated; this one isn't emulated: {query}"
            raise BadRequest(what, "BadArgumentError")
        try:
            first, end = timespan(str(body.get("timespan") or ""), now)
        except Refused as refusal:
            raise BadRequest(str(refusal), "BadArgumentError") from None
        workspace, endpoint, *both = (json.loads(text).lower() for text in found.groups())
        return cls(workspace, endpoint, (both[0], both[1]), first, end)

    def means(self, id: str) -> bool:
        """Whether the rows of the endpoint with this id are asked for."""
        return f"{id}/".lower().startswith(self.workspace) and id.rpartition("/")[2].lower() == self.endpoint


def answer(rows: Iterable[list[Any]]) -> Document:
    columns = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": list(rows)}]}


def no_table() -> ApiError:
    """What is said of a table that nothing was ever written to."""
    why = f"'where' operator: Failed to resolve table or column expression named '{TABLE}'"
    inner = {"code": "SemanticError", "message": "A semantic error occurred.",
             "innererror": {"code": "SEM0100", "message": why}}  # fmt: skip
    return BadRequest("The request had some invalid properties", "BadArgumentError", innererror=inner)


def seen(minutes: Mapping[int, list[Report]], now: float, lag: float) -> dict[int, Report]:
    """What has come of each minute; all of it `lag` minutes later than usual."""
    parts = {
        at: [one for one, late in zip(reports, LATE, strict=True) if now >= (at + 1 + lag) * 60 + late]
        for at, reports in minutes.items()
    }
    return {at: whole for at, found in parts.items() if (whole := Report.sum(found)).counts}


def rows(asked: Asked, minutes: Mapping[int, Report]) -> Iterator[list[Any]]:
    """Those of the query's answer."""
    for at, report in minutes.items():
        if asked.first <= at < asked.end:
            yield from _rows(datetime.fromtimestamp(60 * at, timezone.utc).isoformat(), report, asked.deployments)


def _rows(minute: str, report: Report, deployments: Iterable[str]) -> Iterator[list[Any]]:
    for (name, status, model), count in report.counts.items():
        if name in deployments:
            yield [minute, name, "requests", status, "" if model == NO_MODEL else model, float(count)]
    for name in report.latencies:
        if name in deployments:
            for share in PERCENTILES:
                yield [minute, name, f"P{share}", "", "", report.percentile(name, share / 100)]
