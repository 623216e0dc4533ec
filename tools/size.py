"""`make size`: the lines that a copy of this template owns, by folder, and what each verb takes to be understood."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

OTHERS = "emulator"  # a package by itself
DATA = (".csv", ".txt", ".whl")  # tables, locks, packages: nobody reads them


def imports(file: Path) -> Iterator[str]:
    """The modules that a Python file imports anywhere in it; of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))


def understood(file: Path, known: frozenset[Path] = frozenset()) -> frozenset[Path]:
    """A file and all of scripts/ that it imports, directly or by way of others, with the packages they lie in."""
    if file in known:
        return known
    known |= {file}
    for name in (name for name in imports(file) if name.startswith("scripts")):
        module = Path(*name.split("."))
        for found in (module.with_suffix(".py"), module / "__init__.py"):
            known = understood(found, known) if found.exists() else known
    return known


def lines(files: frozenset[Path]) -> int:
    return sum(len(file.read_bytes().splitlines()) for file in files)


def main() -> None:
    listed = subprocess.check_output(["git", "ls-files", "--cached", "--others", "--exclude-standard"], text=True)
    owned = [path for path in map(Path, listed.splitlines()) if path.parts[0] != OTHERS and path.suffix not in DATA]
    folders: Counter[str] = Counter()
    for path in filter(Path.is_file, owned):
        folders["/".join(path.parent.parts[:3]) or "."] += lines(frozenset([path]))
    for folder in sorted(folders):
        print(f"{folders[folder]:7,}  {folder}")
    print(f"{folders.total():7,}  in all\n\n  lines  in files  to understand a verb")
    verbs = {path.stem: understood(path) for path in Path("scripts").glob("*.py") if path.name != "__init__.py"}
    for verb, files in sorted(verbs.items(), key=lambda verb: lines(verb[1])):
        print(f"{lines(files):7,}  {sum(lines(frozenset([file])) > 0 for file in files):8}  {verb}")


if __name__ == "__main__":
    main()
