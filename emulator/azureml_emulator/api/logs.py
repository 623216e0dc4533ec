"""Log Analytics, which is no part of the resource manager: one query, with a token of its own for it."""

from __future__ import annotations

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import Forbidden, NotFound, Unauthorized
from azureml_emulator.arm.messages import Call
from azureml_emulator.arm.names import LOGS
from azureml_emulator.resources import roles, tokens, traffic_log
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.traffic_log import Asked

PATH = f"{tokens.LOGS_PATH}/v1/workspaces/{{customer}}/query"


def query(azure: Azure, call: Call) -> Document:
    """A fault may hide a deployment from it, as from a list. What another workspace is answered is a guess."""
    _admit(azure, call.headers.get("Authorization", ""))
    if call["customer"].lower() != LOGS:
        raise NotFound("The requested path does not exist", "PathNotFoundError")
    now, lag = azure.clock.now(), azure.lag()
    asked = Asked.of(call.document, now)
    endpoints = [found for scope in azure.scopes for found in azure.endpoints.all(scope)]
    logs = {it["id"]: traffic_log.seen(dict(azure.traffic.minutes(it["name"])), now, lag) for it in endpoints}
    if not any(logs.values()):
        raise traffic_log.no_table()
    shown = {found["name"] for found in azure.listed([{"name": name} for name in asked.deployments])}
    rows = (row for id, log in logs.items() if asked.means(id) for row in traffic_log.rows(asked, log))
    return traffic_log.answer(row for row in rows if row[1] in shown)


def _admit(azure: Azure, header: str) -> None:
    """Raises Unauthorized, or Forbidden: also to whoever shows the resource manager's token."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("Authentication failed. The 'Authorization' header is missing.")
    caller = azure.tokens.check(token, tokens.LOGS)
    if not roles.may(azure.roles.of(caller, traffic_log.ID), traffic_log.READ):
        why = "The provided credentials have insufficient access to perform the requested operation"
        raise Forbidden(why, "InsufficientAccessError")
