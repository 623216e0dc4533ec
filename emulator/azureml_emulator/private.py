"""Files that hold secrets or what was asked with them: for their owner alone."""

import os
from pathlib import Path
from typing import Literal, TextIO, cast


def open_private(path: Path, mode: Literal["w", "a"]) -> TextIO:
    """A text file that only its owner may read from now on, whoever made it; a link isn't followed: OSError."""
    file = cast(TextIO, open(path, mode, encoding="utf-8", buffering=1, opener=_opener))  # noqa: SIM115  # the caller's
    os.fchmod(file.fileno(), 0o600)  # it may have been there
    return file


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
