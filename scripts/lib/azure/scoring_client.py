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
from scripts.lib.decisions.state import Refused

SAMPLE = Path("endpoints/sample-request.json")
TIMEOUT = 185.0  # seconds; an endpoint answers within 180 (how-to-manage-quotas)
TRANSIENT = frozenset({429, 503})


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


def primary_key(endpoint: OnlineEndpoint) -> str:
    """Raises Refused where the endpoint has none: another auth mode."""
    keys: Any = endpoint.client.online_endpoints.get_keys(endpoint.name)
    if not getattr(keys, "primary_key", None):
        raise Refused(f"{endpoint.name} has no keys; these scripts need `auth_mode: key`.")
    return str(keys.primary_key)


def score(uri: str, key: str, body: Any, deployment: str | None = None) -> Answer:
    """POST `body` as JSON; `deployment` passes by the split. Raises Refused when nobody answers."""
    import requests

    headers = {"Authorization": f"Bearer {key}"} | ({"azureml-model-deployment": deployment} if deployment else {})
    started = time.perf_counter()
    try:
        answer = requests.post(uri, json=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise Refused(f"the endpoint's scoring URI can't be reached: {redact(error)}") from error
    return Answer(answer.status_code, answer.headers, answer.text, time.perf_counter() - started)


def score_patiently(uri: str, key: str, body: Any, deployment: str, tries: int = 5) -> Answer:
    """As `score`, but asks again after a second where the answer is 429 or 503: busy for the moment."""
    for _ in range(tries - 1):
        answer = score(uri, key, body, deployment)
        if answer.status not in TRANSIENT:
            return answer
        time.sleep(1)
    return score(uri, key, body, deployment)


def load_request(path: Path) -> dict[str, Any]:
    """A request file: a JSON object. Ends with exit code 2 where it is none."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.BadParameter(f"{path} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise click.BadParameter(f"{path} is not a JSON object.")
    return body
