"""check_contract against the local Azure ML: what green changes for clients of blue, and who may mean that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.testing import columns
from scripts.lib.azure.model_files import registered_contract
from scripts.lib.azure.waiting import Deadline
from scripts.lib.decisions.state import Model
from tests.support.scripts import SAMPLE, Live, opened, repository, run, toy_model

NAMES = SAMPLE["input_data"]["columns"]
SIGNATURE = columns(SAMPLE)
LONG = [{**column, "type": "long"} if column["name"] == "age" else column for column in SIGNATURE]
MORE = [*SIGNATURE, {"name": "weight", "type": "double", "required": True}]
VALUES = [values if isinstance(values, str) else float(values) for values in SAMPLE["input_data"]["data"][0]]
EXAMPLE = {"columns": NAMES, "data": [VALUES]}
BLUE, GREEN = "a" * 40, "c" * 40


def described(folder: Path, example: Any = None, **parts: Any) -> Path:
    """The toy with another signature in its MLmodel, and an example beside it."""
    path = folder / "MLmodel"
    content = json.loads(path.read_text())
    content["signature"] = {**content.get("signature", {}), **{name: json.dumps(part) for name, part in parts.items()}}
    if example:
        content["saved_input_example_info"] = {"artifact_path": "input_example.json", "type": "dataframe"}
        (folder / "input_example.json").write_text(json.dumps(example))
    path.write_text(json.dumps(content))
    return folder


def registered(folder: Path, commit: str, **parts: Any) -> str:
    """The version of a toy."""
    facts = {name: parts.pop(name) for name in ("answer", "metadata") if name in parts}
    made = run("register_model", described(toy_model(folder, **facts), **parts), GITHUB_SHA=commit)
    assert made.exit_code == 0, made.output
    return made.stdout.strip()


@pytest.fixture(scope="module")
def live(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An endpoint whose `default`, version 1, has an example and answers 0."""
    folder = tmp_path_factory.mktemp("contract")
    with repository(folder / "repository", model="toy-contract"):
        version = registered(folder / "blue", BLUE, answer=0, example=EXAMPLE, outputs=[{"type": "long"}])
        live = Live("toy-contract")
        live.do("create_endpoint")
        live.do("deploy", "--version", version)
        live.do("promote", "--percent", 100)
        yield live


@pytest.fixture
def green(live: Live, tmp_path: Path) -> Iterator[Any]:
    """Deploys a toy as green; it is gone afterwards."""
    made: list[str] = []

    def deploy(**parts: Any) -> str:
        made.append(live.do("deploy", "--version", registered(tmp_path / "green", GREEN, **parts)))
        return made[0]

    yield deploy
    for name in made:
        live.do("delete_blue", name)


def test_a_green_that_keeps_the_contract_passes(live: Live, green: Any, tmp_path: Path) -> None:
    """Another answer of the same kind is what a new model is for."""
    name, summary = green(answer=1, example=EXAMPLE, outputs=[{"type": "long"}]), tmp_path / "summary"

    result = live.run("check_contract", name, GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"blue": "default", "green": name, "differences": []}
    assert f"Contract: what **{name}** changes for clients of **default**: nothing." in summary.read_text()


@pytest.mark.parametrize(
    ("parts", "columns"),
    [
        ({"inputs": MORE}, ["weight", "input"]),
        ({"inputs": LONG}, ["age"]),
        ({"example": {"columns": NAMES, "data": [[63, *VALUES[1:]]]}}, ["age", "input"]),  # MLflow casts no long back
        ({"answer": "1", "metadata": {"labels": ["0", "1"]}}, ["labels", "output"]),
        ({"answer": 1.0}, ["output"]),
        ({"answer": [1]}, ["output"]),
    ],
)
def test_a_break_stops(live: Live, green: Any, tmp_path: Path, parts: Any, columns: list[str]) -> None:
    """The exit code is 1, all breaks are named, and what to write where they are meant; the traffic stays."""
    name, summary = green(**{"example": None if "inputs" in parts else EXAMPLE, **parts}), tmp_path / "summary"

    result = live.run("check_contract", name, "--patience", 1, GITHUB_STEP_SUMMARY=str(summary))

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Contract-Change: {', '.join(columns)}\n" in result.stderr
    assert "start rollout.yml with that as `contract-change`" in result.stderr
    assert summary.read_text().count("| **yes** |") == len(columns)
    assert live.traffic == {"default": 100}


@pytest.mark.parametrize("allow", [["--allow", "weight"], ["--allow", "age,weight"]])
def test_a_break_may_be_meant(live: Live, green: Any, allow: list[str]) -> None:
    """What is allowed explains that green refuses what blue takes."""
    name = green(inputs=MORE)

    result = live.run("check_contract", name, "--patience", 1, *allow)

    assert result.exit_code == 0, result.output
    assert [it["column"] for it in json.loads(result.stdout)["differences"] if it["breaks"]] == ["weight", "input"]
    assert "weight: required, and blue's clients don't send it (a break, which is meant)" in result.stderr


