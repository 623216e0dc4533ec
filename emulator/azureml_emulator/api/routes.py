"""The whole API as one table. A handler takes the Azure and the call and gives a document or a Reply."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from azureml_emulator.api import assets, jobs, logs, mlflow, tracking, workspace
from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.arm.names import CLOUD, LOCATION, PROVIDER
from azureml_emulator.resources import metrics, quotas, roles, tokens, traffic_log, watching
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT, SUFFIX
from azureml_emulator.resources.federation import Refused
from azureml_emulator.resources.identities import KIND as IDENTITIES
from azureml_emulator.resources.operations import CALLER
from azureml_emulator.resources.roles import OWNER

#: Azure sends no Retry-After on these routes and the SDK then polls every 5 to 30 s; this header makes it quick.
POLL_MS = "100"


def metadata(azure: Azure, call: Call) -> list[Document]:
    login = {"loginEndpoint": call.base, "audiences": [call.base], "tenant": "common", "identityProvider": "AAD"}
    suffixes = {"storage": SUFFIX, "keyVaultDns": "vault.local", "acrLoginServer": "azurecr.local"}
    cloud = {"name": CLOUD, "portal": call.base, "resourceManager": call.base, "graph": call.base}
    log_analytics = {"logAnalyticsResourceId": f"{call.base}{tokens.LOGS_PATH}"}
    return [{**cloud, **log_analytics, "authentication": login, "suffixes": suffixes}]


def identity_token(azure: Azure, call: Call) -> Reply:
    """Without a client id the owner's; an unknown one is refused in the words of an App Service."""
    client, header = call.query.get("client_id", ""), call.headers.get("X-IDENTITY-HEADER", "")
    shown = azure.tokens.shown(header)
    principal = azure.identities.principal(client) if client else shown
    if principal is None or shown not in (OWNER, principal):
        who = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
        return Reply({"statusCode": 400, "message": who}, 400)
    return Reply(azure.tokens.managed_identity(header, call.query.get("resource", ""), principal))


def federated_login(azure: Azure, call: Call) -> Reply:
    """Entra's part, in OAuth's words (entra/identity-platform/v2-oauth2-client-creds-grant-flow, third case)."""
    try:
        return Reply(azure.federation.login(dict(parse_qsl(call.body.decode(errors="replace")))))
    except Refused as refusal:
        return Reply(refusal.document, 400)


def endpoints(azure: Azure, call: Call) -> Document:
    return assets.part_of(azure, call, azure.endpoints.all(call.scope), "count")


def endpoint(azure: Azure, call: Call) -> Document:
    return azure.endpoints.get(call.scope, call["endpoint"])


def put_endpoint(azure: Azure, call: Call) -> Reply:
    document, operation = azure.endpoints.put(call.scope, call["endpoint"], call.document, call.version)
    return _accepted(azure, call, operation, Reply(document, 201))


def patch_endpoint(azure: Azure, call: Call) -> Reply:
    document, operation = azure.endpoints.patch(call.scope, call["endpoint"], call.document, call.version)
    return _accepted(azure, call, operation, Reply(document, 202))


def delete_endpoint(azure: Azure, call: Call) -> Reply:
    return _deleted(azure, call, azure.endpoints.delete(call.scope, call["endpoint"]))


def endpoint_keys(azure: Azure, call: Call) -> Document:
    return azure.endpoints.keys(call.scope, call["endpoint"])


def endpoint_token(azure: Azure, call: Call) -> Document:
    return azure.endpoints.token(call.scope, call["endpoint"])


def regenerate_key(azure: Azure, call: Call) -> Reply:
    operation = azure.endpoints.regenerate_key(call.scope, call["endpoint"], call.document)
    return _accepted(azure, call, operation, Reply(status=202))


def endpoint_metrics(azure: Azure, call: Call) -> Document:
    """A fault may hide a deployment from them, as from a list."""
    id, now = azure.endpoints.get(call.scope, call["endpoint"])["id"], azure.clock.now()
    asked, minutes = metrics.Asked.of(call.query, now), dict(azure.traffic.minutes(call["endpoint"]))
    told = {name for reports in minutes.values() for one in reports for name in one.latencies}
    shown = {found["name"] for found in azure.listed([{"name": name} for name in sorted(told)])}
    return metrics.answer(id, replace(asked, hidden=frozenset(told - shown)), minutes, now, azure.lag())


