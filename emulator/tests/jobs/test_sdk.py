"""A command job through the unmodified SDK: from its files to its log and its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azureml_emulator.testing import Arm
from tests.support.jobs import ended
from tests.support.served import eventually

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

JOB = """
type: command
code: code
command: python train.py ${{inputs.data}} ${{inputs.folder}} ${{inputs.rounds}} ${{outputs.model}}
inputs:
  data: {type: uri_file, path: azureml:rows:1}
  folder: {type: uri_folder, path: azureml://datastores/workspaceblobstore/paths/folder/}
  rounds: 3
outputs:
  model: {type: uri_folder, path: 'azureml://datastores/trained/paths/${{name}}/${{output_name}}'}
  report: {type: uri_file}
environment: {image: python:3.11, conda_file: {dependencies: [python=3.11, {pip: [pyyaml==0.1, nonesuch]}]}}
compute: azureml:sdk
experiment_name: toy
tags: {a: b}
"""
TRAIN = """
import pathlib, sys, time, helper
time.sleep(4)  # the SDK streams what runs, and looks every 2 s
data, folder, rounds, model = sys.argv[1:]
for each in range(int(rounds)):
    print("round", each, flush=True)
print(helper.WORD, pathlib.Path(data).read_text(), pathlib.Path(folder, "in", "a.txt").read_text())
pathlib.Path(model, "data").mkdir()
pathlib.Path(model, "MLmodel").write_text("flavors: {}")
pathlib.Path(model, "data", "w").write_text("1")
pathlib.Path("outputs").mkdir()
pathlib.Path("outputs", "kept.txt").write_text("kept")
"""


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def job(client: MLClient, arm: Arm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A job as a file describes it, once it has been submitted, with a cluster, data and a datastore as the SDK makes
    them.
    """
    from azure.ai.ml import load_job
    from azure.ai.ml.entities import AccountKeyConfiguration, AmlCompute, AzureBlobDatastore, Data
    from azure.storage.blob import ContainerClient

    from azureml_emulator.testing import blobs

    folder: Path = tmp_path_factory.mktemp("job")
    (folder / "code").mkdir()
    (folder / "code" / "train.py").write_text(TRAIN)
    (folder / "code" / "helper.py").write_text("WORD = 'trained on'")
    (folder / "rows.csv").write_text("many rows")
    (folder / "job.yml").write_text(JOB)
    container: ContainerClient = blobs(arm)
    container.upload_blob("folder/in/a.txt", b"and a folder")
    client.compute.begin_create_or_update(AmlCompute(name="sdk", size="Standard_DS3_v2", max_instances=2)).result()
    keyed = AccountKeyConfiguration(account_key="a2V5")
    trained = AzureBlobDatastore(
        name="trained", account_name="localstorage", container_name="trained", credentials=keyed
    )
    client.datastores.create_or_update(trained)
    client.data.create_or_update(Data(name="rows", path=str(folder / "rows.csv"), type="uri_file"))
    loaded = load_job(folder / "job.yml", params_override=[{"name": "by-sdk"}])
    client.jobs.create_or_update(loaded)
    yield loaded


def test_the_log_streams(client: MLClient, job: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The SDK's stream shows the log, with what differs from the environment at its top."""
    client.jobs.stream("by-sdk")

    said = capsys.readouterr().out
    for line in ("round 2", "trained on many rows and a folder", "it runs in the emulator's own Python"):
        assert line in said
    assert "the environment has pyyaml==0.1, and here" in said
    assert "the environment has nonesuch, which is not installed here" in said


def test_what_it_says_of_itself(client: MLClient, arm: Arm, job: Any) -> None:
    """A job that has completed says so, and what it was made of; it stands in the list."""
    ended(arm, "by-sdk")

    found = client.jobs.get("by-sdk")

    assert (found.status, found.experiment_name, found.tags["a"]) == ("Completed", "toy", "b")
    assert str(found.studio_url).startswith("https://ml.azure.com/runs/by-sdk?wsid=/subscriptions/")
    assert found.outputs["model"].path == "azureml://datastores/trained/paths/${{name}}/${{output_name}}"
    assert "by-sdk" in [one.name for one in client.jobs.list()]


def test_outputs_are_downloaded(client: MLClient, arm: Arm, job: Any, tmp_path: Path) -> None:
    """The SDK's download brings an output from a datastore of its own, and the log with what lay in ./outputs."""
    ended(arm, "by-sdk")

    client.jobs.download("by-sdk", download_path=tmp_path, output_name="model")
    client.jobs.download("by-sdk", download_path=tmp_path)

    model, artifacts = tmp_path / "named-outputs" / "model", tmp_path / "artifacts"
    assert {path.name for path in model.rglob("*")} == {"MLmodel", "data", "w"}
    assert (artifacts / "outputs" / "kept.txt").read_text() == "kept"
    assert "round 2" in (artifacts / "user_logs" / "std_log.txt").read_text()


def test_one_job_of_a_name(client: MLClient, arm: Arm, job: Any) -> None:
    """The same submitted again is the same job, which has run once; another one of its name is refused."""
    ended(arm, "by-sdk")
    job.tags = {"c": "d"}

    again = client.jobs.create_or_update(job)
    job.command = "echo"
    with pytest.raises(HttpResponseError, match=r"A job with this name already exists.*command cannot be changed"):
        client.jobs.create_or_update(job)

    assert (again.status, again.tags) == ("Completed", {"c": "d"})


def test_what_may_change(client: MLClient, arm: Arm, job: Any) -> None:
    """Tags are added to a job, and it is archived, as the SDK does it: by its run's history."""
    ended(arm, "by-sdk")

    updated = client.jobs.update("by-sdk", tags={"e": "f"}, display_name="shown")
    client.jobs.archive("by-sdk")

    assert (updated.tags["e"], updated.display_name) == ("f", "shown")
    assert "by-sdk" not in [one.name for one in client.jobs.list()]
    client.jobs.restore("by-sdk")
    assert "by-sdk" in [one.name for one in client.jobs.list()]


def test_it_is_cancelled(client: MLClient, arm: Arm, job: Any) -> None:
    """A job that runs is cancelled; what it wrote so far is kept."""
    from azure.ai.ml import command

    endless = command(
        name="endless", command="echo begun; sleep 600", environment="azureml:AzureML-any:1", compute="sdk"
    )
    client.jobs.create_or_update(endless)
    eventually(lambda: client.jobs.get("endless").status == "Running")

    client.jobs.begin_cancel("endless").result()

    assert ended(arm, "endless") == "Canceled"


def test_no_such_job(client: MLClient) -> None:
    """It isn't there."""
    with pytest.raises(ResourceNotFoundError, match="Job none not found"):
        client.jobs.get("none")
