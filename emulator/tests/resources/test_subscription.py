"""What the local Azure ML says of the subscription: cores, machine sizes, managed identities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.api import routes
from azureml_emulator.process import running
from azureml_emulator.resources import quotas, skus
from azureml_emulator.testing import Arm

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

TOTAL = "Total Cluster Dedicated Regional vCPUs"
DSV2 = "Standard DSv2 Family Cluster Dedicated vCPUs"
CREDENTIAL = {"issuer": "https://token.example", "subject": "repo:a/b:environment:deploy", "audiences": ["api://a"]}


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture
def identities(arm: Arm) -> Iterator[str]:
    """The address of the resource group's identities."""
    yield f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers/{routes.IDENTITIES}"


def deployment(instance_type: str, instances: int) -> dict[str, Any]:
    return {"properties": {"instanceType": instance_type}, "sku": {"capacity": instances}}


def used(*deployments: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Cores in use and allowed, by name, of a subscription with 100 cores."""
    found = quotas.usages("s", deployments, 100)
    return {usage["name"]["value"]: (usage["currentValue"], usage["limit"]) for usage in found}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Standard_DS3_v2", "standardDSv2Family"),
        ("standard_ds3_v2", "standardDSv2Family"),
        ("Standard_F4s_v2", "standardFSv2Family"),
        ("Standard_D4as_v4", "standardDASv4Family"),
        ("Standard_E4s_v3", "standardESv3Family"),
        ("Standard_D2", "standardDFamily"),
    ],
)
def test_families(name: str, family: str) -> None:
    """A size belongs to the family that has its letters and version."""
    assert skus.family(name) == family


def test_usages_follow_the_deployments() -> None:
    """Each deployment counts for its family and for all, with a fifth more machines; nothing else is in use."""
    found = used(deployment("Standard_DS3_v2", 1), deployment("Standard_F4s_v2", 5), deployment("Standard_D4as_v4", 1))

    assert {name: cores for name, (cores, _) in found.items() if cores} == {
        TOTAL: 8 + 24 + 8,
        DSV2: 8,
        "Standard FSv2 Family Cluster Dedicated vCPUs": 24,
        "Standard DASv4 Family Cluster Dedicated vCPUs": 8,
    }
    assert {limit for _, limit in found.values()} == {100}


def test_the_sdk_lists_usages(client: MLClient) -> None:
    """`compute.list_usage` has the quota that the emulator was started with, for all and for each family."""
    found = {usage.name["value"]: vars(usage) for usage in client.compute.list_usage()}

    assert found[TOTAL]["limit"] == found[DSV2]["limit"] == 1000
    assert found[TOTAL]["currentValue"] >= found[DSV2]["currentValue"]


def test_the_sdk_lists_sizes(client: MLClient) -> None:
    """`compute.list_sizes` has cores and family of the machines in endpoints/."""
    found = {size.name: vars(size) for size in client.compute.list_sizes()}

    assert (found["Standard_DS3_v2"]["vCPUs"], found["Standard_DS3_v2"]["family"]) == (4, "standardDSv2Family")


def test_the_quota_option(tmp_path: Path) -> None:
    """--core-quota is the limit of every usage."""
    with running(tmp_path, "--core-quota=7") as variables:
        arm = Arm(variables)
        place = routes.L.format(subscription=variables["AZURE_SUBSCRIPTION_ID"])

        answer = arm("GET", f"{arm.base}{place}/usages").json()

    assert {usage["limit"] for usage in answer["value"]} == {7}


def test_an_identity_keeps_its_ids(arm: Arm, identities: str) -> None:
    """Put twice it is the same identity, with new tags; names are the same in any case."""
    first = arm("PUT", f"{identities}/twice", {"location": "local"})

    second = arm("PUT", f"{identities}/TWICE", {"location": "local", "tags": {"a": "b"}})

    listed = [one for one in arm("GET", identities).json()["value"] if one["name"].lower() == "twice"]
    assert (first.status_code, second.status_code) == (201, 200)
    assert [one["properties"] for one in listed] == [first.json()["properties"]]
    assert listed[0]["tags"] == {"a": "b"}


def test_an_identity_s_credentials(arm: Arm, identities: str) -> None:
    """What an identity trusts is read back as it was written, and is no other identity's."""
    for name in ("trusting", "other"):
        arm("PUT", f"{identities}/{name}", {"location": "local"})

    arm("PUT", f"{identities}/trusting/federatedIdentityCredentials/deploy", {"properties": CREDENTIAL})

    found = {
        name: arm("GET", f"{identities}/{name}/federatedIdentityCredentials").json()["value"]
        for name in ("trusting", "other")
    }
    assert [one["properties"] for one in found["trusting"]] == [CREDENTIAL]
    assert found["other"] == []


@pytest.mark.parametrize(
    "properties",
    [{}, {**CREDENTIAL, "audiences": "api://a"}, {**CREDENTIAL, "subject": ""}, {**CREDENTIAL, "issuer": 1}],
)
def test_a_credential_that_is_none(arm: Arm, identities: str, properties: dict[str, Any]) -> None:
    """Without issuer, subject and a list of audiences it is refused."""
    arm("PUT", f"{identities}/strict", {"location": "local"})

    answer = arm("PUT", f"{identities}/strict/federatedIdentityCredentials/deploy", {"properties": properties})

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/none/federatedIdentityCredentials", "/none/federatedIdentityCredentials/deploy"])
def test_an_identity_that_is_not_there(arm: Arm, identities: str, path: str) -> None:
    """It has no credentials, and gets none."""
    method = "PUT" if path.endswith("deploy") else "GET"

    answer = arm(method, f"{identities}{path}", {"properties": CREDENTIAL})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


def test_another_resource_group(arm: Arm, identities: str) -> None:
    """A group in which no workspace is isn't there."""
    answer = arm("GET", identities.replace("/resourceGroups/local/", "/resourceGroups/nowhere/"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceGroupNotFound")
