"""Train the model, gate it, and write it as the MLflow model folder that a rollout registers. Yours to change."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import click
import pandas as pd
from fitting import LOWER_IS_BETTER, evaluate, make, said_of
from saving import save
from threadpoolctl import threadpool_limits  # scikit-learn's own dependency

DATA = "model/data.csv"
TARGET = "target"
COLUMNS = {"a": "double", "b": "string"}  # the features, as callers send them: double, boolean or string
METRIC, BOUND = "auc", 0.5  # a model that is worse than this is not rolled out
SEED = 7  # any would do; another one makes another model


def load(path: Path) -> pd.DataFrame:
    """The features and the target; rows without a target are left out. Raises ClickException for another table."""
    table = pd.read_csv(path, dtype={name: str for name, kind in COLUMNS.items() if kind == "string"})
    if missing := [name for name in (*COLUMNS, TARGET) if name not in table]:
        raise click.ClickException(f"{path} has no column {', '.join(missing)}; no model was written")
    types = {name: "float64" if kind == "double" else bool for name, kind in COLUMNS.items() if kind != "string"}
    return table[[*COLUMNS, TARGET]].dropna(subset=[TARGET]).astype(types)


def report(metrics: dict[str, float]) -> None:
    """On stdout as JSON and, in a workflow, as the step's outputs."""
    click.echo(json.dumps(metrics))
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in metrics.items())


def good(value: float, bound: float) -> bool:
    """Whether a model may be rolled out; a NaN never."""
    return value <= bound if METRIC in LOWER_IS_BETTER else value >= bound


@click.command(context_settings={"show_default": True})
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=DATA, help="CSV.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="outputs/model")
@click.option("--bound", type=float, default=BOUND, help=f"Of {METRIC}: a worse model is not written.")
def main(data: Path, out: Path, bound: float) -> None:
    """Print the metrics as JSON, and write the model to --out unless it is worse than --bound."""
    table = load(data)
    features, target = table[list(COLUMNS)], table[TARGET]
    with threadpool_limits(1):  # on tables this small, threads on a busy machine cost more than they save
        metrics = {name: round(value, 4) for name, value in evaluate(features, target, COLUMNS, SEED).items()}
    report(metrics)
    if not good(metrics[METRIC], bound):
        raise click.ClickException(f"{METRIC} {metrics[METRIC]} is worse than {bound}; no model was written")
    facts: dict[str, Any] = {**metrics, **said_of(target), "data_sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    save(make(COLUMNS, SEED).fit(features, target), features, COLUMNS, facts, out)


if __name__ == "__main__":
    main()
