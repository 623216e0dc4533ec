"""What of a model's metadata becomes tags: all of ours, and of anybody's what Azure takes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts.lib.decisions.model_tags import MOST, fitting, listed, readable, tags
from scripts.lib.decisions.state import Refused


def folder(path: Path, metadata: Any) -> Path:
    (path / "MLmodel").write_text(json.dumps({"metadata": metadata}))
    return path


def test_lists_are_labels_ranges_and_names_of_metrics(tmp_path: Path) -> None:
    """As JSON; a range may have no end."""
    said = {"labels": [0, "a"], "range": [0, None], "lower_is_better": ["cost"], "good": True, "rmse": 1.5}

    assert tags(folder(tmp_path, said)) == {
        **{"labels": '[0, "a"]', "range": "[0, null]", "lower_is_better": '["cost"]'},
        **{"good": "true", "rmse": "1.5"},
    }


def test_labels_that_are_too_long_for_a_tag_stay_in_mlmodel(tmp_path: Path) -> None:
    """The smoke test reads them there, so they keep no model from being registered; another text is told of later."""
    said = {"labels": [f"label {number}" for number in range(100)], "note": "x" * 300}

    assert tags(folder(tmp_path, said)) == {"note": "x" * 300}
    assert listed(readable(said)["labels"]) == said["labels"]


@pytest.mark.parametrize("metadata", [{"classes": [0, 1]}, {"labels": [[0]]}, {"a": None}, {"a": {"b": 1}}, "text"])
def test_what_training_can_t_mean_is_refused(tmp_path: Path, metadata: Any) -> None:
    """It is ours to change."""
    with pytest.raises(Refused, match="metadata"):
        tags(folder(tmp_path, metadata))


def test_of_anybody_s_metadata_the_rest_is_passed_over() -> None:
    """A model that others trained isn't stuck for what they wrote."""
    said = {"a": {"b": 1}, "c": None, "auc": 0.9, "on": date(2026, 1, 2), "nan": float("nan"), 3: "x"}

    assert readable(said) == {"auc": "0.9", "on": "2026-01-02", "3": "x"}
    assert readable("text") == readable(None) == {}


def test_what_azure_refuses_or_a_rollout_writes_finds_no_room() -> None:
    """Names of the rollout's own tags in any case, twins, signs, lengths; labels go before others."""
    said = {**{f"n{number}": "1" for number in range(MOST)}, "labels": "[0]"}
    bad = {"Version": "1", "replaces": "x", "a/b": "1", "long": "x" * 257, "AUC": "1", "auc": "2", "empty": ""}

    assert fitting({"rmse": "1", **bad}) == {"rmse": "1"}
    assert list(fitting(said)) == ["labels", *(f"n{number}" for number in range(MOST - 1))]
