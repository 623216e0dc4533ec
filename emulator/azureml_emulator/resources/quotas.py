"""What the subscription may use: core quotas, machine sizes."""

from collections.abc import Iterable

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.names import PROVIDER
from azureml_emulator.resources import defaults, skus

#: The sizes that are told; deployments take any whose name says its cores. The real list is longer.
TOLD = (*skus.CORES, "Standard_F2s_v2", "Standard_F4s_v2", "Standard_F8s_v2", "Standard_E2s_v3", "Standard_E4s_v3")


def sizes() -> list[Document]:
    return [
        {
            "name": name,
            "family": skus.family(name),
            "vCPUs": skus.cores(name),
            "gpus": 0,
            "supportedComputeTypes": ["AmlCompute"],
        }
        for name in TOLD
    ]


def usages(subscription: str, deployments: Iterable[Document], quota: int) -> list[Document]:
    """Cores that the deployments take: of each family, and of all; either may be as much as the quota.

    Names as in the examples of Azure's own description; that a family's are spelt as its name is a guess.
    """
    used = {skus.family(name): 0 for name in TOLD}
    for document in deployments:
        family = skus.family(document["properties"]["instanceType"])
        used[family] = used.get(family, 0) + defaults.charged(document)
    families = [
        _usage(subscription, "vmFamily", f"{_spoken(family)} Cluster Dedicated vCPUs", cores, quota)
        for family, cores in used.items()
    ]
    everything = "Total Cluster Dedicated Regional vCPUs"
    return [_usage(subscription, "dedicatedCores", everything, sum(used.values()), quota), *families]


def _spoken(family: str) -> str:
    """`standardDSv2Family` as usages name it: `Standard DSv2 Family`."""
    return f"Standard {family.removeprefix('standard').removesuffix('Family')} Family"


def _usage(subscription: str, kind: str, name: str, used: int, quota: int) -> Document:
    id = f"/subscriptions/{subscription}/usages"
    return {
        "id": f"{id}/{name.replace(' ', '_')}" if kind == "vmFamily" else id,
        "type": f"{PROVIDER}/{kind}/usages",
        "unit": "Count",
        "currentValue": used,
        "limit": quota,
        "name": {"value": name, "localizedValue": name},
    }
