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
from scripts.lib.decisions import ends, lfs, requests
from scripts.lib.decisions.requests import Body
from scripts.lib.decisions.state import Refused

SAMPLE, ROWS = Path("endpoints/sample-request.json"), Path("endpoints/smoke-requests.json")
LONGEST, SLACK = 180.0, 5.0  # seconds: an endpoint answers within 180 (how-to-manage-quotas); the way there and back


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
    from requests import RequestException, post

    headers = {"Authorization": f"Bearer {token}"} | ({"azureml-model-deployment": deployment} if deployment else {})
    if not uri:
        raise Refused("the endpoint has no scoring URI: Azure hasn't finished creating it. Look with show_endpoint.")
    started = time.perf_counter()
    try:
        answer = post(uri, json=body, headers=headers, timeout=within + SLACK, allow_redirects=False)
    except RequestException as error:
        raise Unanswered(f"the endpoint's scoring URI can't be reached: {redact(error)}") from error
    return Answer(answer.status_code, answer.headers, answer.text, time.perf_counter() - started)


def load_request(path: Path) -> Body:
    """A JSON object to send. Ends with exit code 2 where the file is none. Raises Refused for a pointer to one."""
    body = _load(path)
    if not isinstance(body, dict):
        raise click.BadParameter(f"{path} is not a JSON object.")
    return body


def load_requests(path: Path) -> list[Body]:
    """The requests of a file, rows of a frame one by one. Ends with exit code 2 where one is none that Azure takes."""
    try:
        return requests.each(_load(path))
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}") from error


def _load(path: Path) -> Any:
    if not path.is_file():
        raise click.BadParameter(f"{path} is missing.")
    lfs.check(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not JSON: {error}") from error


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
