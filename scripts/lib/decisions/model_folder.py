"""A model folder's MLmodel, and the digest of its content. MLflow is not imported, it isn't installed here."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.decisions import lfs
from scripts.lib.decisions.state import Refused

STAMPS = frozenset({"model_uuid", "utc_time_created", "run_id", "artifact_path", "model_size_bytes"})
"""What MLflow 2.x writes into MLmodel anew each time (mlflow.models.Model)."""
PART = 1 << 20  # bytes that are read at a time
TEXT = frozenset({".txt", ".yaml", ".yml", ".json", ".md", ".py"})


def mlmodel(folder: Path) -> dict[str, Any]:
    """The folder's MLmodel. Raises Refused where there is none: Azure would take the folder and fail to serve it."""
    path = folder / "MLmodel"
    if not path.is_file():
        raise Refused(f"{folder} has no file MLmodel, so it is no MLflow model. Train one: python model/train.py")
    lfs.check(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise Refused(f"{path} is not a YAML mapping.")
    return content


def digest(folder: Path) -> str:
    """SHA-256 (hex) of the model's content: the same model, trained again or checked out elsewhere, has the same.

    Raises Refused for a folder that is no model, or not all of it.
    """
    described = {key: value for key, value in mlmodel(folder).items() if key not in STAMPS}
    digests = {"MLmodel": hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).digest()}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "MLmodel" and "__pycache__" not in path.parts:
            lfs.check(path, f"{name} of the model's folder")
            digests[name] = _content(path)
    total = hashlib.sha256()
    for name in sorted(digests):
        total.update(hashlib.sha256(name.encode()).digest() + digests[name])
    return total.hexdigest()


def _content(path: Path) -> bytes:
    """SHA-256 of a file, read in parts: models have gigabytes. A text's line ends count as `\\n`."""
    total, held = hashlib.sha256(), b""
    with path.open("rb") as file:
        while part := file.read(PART):
            if path.suffix in TEXT:
                part = held + part
                held = b"\r" if part.endswith(b"\r") else b""  # the other half of a line end may come next
                part = part[: len(part) - len(held)].replace(b"\r\n", b"\n")
            total.update(part)
    total.update(held)
    return total.digest()
