"""What is wrong with an answer: by the signature's outputs, and by labels and ranges."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lib.decisions.expectations import Expected, Rule, with_tags
from scripts.lib.decisions.predictions import names, problems, shown
from scripts.lib.decisions.signature import Specs


def out(kind: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": kind, "required": True, **({} if name is None else {"name": name}), **more}


def tensor(dtype: str, *shape: int, name: str | None = None) -> dict[str, Any]:
    return out("tensor", name, **{"tensor-spec": {"dtype": dtype, "shape": list(shape)}})


def wrong(answer: Any, gives: Specs | None = None, rows: int | None = 1, **said: Any) -> str:
    """The first problem, "" without one."""
    rule = Rule(said.pop("labels", None), said.pop("range", None))
    return next(problems(answer, rows, gives, Expected(rule, **said)), "")


TABLE = [out("double", "no"), out("double", "yes")]
SCORED = [out("string", "label"), out("double", "score")]
NAMED = [tensor("int64", -1, 2, name="boxes"), tensor("float64", -1, name="scores")]
WORDS = ["no", "yes"]


@pytest.mark.parametrize(
    ("answer", "gives", "said"),
    [
        ([1.5], None, {}),
        ([1], None, {"labels": [0, 1]}),
        ([{"anything": None}], None, {}),
        ({"any": [1], "other": ["x"]}, None, {}),
        ({"shares": [0.1, 0.2, 0.7]}, None, {"labels": ["a", "b", "c"]}),
        ([1], [out("double")], {"range": (0, 1)}),  # a whole number is one with a point, too
        ([[1]], [out("long")], {}),
        ([{"0": 1}], [out("long")], {"labels": [0, 1]}),  # a series comes as records
        ([1.5], [out("double", "price")], {}),
        ([{"price": 1.5}], [out("double", "price")], {"columns": {"price": Rule(range=(None, 2))}}),
        ([None], [out("double", required=False)], {}),
        ([True], [out("boolean")], {}),
        (["2026-01-01"], [out("datetime")], {}),
        ([[1.5, 2.5]], [out("array")], {}),
        ([{"a": 1}], [out("object")], {}),
        ([{"no": 0.2, "yes": 0.8}], TABLE, {"labels": WORDS, "range": (0, 1)}),  # the labels name the columns
        ([[0.2, 0.8]], TABLE, {}),
        ({"no": [0.2], "yes": [0.8]}, TABLE, {"range": (0, 1)}),
        ([{"more": "x", "score": 0.2, "label": "no"}], SCORED, {"labels": WORDS}),
        ({"label": "no", "score": 0.2}, SCORED, {"labels": WORDS}),
        ([0.5], [tensor("float64", -1)], {}),
        ([[0.2, 0.8]], [tensor("float32", -1, 2)], {"labels": WORDS}),  # a score for each label
        ([{"0": 0.2, "1": 0.8}], [tensor("float32", -1, 2)], {}),  # some flavors make a frame of an array
        ([{"0": 0.2}], [tensor("float32", -1)], {}),
        ({"boxes": [[1, 2]], "scores": [0.5]}, NAMED, {"columns": {"scores": Rule(range=(0, 1))}}),
        ([1.0, 2.0, 3.0], [tensor("float64", 3)], {}),  # not one for each row, as it says itself
        ([1.0, 2.0, 3.0], [out("double")], {"per_row": False}),
        (3, None, {"per_row": False}),
    ],
)
def test_a_right_answer_has_no_problem(answer: Any, gives: Specs | None, said: dict[str, Any]) -> None:
    """Whatever Azure's scorer makes of what a model of any kind returns."""
    assert wrong(answer, gives, **said) == ""


