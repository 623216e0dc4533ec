"""Azure's own words for what it refuses: `like` names one. Each has the page or the report that it was seen in.

`{workspaces}` in a text stands for what the call's path has behind that word, `{name}` for the path's end, `{action}`
for the permission that the call needs, `{verb}` for what a lock calls it. Microsoft's pages name codes, seldom texts
and statuses: where no report had one, it is marked as a guess.
"""

from typing import Any

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import Forbidden, passed_on
from azureml_emulator.arm.names import PROVIDER

GROUP = "/subscriptions/{subscriptions}/resourceGroups/{resourceGroups}"
CLIENT = "The client '0a1b2c3d' with object id '0a1b2c3d'"
POLICY = f"{GROUP}/providers/Microsoft.Authorization/policyAssignments/deny-public"
NOT_REGISTERED = (
    f"The subscription is not registered to use namespace '{PROVIDER}'. "
    "See https://aka.ms/rps-not-found for how to register subscriptions."
)


def said(status: int, message: str, code: str = "", **more: Any) -> Document:
    """One answer; its code is its name in the table unless another is given."""
    return {"status": status, "message": message, **({"code": code} if code else {}), **more}


ANSWERS: dict[str, Document] = {
    # MicrosoftLearning/mslearn-azure-ml#27, Azure/azure-cli#14960
    "ParentResourceNotFound": said(
        404, "Can not perform requested operation on nested resource. Parent resource '{workspaces}' not found."
    ),
    # recorded by the SDK's own tests
    "ResourceNotFound": said(
        404,
        f"The Resource '{PROVIDER}/workspaces/{{workspaces}}' under resource group '{{resourceGroups}}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    ),
    # Azure/azure-cli-extensions#7107, #7660
    "NotFound": said(
        404,
        "The specified resource was not found.",
        details=[{"code": "InferencingClientCallFailed", "message": '{"title":"Not Found"}'}],
    ),
    # recorded by the SDK's own tests
    "ModelNotFound": said(
        404,
        "The specified resource was not found.",
        "UserError",
        details=[{"code": "ModelNotFound", "message": "Model container with name: {models} not found."}],
        innererror={"code": "NotFound", "innererror": {"code": "NotFoundError"}},
    ),
    # recorded by the SDK's own tests
    "DatastoreNotFound": said(
        404, "Could not find datastore: {datastores}.", "UserError", innererror={"code": "NotFoundError"}
    ),
    # azure-ai-ml looks for these words; the status is a guess
    "AssetPathChanged": said(409, "Asset paths cannot be updated.", "UserError"),
    # azure-resource-manager/troubleshooting/error-not-found
    "ResourceGroupNotFound": said(404, "Resource group '{resourceGroups}' could not be found."),
    "SubscriptionNotFound": said(404, "The subscription '{subscriptions}' could not be found."),
    # Azure/apiops#606, hashicorp/terraform-provider-azurerm#17478
    "ScopeLocked": said(
        409,
        "The scope '{path}' cannot perform {verb} operation because following scope(s) are locked: "
        f"'{GROUP}'. Please remove the lock and try again.",
    ),
    # MicrosoftDocs/azure-docs#7006
    "MissingSubscriptionRegistration": said(
        409,
        NOT_REGISTERED,
        details=[{"code": "MissingSubscriptionRegistration", "target": PROVIDER, "message": NOT_REGISTERED}],
    ),
    # Azure/CloudShell#487, MicrosoftLearning/mslearn-azure-ml#106: the end of an operation; the status is a guess
    "SubscriptionNotRegistered": said(
        400,
        "Resource provider [N/A] isn't registered with Subscription [N/A]. Please see troubleshooting guide, "
        "available here: https://aka.ms/register-resource-provider",
    ),
    # microsoft/vscode-apimanagement#348
    "RequestDisallowedByPolicy": said(
        403,
        "Resource '{name}' was disallowed by policy. Policy identifiers: "
        f'\'[{{"policyAssignment":{{"name":"deny-public","id":"{POLICY}"}}}}]\'.',
    ),
    # azure-resource-manager/troubleshooting/error-authorization-failed
    "AuthorizationFailed": said(
        403,
        str(Forbidden.to("0a1b2c3d", "{action}", "{scope}")),
    ),
    # Azure/aad-pod-identity#613
    "LinkedAuthorizationFailed": said(
        403,
        f"{CLIENT} has permission to perform action '{{action}}' on scope '{{path}}'; however, it does not have "
        "permission to perform action 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked "
        f"scope(s) '{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/serving' or the linked "
        "scope(s) are invalid.",
    ),
    # Azure/azure-cli-extensions#6294
    "PrivateLink": said(
        401,
        "User is not authorized to access provided resources due to none of the workspaces/registries are accessible "
        "from outside of the designated private link..",
        "UserError",
    ),
    # MicrosoftDocs/azure-docs#90426; the status is a guess, there a proxy had made it a 502
    "PrivateLinkDenied": said(
        403, "Access to workspace was denied based on workspace private link configuration.", "UserError"
    ),
    # MicrosoftLearning/mslearn-azure-ml#30: the page's OutOfQuota is in no field of it
    "OutOfQuota": said(
        400,
        "The request is invalid.",
        "BadRequest",
        details=passed_on(
            "InferencingClientCreateDeploymentFailed",
            "VmSize",
            "Not enough quota available for Standard_F4s_v2 in SubscriptionId {subscriptions}. Current usage/limit: "
            "0/6. Additional needed: 8 Please see troubleshooting guide, available here: "
            "https://aka.ms/oe-tsg#error-outofquota",
        ),
    ),
    # Azure/mlops-project-template#29, Azure/azureml-examples#1931
    "EndpointNameTaken": said(
        400,
        "The request is invalid.",
        "BadRequest",
        details=passed_on(
            "InferencingClientCallFailed",
            "",
            "There is already an endpoint with this name, Endpoint name needs to be unique within a region. "
            "Try some other name.",
        ),
    ),
    # Azure/azure-sdk-for-net#36961; the code is a guess
    "OperationInProgress": said(
        409,
        "Cannot create a deployment in endpoint {onlineEndpoints} because it is in Updating provisioning state.",
        "UserError",
    ),
    # how-to-troubleshoot-online-endpoints, "OperationCanceled"; the text is a guess
    "OperationCanceled": said(409, "The operation was overridden by another one that has a higher priority."),
    # Azure/azure-sdk-for-python#39772
    "ServiceError": said(
        500,
        "Received 500 from a service request",
        details=[{"code": "InternalServerError", "message": ""}],
    ),
    # azure-resource-manager/troubleshooting/common-deployment-errors
    "GatewayTimeout": said(
        504, f"The gateway did not receive a response from '{PROVIDER}' within the specified time period."
    ),
    # Azure/migAz#57
    "TooManyRequests": said(429, "The request is being throttled.", retry_after=1),
    # Azure/azqr#34
    "ResourceRequestsThrottled": said(
        429,
        "Number of requests for action '{action}' exceeded the limit of '50' for time interval '00:05:00'. "
        "Please try again after '1' seconds.",
        retry_after=1,
    ),
    # microsoft/foundry-dev-tools#461
    "ExpiredAuthenticationToken": said(
        401,
        "The access token expiry UTC time '6/15/2026 8:22:51 AM' is earlier than current UTC time "
        "'6/15/2026 9:27:25 AM'.",
    ),
    # Of blobs: rest/api/storageservices/blob-service-error-codes; Azure/AI-Landing-Zones#64
    "KeyBasedAuthenticationNotPermitted": said(
        403, "Key based authentication is not permitted on this storage account."
    ),
    # microsoft/AzureStorageExplorer#62: a signature by a key that was rotated
    "AuthenticationFailed": said(
        403,
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
        "including the signature.",
    ),
    # microsoft/AzureStorageExplorer#8504: the storage account's firewall
    "AuthorizationFailure": said(403, "This request is not authorized to perform this operation."),
    "AuthorizationPermissionMismatch": said(
        403, "This request is not authorized to perform this operation using this permission."
    ),
    "ServerBusy": said(503, "The server is busy."),
}