def deployments(azure: Azure, call: Call) -> Document:
    return assets.part_of(azure, call, azure.deployments.all(call.scope, call["endpoint"]), "$top")


def deployment(azure: Azure, call: Call) -> Document:
    return azure.deployments.get(call.scope, call["endpoint"], call["deployment"])


def put_deployment(azure: Azure, call: Call) -> Reply:
    document, operation = azure.deployments.put(
        call.scope, call["endpoint"], call["deployment"], call.document, call.version
    )
    return _accepted(azure, call, operation, Reply(document, 201))


def delete_deployment(azure: Azure, call: Call) -> Reply:
    return _deleted(azure, call, azure.deployments.delete(call.scope, call["endpoint"], call["deployment"]))


def deployment_logs(azure: Azure, call: Call) -> Document:
    lines = call.document.get("tail") or 500
    if type(lines) is not int:
        raise BadRequest(f"tail must be a whole number, not {lines!r}.")
    kind = call.document.get("containerType") or "InferenceServer"
    if str(kind).lower() not in ("inferenceserver", "storageinitializer"):
        raise BadRequest(f"containerType {kind!r} is none of InferenceServer, StorageInitializer.")
    initializer = kind.lower() == "storageinitializer"
    return {"content": azure.deployments.logs(call.scope, call["endpoint"], call["deployment"], lines, initializer)}


def operation(azure: Azure, call: Call) -> Reply:
    azure.operations.check(call["operation"], call.query)
    found = azure.operations.get(call["operation"])
    path = f"/subscriptions/{call['subscription']}{LOCATIONS}/mfeOperationsStatus/{found['name']}"
    told = {name: value for name, value in found.items() if name != "startedBy"}
    return Reply({"id": path, **told}, headers=_quickly(azure))


def operation_result(azure: Azure, call: Call) -> Reply:
    """The SDK comes here once, after the operation ended."""
    azure.operations.check(call["operation"], call.query)
    return Reply(status=202 if azure.operations.get(call["operation"])["status"] == "Updating" else 200)


def permissions(azure: Azure, call: Call) -> Document:
    """What the caller may do on the workspace."""
    return {"value": roles.permissions(azure.roles.of(CALLER.get(), call.scope.id))}


def assignments(azure: Azure, call: Call) -> Document:
    """Those over a scope, of the principal that a filter such as `assignedTo('…')` names, or of all."""
    who = re.search("'(.+)'", call.query.get("$filter", ""))
    found = azure.roles.over(_over(call))
    return {"value": [one for one in found if not who or one["properties"]["principalId"] == who[1]]}


def put_role(azure: Azure, call: Call) -> Reply:
    return Reply(azure.roles.define(_over(call), call["role"], call.document), 201)


def role(azure: Azure, call: Call) -> Document:
    return azure.roles.definition(call["subscription"], call["role"])


def put_assignment(azure: Azure, call: Call) -> Reply:
    return Reply(azure.roles.put(_over(call), call["assignment"], call.document), 201)


def delete_assignment(azure: Azure, call: Call) -> Reply:
    found = azure.roles.delete(call["assignment"])
    return Reply(found) if found else Reply(status=204)


def usages(azure: Azure, call: Call) -> Document:
    deployments = azure.store.everywhere("deployments")
    return {"value": quotas.usages(call["subscription"], deployments, azure.options.core_quota)}


def sizes(azure: Azure, call: Call) -> Document:
    return {"value": quotas.sizes()}


def identities(azure: Azure, call: Call) -> Document:
    return {"value": azure.listed(azure.identities.all(_group(azure, call)))}


def put_identity(azure: Azure, call: Call) -> Reply:
    return Reply.to_put(*azure.identities.put(_group(azure, call), call["identity"], call.document))


def credentials(azure: Azure, call: Call) -> Document:
    return {"value": azure.listed(azure.identities.credentials(_group(azure, call), call["identity"]))}


def put_credential(azure: Azure, call: Call) -> Reply:
    return Reply.to_put(
        *azure.identities.put_credential(_group(azure, call), call["identity"], call["name"], call.document)
    )


def watchers(azure: Azure, call: Call) -> Document:
    return {"value": azure.listed(azure.watching.all(*_watched(azure, call)))}


def put_watcher(azure: Azure, call: Call) -> Document:
    return azure.watching.put(*_watched(azure, call), call["name"], call.document)


def delete_watcher(azure: Azure, call: Call) -> Reply:
    return Reply(status=200 if azure.watching.delete(*_watched(azure, call), call["name"]) else 204)


