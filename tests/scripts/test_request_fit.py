"""Whether a request is what a model asks for."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lib.decisions.request_fit import NO_VALUE, misfits, refusable
from scripts.lib.decisions.requests import Body
from scripts.lib.decisions.signature import Field, Specs


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "required": True, **more}


def tensor(dtype: str, *shape: int, **name: str) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}, **name}


def frame(**row: Any) -> Body:
    return {"input_data": {"columns": [*row], "index": [0], "data": [[*row.values()]]}}


def wrong(value: Any, kind: str) -> list[str]:
    return list(misfits(frame(a=value), [column("a", kind)]))


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

    assert len(list(misfits(body, [column("a", "double")]))) == 2


def test_a_required_column_must_be_there() -> None:
    """An optional one need not; one whose name has a dot is none the less one."""
    takes = [column("a.b", "double"), column("c", "double", required=False), column("d", "double", optional=True)]
    takes[2].pop("required")

    assert list(misfits(frame(other="x"), takes)) == ["it has no column a.b"]


def test_who_asks_for_columns_takes_no_list() -> None:
    """Azure's scorer makes a frame of a request, for which it takes their names."""
    assert list(misfits({"input_data": [[1]]}, [column("a", "double")])) == [
        "it has no columns, where the model asks for a"
    ]
    assert list(misfits({"input_data": [[1]]}, [{"type": "double", "required": True}])) == []


@pytest.mark.parametrize(
    ("sent", "takes", "why"),
    [
        ([[1, 2]], [tensor("float64", -1, 2)], ""),
        ([[1, 2, 3]], [tensor("float64", -1, 2)], "it has the shape [1, 3], where the model asks for [-1, 2]"),
        ([["x", 2]], [tensor("float64", -1, 2)], "a value is 'x', where the model asks for float64"),
        ({"a": [[1]]}, [tensor("int64", -1, 1, name="a"), tensor("int64", -1, name="b")], "it has no tensor b"),
        ({"a": [[1]], "other": ["x"]}, [tensor("int64", -1, 1, name="a")], ""),
        ({"a": [1]}, [tensor("int64", -1, 1, name="a")], "a has the shape [1], where the model asks for [-1, 1]"),
        (
            {"columns": ["a"], "data": [["x"]]},
            [tensor("int64", -1, name="a")],
            "",
        ),  # a frame's column isn't looked into
    ],
)
def test_tensors_have_a_shape_and_a_type(sent: Any, takes: Specs, why: str) -> None:
    """The first difference is named."""
    assert next(misfits({"input_data": sent}, takes), "") == why


def test_params_have_types() -> None:
    """What the model doesn't know it passes over."""
    body = {**frame(a=1), "params": {"limit": "high", "other": "x"}}

    found = list(misfits(body, [column("a", "double")], {"limit": Field("double")}))

    assert found == ["params.limit is 'high', where the model asks for double"]


@pytest.mark.parametrize(
    ("body", "takes", "made"),
    [
        (
            frame(a="x", b=1),
            [column("a", "string"), column("b", "long")],
            {
                "a request without a": {"columns": ["not a", "b"], "index": [0], "data": [["x", 1]]},
                f"a request whose b is {NO_VALUE}": {"columns": ["a", "b"], "index": [0], "data": [["x", NO_VALUE]]},
            },
        ),
        (
            frame(a="x", b=1, c="y"),
            [column("b", "long", required=False)],
            {f"a request whose b is {NO_VALUE}": {**frame(a="x", b=NO_VALUE, c="y")["input_data"]}},
        ),
        (frame(a="x"), [column("a", "string", required=False)], {}),  # nothing is required, and any text is one
        (frame(a=True), [column("a", "boolean", required=False)], {}),  # the scorer takes any text for true
        (frame(a=1), None, {}),  # without a signature nothing must be refused
        ([[1, 2]], [tensor("float32", -1, 2)], {f"a request whose first value is {NO_VALUE}": [[NO_VALUE, 2]]}),
        (
            {"a": [[1]], "b": ["x"]},
            [tensor("str", -1, name="b"), tensor("int64", -1, 1, name="a")],
            {
                "a request without b": {"a": [[1]], "not b": ["x"]},
                f"a request whose a is {NO_VALUE}": {"a": [[NO_VALUE]], "b": ["x"]},
            },
        ),
    ],
)
def test_what_must_be_refused_follows_from_the_signature(body: Any, takes: Specs | None, made: dict[str, Any]) -> None:
    """A required column or tensor that is missing, and text where there must be a number or a date."""
    body = body if isinstance(body, dict) and "input_data" in body else {"input_data": body}

    found = refusable([{**body, "params": {"p": 1}}], takes)

    assert {what: it["input_data"] for what, it in found.items()} == made
    assert all(it["params"] == {"p": 1} for it in found.values())


def test_of_several_requests_the_first_that_can_be_spoilt_is() -> None:
    """What isn't a frame tells nothing of columns."""
    assert list(refusable([{"input_data": "[[1]]"}, frame(a="x")], [column("a", "string")])) == ["a request without a"]
