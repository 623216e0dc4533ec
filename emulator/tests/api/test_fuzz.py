"""No input makes the local Azure ML answer 500 or stop, and whatever it answers keeps to the contract.

Everything goes over real HTTPS, a connection a request. The examples are the same in every run.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from azureml_emulator.api import routes
from azureml_emulator.process import running
from azureml_emulator.resources import roles, watching
from azureml_emulator.testing import SAMPLE, Arm, alert, deployment, endpoint, toy_model, traffic_log
from tests.support import jobs, odd_input
from tests.support.contract import OURS, complaints, route
from tests.support.raw_bytes import exchange

CONTAINER = f"/{routes.ACCOUNT}.blob.{routes.SUFFIX}/azureml-blobstore-local"
SCORE = "/endpoints/fuzzed/score"
ROWS = [
    *(row[1].replace(":.+", "") for row in (*routes.LOGIN, *routes.MANAGER, *routes.SERVICES)),
    SCORE,
    "/endpoints/{name}/score",
    "/{name}",
    "/",
]
PROBE = {"failureThreshold": 30, "initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S"}
REQUESTS = {"maxConcurrentRequestsPerInstance": 1, "requestTimeout": "PT5S", "maxQueueWait": "PT1S"}
READER = roles.IDS["Reader"]
METRIC = {"key": "auc", "value": 0.9, "timestamp": 1, "step": 1}
STORE = {"datastoreType": "AzureBlob", "accountName": "localstorage", "containerName": "abc"}
JOB: dict[str, Any] = {
    "inputs": {"a": {"jobInputType": "literal", "value": "1"}},
    "outputs": {"b": {"jobOutputType": "uri_folder", "mode": "Upload"}},
    "limits": {"jobLimitsType": "Command", "timeout": "PT1M"},
    "resources": {"instanceCount": 1},
}
#: Valid requests whose bodies are mutated: method, path below the workspace, body. {W} is the workspace.
VALID: list[tuple[str, str, Any]] = [
    ("PUT", "onlineEndpoints/mutated", endpoint(traffic={}, mirrorTraffic={}, properties={"a": "b"}) | {"tags": {}}),
    ("PUT", "onlineEndpoints/fuzzed", endpoint(traffic={"default": 100}, publicNetworkAccess="Enabled")),
    ("PUT", "onlineEndpoints/fuzzed/deployments/default", deployment("{W}/models/toy/versions/1", livenessProbe=PROBE)),
    (
        "PUT",
        "onlineEndpoints/fuzzed/deployments/default",
        deployment("{W}/models/toy/versions/1", requestSettings=REQUESTS),
    ),
    ("PUT", "onlineEndpoints/fuzzed/deployments/other", deployment("{W}/models/toy/versions/9", environmentId=None)),
    ("PUT", "models/mutated/versions/1", {"properties": {"modelUri": "{W}/datastores/workspaceblobstore/paths/toy"}}),
    ("PUT", "models/toy/versions/1", {"properties": {"tags": {"a": "b"}, "isArchived": False, "flavors": {"a": {}}}}),
    ("POST", "models/toy/versions/1/package", {"targetEnvironmentName": "a", "inferencingServer": {"serverType": "b"}}),
    ("POST", "onlineEndpoints/mutated/regenerateKeys", {"keyType": "Primary", "keyValue": "a"}),
    ("POST", "onlineEndpoints/fuzzed/deployments/default/getLogs", {"tail": 5, "containerType": "InferenceServer"}),
    ("POST", "datastores/workspaceblobstore/listSecrets", {"expirableSecret": True, "expireAfterHours": 1}),
]
#: The same of jobs: from the workspace on, or from a service behind it.
OF_JOBS: list[tuple[str, str, Any]] = [
    ("PUT", "{W}/jobs/mutated", jobs.body("{W}/computes/fuzzed", "true", **JOB)),
    ("PUT", "{W}/computes/mutated", jobs.nodes_of()),
    ("PUT", "{W}/datastores/mutated", {"properties": {**STORE, "credentials": {"credentialsType": "None"}}}),
    ("PATCH", "/history/v1.0{W}/experiments/a/runs/mutated", {"tags": {"a": "b"}, "hidden": False}),
    ("POST", "/history/v1.0{W}/rundata", {"runId": "mutated", "selectRunMetadata": True}),
    ("POST", "/data/v1.0{W}/dataversion/batchGetResolvedUris", {"values": ["a"]}),
    ("POST", "/mlflow/v2.0{W}/api/2.0/mlflow/runs/create", {"experiment_id": "a", "tags": []}),
    ("POST", "/mlflow/v2.0{W}/api/2.0/mlflow/runs/log-batch", {"run_id": "mutated", "metrics": [METRIC]}),
    ("POST", "/mlflow/v2.0{W}/api/2.0/mlflow/runs/log-metric", {"run_id": "mutated", **METRIC}),
    ("POST", "/mlflow/v2.0{W}/api/2.0/mlflow/runs/log-model", {"run_id": "mutated", "model_json": "{}"}),
]
VERSION = {"source": "azureml://artifacts/toy", "tags": [{"key": "b", "value": "c"}], "run_id": "d"}
#: The same of what stands around: MLflow's registry, alerts and settings, identities, roles.
AROUND: list[tuple[str, str, Any]] = [
    ("POST", "/mlflow/v2.0{W}/api/2.0/mlflow/registered-models/create", {"name": "a", "description": "b", "tags": []}),
    ("POST", "/mlflow/v2.0{W}/api/2.0/mlflow/model-versions/create", {"name": "plugged", **VERSION}),
    ("POST", "/artifact/v2.0{W}/artifacts/a/b/batch/metadata", {"paths": [{"path": "a"}]}),
    ("PUT", f"{{G}}/{watching.ALERTS}/mutated", alert("a", actions=[{"actionGroupId": "b"}], autoMitigate=True)),
    ("PUT", f"{{W}}/onlineEndpoints/fuzzed/providers/{watching.SETTINGS}/mutated", traffic_log("a", categoryGroup="b")),
    ("PUT", f"{{G}}/{routes.IDENTITIES}/mutated", {"location": "local", "tags": {"a": "b"}}),
    ("PUT", f"{{W}}/providers/{roles.KIND}/mutated", {"properties": {"principalId": "a", "roleDefinitionId": READER}}),
]
BLOCKS = b"<?xml version='1.0'?><BlockList><Latest>YQ==</Latest></BlockList>"
BLOCK_LISTS = [
    BLOCKS,
    BLOCKS[:20],
    b"",
    BLOCKS.replace(b"'1.0'", b"'1.0' encoding='klingon'"),
    BLOCKS.decode().encode("utf-16"),
]
BLOCK_LISTS += [b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".decode().encode("utf-16"), b"<a>" * 9999 + b"</a>" * 9999]


def examples(number: int) -> Any:
    """The settings of a property: so many examples, always the same ones, none repeated to make it smaller."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=checks,
    )


