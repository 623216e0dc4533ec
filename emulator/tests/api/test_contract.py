"""Every answer of a whole rollout held to Microsoft's descriptions (contract.yml) and to the SDK's own models.

The rollout is recorded by `python -m azureml_emulator --trace`, so what is checked is what went over the wire.
"""

from __future__ import annotations

import copy
import functools
import json
import operator
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import requests
import yaml
from azure.core.exceptions import HttpResponseError

from azureml_emulator.api import routes
from azureml_emulator.process import running
from azureml_emulator.resources import watching
from azureml_emulator.resources.roles import IDS
from azureml_emulator.testing import SAMPLE, Arm, alert, deployment, endpoint, toy_model, traffic_log
from tests.support import jobs
from tests.support.contract import CONTRACT, OURS, complaints, route, schema
from tests.support.sdk_models import MODELS, objections
from tests.support.watched import logs

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

Call = dict[str, Any]
GREEN = "xgboost-model-2"
RECORDED = yaml.safe_load((Path(__file__).parents[1] / "recorded.yml").read_text())["answers"]


class Recording(NamedTuple):
    """What an emulator wrote down, and secrets that it told meanwhile."""

    path: Path
    secrets: list[str]


@pytest.fixture(scope="module")
def recording(outside: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """What an emulator of its own recorded while the SDK, and then plain HTTP, asked it for everything it has."""
    folder = tmp_path_factory.mktemp("contract")
    path = folder / "trace.jsonl"
    with (
        running(folder / "state", "--trace", str(path), "--minute=0.2") as variables,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in variables.items():
            patch.setenv(name, value)
        roll_out(folder)
        secrets = ask_for_the_rest(Arm(variables))
    return Recording(path, [*secrets, variables["IDENTITY_HEADER"]])


@pytest.fixture(scope="module")
def calls(recording: Recording) -> list[Call]:
    return [json.loads(line) for line in recording.path.read_text().splitlines()]


def roll_out(folder: Path) -> None:
    """Two versions by the SDK, one of them packaged, the split to and fro, one that breaks, the end."""
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineEndpoint
    from azure.identity import DefaultAzureCredential

    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
    client = MLClient(DefaultAzureCredential(), *(os.environ[name] for name in names))
    for answer, broken in ((0, False), (1, False), (2, True)):
        register(client, toy_model(folder / str(answer), answer=answer, broken=broken))
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="contract", auth_mode="key")).result()
    deploy(client, "default", 1)
    deploy(client, GREEN, 2, package(client, 2))
    for share in (0, 10, 0, 50, 100):
        endpoint = client.online_endpoints.get("contract")
        endpoint.traffic = {"default": 100 - share, GREEN: share}
        client.online_endpoints.begin_create_or_update(endpoint).result()
    ask(client)
    client.online_deployments.begin_delete("default", "contract").result()
    with pytest.raises(HttpResponseError):
        deploy(client, "broken", 3)
    client.online_deployments.get_logs("broken", "contract", 100)
    assert {deployment.name for deployment in client.online_deployments.list("contract")} == {GREEN, "broken"}
    client.online_endpoints.begin_delete("contract").result()


def register(client: MLClient, folder: Path) -> None:
    from azure.ai.ml.entities import Model

    client.models.create_or_update(Model(name="toy-contract", path=folder, type="mlflow_model"))
    client.models.get("toy-contract", label="latest")


def package(client: MLClient, version: int) -> str:
    """The environment that an image of model and server is known by."""
    from azure.ai.ml.entities import AzureMLOnlineInferencingServer, ModelPackage

    request = ModelPackage(target_environment="packaged", inferencing_server=AzureMLOnlineInferencingServer())
    made = client.models.package("toy-contract", str(version), request)
    return f"azureml:{made.name}:{made.version}"


