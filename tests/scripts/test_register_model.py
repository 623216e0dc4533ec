"""register_model against the local Azure ML."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm, blobs
from scripts.lib.decisions import old_digest
from scripts.lib.decisions.model_folder import digest
from tests.support.forked_scripts import fork_server
from tests.support.scripts import change, outputs, repository, run, toy_model

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


@pytest.fixture
def model(azure: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a model that nobody has registered yet."""
    name = re.sub(r"\W|_", "-", str(request.node.name))[:60].rstrip("-")
    with repository(tmp_path / "repository", model=name):
        yield name


def test_register(model: str, client: MLClient, tmp_path: Path) -> None:
    """A new model becomes version 1; metrics, data hash, digest, commit and run are its tags, the version an output."""
    workflow = {"GITHUB_SHA": "c0ffee", "GITHUB_SERVER_URL": "https://g", "GITHUB_REPOSITORY": "t/h"}
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}

    result = run("register_model", toy_model(tmp_path / "model"), GITHUB_RUN_ID="5", **workflow, **files)

    registered = client.models.get(model, "1")
    assert (result.exit_code, result.stdout) == (0, "1\n")
    assert registered.tags == {
        "auc": "0.9",
        "data_sha256": "abc",
        "labels": "[0, 1]",
        "digest": outputs(tmp_path / "GITHUB_OUTPUT")["digest"],
        "commit": "c0ffee",
        "run": "https://g/t/h/actions/runs/5",
    }
    assert outputs(tmp_path / "GITHUB_OUTPUT")["version"] == "1"
    assert f"{model} 1" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


def test_a_model_does_not_say_what_it_is(model: str, client: MLClient, tmp_path: Path) -> None:
    """Digest and commit are those of this run, whatever the training wrote under these names."""
    folder = toy_model(tmp_path / "model", metadata={"digest": "made up", "commit": "made up"})

    run("register_model", folder, GITHUB_SHA="c0ffee")

    registered = client.models.get(model, "1").tags
    assert (registered["digest"], registered["commit"]) == (digest(folder), "c0ffee")


def test_the_same_model_is_registered_once(model: str, client: MLClient, tmp_path: Path) -> None:
    """A second run with the same content prints the version that is there."""
    folder = toy_model(tmp_path / "model")

    versions = [run("register_model", folder).stdout for _ in range(2)]

    assert versions == ["1\n", "1\n"]
    assert len(list(client.models.list(model))) == 1


def test_the_latest_version_is_the_tenth_not_the_ninth(model: str, tmp_path: Path) -> None:
    """Versions are numbers, so the tenth is compared; an older content than the latest is registered anew."""
    folders = [toy_model(tmp_path / str(number), answer=number) for number in range(10)]

    versions = [run("register_model", folder).stdout.strip() for folder in [*folders, folders[9], folders[8]]]

    assert versions == [*(str(number) for number in range(1, 11)), "10", "11"]


def test_a_folder_without_mlmodel_is_not_registered(model: str, client: MLClient, tmp_path: Path) -> None:
    """Azure would take it, and fail to serve it."""
    from azure.core.exceptions import ResourceNotFoundError

    folder = toy_model(tmp_path / "model")
    (folder / "MLmodel").unlink()

    result = run("register_model", folder)

    assert result.exit_code == 1
    assert "no MLflow model" in result.stderr
    with pytest.raises(ResourceNotFoundError):
        client.models.get(model, "1")


def test_a_model_that_azure_cannot_serve_is_not_registered(model: str, client: MLClient, tmp_path: Path) -> None:
    """Without the flavor python_function a deployment of it would fail, ten minutes later."""
    from azure.core.exceptions import ResourceNotFoundError

    folder = toy_model(tmp_path / "model")
    change(folder / "MLmodel", flavors={"sklearn": {"pickled_model": "model.pkl"}})

    result = run("register_model", folder)

    assert result.exit_code == 1
    assert "no flavor python_function" in result.stderr
    with pytest.raises(ResourceNotFoundError):
        client.models.get(model, "1")


def test_an_endpoint_file_without_the_model_tag_is_refused(azure: dict[str, str], tmp_path: Path) -> None:
    """The model's name has one home."""
    with repository(tmp_path / "repository", model=""):
        result = run("register_model", toy_model(tmp_path / "model"))

    assert result.exit_code == 1
    assert "`tags.model` is missing" in result.stderr


def told(folder: Path, *arguments: object, **environ: str) -> tuple[str, dict[str, str]]:
    """What register_model prints in a run of a workflow, and its outputs."""
    workflow = {"GITHUB_REPOSITORY": "team/heart", "GITHUB_RUN_ID": "5", "GITHUB_OUTPUT": str(folder / "output")}
    result = run("register_model", *arguments, **{**workflow, **environ})
    assert result.exit_code == 0, result.output
    return result.stdout, outputs(folder / "output")


def test_a_rollout_begins_here(model: str, tmp_path: Path) -> None:
    """Its id names repository, run and attempt: what all later jobs are given, those that are run again, too."""
    _, found = told(tmp_path, toy_model(tmp_path / "model"), GITHUB_RUN_ATTEMPT="2")

    assert found["rollout"] == "team/heart/actions/runs/5/attempts/2"


