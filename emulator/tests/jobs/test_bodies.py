"""What a job, a cluster and a datastore may be: what isn't emulated is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from azureml_emulator.testing import Arm, blobs
from tests.support.jobs import body, cluster, ended, failure, log, submit


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def nodes(arm: Arm) -> str:
    """A cluster, and blobs and data that jobs take."""
    container = blobs(arm)
    for name in ("given/a.csv", "given/deep/b.csv"):
        container.upload_blob(name, name.encode(), overwrite=True)
    for name, kind, path in (("file", "uri_file", "given/a.csv"), ("folder", "uri_folder", "given/")):
        uri = f"azureml://datastores/workspaceblobstore/paths/{path}"
        assert arm("PUT", f"data/{name}/versions/2", {"properties": {"dataType": kind, "dataUri": uri}}).ok
    return cluster(arm, "bodies", nodes=8)


def given(kind: str, **more: str) -> dict[str, Any]:
    return {"inputs": {"in": {"jobInputType": kind, **more}}}


STORE = "azureml://datastores/workspaceblobstore/paths"


@pytest.mark.parametrize(
    ("name", "inputs", "command", "said"),
    [
        ("literal", given("literal", value="7"), "echo ${{inputs.in}} ${{ inputs.in }}", "7 7\n"),
        ("file", given("uri_file", uri=f"{STORE}/given/a.csv"), "cat ${{inputs.in}}", "given/a.csv"),
        ("of-data", given("uri_file", uri="azureml:file:2", mode="Download"), "cat ${{inputs.in}}", "given/a.csv"),
        ("folder", given("uri_folder", uri="azureml:folder:2"), "cat ${{inputs.in}}/deep/b.csv", "given/deep/b.csv"),
        (
            "direct",
            given("uri_file", uri="azureml:file:2", mode="direct"),
            "echo ${{inputs.in}}",
            f"{STORE}/given/a.csv\n",
        ),
        ("spaces", given("literal", value="a b"), "printf '%s' '${{inputs.in}}'", "a b"),
    ],
)
def test_inputs(arm: Arm, nodes: str, name: str, inputs: dict[str, Any], command: str, said: str) -> None:
    """What stands for an input in the command: its value, the path of a copy, or its address."""
    submit(arm, nodes, f"in-{name}", command, **inputs)

    assert ended(arm, f"in-{name}") == "Completed", log(arm, f"in-{name}")
    assert log(arm, f"in-{name}").endswith(said)


@pytest.mark.parametrize("path", ["given/none.csv", "none/"])
def test_inputs_that_are_not_there(arm: Arm, nodes: str, path: str) -> None:
    """The job fails, and says which."""
    kind = "uri_folder" if path.endswith("/") else "uri_file"
    name = f"missing-{kind}"
    submit(arm, nodes, name, "true", **given(kind, uri=f"{STORE}/{path}"))

    assert ended(arm, name) == "Failed"
    assert "StreamAccess.NotFound: in:" in failure(arm, name)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"jobType": "Sweep"}, "a job of type Sweep isn't emulated"),
        ({"jobType": "Pipeline"}, "a job of type Pipeline isn't emulated"),
        ({"distribution": {"distributionType": "PyTorch"}}, "a distribution isn't emulated"),
        ({"resources": {"instanceCount": 2}}, "a job on several nodes isn't emulated"),
        ({"resources": {"dockerArgs": "--gpus all"}}, "dockerArgs isn't emulated"),
        ({"services": {"a": {"jobServiceType": "SSH"}}}, "a service of a job isn't emulated"),
        ({"identity": {"identityType": "UserIdentity"}}, "UserIdentity isn't emulated"),
        ({"parentJobName": "a"}, "a job of a job isn't emulated"),
        ({"computeId": None}, "a job without a compute cluster isn't emulated"),
        ({"computeId": "/computes/none"}, "compute 'none' was not found"),
        ({"environmentId": "azureml:none:1"}, "The specified resource was not found"),
        ({"codeId": "azureml:none:1"}, "The specified resource was not found"),
        ({"command": ""}, "properties.command"),
        ({"command": "python ${{inputs.none}}"}, "the job has no inputs.none"),
        ({"command": "python ${{outputs.none}}"}, "the job has no outputs.none"),
        (given("uri_file", uri="https://example.com/a.csv"), "isn't emulated: azureml://datastores/NAME/paths/PATH is"),
        (given("uri_file", uri="azureml://datastores/none/paths/a"), "Could not find datastore: none"),
        (given("uri_file", uri="azureml:none:1"), "The specified resource was not found"),
        (given("uri_file", uri="azureml:file:2", mode="EvalMount"), "EvalMount isn't emulated"),
        (given("colour"), "properties.inputs.in.jobInputType"),
        (
            {"outputs": {"a": {"jobOutputType": "uri_folder", "assetName": "b"}}},
            "registering an output by a name isn't",
        ),
        ({"outputs": {"a": {"jobOutputType": "uri_folder", "uri": "wasbs://a"}}}, "isn't emulated"),
        ({"limits": {"timeout": "soon"}}, "properties.limits.timeout"),
    ],
)
def test_jobs_that_cannot_be(arm: Arm, nodes: str, change: dict[str, Any], why: str) -> None:
    """They are refused, by the name of what isn't emulated, or isn't there; nothing has begun."""
    answer = arm("PUT", "jobs/refused", body(nodes, **{"command": "true"} | change))

    assert answer.status_code in (400, 404), answer.text
    assert why in answer.json()["error"]["message"]
    assert arm("GET", "jobs/refused").status_code == 404


@pytest.mark.parametrize("name", ["a.b", "-a", "a b", "a" * 256])
def test_names_that_cannot_be(arm: Arm, nodes: str, name: str) -> None:
    """A name becomes a folder and a blob's name."""
    assert arm("PUT", f"jobs/{name}", body(nodes, "true")).status_code == 400


