"""Who may submit a job, what its process can reach, and which blobs its cluster's identity opens."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import requests

from azureml_emulator.resources.roles import IDS
from azureml_emulator.serving.container import KEPT
from azureml_emulator.testing import Arm, endpoint
from tests.support.jobs import body, cluster, ended, failure, log, submit

ML = "Microsoft.MachineLearningServices/workspaces"
#: What submits jobs on data that is there, and neither registers nor deploys.
TRAINER = [
    f"{ML}/*/read",
    *(f"{ML}/{what}" for what in ("jobs/write", "jobs/cancel/action", "codes/versions/write")),
    *(f"{ML}/{what}" for what in ("codes/versions/startPendingUpload/action", "environments/versions/write")),
]


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def trainer(arm: Arm) -> Arm:
    """An identity with a custom role for just that."""
    role = {"roleName": "trainer", "permissions": [{"actions": TRAINER}], "assignableScopes": [arm.workspace]}
    id, group = str(uuid.uuid4()), arm.workspace.partition("/providers/")[0]
    made = arm("PUT", f"providers/Microsoft.Authorization/roleDefinitions/{id}", {"properties": role}).json()
    ids = identity(arm, "trainer")
    given = {"principalId": ids["principalId"], "roleDefinitionId": made["id"]}
    arm("PUT", f"providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": given})
    assert group
    return Arm(arm.variables, client=ids["clientId"])


def identity(arm: Arm, name: str) -> dict[str, str]:
    group = arm.workspace.partition("/providers/")[0]
    address = f"{arm.base}{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    found: dict[str, str] = arm("PUT", address, {"location": "local"}).json()["properties"]
    return found


def as_identity(arm: Arm, name: str) -> dict[str, Any]:
    """How a cluster has that identity."""
    group = arm.workspace.partition("/providers/")[0]
    id = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    return {"identity": {"type": "UserAssigned", "userAssignedIdentities": {id: {}}}}


def store(arm: Arm, name: str, kind: str = "None") -> None:
    """A datastore over a container of the same name."""
    given = {"datastoreType": "AzureBlob", "accountName": "localstorage", "containerName": name}
    body = {"properties": {**given, "credentials": {"credentialsType": kind}}}
    assert arm("PUT", f"datastores/{name}", body).status_code in (200, 201)


def let(arm: Arm, principal: str, role: str, container: str) -> None:
    """Gives a role over one container."""
    group = arm.workspace.partition("/providers/")[0]
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/localstorage"
    scope = f"{account}/blobServices/default/containers/{container}"
    given = {"principalId": principal, "roleDefinitionId": IDS[role]}
    address = f"{arm.base}{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    assert arm("PUT", address, {"properties": given}).status_code == 201


def test_what_a_trainer_may(arm: Arm, trainer: Arm) -> None:
    """It submits, reads and cancels jobs; it registers no model, changes no endpoint, makes no cluster."""
    nodes = cluster(arm, "trained-on")
    store(arm, "private", "AccountKey")

    allowed = [
        trainer("PUT", "jobs/by-trainer", body(nodes, "sleep 600")),
        trainer("GET", "jobs/by-trainer"),
        trainer("GET", f"{arm.base}/history/v1.0{arm.workspace}/runs/by-trainer/details"),
        trainer("POST", "jobs/by-trainer/cancel"),
    ]
    refused = [
        trainer("PUT", "models/mine/versions/1", {"properties": {}}),
        trainer("PUT", "onlineEndpoints/mine", endpoint()),
        trainer("DELETE", "onlineEndpoints/mine"),
        trainer("PUT", "computes/mine", {}),
        trainer("PUT", "datastores/mine", {}),
        trainer("POST", "datastores/private/listSecrets", {}),
        trainer("PUT", "data/mine/versions/1", {"properties": {}}),
        trainer(
            "POST", f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow/registered-models/create", {"name": "m"}
        ),
    ]

    assert [answer.status_code for answer in allowed] == [201, 200, 200, 200]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert ended(arm, "by-trainer") == "Canceled"


def test_what_may_not_submit(arm: Arm) -> None:
    """A reader sees jobs, and submits and cancels none."""
    ids = identity(arm, "reader")
    given = {"principalId": ids["principalId"], "roleDefinitionId": IDS["Reader"]}
    arm("PUT", f"providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": given})
    reader, nodes = Arm(arm.variables, client=ids["clientId"]), cluster(arm, "read-only")

    answers = [
        reader("PUT", "jobs/by-reader", body(nodes, "true")),
        reader("POST", "jobs/by-reader/cancel"),
        reader("PATCH", f"{arm.base}/history/v1.0{arm.workspace}/experiments/a/runs/by-reader", {}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert "jobs/write" in answers[0].json()["error"]["message"]
    assert "experiments/runs/write" in answers[2].json()["error"]["message"]
    assert reader("GET", "jobs").status_code == 200


def test_what_a_process_finds(arm: Arm) -> None:
    """Neither the emulator's variables nor its secrets; the run's token tracks, and opens nothing else."""
    submit(arm, cluster(arm, "bare"), "printing", "env", environmentVariables={"MINE": "a"})
    ended(arm, "printing")

    said = dict(line.partition("=")[::2] for line in log(arm, "printing").splitlines() if "=" in line)
    token = said["MLFLOW_TRACKING_TOKEN"]
    mlflow = f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow"

    assert said["MINE"] == "a" and said["AZUREML_RUN_ID"] == "printing"
    assert not set(said) & {"IDENTITY_HEADER", "IDENTITY_ENDPOINT", "AZURE_SUBSCRIPTION_ID", "GITHUB_TOKEN"}
    assert arm.variables["IDENTITY_HEADER"] not in log(arm, "printing")
    of_its_own = {name for name in said if name.startswith(("MLFLOW_", "AZUREML_"))}
    assert set(said) - of_its_own <= {*KEPT, "MINE", "PWD", "SHLVL", "_"}
    assert bearer(arm, token, f"{mlflow}/runs/get?run_id=printing") == 200
    assert bearer(arm, token, f"{arm.base}{arm.workspace}/models") == 401
    assert bearer(arm, token, f"{arm.base}/localstorage.blob.core.local/azureml-blobstore-local/a") == 401


def test_the_run_is_its_submitters(arm: Arm, trainer: Arm) -> None:
    """With its run's token a job may do to models what its submitter may: one who registers none can't by a job."""
    submit(trainer, cluster(arm, "of-trainer"), "registering", "env | grep TOKEN")
    ended(arm, "registering")
    token = log(arm, "registering").partition("TOKEN=")[2].split()[0]

    mlflow = f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow"

    assert bearer(arm, token, f"{mlflow}/registered-models/get?name=a") == 404
    assert bearer(arm, token, f"{mlflow}/registered-models/create", {"name": "a"}) == 403


def test_as_its_cluster(arm: Arm) -> None:
    """A process logs in as its cluster's identity, and as nobody else."""
    ids = identity(arm, "cluster")
    given = {"principalId": ids["principalId"], "roleDefinitionId": IDS["Reader"]}
    arm("PUT", f"providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": given})
    nodes = cluster(arm, "identified", **as_identity(arm, "cluster"))
    submit(arm, nodes, "logging-in", "env")
    ended(arm, "logging-in")
    said = dict(line.partition("=")[::2] for line in log(arm, "logging-in").splitlines() if "=" in line)

    def token(**more: str) -> requests.Response:
        header = {"X-IDENTITY-HEADER": said["IDENTITY_HEADER"]}
        return arm.session.get(
            said["IDENTITY_ENDPOINT"], params={"resource": "https://management.local/", **more}, headers=header
        )

    own = token().json()["access_token"]
    assert token(client_id=said["DEFAULT_IDENTITY_CLIENT_ID"]).status_code == 200
    assert token(client_id="00000000-0000-0000-0000-000000000001").status_code == 400
    assert bearer(arm, own, f"{arm.base}{arm.workspace}/models") == 200
    assert bearer(arm, own, f"{arm.base}{arm.workspace}/jobs/mine/cancel", {}) == 403


