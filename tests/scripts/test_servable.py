"""Whether Azure can serve a model's folder: what register_model reads before it uploads anything."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import yaml

from scripts.lib.decisions.environment import needs
from scripts.lib.decisions.lfs import POINTER
from scripts.lib.decisions.servable import check
from tests.support import ROOT

FUNCTION = {
    "loader_module": "mlflow.sklearn",
    "model_path": "model.pkl",
    "python_version": "3.11.7",
    "code": "code",
    "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    "artifacts": {"words": {"path": "artifacts/words.txt", "uri": "/home/words.txt"}},
}
PIP = ["mlflow==2.22.5", "Azureml_Inference_Server_HTTP==1.5.1", "azureml-ai-monitoring"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model against which nothing stands."""
    for part in ("code", "artifacts"):
        (tmp_path / "model" / part).mkdir(parents=True)
    folder = tmp_path / "model"
    (folder / "code" / "words.py").write_text("")
    (folder / "artifacts" / "words.txt").write_text("")
    (folder / "python_env.yaml").write_text("python: 3.11.7")
    (folder / "model.pkl").write_bytes(pickle.dumps([1]))
    (folder / "input_example.json").write_text("[1]")
    conda(folder)
    flavors = {"python_function": FUNCTION, "sklearn": {"pickled_model": "model.pkl", "code": "code"}}
    describe(folder, flavors=flavors, saved_input_example_info={"artifact_path": "input_example.json"})
    return folder


def describe(folder: Path, **facts: Any) -> None:
    path = folder / "MLmodel"
    known = yaml.safe_load(path.read_text()) if path.exists() else {}
    path.write_text(yaml.safe_dump({**known, **facts}))


def conda(folder: Path, python: str = "python=3.11.7", pip: list[str] = PIP, **more: Any) -> None:
    (folder / "conda.yaml").write_text(yaml.safe_dump({"dependencies": [python, "pip", {"pip": pip}], **more}))


def function(folder: Path, **facts: Any) -> None:
    describe(folder, flavors={"python_function": {**FUNCTION, **facts}})


def test_a_whole_model_is_let_pass(folder: Path) -> None:
    """Nothing is said of it, however packages are spelt."""
    found = check(folder)

    assert (found.cannot, found.may_not) == ([], [])


