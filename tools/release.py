"""`python -m tools.release 1.2.0`: everything that a release of the template changes, ready to be committed and tagged.

`1.3.0.dev0` begins the work on the next one: versions and the changelog's heading alone, the last wheel stays.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

PROJECTS = [Path("pyproject.toml"), Path("emulator/pyproject.toml")]
CHANGELOG = Path("CHANGELOG.md")
WHEELS = Path("wheels")
LINE = "# The local Azure ML, for copies that left its sources behind. Written by tools/release.py; run from the root.\n"
NEXT = "## Unreleased\n"
VERSION = re.compile(r'^version = "(.+?)"', re.MULTILINE)
DEVELOPED = ".dev"


def version(tree: Path) -> str:
    """The template's version in a checkout of it."""
    found = VERSION.search((tree / PROJECTS[0]).read_text(encoding="utf-8"))
    return found[1] if found else ""


def change(file: Path, pattern: str, replacement: str) -> None:
    text, changes = re.subn(pattern, replacement, file.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    if not changes:
        sys.exit(f"{file} has no line {pattern}")
    file.write_text(text, encoding="utf-8")


def build(tree: Path) -> None:
    """The wheel and its requirements file, in wheels/, instead of the last release's."""
    for old in (tree / WHEELS).glob("*.whl"):
        old.unlink()
    subprocess.run(["make", "--old-file=install", "wheel", f"OUT={WHEELS}"], cwd=tree, check=True)
    [wheel] = (tree / WHEELS).glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tree / WHEELS / "requirements.txt").write_text(f"{LINE}./{WHEELS}/{wheel.name} --hash=sha256:{digest}\n", "utf-8")


def main(new: str) -> None:
    tree = Path.cwd()
    for project in PROJECTS:
        change(project, VERSION.pattern, f'version = "{new}"')
    if DEVELOPED in new:
        change(CHANGELOG, r"^## ", f"{NEXT}\n## ")
        return
    change(CHANGELOG, f"^{NEXT}", f"## {new} · {date.today()}\n")
    build(tree)
    print(f"Commit this to main, then: git tag v{new} && git push origin main v{new}")


if __name__ == "__main__":
    main(sys.argv[1])