async def blob(azure: Azure, call: Call) -> Reply:
    return await azure.blobs.answer(call)


S = "/subscriptions/{subscription}"
LOCATIONS = f"/providers/{PROVIDER}/locations/{LOCATION}"
L = f"{S}{LOCATIONS}"
G = f"{S}/resourceGroups/{{group}}"
W = f"{G}/providers/{PROVIDER}/workspaces/{{workspace}}"
E = f"{W}/onlineEndpoints/{{endpoint}}"
D = f"{E}/deployments/{{deployment}}"
A = f"{G}/providers/Microsoft.Storage/storageAccounts/{{account}}"
O = f"{G}/providers/{traffic_log.PROVIDER}/workspaces/{{logs}}"  # noqa: E741
C = f"{A}/blobServices/default/containers/{{container}}"
I = f"{G}/providers/{IDENTITIES}"  # noqa: E741 (a table's letter)
LOWERED = {"endpoint", "deployment"}  # the service itself lower-cases these; other names are kept as they were given
STORAGE = f"/{ACCOUNT}.blob.{SUFFIX}/{{container}}"

#: Open to whoever shows the identity header or a token that an identity trusts, or to all.
LOGIN = [
    ("GET", "/metadata/endpoints", metadata),
    ("GET", "/discovery", jobs.discovery),
    ("GET", "/msi/token", identity_token),
    ("POST", "/{tenant}/oauth2/v2.0/token", federated_login),
]
#: Azure's resource manager: a bearer token on every call.
MANAGER = [
    ("GET", W, workspace.workspace),
    ("GET", f"{W}/datastores", workspace.datastores),
    ("GET", f"{W}/datastores/{{datastore}}", workspace.datastore),
    ("PUT", f"{W}/datastores/{{datastore}}", workspace.put_datastore),
    ("POST", f"{W}/datastores/{{datastore}}/listSecrets", workspace.datastore_secrets),
    *assets.rows(W),
    *jobs.rows(W),
    ("GET", f"{W}/onlineEndpoints", endpoints),
    ("GET", E, endpoint),
    ("PUT", E, put_endpoint),
    ("PATCH", E, patch_endpoint),
    ("DELETE", E, delete_endpoint),
    ("POST", f"{E}/listKeys", endpoint_keys),
    ("POST", f"{E}/token", endpoint_token),
    ("POST", f"{E}/regenerateKeys", regenerate_key),
    ("GET", f"{E}/providers/{metrics.KIND}", endpoint_metrics),
    ("GET", f"{E}/deployments", deployments),
    ("GET", D, deployment),
    ("PUT", D, put_deployment),
    ("DELETE", D, delete_deployment),
    ("POST", f"{D}/getLogs", deployment_logs),
    ("GET", f"{W}/providers/Microsoft.Authorization/permissions", permissions),
    ("GET", f"{L}/usages", usages),
    ("GET", f"{L}/vmSizes", sizes),
    ("GET", I, identities),
    ("PUT", f"{I}/{{identity}}", put_identity),
    ("GET", f"{I}/{{identity}}/federatedIdentityCredentials", credentials),
    ("PUT", f"{I}/{{identity}}/federatedIdentityCredentials/{{name}}", put_credential),
    ("GET", f"{L}/mfeOperationsStatus/{{operation}}", operation),
    ("GET", f"{L}/mfeOperationResults/{{operation}}", operation_result),
    *(
        (method, f"{scope}/providers/{kind}{path}", handler)
        for scope, kind in ((G, watching.ALERTS), (E, watching.SETTINGS))
        for method, path, handler in (
            ("GET", "", watchers),
            ("PUT", "/{name}", put_watcher),
            ("DELETE", "/{name}", delete_watcher),
        )
    ),
    *(("PUT", f"{scope}/providers/{roles.DEFINITIONS}/{{role}}", put_role) for scope in (S, G, W, A)),
    ("GET", f"{S}/providers/{roles.DEFINITIONS}/{{role}}", role),
    *(
        (method, f"{scope}/providers/{roles.KIND}{path}", handler)
        for scope in (S, G, W, E, A, C, O)
        for method, path, handler in (
            ("GET", "", assignments),
            ("PUT", "/{assignment}", put_assignment),
            ("DELETE", "/{assignment}", delete_assignment),
        )
    ),
]
M = f"/mlflow/v{{api}}{W}/api/2.0/mlflow"
#: The services behind a workspace, MLflow's part among them: the same bearer token, or that of a job's run. Last
#: stands the action that a call needs, below the workspace; Microsoft's pages name these, which call needs which is a
#: guess.
SERVICES = [
    ("POST", f"{M}/registered-models/create", mlflow.create_registered_model, "models/write"),
    ("GET", f"{M}/registered-models/get", mlflow.registered_model, "models/read"),
    ("POST", f"{M}/model-versions/create", mlflow.create_model_version, "models/versions/write"),
    ("GET", f"{M}/model-versions/get", mlflow.model_version, "models/versions/read"),
    ("GET", f"{M}/model-versions/search", mlflow.search_model_versions, "models/versions/read"),
    (
        "POST",
        f"/artifact/v{{api}}{W}/artifacts/{{origin}}/{{folder}}/batch/metadata",
        mlflow.uploads,
        "metadata/artifacts/write",
    ),
    *tracking.rows(M),
    *jobs.history(W),
]
#: Log Analytics: a bearer token for it.
LOGS = [("POST", logs.PATH, logs.query)]
#: Blobs: a shared access signature on every call.
BLOBS = [
    (method, path, blob) for path in (STORAGE, f"{STORAGE}/{{name:.+}}") for method in ("GET", "HEAD", "PUT", "DELETE")
]