def deploy(client: MLClient, name: str, version: int, environment: str | None = None) -> None:
    from azure.ai.ml.entities import ManagedOnlineDeployment

    what = {"environment": environment} if environment else {"model": f"azureml:toy-contract:{version}"}
    deployment = ManagedOnlineDeployment(
        name=name, endpoint_name="contract", instance_type="Standard_DS3_v2", instance_count=1, tags={"a": "b"}, **what
    )
    client.online_deployments.begin_create_or_update(deployment).result()


def ask(client: MLClient) -> None:
    """One answer by the split, and one past it."""
    key = client.online_endpoints.get_keys("contract").primary_key
    for chosen in ({}, {"azureml-model-deployment": "default"}):
        headers = {"Authorization": f"Bearer {key}", **chosen}
        uri = client.online_endpoints.get("contract").scoring_uri
        assert requests.post(uri, json=SAMPLE, headers=headers, timeout=30).status_code == 200
    time.sleep(1)  # five minutes, after which it is told
    metrics = "onlineEndpoints/contract/providers/Microsoft.Insights/metrics?api-version=2024-02-01"
    for names in ("RequestsPerMinute,RequestLatency_P90", "none"):
        Arm(dict(os.environ))("GET", f"{metrics}&metricnames={names}&$filter=deployment eq '*'")
    assert logs(Arm(dict(os.environ)), endpoint="contract", one="default", other=GREEN).tables[0].rows


def ask_for_the_rest(arm: Arm) -> list[str]:
    """What the scripts don't call, and refusals of every kind. Returns the secrets in the answers."""
    for path in ("datastores", "models", "onlineEndpoints", "models/none", "onlineEndpoints/none"):
        arm("GET", path)
    archived = arm("GET", "models/toy-contract/versions/1").json()
    archived["properties"]["isArchived"] = True
    arm("PUT", "models/toy-contract/versions/1", archived)
    arm("GET", "models/toy-contract/versions?listViewType=All&$top=1")
    arm("PUT", "models/toy-contract/versions/9", {"properties": {"modelUri": "nowhere"}})
    about_assets(arm)
    about_jobs(arm)
    started = arm("PUT", "onlineEndpoints/tokens", endpoint(authMode="AMLToken"))
    arm("PUT", "onlineEndpoints/tokens", endpoint(authMode="AMLToken"))  # 409, while the first runs
    arm.settle(started)
    arm("GET", started.headers["Azure-AsyncOperation"].replace("mfeOperationsStatus", "mfeOperationResults"))
    token = arm("POST", "onlineEndpoints/tokens/token").json()["accessToken"]
    arm("POST", "onlineEndpoints/tokens/listKeys")
    arm.endpoint("keys")
    keys = arm("POST", "onlineEndpoints/keys/listKeys").json()
    arm.settle(
        arm("POST", "onlineEndpoints/keys/regenerateKeys", {"keyType": "Primary", "keyValue": keys["primaryKey"]})
    )
    arm.settle(arm("PATCH", "onlineEndpoints/keys?api-version=2022-02-01-preview", {"tags": {"a": "b"}}))
    arm("PUT", "onlineEndpoints/keys", endpoint(traffic={"none": 100}))
    arm("PUT", "onlineEndpoints/keys/deployments/default", deployment("models/none/versions/1"))
    for path in ("deployments", "deployments/none"):
        arm("GET", f"onlineEndpoints/keys/{path}")
    arm("POST", "onlineEndpoints/keys/deployments/none/getLogs", {"tail": 1})
    arm("DELETE", "onlineEndpoints/keys/deployments/none")
    arm("DELETE", "onlineEndpoints/none")
    arm("GET", "models", headers={"Authorization": "Bearer none"})
    about_watchers(arm)
    about_the_subscription(arm)
    return [arm.token, token, *keys.values(), blobs(arm).partition("sig=")[2]]