@pytest.mark.parametrize(
    ("answer", "gives", "said", "problem"),
    [
        ([1, 1], None, {}, "not a list of 1 predictions"),
        ([], None, {}, "not a list of 1 predictions"),
        (1, None, {}, "not a list of 1 predictions"),
        ([None], None, {}, "is no prediction"),
        ([{}], None, {}, "is no prediction"),
        ([float("nan")], None, {}, "NaN or infinite"),
        ([{"a": [float("inf")]}], None, {}, "NaN or infinite"),
        ([2], None, {"labels": [0, 1]}, "[2] are none of the labels [0, 1]"),
        ([1.0], None, {"labels": [0, 1]}, "[1.0] are none of the labels"),
        ([True], None, {"labels": [0, 1]}, "[true] are none of the labels"),
        (["1"], None, {"labels": [0, 1]}, '["1"] are none of the labels'),
        ([-0.1], None, {"range": (0, None)}, "[-0.1] are outside of the range [0, null]"),
        (["x"], [out("double")], {}, '["x"], where the model promises double'),
        ([1.5], [out("long")], {}, "[1.5], where the model promises long"),
        ([1], [out("string")], {}, "[1], where the model promises string"),
        ([1], [out("boolean")], {}, "[1], where the model promises boolean"),
        ([True], [out("long")], {}, "[true], where the model promises long"),
        ([None], [out("double")], {}, "[null], where the model promises double"),
        ([{"no": 0.2}], TABLE, {}, "without yes in 1 of 1 predictions"),
        ([[0.2]], TABLE, {}, "without yes in 1 of 1 predictions"),
        ([{"no": 0.2, "yes": "x"}], TABLE, {}, 'yes: ["x"], where the model promises double'),
        ([{"no": 0.2, "yes": 1.8}], TABLE, {"range": (0, 1)}, "yes: [1.8] are outside of the range [0, 1]"),
        ([{"label": "x", "score": 0.5}], SCORED, {"labels": WORDS}, 'label: ["x"] are none of the labels'),
        ([{"label": "no", "score": 2}], SCORED, {"columns": {"score": Rule(range=(0, 1))}}, "score: [2] are outside"),
        ([{"label": "x", "score": 1}], None, {"columns": {"label": Rule(labels=WORDS)}}, 'label: ["x"] are none'),
        ([1], None, {"columns": {"score": Rule(range=(0, 1))}}, "without score, for which there is an expectation"),
        ([0.5, 0.5], [tensor("float64", -1)], {}, "the shape [2], not [1]"),
        ([[0.5]], [tensor("float64", -1, 2)], {}, "the shape [1, 1], not [1, 2]"),
        ([[0.5], [1, 2]], [tensor("float64", -1, 2)], {}, "the shape of no tensor"),
        ([["x", 1.5]], [tensor("float64", -1, 2)], {}, '["x"], where the model promises float64'),
        ({"boxes": [[1, 2]]}, NAMED, {}, "without scores"),
        ({"boxes": [[1, 2]], "scores": [7.5]}, NAMED, {"columns": {"scores": Rule(range=(0, 1))}}, "scores: [7.5] are"),
    ],
)
def test_a_wrong_answer_has_a_problem(answer: Any, gives: Specs | None, said: dict[str, Any], problem: str) -> None:
    """Number of rows, names, shapes, types, labels and ranges are each checked."""
    assert problem in wrong(answer, gives, **said)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
@pytest.mark.parametrize("sign", ["", "u"])
def test_whole_numbers_have_many_types(bits: int, sign: str) -> None:
    """NumPy's names, in a tensor."""
    spec = tensor(f"{sign}int{bits}", -1)

    assert wrong([1], [spec]) == ""
    assert wrong([1.5], [spec]) == f"[1.5], where the model promises {sign}int{bits}"


def test_outputs_have_names_or_none() -> None:
    """Those that the file beside the requests may name."""
    assert (names(TABLE), names([out("long")]), names(None)) == (["no", "yes"], [], [])


def test_long_answers_are_shown_by_their_beginning() -> None:
    """A log isn't read for megabytes."""
    assert len(shown("x" * 1000)) == 500


def test_the_rows_of_a_tensor_may_be_unknown() -> None:
    """Then the model's other dimensions are checked alone."""
    assert wrong([[1.0, 2.0]] * 3, [tensor("float64", -1, 2)], rows=None) == ""


def test_tags_say_what_the_file_does_not() -> None:
    """The file comes first; what is no list of labels, or no range, is another's tag."""
    said = Expected(Rule(labels=[0]))

    assert with_tags(said, {"labels": "[1]", "range": "[0, null]"}).every == Rule([0], (0, None))
    assert with_tags(Expected(), {"labels": "[1]"}).every == Rule([1])
    for other in ("prod", "[]", "[{}]", "3"):
        assert with_tags(Expected(), {"labels": other, "range": other}).every == Rule()
