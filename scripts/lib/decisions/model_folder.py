"""A model folder: its MLmodel, the files of it that are uploaded, and the digest of just these.

What doesn't count isn't uploaded, and all that is uploaded counts. MLflow is not imported, it isn't installed here.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.decisions import lfs, old_digest, pickles
from scripts.lib.decisions.state import Refused

SCHEME = "2:"  # a digest begins with it: how it is made may change again
STAMPS = frozenset({"model_uuid", "model_id", "utc_time_created", "run_id", "artifact_path", "model_size_bytes"})
"""What MLflow writes into MLmodel anew each time, and reads nowhere (mlflow.models.Model)."""
LEFT_OUT = frozenset({".amlignore", ".gitignore", "registered_model_meta"})
"""At the top: the SDK would leave out what the first two say; MLflow writes the third where it downloads a model."""
BYTECODE = "__pycache__"


def mlmodel(folder: Path) -> dict[str, Any]:
    """The folder's MLmodel. Raises Refused where there is none: Azure would take the folder and fail to serve it."""
    path = folder / "MLmodel"
    if not path.is_file():
        raise Refused(f"{folder} has no file MLmodel, so it is no MLflow model. Train one: python model/train.py")
    lfs.check(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Refused(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise Refused(f"{path} is not a YAML mapping.")
    return content


def files(folder: Path, bytecode: bool = False) -> dict[str, Path]:
    """Each file that is uploaded, by its name in the folder. Raises Refused for what can't be."""
    found, waiting = {}, [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            name = path.relative_to(folder).as_posix()
            if why := _wrong(path, folder.resolve()):
                raise Refused(f"{path} {why}")
            if path.is_dir() and (bytecode or path.name != BYTECODE):
                waiting.append(path)
            elif path.is_file() and name not in LEFT_OUT:
                found[name] = path
    return found


def clean(folder: Path, into: Path) -> Path:
    """The folder `into`, with what is uploaded of a model and nothing else: links, since models are large."""
    for name, path in files(folder).items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        if (content := _rewritten(path)) is None:
            (into / name).symlink_to(path.resolve())
        else:
            (into / name).write_bytes(content)
    return into


def digest(folder: Path, like: str = SCHEME) -> str:
    """The digest of a model's folder, in the scheme of `like`: trained again or checked out elsewhere, it is the same.

    Raises Refused for a folder that is no model, or not all of it.
    """
    mlmodel(folder)
    found = files(folder)
    for name, path in found.items():
        lfs.check(path, f"{name} of the model's folder")
    return _total(found) if like.startswith(SCHEME) else stored(folder, like)


def stored(folder: Path, like: str = SCHEME) -> str:
    """The same of a folder that was downloaded, whatever it holds: compiled code counts there, since it would run."""
    try:
        return _total(files(folder, bytecode=True)) if like.startswith(SCHEME) else old_digest.digest(folder)
    except (OSError, yaml.YAMLError, ValueError, AttributeError, TypeError):
        return "none, since it is no MLflow model"


def short(text: str) -> str:
    """A digest for people."""
    return text.rpartition(":")[2][:12]


def _total(found: dict[str, Path]) -> str:
    total = hashlib.sha256()
    for name, path in sorted(found.items()):
        total.update(hashlib.sha256(name.encode()).digest() + _content(path))
    return SCHEME + total.hexdigest()


def _content(path: Path) -> bytes:
    """SHA-256 of a file as it is uploaded, read in parts: models have gigabytes."""
    total = hashlib.sha256(content := _rewritten(path) or b"")
    if content:
        return total.digest()
    with path.open("rb") as file:
        while part := file.read(old_digest.PART):
            total.update(part)
    return total.digest()


def _rewritten(path: Path) -> bytes | None:
    """A file without stamps, an MLmodel or a pickle; None for what is uploaded as it is."""
    if path.name == "MLmodel":
        return _described(path.read_bytes())
    return pickles.without_stamps(path.read_bytes()) if pickles.stamped(path) else None


def _described(content: bytes) -> bytes | None:
    """What an MLmodel says, in one spelling and without stamps; None where it is none. A model may hold others."""
    try:
        described = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(described, dict):
        return None
    kept = {key: value for key, value in described.items() if key not in STAMPS}
    flavors = kept.get("flavors")
    for flavor in flavors.values() if isinstance(flavors, dict) else ():
        if isinstance(flavor, dict):
            _without_origins(flavor)
    return yaml.safe_dump(kept, width=math.inf).encode()


def _without_origins(flavor: dict[str, Any]) -> None:
    """Where files of a flavor lay when it was saved: MLflow takes artifacts by `path`, and of code the last name."""
    artifacts = flavor.get("artifacts")
    for artifact in artifacts.values() if isinstance(artifacts, dict) else ():
        if isinstance(artifact, dict) and "path" in artifact and "uri" in artifact:
            artifact["uri"] = artifact["path"]
    if isinstance(code := flavor.get("model_code_path"), str):
        flavor["model_code_path"] = Path(code).name


def _wrong(path: Path, top: Path) -> str:
    """Why what is at a path can't be uploaded; "" where it can."""
    if not path.name.isprintable():
        return "has a name that blobs can't have: signs that can't be printed, or not UTF-8."
    if not path.exists():
        return "is a link to nothing."
    if not path.is_file() and not path.is_dir():
        return "is neither a file nor a folder."
    where, here = path.resolve(), path.parent.resolve()
    if not where.is_relative_to(top):
        return "is a link out of the model's folder. Put there what it leads to: cp --recursive --dereference"
    return "is a link to a folder that it lies in." if path.is_symlink() and here.is_relative_to(where) else ""