def about_assets(arm: Arm) -> None:
    """Registers each kind, twice, says something of its container, and asks for all there is and what isn't."""
    kinds = {
        "models": {"modelUri": f"azureml:/{arm.workspace}/datastores/workspaceblobstore/paths/a", "stage": "Archived"},
        "data": {"dataType": "uri_folder", "dataUri": "azureml://there"},
        "environments": {"image": "python:3.11"},
    }
    for kind, properties in kinds.items():
        for _ in range(2):
            arm("PUT", f"{kind}/of-contract/versions/1", {"properties": properties})
            said = {"description": "a", **({"dataType": "uri_folder"} if kind == "data" else {})}
            arm("PUT", f"{kind}/of-contract", {"properties": said})
        for path in ("", "/of-contract", "/of-contract/versions", "/of-contract/versions/1", "/none/versions/1"):
            arm("GET", f"{kind}{path}")


def about_jobs(arm: Arm) -> None:
    """Runs a job on a cluster, twice the same, once another, and asks for all that there is of it."""
    cluster = jobs.cluster(arm, "of-contract")
    store = {"datastoreType": "AzureBlob", "accountName": "localstorage", "containerName": "trained"}
    code = {"codeUri": f"{arm.base}/localstorage.blob.core.local/code", "properties": {"hash_sha256": "a"}}
    for _ in range(2):
        jobs.cluster(arm, "of-contract")
        arm("PUT", "datastores/trained", {"properties": {**store, "credentials": {"credentialsType": "None"}}})
        arm("PUT", "codes/of-contract/versions/1", {"properties": code})
    arm("POST", "codes/of-contract/versions/1/startPendingUpload", {"pendingUploadType": "TemporaryBlobReference"})
    given = {
        "codeId": f"{arm.workspace}/codes/of-contract/versions/1",
        "inputs": {"a": {"jobInputType": "literal", "value": "1"}},
        "outputs": {"b": {"jobOutputType": "uri_folder"}},
    }
    for command in ("sleep ${{inputs.a}}", "sleep ${{inputs.a}}", "exit 1"):
        arm("PUT", "jobs/of-contract", jobs.body(cluster, command, **given))
    jobs.submit(arm, cluster, "failing", "exit 1")
    services = (f"{arm.base}/{service}/v1.0{arm.workspace}" for service in ("history", "data", "modelregistry"))
    history, data, models = services
    arm("GET", f"{history}/runs/of-contract/details")
    assert (jobs.ended(arm, "of-contract"), jobs.ended(arm, "failing")) == ("Completed", "Failed")
    for name in ("of-contract", "failing"):
        arm("GET", f"{history}/runs/{name}/details")
    written = arm("POST", f"{history}/rundata", {"runId": "of-contract"}).json()["runMetadata"]["outputs"]
    arm("POST", f"{data}/dataversion/batchGetResolvedUris", {"values": [written["b"]["assetId"]]})
    arm("POST", f"{models}/models/batchGetResolvedUris", {"values": []})
    arm("PATCH", f"{history}/experiments/Default/runs/of-contract", {"tags": {"a": "b"}})
    arm("POST", "jobs/of-contract/cancel")
    arm("GET", f"{arm.base}/discovery")
    for path in (
        *("jobs", "jobs/of-contract", "jobs/none", "computes", "computes/of-contract", "computes/none"),
        *("datastores/none", "codes/a/versions?hash=a", "codes/of-contract/versions/1", "codes/none/versions/1"),
    ):
        arm("GET", path)