class Target(NamedTuple):
    """An emulator with an endpoint `fuzzed` whose deployment `default` has all the traffic."""

    arm: Arm
    sas: str
    log: Path
    key: str = ""

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Sends a request as it is, and returns the call in the form of a recorded one."""
        sent = {"Host": "x", "Connection": "close", "Authorization": f"Bearer {self.arm.token}"}
        sent |= {"Content-Length": str(len(body)), "Content-Type": "application/json"} | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        request = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape")
        status, answer, received = exchange(self.arm, request + body)
        called = {"method": method, "path": path.partition("?")[0], "query": {}}
        return called | {"status": status, "headers": received, "body": parsed(answer), "bytes": answer}

    def score(self, body: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        known = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return self.ask("POST", SCORE, body, known | (headers or {}))

    def put(self, path: Path, name: str) -> None:
        put = {"x-ms-blob-type": "BlockBlob"}
        assert self.ask("PUT", quote(f"{CONTAINER}/{name}") + self.sas, path.read_bytes(), put)["status"] == 201

    def settle(self, call: dict[str, Any]) -> None:
        """Waits for the operation that a call started."""
        if address := {name.lower(): value for name, value in call["headers"].items()}.get("azure-asyncoperation"):
            while self.arm("GET", address).json()["status"] == "Updating":
                pass


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The quota is for one deployment with two instances: no example may start many processes."""
    folder = tmp_path_factory.mktemp("fuzz")
    with running(folder / "state", "--core-quota=12", "--operation-seconds=0") as variables:
        arm = Arm(variables)
        sas = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
        target = Target(arm, sas, folder / "state" / "emulator.log")
        toy_model(folder / "toy", answer=1)
        for name in ("toy/MLmodel", "toy/code/toy.py"):
            target.put(folder / name, name)
        uri = f"azureml:/{arm.workspace}/datastores/workspaceblobstore/paths/toy"
        model = {"properties": {"modelUri": uri, "modelType": "mlflow_model"}}
        assert arm("PUT", "models/toy/versions/1", model).status_code == 201
        arm.endpoint("mutated")
        jobs.cluster(arm, "fuzzed", nodes=0)  # no odd command is ever run
        yield target._replace(key=serve(arm))


def serve(arm: Arm) -> str:
    """Brings the endpoint `fuzzed` to what it should be. Returns its key."""
    arm.endpoint("fuzzed")
    assert arm.deployment("fuzzed", "default", "models/toy/versions/1")["status"] == "Succeeded"
    arm.endpoint("fuzzed", traffic={"default": 100})
    return str(arm("POST", "onlineEndpoints/fuzzed/listKeys").json()["primaryKey"])


@pytest.fixture(autouse=True)
def works_afterwards(target: Target) -> Iterator[None]:
    """After each property the emulator still deploys, stores and predicts, and its log holds no surprise."""
    yield
    target = target._replace(key=serve(target.arm))
    target.put(Path(__file__), "works")

    answered = target.score(json.dumps(SAMPLE).encode())

    assert (answered["status"], answered["body"]) == (200, [1])
    assert "Traceback" not in target.log.read_text()


def parsed(answer: bytes) -> Any:
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        return f"{len(answer)} bytes"


