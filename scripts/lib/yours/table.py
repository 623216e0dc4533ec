"""What a CSV tells: the kinds of its columns, what guessing would reach, and rows worth asking for."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.lib.decisions.state import Refused

if TYPE_CHECKING:
    import pandas as pd

ROWS = 14  # of the smoke test, at most
SAMPLE, FEWEST = 200, 10  # rows of a sample at most, and of each label among them, if it has as many
#: What is measured by the training that make_it_yours writes.
METRICS = {
    "classification": ("auc", "accuracy", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
    "other": ("log_loss", "pinball_loss"),
}


def read(path: Path) -> pd.DataFrame:
    """Columns of a CSV or, by the ending .parquet, of Parquet, as a CSV types them. Raises Refused without any rows."""
    import pandas as pd

    parquet = path.suffix == ".parquet"
    try:
        source = io.StringIO(pd.read_parquet(path).to_csv(index=False)) if parquet else path
        table = pd.read_csv(source, low_memory=False, compression=None).dropna(
            axis="columns", how="all"
        )  # of those there is no type
    except (OSError, ValueError, LookupError, NotImplementedError) as error:  # of damaged Parquet, too
        raise Refused(f"{path} can't be read as {'Parquet' if parquet else 'a CSV'}: {error}") from error
    if table.empty or len(table.columns) < 2:
        raise Refused(f"{path} has {len(table)} rows of {len(table.columns)} columns. Are there commas between?")
    return table


def known(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows that have a target, of the type that it has without gaps: training reads it so, too."""
    rows = table.dropna(subset=[target])
    if rows[target].isin([math.inf, -math.inf]).any():
        raise Refused(f"{target} holds infinite numbers: leave those rows out")
    return rows.assign(**{target: rows[target].convert_dtypes().to_numpy()})


def has_fractions(target: pd.Series) -> bool:
    from pandas.api import types

    return bool(types.is_float_dtype(target) and (target % 1 != 0).any())


def is_amount(target: pd.Series) -> bool:
    """Whether it is measured or counted, and not one of a few labels: as served.py has it."""
    from pandas.api import types

    return bool(types.is_numeric_dtype(target)) and (target.nunique() > 20 or has_fractions(target))


def sample(table: pd.DataFrame, target: str) -> str:
    """A CSV of its first rows, for pull requests: at most SAMPLE, but of each label so many that training works."""
    labels = table[target].nunique() <= SAMPLE // FEWEST
    needed = table.groupby(target, sort=False).head(FEWEST).index if labels else table.index[:0]
    rows = needed.append(table.index.difference(needed, sort=False))[:SAMPLE]
    return str(table.loc[rows.sort_values()].to_csv(index=False))


def kinds(table: pd.DataFrame, columns: list[str]) -> dict[str, str]:
    """MLflow's type of each column: numbers are double, since Azure would cut 2.3 to 2 in a whole one."""
    return {name: _kind(table[name]) for name in columns}


def _kind(column: pd.Series) -> str:
    from pandas.api import types

    if types.is_bool_dtype(column):
        return "boolean"
    return "double" if types.is_numeric_dtype(column) else "string"


def requests(table: pd.DataFrame, columns: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sample, one complete row, and the rows of the smoke test: each column's edges, and what is missing."""
    whole = table[list(columns)].dropna()
    if whole.empty:
        raise Refused("no row has a value in each column; give --columns that are filled together")
    rows = table.loc[_edges(table, columns)[:ROWS], list(columns)]
    return _body(whole.head(1), columns), _body(rows, columns)


def _edges(table: pd.DataFrame, columns: dict[str, str]) -> list[Any]:
    """Rows in turn: those that lack a value, each number's least and greatest, the first of each text, then all."""
    numbers = [table[name] for name, kind in columns.items() if kind == "double" and table[name].notna().any()]
    ends = [row for column in numbers for row in (column.idxmin(), column.idxmax())]
    others = [table[name] for name, kind in columns.items() if kind != "double"]
    texts = [row for column in others for row in column.dropna().drop_duplicates().index[:3]]
    missing = [table.index[table[name].isna()][0] for name in columns if table[name].isna().any()]
    found = dict.fromkeys([*missing[:4], *ends, *texts, *table.index])
    return list(found)


def _body(rows: pd.DataFrame, columns: dict[str, str]) -> dict[str, Any]:
    """As a request; what is true, false or missing is read as text by training, so it is text here."""
    import json

    texts = {name: rows[name].map(str, na_action="ignore") for name, kind in columns.items() if kind == "string"}
    rows = rows.assign(**texts).reset_index(drop=True)
    return {"input_data": json.loads(rows.to_json(orient="split", double_precision=15))}


def guessing(target: pd.Series, metric: str) -> float:
    """What a model reaches that always answers the same: the loosest bound that makes sense."""
    import numpy as np

    if metric in ("auc", "r2"):
        return 0.5 if metric == "auc" else 0.0
    if metric in ("accuracy", "log_loss"):
        shares = target.value_counts(normalize=True).to_numpy()
        return _round(shares.max() if metric == "accuracy" else -(shares * np.log(shares)).sum())
    if metric == "rmse":
        return _round(target.std(ddof=0))
    if metric == "mae":
        return _round((target - target.median()).abs().mean())
    misses = [(share, target - target.quantile(share)) for share in (0.1, 0.5, 0.9)]
    return _round(np.mean([np.maximum(share * miss, (share - 1) * miss).mean() for share, miss in misses]))


def _round(value: Any) -> float:
    return float(f"{float(value):.3g}")
