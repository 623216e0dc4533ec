"""How the model is made and judged: a class of ours around scikit-learn's, which answers a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.pyfunc import save_model
from served import Answers, is_amount
from sklearn.model_selection import KFold, StratifiedKFold

FOLDS = 5
LOWER_IS_BETTER = ("log_loss", "pinball_loss")


def make(columns: dict[str, str], seed: int) -> Answers:
    return Answers(columns, seed)


def evaluate(features: pd.DataFrame, target: pd.Series, columns: dict[str, str], seed: int) -> dict[str, float]:
    """What `Answers.loss` gives, out of fold."""
    found: list[dict[str, float]] = []
    folds = (KFold if is_amount(target) else StratifiedKFold)(FOLDS, shuffle=True, random_state=seed)
    for train, held in folds.split(features, target):
        model = make(columns, seed).fit(features.iloc[train], target.iloc[train])
        found.append(model.loss(features.iloc[held], target.iloc[held]))
    return {name: sum(loss[name] for loss in found) / FOLDS for name in found[0]}


def said_of(_target: pd.Series) -> dict[str, Any]:
    """A table: its columns and their types stand in the signature."""
    return {}


def write(model: Answers, folder: Path, **options: Any) -> None:
    served = Path(__file__).with_name("served.py")
    save_model(folder, python_model=model, code_paths=[str(served)], **options)
