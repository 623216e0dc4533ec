"""The workspace, the one place where the client of Azure ML is made, and what endpoints/ says about the endpoint."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.lib.azure.login import login
from scripts.lib.decisions import file_rules, lfs, strict_yaml
from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import Document

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

ENDPOINT = Path("endpoints/endpoint.yml")
# The SDK doesn't try again itself: a write that was lost on the way would be made over what others wrote meanwhile.
CALLS: dict[str, Any] = {"retry_total": 0, "connection_timeout": 20, "read_timeout": 60}


@dataclass
class Workspace:
    """Where it is. Nothing is imported from Azure, and nobody called, before `client` is used."""

    subscription_id: str
    resource_group: str
    name: str
    _client: MLClient | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def variables(self) -> dict[str, str]:
        """What leads a command to it."""
        names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
        return dict(zip(names, (self.subscription_id, self.resource_group, self.name), strict=True))

    @property
    def client(self) -> MLClient:
        """The client of Azure ML; environment variables alone select the cloud and the identity."""
        if self._client is None:  # no lock: a call that hangs in here must not hold up the next
            self._client = self._connect()
        return self._client

    def sign_in_again(self) -> None:
        """Get a new token for the next call: the present one was refused."""
        self._client = None

    def _connect(self) -> MLClient:
        _hush()  # it warns while it is imported, and some of its loggers then have a level of their own
        with uncollected():
            from azure.ai.ml import MLClient

        place, credential = (self.subscription_id, self.resource_group, self.name), login()
        _hush()
        return MLClient(credential, *place, show_progress=False, enable_telemetry=False, **CALLS)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """For the SDK's import: a quarter of its second goes into searching its 250,000 objects for garbage.

    They all stay, so they aren't searched later, either.
    """
    if "azure.ai.ml" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _hush() -> None:
    """Errors only from the SDK: its warnings, of experimental classes and small machines, help nobody here."""
    logging.getLogger("azure").setLevel(logging.ERROR)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("azure.") and isinstance(logger, logging.Logger) and 0 < logger.level < logging.ERROR:
            logger.setLevel(logging.ERROR)


def read_yaml(path: Path) -> Document:
    """A file of endpoints/. Raises Refused where it is no YAML mapping, or YAML would read it otherwise than meant."""
    try:
        lfs.check(path)
        return strict_yaml.parse(path.read_bytes(), str(path))
    except (IsADirectoryError, PermissionError) as error:
        raise Refused(f"{path} can't be read: {error.strerror}.") from error


def endpoint_name() -> str:
    """The name in endpoint.yml, in lower case as Azure has it. Raises Refused where it can't be one."""
    name = read_yaml(ENDPOINT).content.get("name")
    name = name.lower() if isinstance(name, str) else name
    if wrong := file_rules.name(Document({"name": name}), 3, file_rules.LONGEST):
        raise Refused(f"{ENDPOINT}: `name` {wrong['name']}. ENDPOINT_NAME overrides it.")
    return str(name)
