"""The way back for whoever has neither GitHub nor Python: lines for Azure's Cloud Shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

ROLLBACK = Path(__file__).parents[2] / "rollback.sh"


def way_back(place: Mapping[str, str]) -> str:
    """rollback.sh with the names filled in (Markdown, folded up). Whoever pastes it is signed in there already."""
    names = " ".join(f"{name}={shlex.quote(value)}" for name, value in place.items())
    lines = f"{names} bash <<'END'\n{ROLLBACK.read_text(encoding='utf-8')}END"
    return (
        "<details><summary>Back without GitHub: paste this into Azure's Cloud Shell</summary>\n\n"
        f"```bash\n{lines}\n```\n\n</details>"
    )