def made_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CANNOT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no python_function": (lambda folder: describe(folder, flavors={"sklearn": {}}), "no flavor python_function"),
    "no flavors": (lambda folder: describe(folder, flavors=None), "no flavor python_function"),
    "no pickle": (
        lambda folder: (folder / "model.pkl").unlink(),
        "model.pkl, which MLmodel names .*, isn't there",
    ),
    "no artifact": (lambda folder: shutil.rmtree(folder / "artifacts"), "words.txt, .* `artifacts`, isn't there"),
    "no code": (lambda folder: shutil.rmtree(folder / "code"), "code, which MLmodel names as `code`, isn't there"),
    "no conda.yaml": (lambda folder: (folder / "conda.yaml").unlink(), "conda.yaml, .* `env`, isn't there"),
    "no example": (lambda folder: (folder / "input_example.json").unlink(), "input_example.json, .* isn't there"),
    "empty folder": (lambda folder: (folder / "code" / "words.py").unlink(), "code, .* is an empty folder"),
    "empty file": (lambda folder: (folder / "model.pkl").write_bytes(b""), "model.pkl, .* is empty"),
    "a folder": (lambda folder: made_folder(folder / "conda.yaml"), "conda.yaml, .* is a folder, not a file"),
    "a pointer": (lambda folder: (folder / "model.pkl").write_bytes(POINTER), "model.pkl, .* Git LFS"),
    "a web page": (lambda folder: (folder / "model.pkl").write_text("<html>"), "model.pkl, .* is no pickle"),
    "no JSON": (lambda folder: (folder / "input_example.json").write_text("{"), "input_example.json, .* can't be read"),
    "no YAML": (lambda folder: (folder / "conda.yaml").write_text("a: ["), "conda.yaml, .* can't be read"),
    "no mapping": (lambda folder: (folder / "conda.yaml").write_text("a"), "conda.yaml, .* no YAML mapping"),
    "outside": (lambda folder: function(folder, data="../data"), "../data, .* is outside"),
    "from Windows": (lambda folder: function(folder, data="artifacts\\words.txt"), r"words.txt, .* isn't there"),
    "no loader": (lambda folder: function(folder, loader_module=None), "doesn't say what python_function loads"),
    "no class": (lambda folder: function(folder, loader_module="mlflow.pyfunc.model"), "doesn't say what python_func"),
    "no code file": (lambda folder: function(folder, model_code_path="/a/b/model.py"), "model.py, .* isn't there"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_work_is_found(folder: Path, case: str) -> None:
    """Each file that MLmodel names is there, and is what its place wants; there is a flavor that Azure serves."""
    change, told = CANNOT[case]

    change(folder)

    found = check(folder)
    assert any(re.search(told, line) for line in found.cannot), found


@pytest.mark.parametrize(
    "odd",
    [
        {"env": "conda.yaml"},
        {"env": None},
        {"env": {"conda": "conda.yaml", "virtualenv": None}},
        {"artifacts": "text"},
        {"artifacts": {"words": "text"}},
        {"artifacts": {"words": {"path": None}}},
        {"python_version": 3.1},
        {"data": ""},
        {"data": {"name": "value"}},
        {"loader_module": "mlflow.pyfunc.model", "python_model": "model.pkl"},
    ],
    ids=str,
)
def test_other_ways_to_say_it(folder: Path, odd: dict[str, Any]) -> None:
    """What isn't a path is none, and an older MLflow names conda.yaml alone."""
    function(folder, **odd)
    describe(folder, saved_input_example_info="text")

    found = check(folder)

    assert (found.cannot, found.may_not) == ([], [])


MAY_NOT: dict[str, tuple[dict[str, Any], str]] = {
    "no server": (
        {"pip": [PIP[0], PIP[2]]},
        "has no azureml-inference-server-http .*#3923.* Add .*: azureml-",
    ),
    "no monitoring": ({"pip": PIP[:2]}, "has no azureml-ai-monitoring .*#4022.*: azureml-ai-monitoring==1.0.0$"),
    "no mlflow": ({"pip": PIP[1:]}, "has no mlflow"),
    "MLflow unpinned": ({"pip": ["mlflow", *PIP[1:]]}, "takes mlflow, .*#3873, .*#4051.* Add .*: mlflow<3.7"),
    "MLflow 3.7": ({"pip": ["mlflow==3.7.0", *PIP[1:]]}, "takes mlflow==3.7.0"),
    "MLflow below 4": ({"pip": ["mlflow>=2.9,<4", *PIP[1:]]}, "takes mlflow"),
    "another Python": ({"python": "python=3.10"}, "saved by Python 3.11.7 and is to run in 3.10"),
    "no Python": ({"python": "pandas"}, r"names no Python, .* Add: python=3.11.7"),
    "no conda.yaml": ({"dependencies": []}, "names no Python"),
}


@pytest.mark.parametrize("case", MAY_NOT)
def test_what_may_not_work_is_told(folder: Path, case: str) -> None:
    """What public reports say kills models on Azure, with the line that mends it."""
    change, told = MAY_NOT[case]

    conda(folder, **change)

    found = check(folder)
    assert found.cannot == []
    assert any(re.search(told, line) for line in found.may_not), found.may_not


@pytest.mark.parametrize(
    "pip",
    [
        ["mlflow==3.6.0", *PIP[1:]],
        ["mlflow<3", *PIP[1:]],
        ["mlflow~=2.9", "azureml-defaults", PIP[2]],
        ["-r requirements.txt"],
        ["--extra-index-url https://example.com", *PIP],
    ],
)
def test_other_spellings_of_the_same(folder: Path, pip: list[str]) -> None:
    """A pin below, a package that brings the server, a file beside conda.yaml."""
    (folder / "requirements.txt").write_text("\n".join(PIP))

    conda(folder, pip=pip)

    assert check(folder).may_not == []


def test_packages_of_conda_count(folder: Path) -> None:
    """What conda installs itself is there, too."""
    packages = ["python=3.11", "conda-forge::mlflow=2.22.5", *PIP[1:]]

    (folder / "conda.yaml").write_text(json.dumps({"dependencies": packages}))

    assert check(folder).may_not == []


@pytest.mark.parametrize(("python", "refused"), [("python=3.11.2", False), ("python=3.12", True)])
def test_code_in_a_pickle_runs_in_the_python_that_pickled_it(folder: Path, python: str, refused: bool) -> None:
    """Byte code is one minor version's."""
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(lambda: 1))
    conda(folder, python=python)

    found = check(folder)

    assert [line for line in found.cannot if "holds code of that version" in line] == found.cannot
    assert bool(found.cannot) == refused


def test_training_and_emulator_use_the_same_list() -> None:
    """The emulator is a package by itself, so it has a copy; each line names its sources."""
    copy = ROOT / "emulator/azureml_emulator/serving/azure-needs.txt"

    assert copy.read_bytes() == (ROOT / "scripts/azure-needs.txt").read_bytes()
    assert [need.name for need, _ in needs()] == ["azureml-inference-server-http", "azureml-ai-monitoring", "mlflow"]
    assert all("Azure/azureml-examples#" in sources for _, sources in needs())
