"""Whether a request is what a model asks for."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lib.decisions.request_fit import misfits
from scripts.lib.decisions.signature import Field


def wrong(value: Any, kind: str, **more: Any) -> list[str]:
    return list(misfits({"input_data": {"columns": ["a"], "data": [[1], [value]]}}, {"a": Field(kind, **more)}))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, "double"),
        (1.5, "long"),  # cast, silently
        ("1.5", "double"),
        (True, "long"),
        (None, "double"),
        (1, "string"),
        (None, "string"),
        ({"b": 1}, "object"),
        ("2020-01-01", "datetime"),
    ],
)
def test_what_the_scorer_takes_fits(value: Any, kind: str) -> None:
    """It casts before it checks; what it does with other types isn't known."""
    assert wrong(value, kind) == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [("unheard of", "double"), (None, "long"), (None, "boolean"), ([1], "double"), ("x", "float"), (["x"], "string")],
)
def test_another_type_does_not_fit(value: Any, kind: str) -> None:
    """The row's value is named, and what is asked for."""
    assert wrong(value, kind) == [f"a is {value!r}, where the model asks for {kind}"]


def test_each_row_is_looked_at() -> None:
    """Not just the first."""
    body = {"input_data": {"columns": ["a"], "data": [["x"], [1], ["y"]]}}

    assert len(list(misfits(body, {"a": Field("double")}))) == 2


def test_a_required_column_must_be_there() -> None:
    """An optional one, and the parts of one, need not."""
    body = {"input_data": {"columns": ["other"], "data": [["x"]]}}
    inputs = {
        "a": Field("double"),
        "b": Field("double", required=False),
        "c.d": Field("double"),
        "e[]": Field("double"),
    }

    assert list(misfits(body, inputs)) == ["it has no column a"]


def test_tensors_are_not_looked_into() -> None:
    """A column that is one is told nothing of."""
    assert wrong("x", "float64", shape=(-1,)) == []
