"""How long the example trains on more rows, and its memory: `python -m benchmarks.training` prints a table.

The rows are heart.csv's, drawn again and again, each age moved a little: only time and memory mean something.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
ROWS = (303, 3_000, 30_000, 300_000, 3_000_000)
KINDS = {"csv": "CSV", "parquet": "Parquet"}
UNIT = 1e9 if sys.platform == "darwin" else 1e6  # of what the system calls the most memory, to GB


def write(rows: int, path: Path) -> None:
    """A table of so many rows, as CSV or Parquet."""
    import numpy as np
    import pandas as pd

    table = pd.read_csv(ROOT / "model" / "heart.csv").sample(rows, replace=True, random_state=1)
    table = table.assign(age=table["age"] + np.random.default_rng(1).normal(size=rows))
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)


def train(data: Path) -> tuple[float, float, float]:
    """Seconds by the clock and of all cores together, and GB at the peak."""
    command = [sys.executable, "model/train.py", "--data", str(data), "--out", str(data.with_name("model"))]
    began = time.monotonic()
    training = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(training.pid, 0)
    training.returncode = os.waitstatus_to_exitcode(status)
    if training.returncode:
        raise click.ClickException(f"training on {data} failed")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / UNIT


@click.command()
@click.option("--most", type=int, default=ROWS[3], show_default=True, help="Rows of the largest table.")
def main(most: int) -> None:
    """Train on more and more rows."""
    click.echo("| rows | seconds | of all cores | GB | data |\n|---|---|---|---|---|")
    for rows in (rows for rows in ROWS if rows <= most):
        for suffix, kind in KINDS.items():
            with tempfile.TemporaryDirectory() as folder:
                data = Path(folder, f"data.{suffix}")
                write(rows, data)
                seconds, cpu, peak = train(data)
            click.echo(f"| {rows:,} | {seconds:.0f} | {cpu:.0f} | {peak:.1f} | {kind} |")


if __name__ == "__main__":
    main()
