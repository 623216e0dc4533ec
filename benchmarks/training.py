"""How long the example trains on more rows, and its memory: `python -m benchmarks.training` prints a table.

The rows are heart.csv's, drawn again and again, each age moved a little: only time and memory mean something.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil

ROOT = Path(__file__).parents[1]
ROWS = (303, 3_000, 30_000, 300_000)


def write(rows: int, path: Path) -> None:
    """A table of so many rows."""
    import numpy as np
    import pandas as pd

    table = pd.read_csv(ROOT / "model" / "heart.csv").sample(rows, replace=True, random_state=1)
    table.assign(age=table["age"] + np.random.default_rng(1).normal(size=rows)).to_csv(path, index=False)


def memory(process: psutil.Process) -> int:
    """Of the training and the processes of its folds, in bytes; 0 once it has ended."""
    try:
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def train(rows: int, folder: Path) -> tuple[float, float]:
    """Seconds and, at its peak, GB."""
    data = folder / "data.csv"
    write(rows, data)
    began, peak = time.monotonic(), 0
    command = [sys.executable, ROOT / "model" / "train.py", "--data", data, "--out", folder / "model"]
    with psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        while training.poll() is None:
            peak = max(peak, memory(training))
            time.sleep(0.2)
    if training.returncode:
        raise click.ClickException(f"training on {rows:,} rows failed")
    return time.monotonic() - began, peak / 1e9


@click.command()
@click.option("--most", type=int, default=ROWS[-1], show_default=True, help="Rows of the largest table.")
def main(most: int) -> None:
    """Train on more and more rows."""
    click.echo("| rows | seconds | GB |\n|---|---|---|")
    for rows in (rows for rows in ROWS if rows <= most):
        with tempfile.TemporaryDirectory() as folder:
            seconds, peak = train(rows, Path(folder))
        click.echo(f"| {rows:,} | {seconds:.0f} | {peak:.1f} |")


if __name__ == "__main__":
    main()
