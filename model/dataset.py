"""The heart disease table (see HEART.md): its columns, and reading a file that must have exactly them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

NUMERIC = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca"]
FEATURES = [*NUMERIC, "thal"]
THAL = ["fixed", "normal", "reversible"]
LABELS = [0, 1]
PARQUET = b"PAR1"
AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""], "skip_blank_lines": False}
POINTER = b"version https://git-lfs.github.com/"
FETCH = "run `git lfs pull`; on GitHub, give each actions/checkout before a training `lfs: true`"


def fail(problem: str) -> click.ClickException:
    return click.ClickException(f"{problem}; no model was written")


def read_table(path: Path) -> pd.DataFrame:
    """All but numbers as text, an empty cell as NaN; the index has the rows' numbers (from 1) and how to say them."""
    import pandas as pd

    with path.open("rb") as file:
        if (head := file.read(len(POINTER))) == POINTER:
            raise fail(f"{path} is a pointer of Git LFS, not the data: {FETCH}")
    parquet = path.suffix == ".parquet" or head.startswith(PARQUET)
    try:
        table = read_parquet(path) if parquet else pd.read_csv(path, **AS_TEXT)
    except (ValueError, OSError, LookupError, NotImplementedError) as error:  # for a bad encoding or layout, too
        raise fail(f"{path} is not a {'Parquet' if parquet else 'CSV'} file: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise fail(f"{path} is not a CSV file: its rows have more fields than its header")
    table.index = pd.RangeIndex(1, len(table) + 1, name="row {0}" if parquet else "row {0} (line {1})")
    return table.dropna(how="all")


def read_parquet(path: Path) -> pd.DataFrame:
    """The table without its index. Opened here: of a path, pandas would take folders like `year=2026` as columns."""
    import pandas as pd

    with path.open("rb") as file:
        table = pd.read_parquet(file).reset_index(drop=True).rename(columns=str)
    others = {name: column.astype(object) for name, column in table.items() if column.dtype.kind not in "biuf"}
    return table.assign(**{name: column.map(text).where(column.notna()) for name, column in others.items()})


def text(value: object) -> object:
    """Where some are missing, true and false are no type of their own."""
    return value if isinstance(value, bool) else str(value)


def check_columns(found: list[str]) -> None:
    expected = [*FEATURES, "target"]
    if missing := [name for name in expected if name not in found]:
        raise fail(f"missing columns: {', '.join(missing)}")
    if unknown := [name for name in found if name not in expected]:
        raise fail(f"unknown columns: {', '.join(unknown)}")


def check_values(column: pd.Series[str], good: pd.Series[bool], wanted: str) -> None:
    if not good.all():
        row = good.idxmin()
        value = "an empty cell" if column.isna()[row] else repr(str(column[row]))
        where = str(column.index.name).format(row, row + 1)
        raise fail(f"column {column.name}, {where}: {value} is not {wanted}")


def load(path: Path, rows_per_class: int) -> tuple[pd.DataFrame, pd.Series[int]]:
    """Features (12 of float, then thal as text) and target; raises a ClickException that names column and row."""
    import numpy as np
    import pandas as pd

    table = read_table(path)
    check_columns(list(table))
    numbers = table[[*NUMERIC, "target"]].apply(pd.to_numeric, errors="coerce").astype("float64")
    for name in NUMERIC:
        check_values(
            table[name], table[name].isna() | np.isfinite(numbers[name]), "a number (leave missing ones empty)"
        )
    check_values(table["thal"], table["thal"].isna() | table["thal"].isin(THAL), f"one of {', '.join(THAL)} (or empty)")
    check_values(table["target"], numbers["target"].isin(LABELS), "0 or 1")
    target = numbers["target"].astype("int64")
    counts = [int((target == label).sum()) for label in LABELS]
    if min(counts) < rows_per_class:
        raise fail(f"too few rows: target has {counts[0]} of 0 and {counts[1]} of 1, each needs {rows_per_class}")
    return numbers[NUMERIC].assign(thal=table["thal"]), target
