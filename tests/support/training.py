"""What tests of training on a cluster share: a cluster, a datastore for its output, data, and model/ with a job.yml."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from azureml_emulator.testing import Arm, blobs
from tests.support import ROOT

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

CLUSTER, ASSET, STORE = "cpu-cluster", "heart", "training"
ROLES = {
    "reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
}  # Storage Blob Data …


def job() -> str:
    """The example that make_it_yours fills in."""
    text = (ROOT / "docs/job.yml").read_text(encoding="utf-8")
    return text.replace("CLUSTER", CLUSTER).replace("ASSET", ASSET)


def set_up(arm: Arm, cluster: str = CLUSTER, most: int = 2, container: str = "") -> None:
    """What setup_github's lines make: whose jobs may read the data, and write to a container of their own alone; with
    the name of another container no roles are given.
    """
    nodes = {"vmSize": "Standard_DS3_v2", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": most}}
    body = {"computeType": "AmlCompute", "properties": nodes}
    made = arm(
        "PUT", f"computes/{cluster}", {"location": "local", "properties": body, "identity": {"type": "SystemAssigned"}}
    )
    assert made.status_code in (200, 201), made.text
    who = made.json()["identity"]["principalId"]
    default = arm("GET", "datastores/workspaceblobstore").json()["properties"]
    store = {"datastoreType": "AzureBlob", "accountName": "localstorage", "containerName": container or STORE}
    made = arm("PUT", f"datastores/{STORE}", {"properties": {**store, "credentials": {"credentialsType": "None"}}})
    assert made.status_code in (200, 201), made.text
    for role, over in () if container else (("contributor", STORE), ("reader", default["containerName"])):
        assign(arm, who, role, over)


def assign(arm: Arm, who: str, role: str, container: str) -> None:
    """A role over one container."""
    account = arm("GET", "").json()["properties"]["storageAccount"]
    scope = f"{account}/blobServices/default/containers/{container}/providers/Microsoft.Authorization"
    group = arm.workspace.partition("/providers/")[0]
    definition = f"{group}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
    given = {"principalId": who, "roleDefinitionId": definition}
    made = arm("PUT", f"{arm.base}{scope}/roleAssignments/{uuid.uuid4()}", {"properties": given})
    assert made.status_code == 201, made.text


def data(arm: Arm, version: str, content: bytes = b"rows") -> None:
    """A version of the data asset."""
    place = f"data/{ASSET}-{version}.csv"
    blobs(arm).upload_blob(place, content, overwrite=True)
    uri = f"azureml://datastores/workspaceblobstore/paths/{place}"
    body = {"properties": {"dataType": "uri_file", "dataUri": uri}}
    made = arm("PUT", f"data/{ASSET}/versions/{version}", body)
    assert made.status_code in (200, 201), made.text


def output(arm: Arm) -> ContainerClient:
    """What all jobs have put out, as one of them could change it."""
    store = {"datastoreType": "AzureBlob", "accountName": "localstorage", "containerName": STORE}
    body = {"properties": {**store, "credentials": {"credentialsType": "AccountKey"}}}
    assert arm("PUT", "datastores/output_by_key", body).status_code in (200, 201)
    return blobs(arm, "output_by_key")


def write(tree: Path, train: str) -> None:
    """What training reads of a repository, with a job.yml, and this train.py."""
    for name in ("model", "scripts"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "model/train.py").write_text(train)
    (tree / "model/job.yml").write_text(job())
    (tree / "model/requirements.txt").write_text("click==8.1.8 \\\n    --hash=sha256:abc\n")
    (tree / "scripts/azure-needs.txt").write_text((ROOT / "scripts/azure-needs.txt").read_text())
