"""What was merged between two commits."""

from __future__ import annotations

import re

from scripts.lib.github import provenance
from scripts.lib.github.api import CannotTell, GitHub

SHA = re.compile(r"[0-9a-f]{7,64}")
CODE = re.compile(r"model/.*\.(py|ipynb|in|txt|ya?ml|toml)")  # what a model is made by, beside its data
MANY = 300  # files: GitHub tells no more, and heeds no more, so that a merge of more may start nothing


def messages(base: str, head: str) -> list[str]:
    """The messages of the commits that `head` has and `base` doesn't, as GitHub tells them, else git.

    Raises CannotTell where neither knows both: a workflow's checkout has no history, a laptop may have no token.
    """
    if base == head or not (SHA.fullmatch(base) and SHA.fullmatch(head)):
        return []
    try:
        return [str(commit["commit"]["message"]) for commit in GitHub.here().compare(base, head)]
    except CannotTell:
        if told := provenance.git("log", "--format=%B", f"{base}..{head}"):
            return [told]
        raise


def lost(old: str, new: str) -> int:
    """How many commits `old` has and `new` doesn't, as GitHub tells, else git; 0, too, where neither knows both."""
    if not (SHA.fullmatch(old) and SHA.fullmatch(new)):
        return 0
    try:
        return len(GitHub.here().compare(new, old))
    except CannotTell:
        return int(provenance.git("rev-list", "--count", f"{new}..{old}") or 0)


def same_code(old: str, new: str) -> bool:
    """Whether two commits train by the same code, as GitHub tells, else git; false where neither knows both."""
    if not (SHA.fullmatch(old) and SHA.fullmatch(new)):
        return False
    try:
        files = GitHub.here().changed(old, new) if old != new else []
    except CannotTell:
        told = provenance.git("diff", "--name-only", old, new, "--")
        files = told.splitlines() if told else [""] * MANY
    return len(files) < MANY and not any(CODE.fullmatch(file) for file in files)
