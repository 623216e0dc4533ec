"""What starts a rollout, as the workflow files say it: pushes to which branch, of which files, and persons' inputs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lib.decisions.state import Refused

ROLLOUT, CHECKS = Path(".github/workflows/rollout.yml"), Path(".github/workflows/ci.yml")


def push(path: Path) -> Mapping[str, Any] | None:
    """The trigger `push` of a workflow, None where pushes start nothing. Raises Refused where it can't be read."""
    names = _triggers(path)
    return (names["push"] or {}) if "push" in names else None


def offered(path: Path, name: str) -> list[str]:
    """What a person may choose for an input of a workflow. Raises Refused where it can't be read."""
    inputs = (_triggers(path).get("workflow_dispatch") or {}).get("inputs") or {}
    return [str(option) for option in (inputs.get(name) or {}).get("options") or ()]


def shares() -> list[int]:
    """What the promotions of a rollout give green, one after the other: rollout.yml may stop after each."""
    return [int(job.removeprefix("promote-")) for job in offered(ROLLOUT, "stop-after") if job.startswith("promote-")]


def _triggers(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Refused(f"{path} can't be read: {type(error).__name__}.") from error
    on = content.get(True, content.get("on")) if isinstance(content, dict) else None  # YAML reads `on` as true
    return {on: None} if isinstance(on, str) else on if isinstance(on, dict) else dict.fromkeys(on or ())


def line(path: Path) -> int:
    """Where the file lists the branches, 0 where that can't be told."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, text in enumerate(lines, 1) if re.match(r"\s+branches:", text)), 0)


def matches(name: str, patterns: Sequence[str] | None) -> bool:
    """Whether a branch or a file is meant: the last pattern that fits counts, `!` takes away; without any all are.

    `*` stops at a slash, `**` doesn't (docs.github.com/actions/reference/workflows-and-actions/workflow-syntax).
    """
    if patterns is None:
        return True
    fitting = [pattern for pattern in patterns if _fits(name, pattern.removeprefix("!"))]
    return bool(fitting) and not fitting[-1].startswith("!")


def touched(files: Iterable[str], patterns: Sequence[str] | None) -> list[str]:
    return [file for file in files if matches(file, patterns)]


def _fits(name: str, pattern: str) -> bool:
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*/|\*\*|\*)", pattern)
    return bool(re.fullmatch("".join(wild.get(part, re.escape(part)) for part in parts), name))
