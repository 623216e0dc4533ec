"""Set two trained models side by side, the base branch's and the pull request's: metrics, and the contract."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.lib.azure.waiting import say
from scripts.lib.azure.workspace import read_yaml
from scripts.lib.cli import paths
from scripts.lib.cli.command import command
from scripts.lib.decisions import model_tags, training
from scripts.lib.decisions.contract import Difference, contract, differences, shown, unexcused
from scripts.lib.decisions.metrics import comparison, data, metrics, table
from scripts.lib.decisions.state import Refused
from scripts.lib.github import step_output

SAMPLED = "Trained on the sample `{}` alone: the metrics say that training works, not how good the rollout's model is."


@command()
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("head", type=paths.FOLDER)
@click.option("--sample", help="What both were trained on, if it isn't all the data; the summary says so.")
@click.option("--jobs", nargs=2, type=click.Path(path_type=Path), help="Where model/job.yml of both is, if it is.")
def main(base: Path, head: Path, sample: str | None, jobs: tuple[Path, Path] | None) -> str:
    """Compare the model in HEAD with the one in BASE; prints the metrics of both as JSON.

    What differs in signature and labels is in the summary, and what of it stops the rollout unless somebody says so.
    A base branch that makes no model, because it has no training yet or a broken one, is no error: `base` is null.
    """
    new = model_tags.tags(head)
    old = model_tags.tags(base) if (base / "MLmodel").is_file() else None
    if old is None:
        say(f"{base} has no model: there is nothing to compare with")
        step_output.summary("The base branch has no model to compare with.")
    rows: list[tuple[str, ...]] = [*comparison(old or {}, new), *data(old or {}, new)]
    rows += _rollouts(*jobs) if jobs else []
    told = (
        table(("metric", "base", "pull request", "change"), rows) if rows else "Training says no metric of the model."
    )
    step_output.summary(told)
    if sample:
        say(SAMPLED.format(sample))
        step_output.summary(SAMPLED.format(sample))
    if old is not None:
        _show(differences(contract(base), contract(head)))
    return json.dumps({"base": None if old is None else metrics(old), "head": metrics(new)})


def _rollouts(base: Path, head: Path) -> list[tuple[str, ...]]:
    """A row for the data that the rollouts of both train on, as the files name them: here nobody asks for a number."""
    rows = data({"data": _data(base)}, {"data": _data(head)})
    return [("the rollout's data", *row) for _, *row in rows]


def _data(job: Path) -> str:
    """What a job.yml names; nothing where it isn't there, or isn't YAML: a rollout's first job tells what is wrong."""
    try:
        return training.short(training.data(read_yaml(job).content)) if job.is_file() else ""
    except Refused as why:
        say(str(why))
        return ""


def _show(found: list[Difference]) -> None:
    """The contract's differences, and what to write where clients would break."""
    breaks = unexcused(found, ())
    for it in found:
        say(f"{it.column}: {it.what}{' (breaks clients)' if it in breaks else ''}")
    step_output.summary("The contract stays as it is." if not found else shown(found, breaks))
    if breaks:
        columns = ", ".join(dict.fromkeys(it.column for it in breaks))
        step_output.summary(
            f"Clients of the base branch's model break, so a rollout stops before its first promotion. If that is "
            f"meant, write `Contract-Change: {columns}` as a line into the message of the merged commit."
        )


if __name__ == "__main__":
    main()