def test_what_is_allowed_excuses_nothing_else(live: Live, green: Any) -> None:
    """A new column is no excuse for other labels."""
    name = green(inputs=MORE, answer="1", metadata={"labels": ["0", "1"]})

    result = live.run("check_contract", name, "--patience", 1, "--allow", "weight")

    assert result.exit_code == 1
    assert "Contract-Change: labels\n" in result.stderr


def test_a_merged_commit_may_say_so(live: Live, green: Any, github: LocalGitHub) -> None:
    """Between blue's commit and green's, as GitHub tells them; an older or younger one says nothing."""
    name = green(inputs=MORE)
    for sha, message in (
        ("9" * 40, "Contract-Change: weight"),
        (BLUE, "Blue"),
        ("b" * 40, "Green"),
        (GREEN, "Merge"),
        ("d" * 40, "Contract-Change: weight"),
    ):
        github.add_commit(sha, message=message)

    without = live.run("check_contract", name, "--patience", 1, **github.environ())
    github.add_commit("b" * 40, message="Weigh patients\n\nContract-Change: weight")
    declared = live.run("check_contract", name, "--patience", 1, **github.environ())

    assert (without.exit_code, declared.exit_code) == (1, 0), declared.output


def test_the_first_deployment_breaks_nothing(live: Live) -> None:
    """There is no blue whose clients could notice."""
    result = live.run("check_contract", "default")

    assert (result.exit_code, json.loads(result.stdout)["blue"]) == (0, None)


def test_an_unknown_green_is_refused(live: Live) -> None:
    """The error names those there are."""
    result = live.run("check_contract", "nobody")

    assert result.exit_code == 1
    assert "it has: default" in result.stderr


def test_a_dead_blue_does_not_stop_its_successor(live: Live, green: Any, faults: Faults, tmp_path: Path) -> None:
    """Its clients are not served as it is; that nothing was compared is said."""
    name, summary = green(answer="1"), tmp_path / "summary"
    faults.add("misbehave", endpoint=live.name, deployment="default", status=500)

    result = live.run("check_contract", name, "--patience", 0.5, GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0, result.output
    assert "Contract: blue doesn't answer a request, so green's answer isn't compared: HTTP 424" in summary.read_text()


def test_nobody_to_ask_is_no_break(live: Live, green: Any, faults: Faults) -> None:
    """That green couldn't be asked is told as what it is; nothing is promoted."""
    name = green(answer=1)
    faults.add("refuse", method="POST", path="*/score", status=503, skip=1, times=0)

    result = live.run("check_contract", name, "--patience", 0)

    assert result.exit_code == 4
    assert f"{name} could not be asked: HTTP 503" in result.stderr
    assert "Contract-Change" not in result.stderr


def test_a_blue_that_nobody_registered_is_said(live: Live, green: Any, azure: dict[str, str], faults: Faults) -> None:
    """Its signature isn't known; what both answer to the sample request still is."""
    name = green(answer="1")
    for path in ("*/models/toy-contract/versions/1", "*/models/toy-contract/versions"):
        faults.add("refuse", method="GET", path=path, status=404, code="UserError", times=0)

    result = live.run("check_contract", name)

    assert "warning: default's model (toy-contract 1) isn't registered" in result.stderr
    assert (result.exit_code, "output: the answer, entry 0: a text" in result.stderr) == (1, True)


def test_only_two_files_of_a_model_are_read(live: Live, azure: dict[str, str], faults: Faults) -> None:
    """The model beside them may have gigabytes."""
    workspace = opened(azure, live).workspace
    faults.forget()

    found = registered_contract(workspace, Model("toy-contract", "1"), Deadline(60))

    read = {call["path"].rsplit("/", 1)[-1] for call in faults.calls() if "blob" in call["path"].split("/")[1]}
    assert found and found.example and list(found.inputs or ()) == NAMES
    assert read == {"MLmodel", "input_example.json"}


@pytest.mark.parametrize("model", [Model("toy-contract", "99"), Model("nobody", "1"), Model("", "")])
def test_a_model_that_is_not_there_has_no_contract(live: Live, azure: dict[str, str], model: Model) -> None:
    """A deployment made by hand may name anything."""
    assert registered_contract(opened(azure, live).workspace, model, Deadline(60)) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"path": "*/datastores/workspaceblobstore", "like": "TooManyRequests"},
        {"path": "/localstorage.blob*/MLmodel", "status": 404, "code": "BlobNotFound"},
    ],
)
def test_what_passes_hides_no_contract(
    live: Live, azure: dict[str, str], faults: Faults, fault: dict[str, Any]
) -> None:
    """Neither one answer that Azure is busy, nor one that the file isn't there, is taken for a model without one."""
    faults.add("refuse", method="GET", **fault)

    found = registered_contract(opened(azure, live).workspace, Model("toy-contract", "1"), Deadline(60))

    assert found and list(found.inputs or ()) == NAMES
