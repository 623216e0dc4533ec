"""A deployment's document: what Azure fills in where a PUT says nothing, and the values it refuses."""

from datetime import timedelta
from typing import Any

import isodate

from emulator import skus
from emulator.documents import Document, mapping
from emulator.errors import BadRequest
from emulator.pool import Settings

MAX_TIMEOUT = timedelta(seconds=180)
#: What Azure fills in where a deployment says nothing (reference-yaml-deployment-managed-online).
REQUESTS = {"maxConcurrentRequestsPerInstance": 1, "requestTimeout": "PT5S", "maxQueueWait": "PT0.5S"}
PROBE = {"failureThreshold": 30, "initialDelay": "PT10S", "period": "PT10S", "successThreshold": 1, "timeout": "PT2S"}


def charged(document: Document) -> int:
    return skus.charged(document["properties"]["instanceType"], document["sku"]["capacity"])


def sku(body: Document) -> Document:
    capacity = mapping(body, "sku").get("capacity", 1)
    if type(capacity) is not int or not 1 <= capacity <= skus.MAX_INSTANCES:
        raise BadRequest(f"The instance count must be 1 to {skus.MAX_INSTANCES}, not {capacity!r}.")
    return {"name": "Default", "tier": "Standard", "capacity": capacity}


def properties(given: Document) -> Document:
    """The properties as Azure keeps them: what a no-code PUT leaves out is filled in."""
    if given.get("endpointComputeType", "Managed") != "Managed" or given.get("codeConfiguration"):
        raise BadRequest("The local Azure ML serves managed deployments of MLflow models without scoring code only.")
    kept: Document = {
        "endpointComputeType": "Managed",
        "instanceType": str(given.get("instanceType")),
        "model": given.get("model"),
        "environmentId": given.get("environmentId"),
        "codeConfiguration": None,
        "description": given.get("description"),
        "environmentVariables": mapping(given, "environmentVariables"),
        "properties": mapping(given, "properties"),
        "requestSettings": REQUESTS | _present(mapping(given, "requestSettings")),
        "livenessProbe": PROBE | _present(mapping(given, "livenessProbe")),
        "readinessProbe": PROBE | _present(mapping(given, "readinessProbe")),
        "scaleSettings": {"scaleType": "Default"},
        "appInsightsEnabled": bool(given.get("appInsightsEnabled")),
        "egressPublicNetworkAccess": given.get("egressPublicNetworkAccess") or "Enabled",
        "provisioningState": "Succeeded",
    }
    skus.cores(kept["instanceType"])
    settings(kept)
    return kept


def _present(values: Document) -> Document:
    return {key: value for key, value in values.items() if value is not None}


def settings(properties: Document) -> Settings:
    """The request settings in the pool's units. Raises BadRequest for what Azure's limits refuse."""
    given = properties["requestSettings"]
    timeout = _duration(given["requestTimeout"])
    concurrent = given["maxConcurrentRequestsPerInstance"]
    if not timedelta() < timeout <= MAX_TIMEOUT:
        raise BadRequest(f"The request timeout must be over 0 and at most 180 s, not {given['requestTimeout']}.")
    if type(concurrent) is not int or concurrent < 1:
        raise BadRequest(f"maxConcurrentRequestsPerInstance must be 1 or more, not {concurrent!r}.")
    return Settings(
        request_timeout_ms=round(timeout.total_seconds() * 1000),
        max_concurrent_requests_per_instance=concurrent,
    )


def _duration(text: Any) -> timedelta:
    try:
        duration = isodate.parse_duration(text)
    except (isodate.ISO8601Error, TypeError):
        duration = None
    if not isinstance(duration, timedelta):
        raise BadRequest(f"{text!r} is not an ISO 8601 duration.")
    return duration
