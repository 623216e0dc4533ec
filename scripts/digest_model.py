"""The digest of a model folder, as register_model and deploy know it."""

from __future__ import annotations

from pathlib import Path

import click

from scripts.lib.cli import paths
from scripts.lib.cli.command import command
from scripts.lib.decisions import model_folder
from scripts.lib.github import step_output


@command()
@click.argument("folder", type=paths.FOLDER)
def main(folder: Path) -> str:
    """Print the digest of the MLflow model in FOLDER: what deploy compares what is registered with."""
    digest = model_folder.digest(folder)
    step_output.output(digest=digest)
    step_output.summary(f"Model digest `{model_folder.short(digest)}`")
    return digest


if __name__ == "__main__":
    main()
