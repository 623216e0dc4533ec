"""`python -m tools.release 1.2.0`: everything that a release of the template changes, ready to be committed and tagged.

`1.3.0.dev0` begins the work on the next one: versions and the changelog's heading alone, the last wheel stays.
"""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path

from scripts.lib.yours.packing import DEVELOPED, VERSION, build

PROJECTS = [Path("pyproject.toml"), Path("emulator/pyproject.toml")]
CHANGELOG = Path("CHANGELOG.md")
NEXT = "## Unreleased\n"


def change(file: Path, pattern: str, replacement: str) -> None:
    """The first line that fits. Ends where there is none."""
    text, changes = re.subn(pattern, replacement, file.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    if not changes:
        sys.exit(f"{file} has no line {pattern}")
    file.write_text(text, encoding="utf-8")


def main(new: str) -> None:
    for project in PROJECTS:
        change(project, VERSION.pattern, f'version = "{new}"')
    if DEVELOPED in new:
        change(CHANGELOG, "^## ", f"{NEXT}\n## ")
        return
    change(CHANGELOG, f"^{NEXT}", f"## {new} · {date.today()}\n")
    build(Path.cwd())
    print(f"Commit this to main, then: git tag v{new} && git push origin main v{new}")


if __name__ == "__main__":
    main(sys.argv[1])
