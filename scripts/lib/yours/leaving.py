"""What a copy leaves behind: the lists of copier.yml, so that updates pass over the same files."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

UPDATES = Path("copier.yml")
ANSWERS = Path(".copier-answers.yml")
TEMPLATE = Path("{{ _copier_conf.answers_file }}.jinja")  # copier writes ANSWERS from it
ONLY_WITHOUT = re.compile(r"\{% if not keep_emulator %\}(.+)\{% endif %\}")
OWN = ("model", "endpoints", "README.md")  # written anew


def behind(tree: Path, keep: bool) -> list[Path]:
    """The files and folders of `tree` that go, below it; with `keep` the workshop stays."""
    listed = yaml.safe_load((tree / UPDATES).read_text(encoding="utf-8"))["_exclude"]
    found = [str(TEMPLATE), *(ONLY_WITHOUT.sub("" if keep else r"\1", line) for line in listed)]
    names = [name.lstrip("/") for name in found if name and name != ".git"]
    return [Path(name) for name in names if name not in OWN and (tree / name).exists()]


def answers(template: str, version: str, keep: bool) -> str:
    """What copier would have written: where the copy came from, and as of which tag."""
    said = {"_commit": f"v{version}", "_src_path": template, "keep_emulator": keep}
    return "# What `copier update` knows of this copy. Written by copier; not to be edited.\n" + yaml.safe_dump(said)
