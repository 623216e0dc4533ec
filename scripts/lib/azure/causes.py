"""What Azure's error codes mean, whether they pass, and who mends the others how: data alone, read by errors.py.

A code is looked up in lower case, the deepest of an error's `details` and `innererror` first. Where Azure has no code
of its own for a cause, its words tell it. What is in neither table is shown in Azure's words, without a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Cause:
    """`means` begins a message, `then` says who mends it how; `again`: how often in a row another try may help."""

    means: str = ""
    then: str = ""
    again: float = 0


SIGN_IN = "Sign in again: `az login` on a laptop; in a workflow, re-run the job."
TRUST = "The identity's owner adds the federated credential that `setup_github` prints; `doctor` compares them."
REGISTER = (
    "An owner of the subscription runs, once: az provider register --namespace Microsoft.MachineLearningServices, and "
    "the same for Microsoft.PolicyInsights and Microsoft.Cdn, which endpoints need. Then run this again."
)
QUOTA = "Ask for more of that quota in the Azure portal, or take a smaller instance_type or instance_count."
NETWORK = "Run this from within that network, or its owner lets this address in."
BLOB_ROLE = "Give the identity the role Storage Blob Data Contributor on the workspace's storage account."
RELOGIN = Cause("Azure does not accept the login", SIGN_IN, again=1)
NO_LOGIN = Cause("Azure does not accept the login", SIGN_IN)
NO_TOKEN = Cause(
    "there is no login", SIGN_IN, again=3
)  # azure-identity says the same of a short outage and a wrong one
LATE_TOKEN = Cause("the login did not come in time", SIGN_IN, again=inf)
BUSY = Cause("Azure is busy", "Run this again later; show_endpoint tells how it is left.", again=inf)
BROKEN = Cause("Azure is out of order", "Run this again later; show_endpoint tells how it is left.", again=inf)
UNREACHED = Cause("Azure can't be reached", "Check the network, then run this again.", again=inf)
RUNNING = Cause(
    "another operation is running on the endpoint, so Azure refused this one", "Run it again later.", again=inf
)
NO_RIGHT = "the login has no right to do this"
PRIVATE = Cause("the workspace can be reached from its private network only", NETWORK)
NO_WORKSPACE = Cause("", "Check AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZURE_ML_WORKSPACE.", again=5)
UNREGISTERED = Cause("the subscription is not registered for what an endpoint needs", REGISTER)
DISABLED = Cause("the subscription is disabled", "Its owner enables it again; until then it can only be read.")
NO_QUOTA = Cause("Azure has no quota left for it", QUOTA)
NO_MACHINE = Cause(
    "Azure doesn't give this machine here", "Take another instance_type in endpoints/, or ask for it in the portal."
)
IMAGE = Cause("its image could not be built", "The build log of the environment, in the studio, tells the line.")
CRASHED = Cause(
    "its container did not become ready",
    "Its log tells why: python -m scripts.logs NAME, while that deployment is there.",
)
BY_STATUS = {
    401: RELOGIN,
    404: Cause(again=5),
    408: BUSY,
    409: Cause(again=5),  # nobody knows what it collides with
    429: BUSY,
}

# azure-resource-manager/troubleshooting/common-deployment-errors, where no other source stands
CODES = {
    "toomanyrequests": BUSY,
    "resourcerequeststhrottled": BUSY,  # Azure/azqr#34
    "subscriptionrequeststhrottled": BUSY,
    "anotheroperationinprogress": RUNNING,
    "operationinprogress": RUNNING,
    "scopelocked": Cause(  # Azure/apiops#606
        "a lock forbids it",
        "The lock's owner removes it (az lock list --resource-group GROUP, az lock delete --ids ID); "
        "then run this again.",
    ),
    "missingsubscriptionregistration": UNREGISTERED,
    "subscriptionnotregistered": UNREGISTERED,  # MicrosoftLearning/mslearn-azure-ml#106
    "readonlydisabledsubscription": DISABLED,
    "subscriptiondisabled": DISABLED,
    "disallowedoperation": DISABLED,
    "requestdisallowedbypolicy": Cause(
        "a policy of the subscription forbids it", "Change what it names, or its owner makes an exemption."
    ),
    "requestdisallowedbyazure": NO_MACHINE,
    "authorizationfailed": Cause(
        NO_RIGHT,
        "Give the identity a role that has the action named: AzureML Data Scientist on the workspace has those of "
        "Microsoft.MachineLearningServices that these scripts need, Monitoring Reader those of Microsoft.Insights.",
    ),
    "insufficientaccesserror": Cause(NO_RIGHT, "Give the identity Log Analytics Reader on the log's workspace."),
    "pathnotfounderror": Cause("there is no such workspace of logs", "Check LOG_ANALYTICS_WORKSPACE_ID."),
    "sem0100": Cause(
        "the log isn't there (yet)", "Diagnostic settings of the endpoint send it; its first rows take up to an hour."
    ),
    "linkedauthorizationfailed": Cause(
        "the login may not use a resource that this one refers to",
        "Give it a role with the action named on what is named: for a managed identity, Managed Identity Operator.",
    ),
    "invalidauthenticationtokentenant": Cause(
        "the login is of another tenant", "Sign in there: az login --tenant TENANT; in a workflow, AZURE_TENANT_ID."
    ),
    "expiredauthenticationtoken": RELOGIN,
    "invalidauthenticationtoken": RELOGIN,
    "resourcegroupnotfound": NO_WORKSPACE,
    "subscriptionnotfound": NO_WORKSPACE,
    "invalidsubscriptionid": NO_WORKSPACE,
    "invalidtemplate": Cause("Azure can't use what was sent", "endpoints/*.yml has it: correct what is named."),
    "invalidtemplatedeployment": Cause("Azure can't use what was sent", "Its details tell the field or the policy."),
    # how-to-troubleshoot-online-endpoints, also as `oe-tsg#error-…` in the message
    "outofquota": NO_QUOTA,
    "quotaexceeded": NO_QUOTA,
    "outofcapacity": Cause("the region has no such machines left", "Take another instance_type, or try again later."),
    "skunotavailable": NO_MACHINE,
    "notavailableforsubscription": NO_MACHINE,
    "imagebuildfailure": IMAGE,
    "resourcenotready": CRASHED,
    "badargument": Cause("Azure can't use what was sent", "Correct what is named, then run this again."),
}

STORAGE = {  # rest/api/storageservices/blob-service-error-codes
    "keybasedauthenticationnotpermitted": Cause(  # Azure/azure-sdk-for-python#36603
        "the workspace's storage account allows no account keys",
        "Let the workspace use identities: az ml workspace update --name WORKSPACE --resource-group GROUP "
        f"--system-datastores-auth-mode identity. {BLOB_ROLE}",
    ),
    "authenticationfailed": Cause(  # microsoft/AzureStorageExplorer#62
        "the storage account refused the key that the workspace has for it: a key that was rotated",
        "Then: az ml workspace sync-keys --name WORKSPACE --resource-group GROUP.",
    ),
    "authorizationfailure": Cause("the storage account's firewall refused this address", NETWORK),
    "authorizationsourceipmismatch": Cause("the storage account's firewall refused this address", NETWORK),
    "publicaccessnotpermitted": Cause("the storage account is closed to the public", NETWORK),
    "authorizationpermissionmismatch": Cause("the login has no right to these blobs", BLOB_ROLE),
    "insufficientaccountpermissions": Cause("the login has no right to these blobs", BLOB_ROLE),
    "accountisdisabled": DISABLED,
}

WORDS = [
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in [
        (r"private link|private endpoint", PRIVATE),  # azure-cli-extensions#6294, MicrosoftDocs/azure-docs#90426
        (
            # Azure/mlops-project-template#29, ansible-collections/azure#2231, and the local Azure ML's own words
            r"already an endpoint with this name|unique within (a|the) region|already taken in this region",
            Cause("the endpoint's name is taken in this region", "Take another: ENDPOINT_NAME, or endpoint.yml."),
        ),
        (r"not enough quota|quota (is |was )?exceeded", NO_QUOTA),  # MicrosoftLearning/mslearn-azure-ml#30
        (
            # Azure/azure-sdk-for-net#36961, Azure/azure-service-operator#4650
            r"in \w+ing provisioning state|operation is (pending|in progress)|operation in progress|another operation",
            RUNNING,
        ),
        (r"(isn't|is not) registered (with|to use)", UNREGISTERED),
        # Microsoft Entra's authentication error codes
        (r"AADSTS(700213|70021|700211|700212)\b", Cause("Azure trusts no such workflow of this repository", TRUST)),
        (r"AADSTS700024", NO_LOGIN),
        (
            r"AADSTS(7000215|7000222)\b",
            Cause("the login's client secret is wrong or has expired", "These scripts need none: use federation."),
        ),
        (
            r"AADSTS(700016|90002)\b",
            Cause("there is no such identity or tenant", "Check AZURE_CLIENT_ID and AZURE_TENANT_ID."),
        ),
        (
            r"AADSTS(53003|530\d\d|50076|50078|50079)\b",
            Cause("a rule of the tenant stops this login", "Sign in as it wants it: az login; its owner can say more."),
        ),
        (r"AADSTS(90033|50196|1024|90012)\b", BUSY),
        (r"AADSTS\d+", NO_LOGIN),
        # Azure/azure-cli#20404: `az` didn't answer within the credential's process_timeout
        (r"failed to invoke (the )?azure cli", LATE_TOKEN),
        (r"\baz login\b", NO_LOGIN),
        (r"(?s)retrieve a token.*(connection (aborted|refused|reset)|max retries|timed out)", LATE_TOKEN),
        (
            r"Unknown cloud environment",
            Cause(
                "",
                "Its description could not be read from ARM_CLOUD_METADATA_URL. For the local Azure ML: is it running? "
                "For Azure: unset AZUREML_CURRENT_CLOUD and ARM_CLOUD_METADATA_URL.",
                again=3,
            ),
        ),
    ]
]
