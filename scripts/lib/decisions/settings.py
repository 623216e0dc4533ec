"""A deployment's settings: what its file says of it but name, model, count, description and tags; in one spelling."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.lib.decisions.state import Deployment

KEYS = (
    "app_insights_enabled", "code_configuration", "data_collector", "egress_public_network_access", "environment",
    "environment_variables", "instance_type", "liveness_probe", "model_mount_path", "private_network_connection",
    "properties", "readiness_probe", "request_settings", "scale_settings",
)  # fmt: skip
ANY_CASE = ("data_collector", "egress_public_network_access", "instance_type", "scale_settings")
#: A line that says so means what no line means.
DEFAULTS = {"app_insights_enabled": "false", "scale_settings.type": "default"}
ASSET = re.compile(r"(?:registries/([^/]+)/)?(?:environments|codes)/([^/]+)/(?:versions|labels)/([^/]+)$")


@dataclass(frozen=True)
class Settings:
    """What a file asks for. `digest` is short enough for a tag; `fields` are the lines the file has, by dotted key."""

    digest: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def settings(content: Mapping[str, Any]) -> Settings:
    """The settings among nested values under the keys of a deployment file."""
    fields = flat(content)
    said = {key: value for key, value in fields.items() if DEFAULTS.get(key) != value}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
    return Settings(digest, {key: _as_read(key, value) for key, value in fields.items()})


def flat(content: Mapping[str, Any]) -> dict[str, str]:
    """Each setting's text by its dotted key; what is empty isn't there."""
    found: dict[str, str] = {}
    stack = [(key, content[key]) for key in KEYS if key in content]
    while stack:
        key, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(f"{key}.{name}", inner) for name, inner in value.items()]
        elif isinstance(value, list | tuple):
            stack += [(f"{key}.{number}", inner) for number, inner in enumerate(value)]
        elif value is not None:
            found[key] = _spelt(key, value)
    return found


def fits(deployment: Deployment, wanted: Settings) -> bool:
    """Whether a deployment has these settings: by its digest, else by what the file names of its live fields, if known.

    Azure fills in what a file leaves out, so what only the deployment has tells nothing.
    """
    if deployment.settings or not deployment.fields:
        return deployment.settings in ("", wanted.digest)
    return all(deployment.fields.get(key) == value for key, value in wanted.fields.items())


def _as_read(key: str, text: str) -> str:
    """A setting as the SDK reads it from Azure: of milliseconds whole seconds (azure-ai-ml 1.35)."""
    return str(int(text) // 1000 * 1000) if re.fullmatch(r"request_settings\.\w+_ms", key) else text


def _spelt(key: str, value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    section = key.partition(".")[0]
    if section in ANY_CASE:
        return text.lower()
    if section in ("environment", "code_configuration") and (asset := ASSET.search(text)):
        text = "/".join(part for part in asset.groups()[:-1] if part) + f":{asset[3]}"
    return text.removeprefix("azureml:") if section in ("environment", "code_configuration") else text
