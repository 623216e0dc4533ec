"""What a job's process finds: variables, and a word on what differs from the environment that Azure would build."""

import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from azureml_emulator.serving.container import KEPT


def variables(given: Mapping[str, str | None], told: Mapping[str, str]) -> dict[str, str]:
    """Somebody else's code gets none of the emulator's own variables; `python` is the emulator's own."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | {name: value for name, value in given.items() if value is not None} | dict(told)


def differing(conda: str | None) -> Iterator[str]:
    """A line for each package in a conda.yaml that is another one here, or isn't."""
    for line in _listed(conda):
        try:
            wanted = Requirement(line)
            have = version(wanted.name)
        except InvalidRequirement:
            yield f"the environment's line {line!r} is not looked at"
        except PackageNotFoundError:
            yield f"the environment has {line}, which is not installed here"
        else:
            if have not in wanted.specifier:
                yield f"the environment has {line}, and here {have} is installed"


def _listed(conda: str | None) -> list[str]:
    """The lines for pip; of conda's own, those for Python and the like, none is looked at."""
    try:
        parts: list[Any] = (yaml.safe_load(conda or "") or {}).get("dependencies") or []
        return [str(line) for part in parts if isinstance(part, dict) for line in part.get("pip") or []]
    except (yaml.YAMLError, AttributeError, TypeError):
        return []
