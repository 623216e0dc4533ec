"""Two models' metrics side by side: which there are, by how much each moved, and whether that is better."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from scripts.lib.decisions.metrics import better_sign, comparison, data, metrics


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"auc": "0.9", "f1": "1", "brier": "1e-3"}, {"auc": 0.9, "f1": 1.0, "brier": 0.001}),
        ({"labels": "[0, 1]", "range": "[0, 1]", "note": "good", "flag": "true", "bad": "nan", "huge": "9e999"}, {}),
        (dict.fromkeys(["version", "digest", "data_sha256", "commit"], "12345"), {}),
    ],
)
def test_metrics_are_the_tags_that_are_numbers(tags: Mapping[str, str], found: dict[str, float]) -> None:
    """Whatever the training code calls them; hashes made of digits are none."""
    assert metrics(tags) == found


def test_a_metric_of_one_side_has_no_change() -> None:
    """A dash stands where there is nothing."""
    rows = comparison({"auc": "0.9", "accuracy": "0.8"}, {"auc": "0.9", "f1": "0.7"})

    assert rows == [("auc", "0.9", "0.9", "0"), ("accuracy", "0.8", "–", "–"), ("f1", "–", "0.7", "–")]


def test_a_change_has_its_sign_and_no_noise() -> None:
    """0.9 - 0.8 is 0.09999999999999998 to a computer; of a name that says nothing nobody knows what is better."""
    old, new = {"a": "0.8", "b": "0.9"}, {"a": "0.9", "b": "0.8"}

    assert [row[-1] for row in comparison(old, new)] == ["+0.1", "-0.1"]


def test_it_is_said_which_is_better() -> None:
    """Less of an error is better, more of a score."""
    old, new = {"rmse": "3.5", "auc": "0.8", "mae": "1"}, {"rmse": "3", "auc": "0.7", "mae": "2"}

    assert [row[-1] for row in comparison(old, new)] == ["-0.5, better", "-0.1, worse", "+1, worse"]


ERRORS = (
    "rmse RMSE val_rmse test_log_loss logLoss binary_logloss brier brier_score mean_squared_error max_error mape l2 "
    "MAE crossEntropy false_positive_rate negative_log_likelihood hinge-loss rmse_2024 neg_accuracy"
)
SCORES = (
    "auc ROC_AUC AUC_ROC accuracy f1 F1Score r2 R2 r2_score precision_at_5 neg_log_loss neg_brier_score mAP "
    "true_negative_rate explained_variance test.accuracy"
)


@pytest.mark.parametrize("name", ERRORS.split())
def test_less_is_better(name: str) -> None:
    """Errors, losses and rates of what is false, however they are spelt."""
    assert better_sign(name, {}) == -1


@pytest.mark.parametrize("name", SCORES.split())
def test_more_is_better(name: str) -> None:
    """Scores, and scikit-learn's losses with another sign."""
    assert better_sign(name, {}) == 1


@pytest.mark.parametrize("name", ["rows", "age", "mapping", "loser", "epochs", "ä"])
def test_what_is_better_may_not_be_known(name: str) -> None:
    """Then nothing is said."""
    assert better_sign(name, {}) == 0


@pytest.mark.parametrize("said", ["cost", "auc, cost", '["cost", "auc"]', "cost;x"])
def test_training_may_say_what_is_better(said: str) -> None:
    """By the name of the metric, which goes before what is known."""
    assert better_sign("cost", {"lower_is_better": said}) == -1
    assert better_sign("cost", {"higher_is_better": said}) == 1
    assert better_sign("cos", {"lower_is_better": said}) == 0


@pytest.mark.parametrize(
    ("old", "new", "same_code", "rows"),
    [
        ("a1" * 32, "b2" * 32, False, [("data", "`a1a1a1a1a1a1`", "`b2b2b2b2b2b2`", "other data")]),
        ("a1", "b2", True, [("data", "`a1`", "`b2`", "other data, **same code**")]),
        ("a1", "a1", True, [("data", "`a1`", "`a1`", "")]),
        ("", "a1", True, [("data", "–", "`a1`", "")]),
        ("a`|1", "a1", False, [("data", "`a1`", "`a1`", "")]),
        ("", "", True, []),
    ],
)
def test_the_data_is_a_row(old: str, new: str, same_code: bool, rows: list[tuple[str, ...]]) -> None:
    """By the beginning of its hash; with a note where it alone makes the difference."""
    assert data({"data_sha256": old}, {"data_sha256": new}, same_code) == rows
