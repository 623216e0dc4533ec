"""The shell lines that let Azure itself watch an endpoint once its rollout is over, to be read and run.

Running them again changes nothing: the names are always the same, and each `create` replaces what has its name
(cli/azure/monitor/metrics/alert, cli/azure/monitor/diagnostic-settings). An alert on several conditions needs all of
them at once, so there is one for each; what it compares is each deployment's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from scripts.lib.azure.workspace import Workspace
from scripts.lib.setup.azure import Identity, az, command
from scripts.lib.setup.rights import on_logs

TRAFFIC_LOG = "AmlOnlineEndpointTrafficLog"
SETTING = "traffic-log"
#: What a client causes: 424 is answered for whatever the container answers, its refusals among them.
CLIENTS = " or ".join(("400", "404", "405", "413", "415", "422"))
EVERY = "where deployment includes *"


def creation(
    workspace: Workspace,
    endpoint: str,
    failing: str | None,
    latency: str | None,
    action: str | None,
    logs: str | None,
) -> list[str]:
    """Lines for alerts above so many `failing` requests a minute and so much `latency` (P90, milliseconds), which call
    the action group `action`, and for a setting that sends the log of requests to the workspace `logs` (ids both).
    """
    many = f"avg RequestsPerMinute > {failing or 0} {EVERY}"
    scope, group = workspace.endpoint(endpoint), _group(workspace)
    names = _names(workspace, endpoint)
    told = ["--scopes", scope, *(["--action", action] if action else [])]
    conditions = {
        names[0]: f"{many} and statusCodeClass includes 5xx",
        names[1]: f"{many} and statusCode includes 424 and modelStatusCode excludes {CLIENTS}",
        **({names[2]: f"avg RequestLatency_P90 > {latency} {EVERY}"} if latency else {}),
    }
    often = ["--window-size", "15m", "--evaluation-frequency", "1m"]
    return [
        *(
            az("monitor metrics alert create", "--name", name, *group, *told, *often, "--condition", condition)
            for name, condition in conditions.items()
        ),
        *([az("monitor diagnostic-settings create", *_setting(workspace, endpoint), *_sent(logs))] if logs else []),
    ]


def reading(logs: str, logins: Iterable[Identity], arguments: list[str]) -> Iterator[str]:
    """Lines by which live traffic is judged by that log: who judges may read it, and a variable says where it is."""
    for login in logins:
        if login.judges:
            yield f"who={login.ask('principalId')}"
            yield on_logs(logs).give
    found = az("monitor log-analytics workspace show", "--ids", logs, "--query", "customerId", "--output", "tsv")
    yield f'{command(arguments)} --log-analytics-id "$({found})"'


def removal(workspace: Workspace, endpoint: str) -> Iterator[str]:
    """Lines that take away what is there of it: neither goes with the endpoint."""
    alerts = [["metrics alert", "--name", name, *_group(workspace)] for name in _names(workspace, endpoint)]
    for kind, *what in [*alerts, ["diagnostic-settings", *_setting(workspace, endpoint)]]:
        yield f"if there {az(f'monitor {kind} show', *what)}; then {az(f'monitor {kind} delete', *what)}; fi"


def _names(workspace: Workspace, endpoint: str) -> list[str]:
    """One group may have several workspaces."""
    return [f"{workspace.name}-{endpoint}-{kind}" for kind in ("failures", "model-failures", "latency")]


def _group(workspace: Workspace) -> list[str]:
    return ["--subscription", workspace.subscription_id, "--resource-group", workspace.resource_group]


def _setting(workspace: Workspace, endpoint: str) -> list[str]:
    return ["--subscription", workspace.subscription_id, "--name", SETTING, "--resource", workspace.endpoint(endpoint)]


def _sent(logs: str) -> list[str]:
    return ["--workspace", logs, "--logs", json.dumps([{"category": TRAFFIC_LOG, "enabled": True}])]