def about_the_subscription(arm: Arm) -> None:
    """Asks what may be done and used, and for identities and roles; sets one of each up, and again."""
    arm("GET", "providers/Microsoft.Authorization/permissions")
    for method, name in (("PUT", "/a"), ("GET", ""), ("DELETE", "/a"), ("DELETE", "/a")):
        reader = {"properties": {"principalId": "a", "roleDefinitionId": IDS["Reader"]}} if method == "PUT" else None
        arm(method, f"providers/{routes.roles.KIND}{name}", reader)
    role = {"roleName": "a", "permissions": [{"actions": ["*/read"]}], "assignableScopes": [arm.workspace]}
    arm("PUT", f"providers/{routes.roles.DEFINITIONS}/a", {"properties": role})
    subscription = f"{arm.base}{arm.workspace.partition('/resourceGroups/')[0]}"
    for id in ("a", IDS["Reader"], "none"):
        arm("GET", f"{subscription}/providers/{routes.roles.DEFINITIONS}/{id}?api-version=2022-04-01")
    for path in ("usages", "vmSizes"):
        arm("GET", f"{arm.base}{routes.L.format(subscription=arm.workspace.split('/')[2])}/{path}")
    identities = f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers/{routes.IDENTITIES}"
    trusted = {"issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b", "audiences": ["api://a"]}
    for _ in range(2):
        arm("PUT", f"{identities}/rollout", {"location": "local"})
        arm("PUT", f"{identities}/rollout/federatedIdentityCredentials/deploy", {"properties": trusted})
    arm("PUT", f"{identities}/rollout/federatedIdentityCredentials/deploy", {"properties": {"issuer": "a"}})
    for path in ("", "/rollout/federatedIdentityCredentials", "/none/federatedIdentityCredentials"):
        arm("GET", identities + path)


def about_watchers(arm: Arm) -> None:
    """Makes an alert and a setting of an endpoint, asks for them, takes them away, twice; and a spoilt one of each."""
    group = f"{arm.base}{arm.workspace.partition('/providers/')[0]}"
    for address, body in (
        (f"{group}/providers/{watching.ALERTS}", alert(f"{arm.workspace}/onlineEndpoints/keys")),
        (f"onlineEndpoints/keys/providers/{watching.SETTINGS}", traffic_log("/subscriptions/a")),
    ):
        arm("PUT", f"{address}/a", body)
        arm("PUT", f"{address}/b", {"properties": {"scopes": [], "logs": [{}]}})
        arm("GET", address)
        for _ in range(2):
            arm("DELETE", f"{address}/a")
    arm("GET", f"onlineEndpoints/none/providers/{watching.SETTINGS}")


def blobs(arm: Arm) -> str:
    """Asks every blob route once. Returns the signature that opens them."""
    sas = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
    container = f"{arm.base}/{routes.ACCOUNT}.blob.{routes.SUFFIX}/azureml-blobstore-local"
    arm.session.put(f"{container}/a.json{sas}", data=b"{}", headers={"x-ms-blob-type": "BlockBlob"})
    for path in ("", "/a.json"):
        arm.session.get(f"{container}{path}{sas}")
        arm.session.head(f"{container}{path}{sas}")
        arm.session.delete(f"{container}{path}{sas}")
        arm.session.put(f"{container}{path}{sas}")
    return str(sas)


def test_names_types_enumerations_and_required_fields(calls: list[Call]) -> None:
    """Each answer, errors and operations included, is on a known route, as described there, without further keys."""
    found = [complaint for call in calls for complaint in complaints(call, OURS)]

    assert found == []


def test_api_versions(calls: list[Call]) -> None:
    """The SDK asks in the versions from which the contract was written down."""
    rows = [(row, call["query"]) for call in calls if (row := route(call["method"], call["path"]))]

    assert [wrong for row, query in rows for wrong in CONTRACT.wrong_query(row, query)] == []


def test_headers(calls: list[Call]) -> None:
    """Each answer of the resource manager has an id, and what starts an operation says how long it may take."""
    answers = [call for call in calls if call["path"].startswith("/subscriptions/")]
    starting = [call for call in answers if {name.lower() for name in call["headers"]} & {"azure-asyncoperation"}]

    assert starting
    assert all("x-ms-request-id" in {name.lower() for name in call["headers"]} for call in answers)
    assert all("x-ms-async-operation-timeout" in {name.lower() for name in call["headers"]} for call in starting)


