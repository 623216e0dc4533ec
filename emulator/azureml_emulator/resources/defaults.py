"""A deployment's document: what Azure fills in where a PUT says nothing, and the values it refuses."""

from datetime import timedelta
from typing import Any

import isodate

from azureml_emulator.arm.documents import ACCESS, Document, choice, mapping, text, texts
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.resources import skus
from azureml_emulator.serving.pool import Settings
from azureml_emulator.serving.supervision import Probe

MAX_TIMEOUT = timedelta(seconds=180)
MAX_CONCURRENT = 10_000  # a guess: no page names a limit
INT32 = 2**31 - 1
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
        "model": text(given, "model"),
        "environmentId": text(given, "environmentId"),
        "codeConfiguration": None,
        "description": text(given, "description"),
        "environmentVariables": texts(given, "environmentVariables"),
        "properties": texts(given, "properties"),
        "requestSettings": _filled(REQUESTS, mapping(given, "requestSettings")),
        "livenessProbe": _filled(PROBE, mapping(given, "livenessProbe")),
        "readinessProbe": _filled(PROBE, mapping(given, "readinessProbe")),
        "scaleSettings": {"scaleType": "Default"},
        "appInsightsEnabled": bool(given.get("appInsightsEnabled")),
        "egressPublicNetworkAccess": choice(given, "egressPublicNetworkAccess", ACCESS),
        "provisioningState": "Succeeded",
    }
    skus.cores(kept["instanceType"])
    settings(kept)
    return kept


def _filled(defaults: Document, given: Document) -> Document:
    """What was given of the known fields, the defaults for the rest."""
    return {key: default if given.get(key) is None else given[key] for key, default in defaults.items()}


def settings(properties: Document, clock: float = 1) -> Settings:
    """The request settings and probes in the pool's units. Raises BadRequest for what Azure's limits refuse."""
    given = properties["requestSettings"]
    timeout = _duration(given["requestTimeout"])
    concurrent = given["maxConcurrentRequestsPerInstance"]
    if not timedelta() < timeout <= MAX_TIMEOUT:
        raise BadRequest(f"The request timeout must be over 0 and at most 180 s, not {given['requestTimeout']}.")
    if type(concurrent) is not int or not 1 <= concurrent <= MAX_CONCURRENT:
        limit = f"1 or more and at most {MAX_CONCURRENT}"
        raise BadRequest(f"maxConcurrentRequestsPerInstance must be {limit}, not {concurrent!r}.")
    _duration(given["maxQueueWait"])
    return Settings(
        request_timeout_ms=round(timeout.total_seconds() * 1000),
        max_concurrent_requests_per_instance=concurrent,
        liveness=_probe(properties["livenessProbe"]),
        readiness=_probe(properties["readinessProbe"]),
        clock=clock,
    )


def _probe(given: Document) -> Probe:
    """A probe in seconds. That what is refused here is refused by Azure is a guess: Kubernetes does."""
    delay, period, timeout = (_duration(given[name]).total_seconds() for name in ("initialDelay", "period", "timeout"))
    thresholds = given["failureThreshold"], given["successThreshold"]
    if delay < 0 or period <= 0 or timeout <= 0:
        raise BadRequest("A probe's period and timeout must be over 0, its initial delay 0 or more.")
    if any(type(threshold) is not int or not 1 <= threshold <= INT32 for threshold in thresholds):
        raise BadRequest(f"A probe's thresholds must be whole numbers of 1 or more, not {thresholds}.")
    return Probe(delay, period, timeout, *thresholds)


def _duration(text: Any) -> timedelta:
    try:
        duration = isodate.parse_duration(text)
    except (isodate.ISO8601Error, TypeError, ArithmeticError):
        duration = None
    if not isinstance(duration, timedelta):
        raise BadRequest(f"{text!r} is not an ISO 8601 duration.")
    return duration
