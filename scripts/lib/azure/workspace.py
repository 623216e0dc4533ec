"""The workspace, the one place where the client of Azure ML is made, and what endpoints/ says about the endpoint."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.lib.decisions.state import Refused

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

ENDPOINT = Path("endpoints/endpoint.yml")


@dataclass
class Workspace:
    """Where it is. Nothing is imported from Azure, and nobody called, before `client` is used."""

    subscription_id: str
    resource_group: str
    name: str

    @cached_property
    def client(self) -> MLClient:
        """The client of Azure ML; environment variables alone select the cloud and the identity."""
        _hush()  # it warns while it is imported, and some of its loggers then have a level of their own
        from azure.ai.ml import MLClient
        from azure.identity import DefaultAzureCredential

        _hush()
        place = self.subscription_id, self.resource_group, self.name
        return MLClient(DefaultAzureCredential(), *place, show_progress=False, enable_telemetry=False)


def _hush() -> None:
    """Errors only from the SDK: its warnings, of experimental classes and small machines, help nobody here."""
    logging.getLogger("azure").setLevel(logging.ERROR)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("azure.") and isinstance(logger, logging.Logger) and 0 < logger.level < logging.ERROR:
            logger.setLevel(logging.ERROR)


def load_yaml(path: Path) -> dict[str, Any]:
    """A file of endpoints/. Raises Refused where it is no YAML mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise Refused(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or "name" not in content:
        raise Refused(f"{path} has no `name`.")
    return content
