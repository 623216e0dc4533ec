"""Turn a fresh copy of the template into the repository of a model of one's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from scripts.lib.azure.waiting import say
from scripts.lib.cli import paths
from scripts.lib.cli.command import command
from scripts.lib.decisions.state import Refused
from scripts.lib.yours import leaving, packing
from scripts.lib.yours.asking import KINDS, Wanted, ask, asked
from scripts.lib.yours.writing import files

KEPT = ("requirements.in", "requirements.txt")  # of model/
DONE = """This is {name} now; nothing is committed. What git shows is all that changed.
Look at model/ and endpoints/, then: make check test, make demo, and docs/MAKE_IT_YOURS.md from its step 3 on."""


@command()
@click.option("--name", help="Of the endpoint and the registered model.")
@click.option("--kind", type=click.Choice(KINDS), help="What it predicts; other: a table, by a Python class of yours.")
@click.option("--model", type=paths.FOLDER, help="An MLflow model folder.")
@click.option("--data", type=paths.FILE, help="CSV, or .parquet, to train on.")
@click.option("--target", help="The column to predict.")
@click.option("--columns", help="The columns to predict from, with commas between.")
@click.option("--metric", help="Of the gate: auc, accuracy, log_loss; rmse, mae, r2; pinball_loss.")
@click.option("--bound", type=float, help="A model whose metric is worse isn't rolled out.")
@click.option("--cluster", help="Compute of the workspace that trains; empty: the workflow's runner.")
@click.option("--asset", help="The data asset that it trains on.")
@click.option("--template", help="URL of the template's repository, for updates; empty: none.")
@click.option("--keep-emulator", is_flag=True, help="Keep the local Azure ML's sources, and the scripts' own tests.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def main(dry_run: bool, keep_emulator: bool, **given: Any) -> None:
    """Ask for a model, and write model/, endpoints/ and README.md for it; leave what is about heart disease behind.

    Without --keep-emulator the local Azure ML stays as a wheel, without its sources, and the tests of the scripts go.
    What isn't given is asked for. `git checkout .` and `git clean -df` take everything back.
    """
    tree = Path.cwd()
    _check(tree)
    wanted = asked(given)
    template = ask(given, "template", "URL of the template's repository, for updates", default="")
    written = files(wanted.answers, tree) | _said(template, tree, keep_emulator)
    going = [*_replaced(tree, wanted.source), *leaving.behind(tree, keep_emulator)]
    if dry_run:
        _tell(("would remove", going), ("would write", dict.fromkeys([wanted.target, *map(Path, written)])))
        return
    if not keep_emulator:
        packing.build(tree)
        packing.install(tree)
    _apply(tree, going, wanted, written)
    if ignored := _ignored(tree, wanted.target):
        say(f"git ignores some of it, so nobody else would have them: git add --force {' '.join(ignored)}")
    say(DONE.format(name=wanted.answers.name))


def _check(tree: Path) -> None:
    """Raises Refused where something could be lost, or this was done already."""
    if not (tree / leaving.UPDATES).exists():
        raise Refused(f"there is no {leaving.UPDATES}: this isn't the template's root, or it is somebody's already")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=tree, capture_output=True, text=True, check=False)
    if status.returncode or status.stdout:
        raise Refused(f"commit or stash first, so that git can take this back:\n{status.stdout or status.stderr}")


def _said(template: str, tree: Path, keep: bool) -> dict[str, str]:
    """What `copier update` needs to know, where there is a template to be updated from."""
    version = packing.version(tree)
    if not template:
        return {}
    if packing.DEVELOPED in version:
        say(f"{version} lies between two releases: updates will start at the last tag before it")
    return {str(leaving.ANSWERS): leaving.answers(template, version, keep)}


def _replaced(tree: Path, source: Path | None) -> list[Path]:
    """What is in model/ now. Raises Refused where git couldn't bring it back, and it isn't what is given."""
    given = source.resolve() if source else tree / "nothing"
    ignored = [name for name in _ignored(tree, Path("model")) if "__pycache__" not in name]
    if lost := [name for name in ignored if not (tree / name).resolve().is_relative_to(given)]:
        raise Refused(f"git ignores {', '.join(lost)}, so it couldn't take that back: put it elsewhere first")
    return [Path("model", path.name) for path in (tree / "model").iterdir() if path.name not in KEPT]


def _ignored(tree: Path, below: Path) -> list[str]:
    listed = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--", str(below)]
    return subprocess.run(listed, cwd=tree, capture_output=True, text=True, check=True).stdout.splitlines()


def _tell(*groups: tuple[str, Iterable[object]]) -> None:
    say("\n".join(f"{does} {name}" for does, names in groups for name in names))


def _apply(tree: Path, going: list[Path], wanted: Wanted, written: dict[str, str]) -> None:
    with TemporaryDirectory() as temporary:
        kept = Path(temporary, "kept")  # what is given may lie in what goes
        if wanted.source:
            (shutil.copytree if wanted.source.is_dir() else shutil.copyfile)(wanted.source, kept)
        for path in going:
            shutil.rmtree(tree / path) if (tree / path).is_dir() else (tree / path).unlink()
        if wanted.source:
            shutil.move(kept, tree / wanted.target)
    for name, text in written.items():
        (tree / name).write_text(text, encoding="utf-8")
    formatter = Path(sys.executable).with_name("ruff")
    subprocess.run([formatter, "format", "--quiet", *(name for name in written if name.endswith(".py"))], check=True)


if __name__ == "__main__":
    main()