def test_every_route_was_answered(calls: list[Call]) -> None:
    """Each row of the emulator's table was asked for, and answered as it should be: none escapes the check above.

    But for Entra's part, which test_federation.py holds.
    """
    answered = {(call["method"], route(call["method"], call["path"])) for call in calls if call["status"] < 400}
    rows = [
        (method, row)
        for method, row, _ in (*routes.LOGIN, *routes.MANAGER, *routes.LOGS)
        if not row.startswith("/{tenant}")
    ]

    missing = [row for row in rows if (row[0], route(row[0], re.sub(r"{\w+}", "any", row[1]))) not in answered]

    assert missing == []


def test_metrics_were_told(calls: list[Call]) -> None:
    """The recording holds series with points, and a refusal of a metric that isn't there."""
    asked = [call for call in calls if call["path"].endswith("/metrics")]
    series = [one for call in asked if call["status"] == 200 for one in call["body"]["value"][0]["timeseries"]]

    assert [call["status"] for call in asked] == [200, 400]
    assert {one["metadatavalues"][0]["value"] for one in series} == {"default", GREEN}
    assert any(point["average"] for one in series for point in one["data"])


def test_whole_rollout(calls: list[Call]) -> None:
    """The recording holds a rollout: both versions, the split's stages, a failed operation and a deleted blue."""
    puts = [call for call in calls if call["method"] == "PUT" and "/onlineEndpoints/contract" in call["path"]]
    splits = [call["sent"]["properties"].get("traffic") for call in puts]
    states = {call["body"]["status"] for call in calls if "mfeOperationsStatus" in call["path"]}

    assert {GREEN: 10, "default": 90} in splits
    assert {GREEN: 100} in splits
    assert states == {"Updating", "Succeeded", "Failed"}
    assert any(call["method"] == "DELETE" and call["path"].endswith("deployments/default") for call in calls)


def test_what_was_made_says_when(calls: list[Call]) -> None:
    """Every GET and every list says when an endpoint or a deployment was made: always the same, with microseconds."""
    read = [call["body"] for call in calls if call["method"] == "GET" and call["status"] == 200]
    items = [item for body in read if isinstance(body, dict) for item in body.get("value", [body])]
    made: dict[str, set[str]] = {}
    for item in items:
        if "/onlineEndpoints/contract" in item.get("id", "") and "/Microsoft.Insights/" not in item["id"]:
            made.setdefault(item["id"], set()).add(item["systemData"]["createdAt"])

    assert len(made) == 4
    assert all(len(times) == 1 for times in made.values())
    assert all(re.search(r"[.]\d{6}[+]00:00$", time) for times in made.values() for time in times)


def test_sdk_models(calls: list[Call]) -> None:
    """The SDK's own models miss no key that they require in any answer that it reads, and can read every value.

    It doesn't read those to a PUT of an endpoint or a deployment: it GETs what was made once the operation has ended.
    """
    found = [objection for name, body in bodies(calls) for objection in objections(name, body)]

    assert found == []


def test_sdk_models_object() -> None:
    """The second witness notices a missing key, a foreign state and a time that is none, and leaves further keys be."""
    body = {
        "location": "local",
        "systemData": {"createdAt": "yesterday"},
        "properties": {"provisioningState": "Createing", "colour": "blue"},
    }

    assert set(objections("OnlineEndpoint", body)) == {
        "OnlineEndpoint.systemData.createdAt is 'yesterday'",
        "OnlineEndpoint.properties.authMode is missing",
        "OnlineEndpoint.properties.provisioningState is 'Createing'",
    }


@pytest.mark.parametrize("name", RECORDED)
def test_the_truth(name: str) -> None:
    """What Azure was recorded to answer is right, by the contract, closed or not, and by the SDK's models."""
    call = {**RECORDED[name], "query": {}}

    assert list(complaints(call)) == []
    assert list(complaints(call, OURS)) == []
    assert [objection for name, body in bodies([call]) for objection in objections(name, body)] == []


