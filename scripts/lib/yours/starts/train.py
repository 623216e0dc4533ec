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
SAMPLE = Path("model/sample.csv")  # what pull requests train on where the data isn't in git: too little for a gate
MANY = 10_000  # rows: from here on threads save more than they cost, on a busy machine, too
SEED = 7  # any would do; another one makes another model


def load(path: Path) -> pd.DataFrame:
    """The features and the target; rows without a target are left out. Raises ClickException for another table."""
    texts = [name for name, kind in COLUMNS.items() if kind == "string"]
    try:
        as_csv = {"dtype": dict.fromkeys(texts, str)}
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, low_memory=False, **as_csv)
    except (ValueError, OSError, LookupError, NotImplementedError) as error:  # of a file that is damaged, too
        raise click.ClickException(f"{path} isn't what its name ends in: {error}; no model was written") from error
    if missing := [name for name in (*COLUMNS, TARGET) if name not in table]:
        raise click.ClickException(f"{path} has no column {', '.join(missing)}; no model was written")
    types = {name: "float64" if kind == "double" else bool for name, kind in COLUMNS.items() if kind != "string"}
    table = table[[*COLUMNS, TARGET]].dropna(subset=[TARGET]).astype(types)
    table[TARGET] = table[TARGET].convert_dtypes().to_numpy()  # 0 and 1, true and false, as they are without gaps
    return table.assign(**{name: table[name].map(str, na_action="ignore").where(table[name].notna()) for name in texts})


def report(metrics: dict[str, float]) -> None:
    """On stdout as JSON and, in a workflow, as the step's outputs."""
    click.echo(json.dumps(metrics))
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in metrics.items())


def good(value: float, bound: float) -> bool:
    """Whether a model may be rolled out; a NaN never."""
    return value <= bound if METRIC in LOWER_IS_BETTER else value >= bound


IN_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option("--data", type=IN_FILE, default=DATA, help="CSV, or Parquet by the ending .parquet.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="outputs/model")
@click.option("--bound", type=float, help=f"Of {METRIC}, a worse model is not written: {BOUND}; of {SAMPLE}: none.")
def main(data: Path, out: Path, bound: float | None) -> None:
    """Print the metrics as JSON, and write the model to --out unless it is worse than --bound."""
    table = load(data)
    features, target = table[list(COLUMNS)], table[TARGET]
    with threadpool_limits(1 if len(table) < MANY else None):
        metrics = {name: round(value, 4) for name, value in evaluate(features, target, COLUMNS, SEED).items()}
    report(metrics)
    if bound is None and data != SAMPLE:
        bound = BOUND
    if bound is not None and not good(metrics[METRIC], bound):
        raise click.ClickException(f"{METRIC} {metrics[METRIC]} is worse than {bound}; no model was written")
    facts: dict[str, Any] = {**metrics, **said_of(target), "data_sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
    save(make(COLUMNS, SEED).fit(features, target), features, COLUMNS, facts, out)


if __name__ == "__main__":
    main()