def test_a_version_that_is_given_is_taken(model: str, tmp_path: Path) -> None:
    """Nothing is registered; the rollout has an id all the same."""
    printed, found = told(tmp_path, "--version", 7)

    assert printed == "7\n"
    assert found == {"version": "7", "rollout": "team/heart/actions/runs/5/attempts/1"}


@pytest.mark.parametrize("arguments", [(), ("--version", 7, "."), ("--version", "two"), ("--version", 0)])
def test_a_folder_or_a_version(model: str, arguments: tuple[object, ...]) -> None:
    """Neither, both, or what is no version, is wrong usage."""
    assert run("register_model", *arguments).exit_code == 2


def stored(arm: Arm, client: MLClient, model: str, version: str) -> dict[str, bytes]:
    """What is stored of a version, by name."""
    folder = str(client.models.get(model, version).path).partition("/paths/")[2].rstrip("/")
    container = blobs(arm)
    names = list(container.list_blob_names(name_starts_with=f"{folder}/"))
    return {name.removeprefix(f"{folder}/"): container.download_blob(name).readall() for name in names}


@pytest.mark.parametrize("ignore", [".gitignore", ".amlignore"])
def test_all_of_a_model_is_registered_whatever_is_ignored(
    model: str, client: MLClient, azure: dict[str, str], tmp_path: Path, ignore: str
) -> None:
    """The SDK heeds ignore files: a model without its code would be registered, and could never be deployed."""
    folder = toy_model(tmp_path / "model")
    (folder / ignore).write_text("*.py\n__pycache__/\n")
    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "toy.pyc").write_bytes(b"\0")

    result = run("register_model", folder)

    assert (result.exit_code, result.stdout) == (0, "1\n")
    assert stored(Arm(azure), client, model, "1").keys() == {"MLmodel", "code/toy.py"}


def test_what_is_stored_otherwise_is_uploaded_elsewhere(
    model: str, client: MLClient, azure: dict[str, str], tmp_path: Path
) -> None:
    """The SDK takes what it once uploaded for what is there, under any name; the next run has the way out."""
    folder, arm = toy_model(tmp_path / "model", metadata={"stored": "otherwise"}), Arm(azure)
    run("register_model", folder)
    place = str(client.models.get(model, "1").path).partition("/paths/")[2].rstrip("/")
    blobs(arm).upload_blob(f"{place}/code/toy.py", b"import evil", overwrite=True)

    result = run("register_model", folder)

    assert (result.exit_code, result.stdout) == (0, "2\n")
    assert f"{model} 1 is stored with another content" in result.stderr
    assert stored(arm, client, model, "2")["code/toy.py"] == (folder / "code" / "toy.py").read_bytes()
    assert run("register_model", folder).stdout == "2\n"


@pytest.mark.parametrize(("last", "before"), [("MLmodel", "toy.py"), ("toy.py", "MLmodel")])
def test_what_a_killed_upload_left_is_in_nobody_s_way(
    model: str, faults: Faults, tmp_path: Path, last: str, before: str
) -> None:
    """The SDK overwrites none of it, and waits for ever, where all was uploaded but the file by which it would know."""
    folder = toy_model(tmp_path / "model", metadata={"killed": f"before {last}"})
    held = faults.add("hold", method="PUT", path=f"*/{last}")
    with fork_server() as forks:
        killed = forks.launch("register_model", folder, output=tmp_path / "output")
        assert faults.get(held["id"], wait=30)["hit"]
        while not any(call["path"].endswith(f"/{before}") for call in faults.calls()):
            time.sleep(0.1)
        time.sleep(1)  # it is answered by then
        os.kill(killed, signal.SIGKILL)
        forks.wait()
    faults.clear()

    result = run("register_model", folder, "--timeout", 30)

    assert (result.exit_code, result.stdout) == (0, "1\n"), result.stderr


def test_an_older_digest_is_compared_by_its_own_scheme(model: str, client: MLClient, tmp_path: Path) -> None:
    """What an older release registered, stamps and all, is this very model: an upgrade rolls nothing out."""
    from azure.ai.ml.entities import Model

    folder = toy_model(tmp_path / "model", metadata={"older": True})
    change(folder / "MLmodel", model_uuid="1")
    older = Model(name=model, path=folder, type="mlflow_model", tags={"digest": old_digest.digest(folder)})
    client.models.create_or_update(older)
    change(folder / "MLmodel", model_uuid="2")

    result = run("register_model", folder)

    assert (result.exit_code, result.stdout) == (0, "1\n")
    assert "is this very model" in result.stderr


def test_a_model_that_lacks_a_file_is_registered_only_if_meant(model: str, client: MLClient, tmp_path: Path) -> None:
    """It is refused with the file's name before anything is uploaded; --anyway is for who knows better."""
    folder, summary = toy_model(tmp_path / "model"), tmp_path / "summary"
    shutil.rmtree(folder / "code")

    refused = run("register_model", folder, GITHUB_STEP_SUMMARY=str(summary))

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "code, which MLmodel names as `code`, isn't there" in refused.stderr and "--anyway" in refused.stderr
    assert "has no conda.yaml" in summary.read_text()
    assert run("register_model", folder, "--anyway").stdout == "1\n"


def test_an_upload_writes_no_colours(model: str, tmp_path: Path) -> None:
    """The SDK's escape sequences would end up in a job's log."""
    result = run("register_model", toy_model(tmp_path / "model", metadata={"colour": "none"}))

    assert result.exit_code == 0
    assert "\x1b" not in result.stderr
