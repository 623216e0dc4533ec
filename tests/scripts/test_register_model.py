"""register_model against the local Azure ML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.lib.decisions.model_folder import digest
from tests.support.scripts import change, outputs, repository, run, toy_model

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


@pytest.fixture
def model(azure: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a model that nobody has registered yet."""
    name = str(request.node.name).replace("_", "-")[:60]
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
