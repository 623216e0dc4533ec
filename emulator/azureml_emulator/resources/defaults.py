"""A deployment's document: what Azure fills in where a PUT says nothing, and the values it refuses."""

import contextlib
from datetime import timedelta
from typing import Annotated, Any, Literal

import isodate
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.sent import Access, Sent, Texts, Tracked, any_case, not_emulated
from azureml_emulator.resources import skus
from azureml_emulator.serving.pool import Settings
from azureml_emulator.serving.supervision import Probe

INT32 = 2**31 - 1
MAX_CONCURRENT = 10_000  # a guess: no page names a limit
MAX_TIMEOUT = 180  # seconds


def _seconds(duration: Any) -> float:
    with contextlib.suppress(isodate.ISO8601Error, TypeError, ArithmeticError):
        if isinstance(parsed := isodate.parse_duration(duration), timedelta):  # years and months aren't
            return parsed.total_seconds()
    raise PydanticCustomError("duration", "Input should be an ISO 8601 duration")


def _duration(seconds: float) -> str:
    return str(isodate.duration_isoformat(timedelta(seconds=seconds))) if seconds else "PT0S"  # not P0D


Duration = Annotated[float, BeforeValidator(_seconds), PlainSerializer(_duration), Field(ge=0, le=INT32)]
Positive = Annotated[Duration, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=INT32)]


class RequestSettings(Sent):
    """What stands for nothing, here and below: reference-yaml-deployment-managed-online."""

    max_concurrent_requests_per_instance: Annotated[Count, Field(le=MAX_CONCURRENT)] = 1
    request_timeout: Annotated[Positive, Field(le=MAX_TIMEOUT)] = 5
    max_queue_wait: Duration = 0


class ProbeSettings(Sent):
    """That what is refused here is refused by Azure is a guess: Kubernetes does."""

    failure_threshold: Count = 30
    success_threshold: Count = 1
    initial_delay: Duration = 10
    period: Positive = 10
    timeout: Positive = 2


Rates = any_case("Year", "Month", "Day", "Hour", "Minute")


class Collection(Sent):
    data_collection_mode: Access | None = None
    data_id: str | None = None
    client_id: str | None = None
    sampling_rate: float | None = None


class DataCollector(Sent):
    """The SDK sends its enumerations in lower case, and reads `enabled` as off."""

    collections: dict[str, Collection]
    rolling_rate: Annotated[Literal["Year", "Month", "Day", "Hour", "Minute"], Rates] | None = None
    request_logging: Document | None = None


class ScaleSettings(Sent):
    scale_type: Annotated[Literal["Default"], any_case("Default", absent="TargetUtilization")] = "Default"


class Properties(Sent):
    """Of managed deployments of MLflow models without scoring code: others aren't served here."""

    endpoint_compute_type: Annotated[Literal["Managed"], any_case("Managed", absent="Kubernetes")] = "Managed"
    instance_type: Annotated[str, AfterValidator(skus.spelt)]
    model: str | None = None
    model_mount_path: str | None = None
    environment_id: str | None = None
    code_configuration: Annotated[None, not_emulated("scoring code")] = None
    description: str | None = None
    environment_variables: Texts
    data_collector: DataCollector | None = None
    properties: Texts
    request_settings: RequestSettings = RequestSettings()
    liveness_probe: ProbeSettings = ProbeSettings()
    readiness_probe: ProbeSettings = ProbeSettings()
    startup_probe: Annotated[None, not_emulated("a startup probe")] = None
    app_insights_enabled: bool = False
    egress_public_network_access: Access = "Enabled"
    scale_settings: ScaleSettings = ScaleSettings()


class Sku(Sent):
    name: Annotated[Literal["Default"], any_case("Default")] = "Default"
    tier: Annotated[Literal["Standard"], any_case("Standard")] = "Standard"
    capacity: Annotated[Count, Field(le=skus.MAX_INSTANCES)] = 1


class Deployment(Tracked[Properties]):
    sku: Sku = Sku()


def properties(given: Properties) -> Document:
    """The properties as Azure keeps them."""
    return given.model_dump() | {"provisioningState": "Succeeded"}


def charged(document: Document) -> int:
    return skus.charged(document["properties"]["instanceType"], document["sku"]["capacity"])


def settings(properties: Document, clock: float) -> Settings:
    """The request settings and probes of kept properties, in the pool's units."""
    kept = Properties.model_validate(properties)
    return Settings(
        request_timeout_ms=round(kept.request_settings.request_timeout * 1000),
        max_concurrent_requests_per_instance=kept.request_settings.max_concurrent_requests_per_instance,
        liveness=Probe(**dict(kept.liveness_probe)),
        readiness=Probe(**dict(kept.readiness_probe)),
        clock=clock,
    )
