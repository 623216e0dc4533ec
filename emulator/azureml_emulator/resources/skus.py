"""Instance types and the core quota (how-to-manage-quotas, managed-online-endpoints-vm-sku-list)."""

import math
import re

from azureml_emulator.arm.errors import BadRequest, passed_on
from azureml_emulator.arm.names import SUBSCRIPTION

#: Sizes whose name doesn't say the number of cores.
CORES = {"Standard_DS1_v2": 1, "Standard_DS2_v2": 2, "Standard_DS3_v2": 4, "Standard_DS4_v2": 8, "Standard_DS5_v2": 16}
#: F, Fs, D, E, L, NC… say it: Standard_F4s_v2 has four.
SIZE = re.compile(
    r"Standard_(?P<series>[A-Z]{1,2})(?P<cores>\d+)(?P<letters>[a-z]*)(?P<version>(_[A-Za-z0-9]+)*)", re.IGNORECASE
)
MAX_INSTANCES = 50


def spelt(instance_type: str) -> str:
    """A size as Azure spells it, whatever case it was sent in: `Standard_NC4as_T4_v3`."""
    known = {name.lower(): name for name in CORES}.get(instance_type.lower())
    if known or (size := SIZE.fullmatch(instance_type)) is None:
        return known or instance_type
    series, cores, letters, version = size.group("series", "cores", "letters", "version")
    return f"Standard_{series.upper()}{cores}{letters.lower()}{version.upper().replace('_V', '_v')}"


def cores(instance_type: str) -> int:
    """The cores of one instance. Raises BadRequest for a name that is no instance type."""
    known = {name.lower(): count for name, count in CORES.items()}.get(instance_type.lower())
    size = SIZE.fullmatch(instance_type)
    if known is None and size is None:
        raise BadRequest(f"The instance type {instance_type!r} is not supported for managed online deployments.")
    return known if known is not None else int(size["cores"])  # type: ignore[index]


def family(instance_type: str) -> str:
    """The family whose quota a size takes, as Azure names it: `standardDSv2Family`, `standardFSv2Family`.

    A guess for sizes whose name doesn't end with their version.
    """
    found = SIZE.fullmatch(spelt(instance_type))
    series, letters, version = found.group("series", "letters", "version")  # type: ignore[union-attr]
    version = version.replace("_", "")
    return f"standard{series.upper()}{letters.upper()}{version}Family"


def charged(instance_type: str, instances: int) -> int:
    """The cores that a deployment takes of the quota: a fifth is kept for upgrades."""
    return math.ceil(1.2 * instances) * cores(instance_type)


def check_quota(instance_type: str, instances: int, used: int, quota: int) -> None:
    """Raises BadRequest when the deployment doesn't fit: OutOfQuota on Microsoft's page, in no field of the answer."""
    needed = charged(instance_type, instances)
    if used + needed > quota:
        why = (
            f"Not enough quota available for {instance_type} in SubscriptionId {SUBSCRIPTION}. Current usage/limit: "
            f"{used}/{quota}. Additional needed: {needed} Please see troubleshooting guide, available here: "
            "https://aka.ms/oe-tsg#error-outofquota"
        )
        details = passed_on("InferencingClientCreateDeploymentFailed", "VmSize", why)
        raise BadRequest("The request is invalid.", "BadRequest", details=details)
