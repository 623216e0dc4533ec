"""How the model is made and judged: gradient-boosted trees that predict a label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.sklearn import save_model
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

FOLDS = 5
LOWER_IS_BETTER = ("log_loss",)


def make(columns: dict[str, str], seed: int) -> Pipeline:
    """Raw columns to a label, of scikit-learn's classes alone. Missing values and unknown texts are scored, too."""
    texts = [name for name, kind in columns.items() if kind == "string"]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    trees = HistGradientBoostingClassifier(max_features=0.8, random_state=seed)  # a share, so that the seed matters
    return make_pipeline(make_column_transformer((codes, texts), remainder="passthrough"), trees)


def evaluate(features: pd.DataFrame, target: pd.Series, columns: dict[str, str], seed: int) -> dict[str, float]:
    """AUC (of more than two labels: the mean of each against the rest), accuracy and log loss, out of fold."""
    auc = "roc_auc_ovr" if target.nunique() > 2 else "roc_auc"
    scoring = {"auc": auc, "accuracy": "accuracy", "log_loss": "neg_log_loss"}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_validate(make(columns, seed), features, target, cv=folds, scoring=scoring, error_score="raise")
    return {name: abs(float(scores[f"test_{name}"].mean())) for name in scoring}


def said_of(target: pd.Series) -> dict[str, Any]:
    """What the smoke test holds predictions to: all that they may be."""
    return {"labels": sorted(target.unique().tolist())}


def write(model: Pipeline, folder: Path, **options: Any) -> None:
    save_model(model, folder, **options)
