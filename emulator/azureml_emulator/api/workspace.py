"""A workspace and its datastore, as Azure says that they are."""

import base64

from azureml_emulator.api.assets import part_of
from azureml_emulator.arm.documents import Document, resource
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.arm.names import LOCATION, PROVIDER, TENANT
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT

#: Answered as the account's key to whom Azure tells it; blobs are opened by signatures and tokens here.
KEY = base64.b64encode(b"This key signs nothing.").decode()


def workspace(azure: Azure, call: Call) -> Document:
    """With what Azure says of one that was made with its own defaults."""
    scope = call.scope
    group = f"{scope.group}/providers"
    properties = {
        "workspaceId": scope.guid,
        "friendlyName": scope.workspace,
        "description": "",
        "creationTime": azure.made(scope),
        "discoveryUrl": f"{call.base}/discovery",
        "mlFlowTrackingUri": f"azureml://{call.base.removeprefix('https://')}/mlflow/v1.0{scope.id}",
        "storageAccount": f"{group}/Microsoft.Storage/storageAccounts/{ACCOUNT}",
        "keyVault": f"{group}/Microsoft.KeyVault/vaults/local",
        "applicationInsights": f"{group}/Microsoft.Insights/components/local",
        "containerRegistry": None,
        "systemDatastoresAuthMode": azure.options.datastore_auth,
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Enabled",
        "hbiWorkspace": False,
        "v1LegacyMode": False,
        "enableDataIsolation": False,
        "storageHnsEnabled": False,
        "softDeleteEnabled": False,
        "privateLinkCount": 0,
        "tenantId": TENANT,
    }
    return resource(scope, "", "", properties) | {
        "id": scope.id,
        "name": scope.workspace,
        "type": f"{PROVIDER}/workspaces",
        "location": LOCATION,
        "tags": {},
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {"type": "SystemAssigned", "principalId": scope.guid, "tenantId": TENANT},
        "etag": None,
        "systemData": _system(azure, call),
    }


def datastores(azure: Azure, call: Call) -> Document:
    """The SDK asks for the default one so."""
    default = call.query.get("isDefault", "").lower()
    found = [
        one for one in azure.datastores.all(call.scope) if default in ("", str(one["properties"]["isDefault"]).lower())
    ]
    return part_of(azure, call, found, "count", "isDefault", "orderByAsc")


def datastore(azure: Azure, call: Call) -> Document:
    return azure.datastores.get(call.scope, call["datastore"])


def put_datastore(azure: Azure, call: Call) -> Reply:
    return Reply.to_put(*azure.datastores.put(call.scope, call["datastore"], call.document))


def datastore_secrets(azure: Azure, call: Call) -> Document:
    """A signature; before API version 2023 the account's key."""
    properties = azure.datastores.get(call.scope, call["datastore"])["properties"]
    if properties["credentials"]["credentialsType"] == "None":  # a guess, in words and status
        raise BadRequest(f"The datastore {call['datastore']} has no secrets: identities open it.")
    if "" < call.query.get("api-version", "") < "2023":
        return {"secretsType": "AccountKey", "key": KEY}
    return {"secretsType": "Sas", "sasToken": f"?{azure.blobs.sas(properties['containerName'])}"}


def _system(azure: Azure, call: Call) -> Document:
    made = {name: azure.made(call.scope) for name in ("createdAt", "lastModifiedAt")}
    return (
        made
        | dict.fromkeys(("createdBy", "lastModifiedBy"), "local")
        | dict.fromkeys(("createdByType", "lastModifiedByType"), "User")
    )
