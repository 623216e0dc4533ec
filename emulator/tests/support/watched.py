"""An Azure whose minutes are short, with an endpoint of two deployments that is asked, and told of."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from azureml_emulator.arm.names import LOGS
from azureml_emulator.resources import traffic_log
from azureml_emulator.resources.tokens import LOGS_PATH
from azureml_emulator.testing import Arm
from tests.support.served import keys, score

MINUTE = 0.4  # seconds of one


def now(arm: Arm) -> datetime:
    """By the Date header, as scripts know it."""
    return parsedate_to_datetime(arm("GET", "onlineEndpoints").headers["Date"])


def send(arm: Arm, deployment: str, number: int = 1, body: Any = None) -> list[requests.Response]:
    key, more = keys(arm, "watched")["primaryKey"], {} if body is None else {"body": body}
    return [score(arm, "watched", key, **more, **{"azureml-model-deployment": deployment}) for _ in range(number)]


def wait(minutes: float) -> None:
    time.sleep(minutes * MINUTE)


def logs(arm: Arm, query: str = "", **more: Any) -> Any:
    """What the SDK makes of the traffic log of both deployments, of the last half hour."""
    from azure.identity import DefaultAzureCredential
    from azure.monitor.query import LogsQueryClient

    names = {"workspace": f"{arm.workspace}/", "endpoint": "WATCHED", "one": "blue", "other": "green", **more}
    said = query or re.sub(r"<(\w+)>", lambda name: json.dumps(names[name[1]]), traffic_log.QUERY)
    client = LogsQueryClient(DefaultAzureCredential(), endpoint=f"{arm.base}{LOGS_PATH}", retry_total=0)
    return client.query_workspace(LOGS, said, timespan=(now(arm) - timedelta(minutes=30), now(arm)))
