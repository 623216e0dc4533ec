"""`make reference`: the part of docs/REFERENCE.md that tells of the verbs, made from their --help."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import click

from scripts.lib.cli.exit_codes import EPILOG

PAGE = Path("docs/REFERENCE.md")
BEGINS, ENDS = "<!-- made from --help: make reference -->\n", "<!-- end of it -->\n"
WIDTH = 120


def commands() -> dict[str, click.Command]:
    """Each verb by its name."""
    names = sorted(path.stem for path in Path("scripts").glob("*.py") if not path.stem.startswith("_"))
    return {name: importlib.import_module(f"scripts.{name}").main for name in names}


def told(name: str, command: click.Command) -> str:
    """What `python -m scripts.NAME --help` prints, below a heading."""
    command = copy.copy(command)
    command.epilog = None  # it is the same of all
    settings: dict[str, Any] = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, info_name=f"python -m scripts.{name}", **settings)
    return f"### {name}\n\n```\n{command.get_help(context)}\n```\n"


def made(page: str) -> str:
    """The page with its part of the verbs made anew."""
    head, _, rest = page.partition(BEGINS)
    verbs = "\n".join(told(*verb) for verb in commands().items())
    return f"{head}{BEGINS}\n{EPILOG}\n\n{verbs}\n{ENDS}{rest.partition(ENDS)[2]}"


def main() -> None:
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