Handler = Callable[[Azure, Call], Any]


class Row(NamedTuple):
    method: str
    path: re.Pattern[str]
    handler: Handler
    guarded: bool  # by a bearer token for the resource manager
    action: str = ""  # that is needed on the workspace, where the path doesn't say it


def table() -> list[Row]:
    """The rows above, compiled; ARM paths ignore case."""
    rows = [
        (*row, guarded)
        for rows, guarded in ((LOGIN, False), (MANAGER, True), (LOGS, False), (BLOBS, False))
        for row in rows
    ]
    return [
        *(Row(method, pattern(path), handler, guarded) for method, path, handler, guarded in rows),
        *(Row(method, pattern(path), handler, True, action) for method, path, handler, action in SERVICES),
    ]


def names(path: re.Pattern[str], raw: str) -> dict[str, str] | None:
    """What stands in an undecoded path where `path` has names, in lower case as LOWERED says; None if it is another."""
    if (found := path.fullmatch(raw)) is None:
        return None
    decoded = {name: unquote(part) for name, part in found.groupdict().items()}
    return {name: part.lower() if name in LOWERED else part for name, part in decoded.items()}


def pattern(template: str) -> re.Pattern[str]:
    """`{name}` stands for one part of the path, `{name:.+}` for the rest of it."""
    quoted = re.sub(r"[.]", r"\\.", template.replace("{name:.+}", "\0"))
    named = re.sub(r"{(\w+)}", r"(?P<\1>(?:(?!%2f)[^/])+)", quoted)  # a slash in a name would be another resource
    return re.compile(named.replace("\0", "(?P<name>.+)") + "/?", re.IGNORECASE | re.ASCII)


def _accepted(azure: Azure, call: Call, operation: str, reply: Reply) -> Reply:
    """A PUT's `Location` is the resource's own, others' that of the operation's result."""
    about = (call.scope, operation, call.version)
    result = azure.operations.signed(*about, kind="mfeOperationResults")
    headers = {
        "Azure-AsyncOperation": azure.operations.signed(*about),
        "Location": f"{call.base}{call.path}?api-version={call.version}" if call.method == "PUT" else result,
        "x-ms-async-operation-timeout": "PT30M",
    }
    return Reply(reply.body, reply.status, headers | _quickly(azure))


def _quickly(azure: Azure) -> dict[str, str]:
    return {} if azure.options.azure_polling else {"x-ms-retry-after-ms": POLL_MS}


def _group(azure: Azure, call: Call) -> str:
    return azure.group(call["subscription"], call["group"])


def _watched(azure: Azure, call: Call) -> tuple[str, str]:
    """What an alert or a setting is made in, and which of both it is. Raises NotFound."""
    if "endpoint" in call.names:
        return azure.endpoints.get(call.scope, call["endpoint"])["id"], watching.SETTINGS
    return _group(azure, call), watching.ALERTS


def _over(call: Call) -> str:
    """The scope that a call about roles names: its path has them last."""
    return call.path.rpartition("/providers/")[0]


def _deleted(azure: Azure, call: Call, operation: str | None) -> Reply:
    return _accepted(azure, call, operation, Reply(status=202)) if operation else Reply(status=204)
