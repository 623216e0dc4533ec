"""What a deployment is made with besides its model: pure comparisons, without Azure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts.lib.decisions.state import Deployment


@dataclass(frozen=True)
class Settings:
    """Of a deployment file: what it says besides name, model, endpoint and count, and the digest of that."""

    digest: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


def fits(deployment: Deployment, wanted: Settings) -> bool:
    """Whether a deployment was made with these settings: by the digest, else by what the file names of live fields."""
    if deployment.settings:
        return deployment.settings == wanted.digest
    return all(deployment.fields.get(name, value) == value for name, value in wanted.fields.items())
