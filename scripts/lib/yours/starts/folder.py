"""Take the MLflow model that this repository keeps, gate it, and write it as the folder that a rollout registers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import click
import yaml

FOLDER = "model/mlflow"
METRIC, BOUND, LOWER_IS_BETTER = "", 0.0, False  # a number among the folder's metadata; none: no gate
SEED = 7  # another one makes another version of the same model


def report(metrics: dict[str, float]) -> None:
    """On stdout as JSON and, in a workflow, as the step's outputs."""
    click.echo(json.dumps(metrics))
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in metrics.items())


def check(metrics: dict[str, float], bound: float) -> None:
    """Raises ClickException for a model that is worse than the bound, or that doesn't say how good it is."""
    value = metrics.get(METRIC, float("nan"))
    if not (value <= bound if LOWER_IS_BETTER else value >= bound):
        raise click.ClickException(f"{METRIC or 'no metric'} {value} is worse than {bound}; no model was written")


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), default=FOLDER, help="MLflow.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="outputs/model")
@click.option("--bound", type=float, default=BOUND if METRIC else None, help=f"Of {METRIC}.")
def main(data: Path, out: Path, bound: float | None) -> None:
    """Print the model's metrics as JSON, and copy it to --out unless it is worse than --bound."""
    described: dict[str, Any] = yaml.safe_load((data / "MLmodel").read_text(encoding="utf-8"))
    metadata = described.setdefault("metadata", None) or {}
    metrics = {name: value for name, value in metadata.items() if isinstance(value, float)}
    report(metrics)
    if bound is not None:
        check(metrics, bound)
    if out.exists():
        shutil.rmtree(out)
    shutil.copytree(data, out)
    described["metadata"] = {**metadata, "seed": SEED}
    (out / "MLmodel").write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    click.echo(f"model written to {out}", err=True)


if __name__ == "__main__":
    main()
