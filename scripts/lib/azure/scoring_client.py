"""Requests to an endpoint, by plain HTTP: the SDK's `invoke`, once told a deployment, sends all later calls there."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import redact
from scripts.lib.azure.waiting import ANSWER, Deadline, answered
from scripts.lib.decisions import ends, lfs
from scripts.lib.decisions.state import Refused

SAMPLE, ROWS = Path("endpoints/sample-request.json"), Path("endpoints/smoke-requests.json")
LONGEST, SLACK = 180.0, 5.0  # seconds: an endpoint answers within 180 (how-to-manage-quotas); the way there and back
Body = dict[str, Any]


class Unanswered(Refused):
    """Nobody answered a request: refused, lost on the way, not found, or too late."""

    exit_code = ends.UNREACHED


@dataclass(frozen=True)
class Answer:
    """`body` is text, `deployment` who answered by its own header, `seconds` from sending to the last byte."""

    status: int
    headers: Mapping[str, str]
    body: str
    seconds: float

    @property
    def deployment(self) -> str:
        return self.headers.get("azureml-model-deployment", "")


def bearer(endpoint: OnlineEndpoint) -> str:
    """What opens the endpoint, by its `auth_mode`: its key, its own token, or one of the login for Azure ML.

    Raises Refused where Azure gives none.
    """
    given: Any = answered(Deadline(ANSWER), lambda: endpoint.client.online_endpoints.get_keys(endpoint.name))
    found = getattr(given, "primary_key", None) or getattr(given, "access_token", None)
    if not found:
        raise Refused(f"Azure gives neither key nor token for {endpoint.name}. Look with show_endpoint.")
    return str(found)


def score(uri: str, token: str, body: Any, deployment: str | None = None, within: float = LONGEST) -> Answer:
    """POST `body` as JSON; `token` is what `bearer` gives, `deployment` passes by the split.

    `within` is the deployment's own limit, in seconds. Raises Unanswered, and Refused for an empty `uri`.
    """
    import requests

    headers = {"Authorization": f"Bearer {token}"} | ({"azureml-model-deployment": deployment} if deployment else {})
    if not uri:
        raise Refused("the endpoint has no scoring URI: Azure hasn't finished creating it. Look with show_endpoint.")
    started = time.perf_counter()
    try:
        answer = requests.post(uri, json=body, headers=headers, timeout=within + SLACK, allow_redirects=False)
    except requests.RequestException as error:
        raise Unanswered(f"the endpoint's scoring URI can't be reached: {redact(error)}") from error
    return Answer(answer.status_code, answer.headers, answer.text, time.perf_counter() - started)


def load_request(path: Path) -> Body:
    """A request file: a JSON object. Ends with exit code 2 where it is none. Raises Refused for a pointer to one."""
    lfs.check(path)
    try:
        body = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise click.BadParameter(f"{path} is not a JSON object.")
    return body


def alone(body: Body) -> list[Body]:
    """One request for each row of a request. Ends with exit code 2 where it isn't MLflow's split form."""
    frame = body.get("input_data")
    columns, data = (frame.get("columns"), frame.get("data")) if isinstance(frame, dict) else (None, None)
    if not (isinstance(columns, list) and columns and isinstance(data, list) and data) or not all(
        isinstance(row, list) and len(row) == len(columns) for row in data
    ):
        raise click.BadParameter('the requests must be {"input_data": {"columns": […], "data": [[…], …]}}, with rows.')
    return [{"input_data": {"columns": columns, "index": [0], "data": [row]}} for row in data]


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
