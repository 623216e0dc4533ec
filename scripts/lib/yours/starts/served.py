"""What serves: this file travels with the model, and Azure imports it from there. It needs no other file of model/."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, mean_pinball_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

QUANTILES = {"low": 0.1, "middle": 0.5, "high": 0.9}


def is_amount(target: pd.Series) -> bool:
    """Whether it is a number that is measured or counted, and not one of a few labels."""
    fractions = pd.api.types.is_float_dtype(target) and (target % 1 != 0).any()
    return bool(pd.api.types.is_numeric_dtype(target)) and bool(fractions or target.nunique() > 20)


class Answers(PythonModel):
    """For each row the probability of each label; of a number, where it lies: in 8 of 10 cases from low to high."""

    def __init__(self, columns: dict[str, str], seed: int) -> None:
        self.columns, self.seed = columns, seed
        self.models: dict[str, Pipeline] = {}

    def fit(self, features: pd.DataFrame, target: pd.Series) -> Answers:
        if is_amount(target):
            trees = {
                name: HistGradientBoostingRegressor(
                    loss="quantile", quantile=share, max_features=0.8, random_state=self.seed
                )
                for name, share in QUANTILES.items()
            }
        else:
            trees = {"labels": HistGradientBoostingClassifier(max_features=0.8, random_state=self.seed)}
        self.models = {name: self._pipeline(tree).fit(features, target) for name, tree in trees.items()}
        return self

    def _pipeline(self, trees: Any) -> Pipeline:
        texts = [name for name, kind in self.columns.items() if kind == "string"]
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        return make_pipeline(make_column_transformer((codes, texts), remainder="passthrough"), trees)

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # type: ignore[override]  # MLflow takes it without a context, too
        """A row for each row, a column of float64 for each label or quantile."""
        if labels := self.models.get("labels"):
            return pd.DataFrame(labels.predict_proba(model_input), columns=[str(name) for name in labels.classes_])
        amounts = np.column_stack([model.predict(model_input) for model in self.models.values()])
        return pd.DataFrame(np.sort(amounts), columns=list(self.models))  # quantiles fitted one by one may cross

    def loss(self, features: pd.DataFrame, target: pd.Series) -> dict[str, float]:
        """Log loss, or the mean pinball loss of the quantiles: lower is better."""
        table = self.predict(features)
        if labels := self.models.get("labels"):
            return {"log_loss": float(log_loss(target, table.to_numpy(), labels=labels.classes_))}
        losses = [mean_pinball_loss(target, table[name], alpha=share) for name, share in QUANTILES.items()]
        return {"pinball_loss": float(np.mean(losses))}
