"""Who watches an endpoint: metric alerts, and settings that send its logs on. They are kept, nobody acts on them.

A group has the alerts, each with its scopes; a resource has its own settings. Knows no HTTP.
"""

from pydantic import Field

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.sent import Put, Sent, Tags, validated
from azureml_emulator.arm.store import Store

ALERTS = "Microsoft.Insights/metricAlerts"
SETTINGS = "Microsoft.Insights/diagnosticSettings"


class Alert(Sent):
    scopes: list[str] = Field(min_length=1)
    criteria: Document
    severity: int = Field(ge=0, le=4)
    enabled: bool
    evaluation_frequency: str
    window_size: str
    description: str | None = None
    actions: list[Document] | None = None
    auto_mitigate: bool | None = None
    target_resource_type: str | None = None
    target_resource_region: str | None = None


class PutAlert(Put[Alert]):
    location: str
    tags: Tags


class Log(Sent):
    category: str | None = None
    category_group: str | None = None
    enabled: bool
    retention_policy: Document | None = None


class Setting(Sent):
    logs: list[Log] | None = None
    metrics: list[Document] | None = None
    workspace_id: str | None = None
    storage_account_id: str | None = None
    service_bus_rule_id: str | None = None
    event_hub_authorization_rule_id: str | None = None
    event_hub_name: str | None = None
    marketplace_partner_id: str | None = None
    log_analytics_destination_type: str | None = None


BODIES: dict[str, type[Sent]] = {ALERTS: PutAlert, SETTINGS: Put[Setting]}


class Watching:
    """Those of every group and resource, by paths that ignore case."""

    def __init__(self, store: Store):
        self._store = store

    def all(self, above: str, kind: str) -> list[Document]:
        return self._store.children(f"{above}/{kind}".lower())

    def put(self, above: str, kind: str, name: str, body: Document) -> Document:
        """Made, or replaced as a whole. Raises BadRequest."""
        given = validated(BODIES[kind].model_validate, body).model_dump(exclude_none=True)
        document = {"id": f"{above}/providers/{kind}/{name}", "name": name, "type": kind, **given}
        self._store.put(f"{above}/{kind}/{name}".lower(), document)
        return document

    def delete(self, above: str, kind: str, name: str) -> bool:
        """Whether it was there."""
        key = f"{above}/{kind}/{name}".lower()
        found = self._store.get(key)
        self._store.delete(key)
        return found is not None