@pytest.mark.parametrize("name", [name for name in RECORDED if RECORDED[name]["body"]])
def test_further_keys(name: str) -> None:
    """A key that nobody described may stand in an answer, but not in ours."""
    body = {**RECORDED[name]["body"], "colour": "blue"}

    assert list(complaints({**RECORDED[name], "body": body})) == []
    assert list(complaints({**RECORDED[name], "body": body}, OURS)) != []


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("no such model", "body.error.code", None),
        ("operation", "body.startTime", "soon"),
        ("operation", "body.status", "Failed"),  # without an error
        ("workspace", "body.properties.privateLinkCount", "0"),
        ("workspace", "body.properties.mlFlowTrackingUri", None),
        ("datastore", "body.properties.credentials", {"credentialsType": "Password"}),
        ("model", "body.properties.flavors", None),
        ("endpoint", "body.location", None),
        ("endpoint", "body.systemData", {"lastModifiedAt": "2025-02-27T10:58:37.0881949+00:00"}),
        ("endpoint", "body.properties.properties", None),
        ("endpoint", "body.properties.provisioningState", "Createing"),
        ("endpoint", "body.properties.traffic", {"d": "100"}),
        ("endpoint being changed", "body.properties.scoringUri", "there"),
        ("deployment", "body.sku.capacity", 1.5),
        ("deployment", "body.properties.livenessProbe", {"period": "10 s"}),
        ("deployment", "body.properties.scaleSettings", None),
        ("token", "body.expiryTimeUtc", "1667071623"),
        ("endpoint being deleted", "body", {}),
    ],
)
def test_what_is_wrong(name: str, place: str, value: Any) -> None:
    """A missing key, another type, an unknown state, a time or duration that is none: each is a breach."""
    call = copy.deepcopy(RECORDED[name])
    *parents, key = place.split(".")
    functools.reduce(operator.getitem, parents, call)[key] = value

    assert list(complaints(call)) != []
    assert list(complaints(call, OURS)) != []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("endpoint", {"status": 202}),
        ("token", {"status": 302, "path": "/endpoints/e/score"}),  # its errors may look like anything, no more
        ("endpoint being made", {"headers": {}}),
        ("endpoint being deleted", {"headers": {}}),
    ],
)
def test_status_and_headers(name: str, change: Call) -> None:
    """A status that isn't described is a breach, and one that starts an operation without saying where it is."""
    assert list(complaints({**RECORDED[name], **change})) != []


def test_unknown_route() -> None:
    """A call that no row of the contract covers fails the check; ARM's paths ignore case and a slash at their end."""
    call = {"method": "GET", "path": "/subscriptions/a/anything", "status": 200, "query": {}, "headers": {}, "body": {}}
    path = RECORDED["endpoint"]["path"].upper() + "/"

    assert list(complaints(call)) == ["GET /subscriptions/a/anything is in no row of the contract"]
    assert list(complaints({**RECORDED["endpoint"], "path": path})) == []


def test_another_api_version() -> None:
    """A version that the contract wasn't written down from is noticed."""
    row = route("GET", RECORDED["endpoint"]["path"])

    assert row is not None
    assert CONTRACT.wrong_query(row, {"api-version": "2022-02-01-preview"}) == []
    assert CONTRACT.wrong_query(row, {"api-version": "2099-01-01"}) != []


def test_recorded_without_secrets(recording: Recording, calls: list[Call]) -> None:
    """The recording holds no key, token or signature, and only its owner can read it."""
    text = recording.path.read_text()
    kept = [secret for secret in recording.secrets if secret in text]

    assert len(recording.secrets) == 6 and all(recording.secrets)
    assert kept == []
    assert not re.search(r"sig=[^*]|eyJ", text)
    assert any(call["query"].get("sig") == "***" for call in calls)
    assert stat.S_IMODE(recording.path.stat().st_mode) == 0o600


def bodies(calls: list[Call]) -> Iterator[tuple[str, Call]]:
    """Each document that has a model, with its schema's name; those of a page one by one."""
    for call in calls:
        row = route(call["method"], call["path"])
        name, is_page = schema(row, call["status"]) if row else ("", False)
        if name in MODELS:
            yield from ((name, document) for document in (call["body"]["value"] if is_page else [call["body"]]))
