"""The SDK's entities as the decisions see them. Names are put into lower case here, and nowhere else: Azure does so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timezone
from typing import Any

from scripts.lib.azure.endpoint_files import live_fields
from scripts.lib.decisions.state import Deployment, EndpointState, Model, Ref, positive


def endpoint(entity: Any) -> EndpointState:
    """An OnlineEndpoint, without its deployments."""
    return EndpointState(
        name=entity.name,
        traffic=split(entity.traffic),
        mirror=split(entity.mirror_traffic),
        tags=entity.tags or {},
        state=provisioning_state(entity),
        scoring_uri=entity.scoring_uri or "",
    )


def split(traffic: Mapping[str, int] | None) -> dict[str, int]:
    """Percentages above zero, by deployment."""
    return positive({name.lower(): percent for name, percent in (traffic or {}).items()})


def deployment(entity: Any) -> Deployment:
    """A ManagedOnlineDeployment; a packaged model is known by the tags alone."""
    tags = {str(name): str(value) for name, value in (entity.tags or {}).items()}
    created = getattr(entity.creation_context, "created_at", None)
    model = Model(tags.get("model", ""), tags.get("version", ""), tags.get("digest", ""))
    named = re.search(r"(azureml://registries/.+|(?<=models/)[^/]+)/versions/([^/]+)$", str(entity.model or ""))
    if named and named.groups() != (model.name, model.version):
        model = Model(*named.groups())  # somebody changed it in place: the tags' digest is another model's
    return Deployment(
        entity.name.lower(),
        model,
        provisioning_state(entity),
        created=created.astimezone(timezone.utc).isoformat(timespec="microseconds") if created else "",
        replaces=Ref.parse(tags.get("replaces", "")),
        rollout=tags.get("rollout", ""),
        settings=tags.get("settings", ""),
        instances=entity.instance_count or 1,
        concurrency=getattr(entity.request_settings, "max_concurrent_requests_per_instance", None) or 1,
        machine=entity.instance_type or "",
        tags=tags,
        fields=live_fields(entity),
    )


def provisioning_state(entity: Any) -> str:
    """Azure's word for it: the SDK has some as an enum, which would print as its Python name."""
    state = entity.provisioning_state or ""
    return str(getattr(state, "value", state))
