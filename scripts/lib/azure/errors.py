"""Azure's and the network's errors: which of them pass, and what to tell people of the others. The only such place."""

import re
import sys
from collections.abc import Callable
from typing import TypeVar

from scripts.lib.azure.waiting import TimedOut
from scripts.lib.decisions.state import Refused

Result = TypeVar("Result")
SIGN_IN = "Sign in again: `az login` on a laptop; in a workflow, re-run the job (its login lasts an hour or less)."
NO_CLOUD = (
    "Its description could not be read from ARM_CLOUD_METADATA_URL. For the local Azure ML: is it running? "
    "For Azure: unset AZUREML_CURRENT_CLOUD and ARM_CLOUD_METADATA_URL."
)


def passes(error: Exception) -> str | None:
    """Why it helps to look again and plan anew after this error of Azure's, for people; None where it doesn't."""
    from azure.core.exceptions import ResourceExistsError

    conflict = isinstance(error, ResourceExistsError)  # 409, azure-sdk-for-net#36961
    return "another operation is running on the endpoint; waiting for it" if conflict else None


def login_refused(error: Exception) -> bool:
    """Whether the login has expired, or never was one; while Azure is polled, only the status tells that."""
    from azure.core.exceptions import ClientAuthenticationError

    return isinstance(error, ClientAuthenticationError) or getattr(error, "status_code", None) == 401


def found(call: Callable[[], Result]) -> Result | None:
    """What a call finds, None where there is no such thing. A workspace that is missing stays an error."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return call()
    except ResourceNotFoundError as error:
        if _missing_workspace(error):
            raise
        return None


def explain(error: Exception) -> str | None:
    """One message for whoever ran the command; None for an error that is not theirs but a bug in the scripts."""
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, TimedOut):
        return f"{error}. Azure may still end it: look with show_endpoint, then run this again."
    if isinstance(error, FileNotFoundError):
        return f"{error.filename} doesn't exist. Run the scripts from the repository's root."
    return _azure(error) if "azure.core" in sys.modules else None


def _azure(error: Exception) -> str | None:
    from azure.core import exceptions as azure

    why, status = reason(error), getattr(error, "status_code", None) or 0
    if login_refused(error):
        return f"Azure does not accept the login: {why}\n{SIGN_IN}"
    if isinstance(error, azure.ServiceRequestError | azure.ServiceResponseError):
        return f"Azure can't be reached: {why}\nCheck the network, then run this again."
    if not isinstance(error, azure.HttpResponseError):  # MlException of azure-ai-ml is an AzureError, too
        unknown = "Unknown cloud environment" in str(error)
        return (f"{why} {NO_CLOUD}" if unknown else why) if isinstance(error, azure.AzureError) else None
    if status == 409:
        return f"another operation is running on the endpoint, so Azure refused this one: {why}\nRun it again later."
    if status == 403:
        return f"the login has no right to do this: {why}\nIt needs the role AzureML Data Scientist on the workspace."
    if status == 404 and _missing_workspace(error):
        return f"{why}\nCheck AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZURE_ML_WORKSPACE."
    if status == 429 or status >= 500:
        return f"Azure is busy or broken (HTTP {status}): {why}\nRun this again; show_endpoint tells how it is left."
    return f"Azure refused (HTTP {status}): {why}"


def _missing_workspace(error: Exception) -> bool:
    """Whether a 404 means that the workspace or what holds it isn't there, not the resource in it."""
    holders = r"ResourceGroupNotFound|SubscriptionNotFound|MachineLearningServices/workspaces/[^/']+'"
    return bool(re.search(holders, str(error)))


def reason(error: Exception) -> str:
    """Azure's own code and words on one line, without colours and signatures."""
    detail = getattr(error, "error", None)
    code, message = getattr(detail, "code", None), getattr(detail, "message", None)
    return redact(f"{code}: {message}" if code and message else getattr(error, "message", None) or error)


def redact(text: object) -> str:
    """One line without terminal colours, and without the secret part of a shared access signature."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(text))
    return " ".join(re.sub(r"(?i)\bsig=[^&\s'\"]+", "sig=…", plain).split())