@pytest.mark.parametrize(
    ("path", "properties", "why"),
    [
        ("computes/other", {"computeType": "ComputeInstance"}, "a compute of type ComputeInstance isn't emulated"),
        ("computes/other", {"computeType": "Kubernetes"}, "a compute of type Kubernetes isn't emulated"),
        ("computes/a", {"computeType": "AmlCompute"}, "The compute name 'a' is not valid"),
        (
            "computes/other",
            {"computeType": "AmlCompute", "properties": {"vmSize": "none", "scaleSettings": {"maxNodeCount": 1}}},
            "'none' is not supported",
        ),
        (
            "computes/other",
            {
                "computeType": "AmlCompute",
                "properties": {"vmSize": "Standard_DS3_v2", "scaleSettings": {"minNodeCount": 2, "maxNodeCount": 1}},
            },
            "minNodeCount is more than maxNodeCount",
        ),
        ("datastores/other", {"datastoreType": "AzureFile"}, "a datastore of type AzureFile isn't emulated"),
        (
            "datastores/other",
            {"datastoreType": "AzureBlob", "accountName": "else", "containerName": "abc"},
            "the storage account 'else' isn't emulated: localstorage is",
        ),
        (
            "datastores/other",
            {"datastoreType": "AzureBlob", "accountName": "localstorage", "containerName": "../a"},
            "properties.containerName",
        ),
        ("datastores/workspaceblobstore", {"datastoreType": "AzureBlob"}, "can't be made"),
    ],
)
def test_computes_and_datastores_that_cannot_be(arm: Arm, path: str, properties: dict[str, Any], why: str) -> None:
    """They are refused, by the name of what isn't emulated."""
    answer = arm("PUT", path, {"location": "local", "properties": properties})

    assert (answer.status_code, why in answer.json()["error"]["message"]) == (400, True), answer.text


def test_clusters_of_azures_case(arm: Arm) -> None:
    """A cluster's size is told in capitals, as Azure tells it; its name has no case."""
    cluster(arm, "Cased")

    found = arm("GET", "computes/cASED").json()

    assert (found["name"], found["properties"]["properties"]["vmSize"]) == ("Cased", "STANDARD_DS3_V2")


def test_what_the_sdk_cannot_download(arm: Arm, nodes: str, client: Any, tmp_path: Any) -> None:
    """An output of type mlflow_model lies where it should; the SDK's own download of it breaks, as at Azure."""
    submit(
        arm,
        nodes,
        "of-a-model",
        "echo > ${{outputs.model}}/MLmodel",
        outputs={"model": {"jobOutputType": "mlflow_model"}},
    )
    ended(arm, "of-a-model")

    with pytest.raises(TypeError, match="values"):
        client.jobs.download("of-a-model", download_path=tmp_path, output_name="model")
    assert blobs(arm).get_blob_client("azureml/of-a-model/model/MLmodel").exists()
