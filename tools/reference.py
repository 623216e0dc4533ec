"""`make reference`: what docs/REFERENCE.md tells of verbs and variables, made from --help and from the code."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import click

from scripts.lib.cli.exit_codes import EPILOG
from scripts.lib.github.repository_variables import VARIABLES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/REFERENCE.md"
BEGINS, ENDS = "<!-- {}: make reference -->\n", "<!-- {}: end -->\n"
WIDTH = 120


def commands() -> dict[str, click.Command]:
    """Each verb by its name."""
    names = sorted(path.stem for path in (ROOT / "scripts").glob("*.py") if not path.stem.startswith("_"))
    return {name: importlib.import_module(f"scripts.{name}").main for name in names}


def told(name: str, command: click.Command) -> str:
    """What `python -m scripts.NAME --help` prints, below a heading."""
    command = copy.copy(command)
    command.epilog = None  # it is the same of all
    settings: dict[str, Any] = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    context = click.Context(command, info_name=f"python -m scripts.{name}", **settings)
    return f"### {name}\n\n```\n{command.get_help(context)}\n```\n"


def verbs() -> str:
    """Their exit codes, once, and each one's --help."""
    return "\n".join([f"{EPILOG}\n", *(told(*verb) for verb in commands().items())])


def variables() -> str:
    """The table of the repository's variables."""
    rows = [f"| `{it.name}`{'' if it.required else ' (optional)'} | {it.says} |" for it in VARIABLES.values()]
    return "\n".join(["| variable | what it is |", "|---|---|", *rows]) + "\n"


def made(page: str) -> str:
    """The page with its two parts made anew."""
    for name, content in {"verbs": verbs(), "variables": variables()}.items():
        begins, ends = BEGINS.format(name), ENDS.format(name)
        head, _, rest = page.partition(begins)
        page = f"{head}{begins}\n{content}\n{ends}{rest.partition(ends)[2]}"
    return page


def main() -> None:
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
