"""The workspace, the one place where the client of Azure ML is made, and what endpoints/ says about the endpoint."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.lib.azure.login import login
from scripts.lib.decisions import file_rules, lfs, strict_yaml
from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import Document

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineResponse

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
    _credential: TokenCredential | None = field(default=None, init=False, repr=False, compare=False)
    _heard: tuple[datetime, float] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def variables(self) -> dict[str, str]:
        """What leads a command to it."""
        names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
        return dict(zip(names, (self.subscription_id, self.resource_group, self.name), strict=True))

    @property
    def group(self) -> str:
        """The id of the resource group that it is in."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"

    @property
    def id(self) -> str:
        return f"{self.group}/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"

    def endpoint(self, name: str) -> str:
        """The id of one of its endpoints."""
        return f"{self.id}/onlineEndpoints/{name}"

    @property
    def credential(self) -> TokenCredential:
        """Who calls, with the tokens that were had already."""
        if self._credential is None:
            self._credential = login()
        return self._credential

    def now(self) -> datetime:
        """By Azure's clock, as its last answer dates itself: what it dates isn't compared with a runner's own."""
        if self._heard is None:
            self.client.workspaces.get(self.name)
        said, at = self._heard or (datetime.now(timezone.utc), time.monotonic())
        return said + timedelta(seconds=time.monotonic() - at)

    def hear(self, answer: PipelineResponse[Any, Any]) -> None:
        """For each answer of Azure's."""
        with contextlib.suppress(ValueError, TypeError):  # none, or a proxy's own
            date = parsedate_to_datetime(answer.http_response.headers.get("Date", ""))
            self._heard = date.astimezone(timezone.utc), time.monotonic()

    @property
    def client(self) -> MLClient:
        """The client of Azure ML; environment variables alone select the cloud and the identity."""
        if self._client is None:  # no lock: a call that hangs in here must not hold up the next
            self._client = self._connect()
        return self._client

    def sign_in_again(self) -> None:
        """Get a new token for the next call: the present one was refused."""
        self._client = self._credential = None

    def _connect(self) -> MLClient:
        hush()  # it warns while it is imported, and some of its loggers then have a level of their own
        with uncollected():
            from azure.ai.ml import MLClient

        place, credential = (self.subscription_id, self.resource_group, self.name), self.credential
        options: dict[str, Any] = {"enable_telemetry": False, "raw_response_hook": self.hear, **CALLS}
        hush()
        return MLClient(credential, *place, show_progress=False, **options)


def manager() -> tuple[str, list[str]]:
    """The address of the resource manager in the cloud that the variables select, and the scopes of a token for it."""
    from azure.ai.ml._azure_environments import _get_base_url_from_metadata, _resource_to_scopes

    base = _get_base_url_from_metadata()  # not public, but the one place that knows other clouds and the local one
    return base, _resource_to_scopes(base)


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


def hush() -> None:
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
