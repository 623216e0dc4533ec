"""The local Azure ML as a wheel, instead of its sources: what a release commits, and what a copy lives on."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

WHEELS = Path("wheels")
REQUIREMENTS = WHEELS / "requirements.txt"
LINE = "# The local Azure ML, for copies that left its sources behind; `make install` takes it from here.\n"
VERSION = re.compile(r'^version = "(.+?)"', re.MULTILINE)
DEVELOPED = ".dev"  # between two releases
_UV = Path(sys.executable).with_name("uv")


def version(tree: Path) -> str:
    """The template's version in a checkout of it."""
    found = VERSION.search((tree / "pyproject.toml").read_text(encoding="utf-8"))
    return found[1] if found else ""


def build(tree: Path) -> None:
    """The wheel and its requirements file, in wheels/, instead of the last release's. Needs no network."""
    for old in (tree / WHEELS).glob("*.whl"):
        old.unlink()
    making = ["make", "--silent", "--old-file=install", "wheel", f"OUT={WHEELS}", f"UV={_UV}"]
    subprocess.run(making, cwd=tree, check=True, env={**os.environ, "VIRTUAL_ENV": sys.prefix})
    [wheel] = (tree / WHEELS).glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tree / REQUIREMENTS).write_text(f"{LINE}./{WHEELS}/{wheel.name} --hash=sha256:{digest}\n", encoding="utf-8")


def install(tree: Path) -> None:
    """The wheel in the place of the sources, in the tree's own environment, so that nothing is fetched anew."""
    if Path(sys.prefix) != tree / ".venv":
        return
    options = ["--quiet", "--no-deps", "--require-hashes", "--python", sys.executable]
    subprocess.run([_UV, "pip", "install", *options, "--requirement", REQUIREMENTS], cwd=tree, check=True)
    (tree / ".venv" / "installed").touch()  # for make, which would begin anew because of the requirements
