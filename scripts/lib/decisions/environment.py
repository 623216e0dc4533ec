"""The environment that a model brings along, conda.yaml, and what it lacks to be served at Azure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

NEEDS = Path(__file__).parents[2] / "azure-needs.txt"
BRINGS = {"azureml-defaults": "azureml-inference-server-http"}
LATER = ("3.7.0", "3.7.1", "3.8.0", "3.9.0", "3.10.0", "3.99.0", "4.0.0", "99.0.0")  # of MLflow, some that it may get
CONDA = re.compile(r"^(?:\S+::)?([\w.-]+)\s*(=?[=<>!~].*)?$")  # channel::name=version=build


def needs() -> list[tuple[Requirement, str]]:
    """Each requirement of azure-needs.txt with its sources."""
    lines = NEEDS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("  # ") for line in lines if not line.startswith("#"))
    return [(Requirement(requirement), sources) for requirement, sources in pairs]


def read(folder: Path, name: str) -> dict[str, Any]:
    """A file of the environment, {} where there is none, or it is no mapping."""
    try:
        content = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def requirements(conda: dict[str, Any], folder: Path) -> list[Requirement]:
    """What conda.yaml installs, by conda or by pip; what can't be read as a requirement is left out."""
    found = []
    for line in _lines(conda, folder):
        try:
            found.append(Requirement(line.split(" #")[0].strip()))
        except InvalidRequirement:
            continue
    return found


def lacking(installed: Iterable[Requirement]) -> Iterator[tuple[str, str]]:
    """What Azure's container ends for by public reports, with the line that mends it."""
    by_name = {str(canonicalize_name(it.name)): it for it in installed}
    names = {*by_name, *(BRINGS[name] for name in by_name if name in BRINGS)}
    for need, sources in needs():
        have = by_name.get(need.name)
        if need.name not in names:
            yield f"has no {need.name} ({sources})", str(need)
        elif have and need.name == "mlflow" and not have.url and any(map(have.specifier.contains, LATER)):
            yield f"takes {have}, which may be one that Azure's scorer doesn't start with ({sources})", str(need)


def python(conda: dict[str, Any], folder: Path, virtualenv: str) -> str:
    """The Python that the model is to run in; "" where nothing says so."""
    for dependency in conda.get("dependencies") or ():
        if found := re.match(r"^(?:\S+::)?python\s*[=~]*=\s*([\d.]+)", str(dependency)):
            return found[1]
    return str(read(folder, virtualenv).get("python", "")) if virtualenv and not conda else ""


def _lines(conda: dict[str, Any], folder: Path) -> Iterator[str]:
    """Each package as pip would write it."""
    for dependency in conda.get("dependencies") or ():
        if isinstance(dependency, dict):
            for line in map(str, dependency.get("pip") or ()):
                other = re.match(r"^-r\s*(\S+)|^--requirement[ =](\S+)", line)
                yield from _file(folder / (other[1] or other[2])) if other else [line]
        elif found := CONDA.match(str(dependency)):
            version = found[2] or ""
            exact = re.match(r"^=([\w.]+)", version)
            yield found[1] + (f"=={exact[1]}" if exact else version)


def _file(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
