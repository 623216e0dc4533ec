"""What Git LFS leaves where nobody fetched a file: a pointer in its place, which is a small text."""

from __future__ import annotations

from pathlib import Path

from scripts.lib.decisions.state import Refused

POINTER = b"version https://git-lfs.github.com/"


def check(path: Path, name: str = "") -> None:
    """Raises Refused where a file is a pointer; `name` is its name for people, where that isn't its path."""
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise Refused(
                f"{name or path} is a pointer of Git LFS, not the file itself. Fetch that first, by `git lfs pull`; on "
                "GitHub by `lfs: true` for each actions/checkout in the workflows."
            )