def bearer(arm: Arm, token: str, address: str, sent: Any = None) -> int:
    """The status that the bearer of a token is answered with."""
    headers, method = {"Authorization": f"Bearer {token}"}, "GET" if sent is None else "POST"
    body = None if sent is None else json.dumps(sent)
    return arm.session.request(method, address, data=body, headers=headers).status_code


@pytest.mark.parametrize(
    ("roles", "outcome", "why"),
    [
        ({"in": "Storage Blob Data Reader", "out": "Storage Blob Data Contributor"}, "Completed", ""),
        ({"out": "Storage Blob Data Contributor"}, "Failed", "data: Authentication error"),
        ({"in": "Storage Blob Data Reader", "out": "Storage Blob Data Reader"}, "Failed", "may not write"),
    ],
)
def test_datastores_without_keys(arm: Arm, roles: dict[str, str], outcome: str, why: str) -> None:
    """What a job reads and writes there its cluster's identity must have a role for, container by container."""
    name = f"by-role-{uuid.uuid4().hex[:8]}"
    ids = identity(arm, name)
    for place in ("in", "out"):
        store(arm, f"{name}-{place}".replace("-", "x"))
    for place, role in roles.items():
        let(arm, ids["principalId"], role, f"{name}-{place}".replace("-", "x"))
    source, target = (f"{name}-{place}".replace("-", "x") for place in ("in", "out"))
    arm.session.put(
        f"{arm.base}/localstorage.blob.core.local/{source}/rows.csv",
        data="many rows",
        headers={"x-ms-blob-type": "BlockBlob", "Authorization": f"Bearer {storage(arm)}"},
    ).raise_for_status()

    submit(
        arm,
        cluster(arm, name[:16].rstrip("-"), **as_identity(arm, name)),
        name,
        "cp ${{inputs.data}} ${{outputs.model}}",
        inputs={"data": {"jobInputType": "uri_file", "uri": f"azureml://datastores/{source}/paths/rows.csv"}},
        outputs={"model": {"jobOutputType": "uri_folder", "uri": f"azureml://datastores/{target}/paths/m"}},
    )

    assert ended(arm, name) == outcome, log(arm, name)
    assert not why or why in failure(arm, name)
    address = f"{arm.base}/localstorage.blob.core.local/{target}/m/rows.csv"
    assert bearer(arm, storage(arm), address) == (200 if outcome == "Completed" else 404)


def storage(arm: Arm) -> str:
    """The owner's token for blobs."""
    from azureml_emulator.testing import token

    return str(token(arm.variables, resource="https://storage.azure.com").json()["access_token"])


def test_a_role_over_another_container(arm: Arm) -> None:
    """Who may write one container can neither read nor write another of the account."""
    ids = identity(arm, "one-container")
    let(arm, ids["principalId"], "Storage Blob Data Contributor", "its-own")
    from azureml_emulator.testing import token

    resource = "https://storage.azure.com"
    own = token(arm.variables, resource=resource, client=ids["clientId"]).json()["access_token"]
    blobs = f"{arm.base}/localstorage.blob.core.local"

    assert bearer(arm, own, f"{blobs}/its-own/none") == 404
    assert bearer(arm, own, f"{blobs}/azureml-blobstore-local/none") == 403
