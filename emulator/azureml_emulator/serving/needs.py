"""What a model's environment lacks at Azure, where its conda.yaml is built: here all run in the emulator's own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

LATER = ("3.7.0", "3.99.0", "4.0.0", "99.0.0")  # of MLflow, some that a model may get


def lacking(conda: Path) -> Iterator[str]:
    """A line for each of azure-needs.txt that a conda.yaml lacks, with the public reports that say so.

    Without one a model gets Azure's own environment, which has all of it.
    """
    if not conda.is_file():
        return
    have = {str(canonicalize_name(it.name)): it for it in _installed(conda)}
    for line in files("azureml_emulator.serving").joinpath("azure-needs.txt").read_text(encoding="utf-8").splitlines():
        need, _, sources = line.partition("  # ")
        name = need.partition("=")[0].partition("<")[0]
        too_new = name == "mlflow" and name in have and any(map(have[name].specifier.contains, LATER))
        if sources and (name not in have or too_new):
            yield f"{conda.name} lacks {need}: at Azure this container may not start ({sources})"


def _installed(conda: Path) -> Iterator[Requirement]:
    try:
        listed = yaml.safe_load(conda.read_text(encoding="utf-8"))["dependencies"]
        lines = [line for part in listed for line in (part["pip"] if isinstance(part, dict) else [part])]
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return
    for line in lines:
        try:
            yield Requirement(str(line))
        except InvalidRequirement:
            continue
