"""Set the metrics of two trained models side by side: the base branch's and the pull request's."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.lib.azure.waiting import say
from scripts.lib.cli import paths
from scripts.lib.cli.command import command
from scripts.lib.decisions import model_tags
from scripts.lib.decisions.metrics import comparison, metrics, table
from scripts.lib.github import step_output


@command()
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("head", type=paths.FOLDER)
def main(base: Path, head: Path) -> str:
    """Compare the model in HEAD with the one in BASE; prints the metrics of both as JSON.

    A base branch that makes no model, because it has no training yet or a broken one, is no error: `base` is null.
    """
    new = metrics(model_tags.tags(head))
    old = metrics(model_tags.tags(base)) if (base / "MLmodel").is_file() else None
    if old is None:
        say(f"{base} has no model: there is nothing to compare with")
        step_output.summary("The base branch has no model to compare with.")
    step_output.summary(table(("metric", "base", "pull request", "change"), comparison(old or {}, new)))
    return json.dumps({"base": old, "head": new})


if __name__ == "__main__":
    main()
