"""The digest of releases before schemes, for what has such a tag: it takes other things for the same."""

import hashlib
import json
from pathlib import Path

import yaml

STAMPS = frozenset({"model_uuid", "utc_time_created", "run_id", "artifact_path", "model_size_bytes"})
PART = 1 << 20  # bytes that are read at a time
TEXT = frozenset({".txt", ".yaml", ".yml", ".json", ".md", ".py"})


def digest(folder: Path) -> str:
    """SHA-256 (hex) of a folder whose MLmodel can be read."""
    content = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    described = {key: value for key, value in content.items() if key not in STAMPS}
    digests = {"MLmodel": hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).digest()}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != "MLmodel" and "__pycache__" not in path.parts:
            digests[name] = _content(path)
    total = hashlib.sha256()
    for name in sorted(digests):
        total.update(hashlib.sha256(name.encode()).digest() + digests[name])
    return total.hexdigest()


def _content(path: Path) -> bytes:
    """SHA-256 of a file, in which a text's line ends count as `\\n`."""
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
