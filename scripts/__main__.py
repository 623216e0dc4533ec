"""`python -m scripts`: the commands, a line each."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click

PLUMBING = {
    *("cancel_rollout", "check_approval", "check_template", "check_variables", "compare_models", "digest_model"),
}


def listed() -> Iterator[str]:
    """Each command with the first line of its file; what only workflows call comes last."""
    files = {path.stem: path for path in Path(__file__).parent.glob("[a-z]*.py")}
    for name in sorted(files, key=lambda name: (name in PLUMBING, name)):
        told = str(ast.get_docstring(ast.parse(files[name].read_text(encoding="utf-8")))).splitlines()[0]
        yield f"  {name:<16} {'(for workflows) ' * (name in PLUMBING)}{told}"


if __name__ == "__main__":
    click.echo("\n".join(["Usage: python -m scripts.NAME --help", "", *listed()]))
