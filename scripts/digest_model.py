"""The digest of a model folder, as register_model and deploy know it."""

from __future__ import annotations

from pathlib import Path

import click

from scripts import _github, _model
from scripts._command import FOLDER, command


@command()
@click.argument("folder", type=FOLDER)
def main(folder: Path) -> str:
    """Print the digest of the MLflow model in FOLDER: what deploy compares what is registered with."""
    digest = _model.digest(folder)
    _github.output(digest=digest)
    _github.summary(f"Model digest `{digest}`")
    return digest


if __name__ == "__main__":
    main()
