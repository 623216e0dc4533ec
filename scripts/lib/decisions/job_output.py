"""What a job has put out, by a digest that stands in its own log, where no other job writes.

A job runs this file by itself once its command has ended well, so it imports what Python has, and nothing else.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

KEPT = "outputs/model"  # Azure ML uploads `outputs` to the run's own artifacts, where MLflow finds the model
PRINTED = re.compile(r"^output sha256:([0-9a-f]{64})$", re.MULTILINE)
PART = 1 << 20  # bytes


def digest(folder: Path) -> str:
    """That of all files below the folder, by their names."""
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*")):
        if path.is_file():
            content = hashlib.sha256()
            with path.open("rb") as file:
                while part := file.read(PART):
                    content.update(part)
            total.update(hashlib.sha256(name.encode()).digest() + content.digest())
    return total.hexdigest()


def printed(log: str) -> str:
    """The digest that a job's log ends with; "" where none is in it."""
    found = PRINTED.findall(log)
    return str(found[-1]) if found else ""


def main(folder: Path) -> None:
    """The tracking's copy is nothing that anything is deployed from, so training is none the worse without it."""
    try:
        shutil.copytree(folder, KEPT, dirs_exist_ok=True)
    except OSError as error:
        print(f"the model isn't among the run's files: {error}")
    if folder.is_dir():  # else it is an address, where training wrote by itself
        print(f"\noutput sha256:{digest(folder)}")  # what came before may not have ended its line


if __name__ == "__main__":
    main(Path(sys.argv[1]))
