"""Whether Azure can serve a model's folder, told before it is uploaded: its MLmodel, and what that names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.decisions import environment, lfs, pickles, scorer
from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.state import Refused

PICKLES = ("python_model", "pickled_model")
NAMED = (*PICKLES, "model_path", "data", "model_data", "model_binary", "model_code_path", "code")
"""Keys of a flavor whose value is a path in the folder (mlflow.pyfunc, mlflow.sklearn, …)."""


@dataclass(frozen=True)
class Found:
    """A line for each thing why it `cannot` work, and why it may not."""

    cannot: list[str]
    may_not: list[str]


def check(folder: Path) -> Found:
    """What of a folder stands against serving it. Raises Refused where there is no MLmodel that can be read."""
    described = mlmodel(folder)
    flavors = described.get("flavors")
    flavors = {name: it for name, it in flavors.items() if isinstance(it, dict)} if isinstance(flavors, dict) else {}
    if "python_function" not in flavors:
        return Found(["MLmodel has no flavor python_function, without which Azure can't serve it"], [])
    function = flavors["python_function"]
    env = function.get("env")
    envs = env if isinstance(env, dict) else {"conda": env} if isinstance(env, str) else {}
    wrong = {
        name: f"{name}, which MLmodel names as `{key}`, {why}"
        for key, name in _named(described, flavors, envs)
        if (why := _wrong(folder, key, name))
    }
    loader, by_class = function.get("loader_module"), function.get("python_model") or function.get("model_code_path")
    if not loader or (loader == "mlflow.pyfunc.model" and not by_class):
        wrong[""] = "MLmodel doesn't say what python_function loads: no `python_model` or no `loader_module`"
    conda = environment.read(folder, str(envs.get("conda", "conda.yaml")))
    version = function.get("python_version")
    saved = version if isinstance(version, str) else ""  # 3.10 without quotes is the number 3.1
    runs = environment.python(conda, folder, str(envs.get("virtualenv", "")))
    of_python = _of_python(saved, runs, list(_by_value(folder, flavors)))
    cannot = [*wrong.values(), *of_python.cannot, *scorer.ends(described, folder)]
    return Found(cannot, [*of_python.may_not, *scorer.refused(described, folder), *_of_environment(conda, folder)])


def _named(described: dict[str, Any], flavors: dict[str, Any], envs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each file or folder that MLmodel names, with the key that names it."""
    yield from (("env", str(name)) for name in envs.values() if name)
    info = described.get("saved_input_example_info")
    if isinstance(info, dict) and info.get("artifact_path"):
        yield "saved_input_example_info", str(info["artifact_path"])
    for flavor in flavors.values():
        named = [(key, flavor.get(key)) for key in NAMED]
        artifacts = flavor.get("artifacts")
        for artifact in artifacts.values() if isinstance(artifacts, dict) else ():
            named.append(("artifacts", artifact.get("path") if isinstance(artifact, dict) else None))
        for key, name in named:
            if isinstance(name, str) and name:
                yield key, Path(name).name if key == "model_code_path" else name


def _wrong(folder: Path, key: str, name: str) -> str:
    """Why what MLmodel names isn't what it says; "" where it is."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return "is outside of the folder"
    if not path.exists():
        return "isn't there"
    if path.is_dir():
        empty = not any(it.is_file() for it in path.rglob("*"))
        one = key in ("env", "saved_input_example_info", "model_code_path", *PICKLES)
        return "is a folder, not a file" if one else "is an empty folder, which isn't uploaded" if empty else ""
    if key == "code":
        return "is a file, not a folder"
    return "is empty" if not path.stat().st_size and key != "artifacts" else _unreadable(path, key)


def _unreadable(path: Path, key: str) -> str:
    """Why the content of a file isn't what its place wants."""
    try:
        lfs.check(path)
        if key in PICKLES and path.suffix != ".skops":
            with path.open("rb") as file:
                return "" if file.read(1) == b"\x80" else "is no pickle"
        if key == "env" and not isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict):
            return "is no YAML mapping"
        if key == "saved_input_example_info" and path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
    except Refused:
        return "is a pointer of Git LFS: `git lfs pull`"
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        return f"can't be read: {' '.join(str(error).split())}"
    return ""


def _by_value(folder: Path, flavors: dict[str, Any]) -> Iterator[str]:
    """The pickles that hold code: classes and functions of a script, which cloudpickle takes along as byte code."""
    for name in sorted({str(flavor[key]) for flavor in flavors.values() for key in PICKLES if flavor.get(key)}):
        if (folder / name).is_file() and pickles.contains(folder / name, "cloudpickle.cloudpickle"):
            yield name


def _of_python(saved: str, runs: str, by_value: list[str]) -> Found:
    """The Python that saved the model against the one that will run it: byte code is one minor version's."""
    cannot: list[str] = []
    may_not: list[str] = []
    code = f" {', '.join(by_value)} holds code of that version, which no other runs." if by_value else ""
    if not saved:
        pass
    elif not runs:
        may_not.append(f"conda.yaml names no Python, so it may run in another than {saved}.{code} Add: python={saved}")
    elif saved.split(".")[:2] != runs.split(".")[:2]:
        line = f"it was saved by Python {saved} and is to run in {runs}.{code}"
        (cannot if by_value else may_not).append(f"{line} Save it with that, or write python={saved} into conda.yaml")
    return Found(cannot, may_not)


def _of_environment(conda: dict[str, Any], folder: Path) -> Iterator[str]:
    """What public reports say that a model of this environment ends by."""
    if not conda:
        yield "it has no conda.yaml, so what it is served with is Azure's choice"
        return
    for what, line in environment.lacking(environment.requirements(conda, folder)):
        yield f"conda.yaml {what}. Add under `pip:`: {line}"