def wrong(call: dict[str, Any]) -> list[str]:
    """What is wrong with an answer: that there is none, a 500, or a breach of the contract.

    The contract is about what the emulator answers, not about what its HTTP library refuses as no HTTP.
    """
    found = [f"status {call['status']}"] if call["status"] in (0, 500) else []
    by_the_emulator = any(name.lower() == "x-ms-request-id" for name in call["headers"])
    if by_the_emulator and call["method"] != "HEAD" and route(call["method"], call["path"]):
        found += complaints(call, OURS)
    return found


@examples(500)
@given(data=st.data())
def test_any_request(target: Target, data: st.DataObject) -> None:
    """Any method on any route with odd names, queries and headers is answered, and never with 500."""
    parts = target.arm.workspace.split("/")
    place = {"subscription": parts[2], "group": parts[4], "workspace": parts[8]}
    row, method = data.draw(st.sampled_from(ROWS)), data.draw(odd_input.methods)
    odd = {name: data.draw(odd_input.names) for name in re.findall(r"{(\w+)}", row)}
    kept = place if data.draw(st.integers(0, 9)) else {**place, "workspace": odd.get("workspace", "")}
    path = row.format(**odd | kept)
    body = data.draw(st.sampled_from([b"", b"{}", b"[]", b"\xff"]))

    call = target.ask(method, f"{path}?{data.draw(odd_input.queries)}", body, data.draw(odd_input.headers))
    target.settle(call)

    assert wrong(call) == []


@examples(350)
@given(data=st.data())
def test_mutated_documents(target: Target, data: st.DataObject) -> None:
    """A document with odd values is taken or refused; what is answered, and shown later, keeps to the contract."""
    method, path, document = data.draw(st.sampled_from(VALID))

    mutate(target, data, method, f"{{W}}/{path}", document)


@examples(200)
@given(data=st.data())
def test_mutated_documents_of_jobs(target: Target, data: st.DataObject) -> None:
    """The same of jobs, their clusters and what is tracked; no job is ever run."""
    mutate(target, data, *data.draw(st.sampled_from(OF_JOBS)))


@examples(120)
@given(data=st.data())
def test_mutated_documents_of_what_stands_around(target: Target, data: st.DataObject) -> None:
    """The same of MLflow's registry, of who watches and of who may what."""
    mutate(target, data, *data.draw(st.sampled_from(AROUND)))


def mutate(target: Target, data: st.DataObject, method: str, path: str, document: Any) -> None:
    valid = json.loads(json.dumps(document).replace("{W}", target.arm.workspace))
    group = target.arm.workspace.partition("/Microsoft.MachineLearningServices/")[0]
    address = path.replace("{W}", target.arm.workspace).replace("{G}", group)

    call = target.ask(method, address, data.draw(odd_input.bodies(valid)))
    target.settle(call)
    shown = target.ask("GET", address) if method == "PUT" else call

    assert wrong(call) + wrong(shown) == []


@examples(250)
@given(data=st.data())
def test_blob_protocol(target: Target, data: st.DataObject) -> None:
    """Odd blob requests never end in 500, and the list of blobs stays XML that can be read."""
    method = data.draw(st.sampled_from(["GET", "HEAD", "PUT", "PUT", "DELETE"]))
    name = data.draw(st.just("a") | odd_input.names)
    body = data.draw(st.sampled_from(BLOCK_LISTS) | st.binary(max_size=8))
    headers = data.draw(st.sampled_from([{}, {"x-ms-blob-type": "BlockBlob"}])) | data.draw(odd_input.headers)

    call = target.ask(method, f"{CONTAINER}/{name}{target.sas}&{data.draw(odd_input.queries)}", body, headers)
    listed = target.ask("GET", f"{CONTAINER}{target.sas}&restype=container&comp=list")

    assert wrong(call) == []
    assert ElementTree.fromstring(listed["bytes"]).tag == "EnumerationResults"  # noqa: S314  # the emulator's own


@examples(150)
@given(data=st.data())
def test_scoring(target: Target, data: st.DataObject) -> None:
    """Odd scoring requests are answered by the model, or refused as Azure refuses; none ends in a 5xx."""
    call = target.score(data.draw(odd_input.bodies(SAMPLE)), data.draw(odd_input.headers))

    assert call["status"] in (200, 400, 401, 404, 408, 413, 417, 424, 429)
    assert wrong(call) == []


@examples(120)
@given(data=st.data())
def test_malformed_http(target: Target, data: st.DataObject) -> None:
    """Bytes that are no HTTP, or hardly, are refused, waited for or dropped, and never end in 500."""
    head = f"POST {SCORE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.key}\r\nContent-Length: 2\r\n\r\n"
    request = bytearray(head.encode() + b"{}")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(request)))
        end = start + data.draw(st.integers(0, 8))
        request[start:end] = data.draw(st.sampled_from(odd_input.BYTES) | st.binary(max_size=4))

    with contextlib.suppress(TimeoutError):  # it waits for the rest
        assert exchange(target.arm, bytes(request), seconds=0.3).status != 500
