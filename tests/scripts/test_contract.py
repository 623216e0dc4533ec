"""What of a model's contract another one breaks: signatures, labels, examples and answers, without Azure."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from scripts.check_contract import not_meant
from scripts.lib.decisions.answers import changed, parsed
from scripts.lib.decisions.contract import Difference, contract, declared, differences, shown, unexcused
from scripts.lib.decisions.model_example import first_rows, made_up, narrowed
from scripts.lib.decisions.number_types import holds

AGE, SEX = {"name": "age", "type": "double"}, {"name": "sex", "type": "string"}
Found = list[tuple[str, bool]]


def column(name: str, kind: str = "double", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def tensor(dtype: str, *shape: int, **more: Any) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}, **more}


class Models:
    """Model folders that have nothing but an MLmodel and an example."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.numbers = count()

    def __call__(
        self, example: Any = None, labels: Any = None, kind: str = "dataframe", info: Any = None, **parts: Any
    ) -> Path:
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        described: dict[str, Any] = {"metadata": {} if labels is None else {"labels": labels}}
        if parts:
            described["signature"] = {name: json.dumps(part) for name, part in parts.items()}
        if example is not None:
            described["saved_input_example_info"] = {"artifact_path": "example.json", "type": kind, **(info or {})}
            for place in (folder, self.folder):
                (place / "example.json").write_text(json.dumps(example))
        (folder / "MLmodel").write_text(json.dumps(described))
        return folder


@pytest.fixture
def model(tmp_path: Path) -> Models:
    return Models(tmp_path)


def found(blue: Path, green: Path) -> Found:
    return [(it.column, it.breaks) for it in differences(contract(blue), contract(green))]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([AGE, SEX], [AGE, SEX], []),
        ([AGE, SEX], [SEX, AGE], []),  # they are told apart by name
        ([AGE], [AGE, SEX], [("sex", True)]),
        ([AGE], [AGE, column("sex", required=False)], [("sex", False)]),
        ([AGE], [AGE, column("sex", optional=True)], [("sex", False)]),
        ([AGE, SEX], [AGE], [("sex", False)]),
        ([column("age", required=False)], [AGE], [("age", True)]),
        ([AGE], [column("age", required=False)], [("age", False)]),
        ([AGE], [column("age", "long")], [("age", True)]),
        ([column("age", "long")], [AGE], [("age", False)]),
        ([column("age", "integer")], [column("age", "long")], [("age", False)]),
        ([column("age", "long")], [column("age", "integer")], [("age", True)]),
        ([AGE], [column("age", "float")], [("age", True)]),
        ([AGE], [column("age", "string")], [("age", True)]),
        ([column("age", "string")], [AGE], [("age", True)]),
        ([column("age", "string")], [column("age", "datetime")], [("age", True)]),
        ([column("age", "boolean")], [column("age", "long")], [("age", True)]),
        ([column("age", "any")], [AGE], [("age", True)]),
        ([AGE], [column("age", "any")], [("age", False)]),
        ([AGE], [column("Age")], [("Age", True), ("age", False)]),
        ([{"type": "double"}, {"type": "double"}], [{"type": "double"}], [("1", False)]),
        (
            [{"type": "double"}, {"type": "string"}],
            [{"type": "string"}, {"type": "double"}],
            [("0", True), ("1", True)],
        ),
        ([AGE], [{"type": "double"}], [("0", True), ("age", False)]),
        ([AGE], [tensor("float64", -1, 1)], [("0", True), ("age", False)]),
        ([tensor("float64", -1, 13)], [tensor("float64", -1, 13)], []),
        ([tensor("float64", -1, 13)], [tensor("float64", -1, 14)], [("0", True)]),
        ([tensor("float64", -1, 13)], [tensor("float64", -1, -1)], [("0", False)]),
        ([tensor("float64", -1, -1)], [tensor("float64", -1, 13)], [("0", True)]),
        ([tensor("float64", -1, 13)], [tensor("float64", -1, 13, 1)], [("0", True)]),
        ([tensor("float32", -1)], [tensor("float64", -1)], [("0", False)]),
        ([tensor("float64", -1)], [tensor("float32", -1)], [("0", True)]),
        ([tensor("float64", -1, name="a")], [tensor("float64", -1, name="b")], [("b", True), ("a", False)]),
    ],
)
def test_what_clients_send_must_fit(model: Models, old: Any, new: Any, expected: Found) -> None:
    """Blue's clients go on sending what blue's signature says, whatever green's does."""
    blue, green = model(inputs=old), model(inputs=new)

    assert found(blue, green) == expected
    assert not any(it.answered for it in differences(contract(blue), contract(green)))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"city": {"type": "string"}}, {"city": {"type": "string"}}, []),
        ({"city": {"type": "string"}}, {"city": {"type": "long"}}, [("where.city", True)]),
        ({}, {"city": {"type": "string", "required": True}}, [("where.city", True)]),
        ({}, {"city": {"type": "string", "required": False}}, [("where.city", False)]),
    ],
)
def test_the_parts_of_a_column_count(model: Models, old: Any, new: Any, expected: Found) -> None:
    """Objects, and with them arrays and maps, are compared part by part."""
    blue, green = ([AGE, column("where", "object", properties=properties)] for properties in (old, new))

    assert found(model(inputs=blue), model(inputs=green)) == expected


def test_arrays_and_maps_are_compared_by_what_is_in_them(model: Models) -> None:
    """A list of numbers that becomes a list of texts."""
    blue = [column("list", "array", items={"type": "double"}), column("map", "map", values={"type": "long"})]
    green = [column("list", "array", items={"type": "string"}), column("map", "map", values={"type": "double"})]

    assert found(model(inputs=blue), model(inputs=green)) == [("list[]", True), ("map{}", False)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([{"type": "long"}], [{"type": "long"}], []),
        ([{"type": "long"}], [{"type": "double"}], [("output", True)]),
        ([{"type": "double"}], [{"type": "long"}], [("output", False)]),
        ([{"type": "long"}], [{"type": "string"}], [("output", True)]),
        ([column("a"), column("b")], [column("a")], [("output.b", True)]),
        ([column("a")], [column("a"), column("b")], [("output.b", False)]),
        ([column("a")], [column("a", "string")], [("output.a", True)]),
        ([tensor("float64", -1, 2)], [tensor("float64", -1, 3)], [("output", True)]),
        ([tensor("float64", -1, -1)], [tensor("float64", -1, 3)], [("output", False)]),
    ],
)
def test_what_is_answered_must_be_expected(model: Models, old: Any, new: Any, expected: Found) -> None:
    """Who reads blue's answers can read green's."""
    blue, green = (model(inputs=[AGE], outputs=outputs) for outputs in (old, new))

    assert found(blue, green) == expected
    assert all(it.answered for it in differences(contract(blue), contract(green)))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([], [column("limit", "long", default=3)], [("params.limit", False)]),
        ([], [column("limit", "long", default=None)], [("params.limit", True)]),
        ([column("limit", "long", default=3)], [], [("params.limit", True)]),
        ([column("limit", "long", default=3)], [column("limit", "long", default=4)], [("params.limit", False)]),
        ([column("limit", "long", default=3)], [column("limit", "long", default=None)], [("params.limit", True)]),
        ([column("limit", "long", default=3)], [column("limit", "string", default=3)], [("params.limit", True)]),
        ([column("x", default=[1], shape=[-1])], [column("x", default=[1], shape=None)], [("params.x", True)]),
        (None, [column("limit", "long", default=None)], [("params.limit", True)]),
    ],
)
def test_params_that_clients_know_stay(model: Models, old: Any, new: Any, expected: Found) -> None:
    """MLflow ignores a param that it doesn't know, and hands None to the model for one without a default."""
    blue, green = (model(inputs=[AGE], params=params) for params in (old, new))

    assert found(blue, green) == expected
    assert not any(it.answered for it in differences(contract(blue), contract(green)))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([0, 1], [0, 1], []),
        ([0, 1], [1, 0], []),
        ([0, 1], ["0", "1"], [True, False]),
        ([0, 1], [0.0, 1.0], [True, False]),
        ([0, 1], [False, True], [True, False]),
        ([0, 1], [0, 1, 2], [True]),
        ([0, 1, 2], [0, 1], [False]),
        ([0, 1], None, [True]),
        (None, [0, 1], []),
        (None, None, []),
        ([0, 1], "[0, 1]", []),  # as a tag has them
        ("[0, 1]", [2], [True, False]),
        ("{", [0, 1], []),
        ({"a": 1}, [0, 1], []),
    ],
)
def test_labels_are_what_clients_know(model: Models, old: Any, new: Any, expected: list[bool]) -> None:
    """One that blue never answers is a break, and 0 is not "0"."""
    assert found(model(labels=old, inputs=[AGE]), model(labels=new, inputs=[AGE])) == [
        ("labels", breaks) for breaks in expected
    ]


@pytest.mark.parametrize(("old", "new"), [(None, [AGE]), ([AGE], None)])
def test_what_one_says_nothing_of_is_not_compared(model: Models, old: Any, new: Any) -> None:
    """A model without a signature for its answers may answer anything."""
    blue, green = (model(inputs=[AGE], outputs=outputs) for outputs in (old, new))

    assert found(blue, green) == []


INPUTS = {"inputs": [AGE]}
EXAMPLE = {"columns": ["age"], "data": [[1.5]]}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (INPUTS, {"inputs": [AGE, SEX]}, "required, and blue's clients don't send it"),
        (INPUTS, {"inputs": [AGE, column("b", required=False)]}, "new, and optional"),
        ({"inputs": [AGE, SEX]}, INPUTS, "not asked for any more; whoever sends it is answered all the same"),
        ({"inputs": [column("age", required=False)]}, INPUTS, "required, where blue does without it"),
        (INPUTS, {"inputs": [column("age", required=False)]}, "optional now"),
        (
            INPUTS,
            {"inputs": [column("age", "long")]},
            "long, where blue has double: what doesn't fit is changed silently",
        ),
        ({"inputs": [column("age", "long")]}, INPUTS, "double, where blue has long"),
        (INPUTS, {"inputs": [column("age", "string")]}, "string, where blue has double"),
        ({"outputs": [{"type": "long"}]}, {"outputs": [{"type": "double"}]}, "double, where blue has long"),
        ({"inputs": [tensor("int8", 1)]}, {"inputs": [tensor("int8", 2)]}, "shape [2], where blue has [1]"),
        ({"params": []}, {"params": [column("a", default=None)]}, "a new param without a default"),
        ({"params": []}, {"params": [column("a", default=1)]}, "a new param"),
        ({"params": [column("a", default=1)]}, {"params": []}, "ignored: green has no such param"),
        (
            {"params": [column("a", default=1)]},
            {"params": [column("a", default=2)]},
            "2 where it isn't sent, 1 by blue",
        ),
        ({}, INPUTS, "blue has none, so it isn't known what its clients send"),
        (INPUTS, {}, "green has none, so what it is sent is neither cast nor checked"),
        ({**INPUTS, "example": EXAMPLE}, INPUTS, "only blue has one; what is sent is cast to it"),
        (INPUTS, {**INPUTS, "example": EXAMPLE}, "only green has one; what is sent is cast to it"),
        ({**INPUTS, "labels": [0, 1]}, {**INPUTS, "labels": [0]}, "never 1 any more"),
        ({**INPUTS, "labels": [0]}, {**INPUTS, "labels": [0, 1]}, "1: blue never answers that"),
        ({**INPUTS, "labels": [0]}, INPUTS, "green doesn't say which it has"),
    ],
)
def test_each_difference_is_told(model: Models, old: Any, new: Any, what: str) -> None:
    """In words for whoever reviews it."""
    assert [it.what for it in differences(contract(model(**old)), contract(model(**new)))][-1] == what


@pytest.mark.parametrize(("old", "new"), [(None, [AGE]), ([AGE], None), ([AGE], "spoilt"), ([AGE], [{"name": "a"}])])
def test_a_missing_signature_is_said(model: Models, old: Any, new: Any) -> None:
    """Nothing can be compared then, and nothing is known to break."""
    blue, green = (model(**({} if part is None else {"inputs": part})) for part in (old, new))

    assert found(blue, green) == [("signature", False)]


def test_an_example_of_one_is_said(model: Models) -> None:
    """Azure's scorer casts to the example, so without it another one casts."""
    example = {"columns": ["age"], "data": [[1.5]]}

    assert found(model(inputs=[AGE], example=example), model(inputs=[AGE])) == [("input example", False)]


@pytest.mark.parametrize(("value", "breaks"), [(63, True), (63.0, False), (None, False)])
def test_an_example_of_whole_numbers_cuts_fractions(model: Models, value: Any, breaks: bool) -> None:
    """The signature says `double`, but the example is read as `long`, and 2.3 becomes 2."""
    blue, green = ({"columns": ["age", "sex"], "data": [[number, "f"]]} for number in (1.5, value))
    inputs = [AGE, SEX]

    assert found(model(inputs=inputs, example=blue), model(inputs=inputs, example=green)) == [("age", True)] * breaks


@pytest.mark.parametrize(
    ("kind", "values", "cast"),
    [
        ("double", [1, 2], "long"),
        ("double", [1, 2.5], "double"),
        ("double", [None], "double"),
        ("long", [1.0], "long"),
        ("integer", [1], "integer"),
        ("boolean", [True], "boolean"),
        ("string", ["a", None], "string"),
        ("string", [None], "double"),
        ("string", [1], "long"),
    ],
)
def test_what_an_example_casts_to(kind: str, values: list[Any], cast: str) -> None:
    """As pandas reads the saved values; what holds the signature's type changes nothing."""
    body = {"input_data": {"columns": ["a", "b"], "data": [[0, value] for value in values]}}

    assert narrowed(kind, "b", body) == cast
    assert narrowed(kind, "c", body) == kind
    assert narrowed(kind, "1", {"input_data": {**body["input_data"], "columns": [0, 1]}}) == cast


@pytest.mark.parametrize(
    ("example", "kind", "info", "sent"),
    [
        (
            {"columns": ["a"], "data": [[1], [2]]},
            "dataframe",
            None,
            {"input_data": {"columns": ["a"], "index": [0, 1], "data": [[1], [2]]}},
        ),
        ({"data": [[1, 2]]}, "dataframe", None, {"input_data": {"columns": [0, 1], "index": [0], "data": [[1, 2]]}}),
        ({"columns": ["a"], "data": []}, "dataframe", None, None),
        ({"columns": ["a"], "data": [[1, 2]]}, "dataframe", None, None),
        ({"columns": ["a"], "data": [1]}, "dataframe", None, None),
        ([[1, 2]], "dataframe", None, None),
        ([[1, 2]], "ndarray", None, {"input_data": [[1, 2]]}),
        ({"inputs": [[1, 2]]}, "ndarray", None, {"input_data": [[1, 2]]}),
        ({"x": [1]}, "ndarray", None, {"input_data": {"x": [1]}}),
        ({"x": [1]}, "json_object", None, {"input_data": {"x": [1]}}),
        ({"data": [1]}, "sparse_matrix_csr", None, None),
        (
            {"inputs": [[1]], "params": {"limit": 3}},
            "ndarray",
            {"params": "true"},
            {"input_data": [[1]], "params": {"limit": 3}},
        ),
        ([[1]], "ndarray", {"artifact_path": "../example.json"}, None),
        ([[1]], "ndarray", {"artifact_path": "gone.json"}, None),
    ],
)
def test_an_example_is_a_request(model: Models, example: Any, kind: str, info: Any, sent: Any) -> None:
    """In each form in which MLflow saves one; None where it can't be sent."""
    assert contract(model(inputs=[AGE], example=example, kind=kind, info=info)).example == sent


def test_a_long_example_is_cut() -> None:
    """Some save all the data they trained on."""
    body = {"input_data": {"columns": ["a"], "index": [*range(99)], "data": [[at] for at in range(99)]}, "params": {}}

    cut = first_rows(body)

    assert cut == {
        "input_data": {"columns": ["a"], "index": [*range(20)], "data": [[at] for at in range(20)]},
        "params": {},
    }
    assert first_rows({"input_data": [[1]]}) == {"input_data": [[1]]}


def test_requests_are_made_up_from_a_signature() -> None:
    """One with all columns, and one without what is optional."""
    bodies = made_up([column("age"), column("sex", "string", required=False)])

    assert [body["input_data"] for body in bodies] == [
        {"columns": ["age", "sex"], "index": [0], "data": [[1.5, "a"]]},
        {"columns": ["age"], "index": [0], "data": [[1.5]]},
    ]


def test_a_made_up_value_is_of_the_column_s_type() -> None:
    """Fractions for what may have them, so that cutting them off could show."""
    kinds = ("double", "float", "long", "integer", "boolean", "string")

    (body,) = made_up([column(kind, kind) for kind in kinds])

    assert repr(body["input_data"]["data"]) == "[[1.5, 1.5, 1, 1, True, 'a']]"


@pytest.mark.parametrize(
    ("columns", "requests"),
    [
        (None, 0),
        ([column("a")], 1),
        ([column("a", required=False)], 1),
        ([column("a", "binary")], 0),
        ([column("a", "array", items={"type": "double"})], 0),
        ([tensor("float64", -1)], 0),
    ],
)
def test_nothing_is_made_up_for_what_is_not_known(columns: Any, requests: int) -> None:
    """No value can be guessed for some types."""
    assert len(made_up(columns)) == requests


# what is meant


@pytest.mark.parametrize(
    ("message", "columns"),
    [
        ("Add pulse\n\nContract-Change: pulse", {"pulse"}),
        ("Contract-Change: pulse, labels", {"pulse, labels", "pulse", "labels"}),
        ("contract-change:pulse\r\n", {"pulse"}),
        ("* Contract-Change: `pulse`\n", {"pulse"}),
        ("Contract-Change: a\nContract-Change: b", {"a", "b"}),
        ("Contract-Change: ", set()),
        ("Contract-Change:\nthal", set()),
        ("It is no Contract-Change: pulse", set()),
        ("", set()),
    ],
)
def test_a_change_is_declared_in_a_message(message: str, columns: set[str]) -> None:
    """A line of its own names the columns."""
    assert declared([message]) == columns


@pytest.mark.parametrize(
    ("allowed", "left"),
    [
        ([], ["pulse", "where.city"]),
        (["pulse"], ["where.city"]),
        (["where"], ["pulse"]),
        (["where.city", "pulse"], []),
        (["wher", "Thal"], ["pulse", "where.city"]),
    ],
)
def test_only_what_is_named_is_excused(allowed: list[str], left: list[str]) -> None:
    """A column excuses its parts, and nothing else; what breaks nothing needs no excuse."""
    found = [Difference("pulse", "", True), Difference("where.city", "", True), Difference("age", "", False)]

    assert [it.column for it in unexcused(found, allowed)] == left


def test_the_table_tells_what_breaks_clients() -> None:
    """And what of it is meant."""
    found = [Difference("a", "gone", False), Difference("b", "new", True), Difference("c", "new", True)]

    lines = shown(found, found[2:]).splitlines()

    assert lines[2:] == ["| a | gone | no |", "| b | new | yes, which is meant |", "| c | new | **yes** |"]


def test_what_is_meant_explains_what_the_answers_show() -> None:
    """A new column explains that green refuses old requests, but not that it answers otherwise; nor the other way."""
    column, labels = Difference("pulse", "", True), Difference("labels", "", True, answered=True)
    refused, otherwise = Difference("input", "", True), Difference("output", "", True, answered=True)

    assert not_meant([column], [refused, otherwise], {"pulse"}) == [otherwise]
    assert not_meant([labels], [refused, otherwise], {"labels"}) == [refused]
    assert not_meant([column, labels], [refused], {"labels"}) == [column, refused]
    assert not_meant([Difference("age", "", False)], [refused], set()) == [refused]
    assert not_meant([], [refused, otherwise], {"input", "output"}) == []


# answers


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ([1], [0], ""),
        ([0.25], [0.75], ""),
        ([0.25], [1], ""),
        ([1], [1.0], "the answer, entry 0: a number with a point, not a whole number"),
        ([1], ["1"], "the answer, entry 0: a text, not a whole number"),
        (["a"], [1], "the answer, entry 0: a whole number, not a text"),
        ([1], [True], "the answer, entry 0: true or false, not a whole number"),
        ([1], [None], "the answer, entry 0: null, not a whole number"),
        ([None], [1], ""),
        ([1], [1, 2], "the answer: 2 entries, not 1"),
        ([1], 1, "the answer: a whole number, not a list"),
        ([1], {"0": 1}, "the answer: an object, not a list"),
        ([[0.5, 0.5]], [[0.2, 0.3, 0.5]], "the answer, entry 0: 3 entries, not 2"),
        ([{"a": 1, "b": 2}], [{"a": 1}], "the answer, entry 0: without b"),
        ([{"a": 1}], [{"a": 1, "b": 2}], ""),
        ([{"a": 1}], [{"a": "1"}], "the answer, entry 0, a: a text, not a whole number"),
    ],
)
def test_only_the_kind_of_an_answer_counts(old: Any, new: Any, what: str) -> None:
    """Another model may well predict something else."""
    assert changed(old, new) == what


@pytest.mark.parametrize(("body", "value"), [("[1]", [1]), ("<html>", "<html>"), ("[" * 99999, "[" * 99999)])
def test_an_answer_may_be_no_json(body: str, value: Any) -> None:
    """Then it is a text like any other."""
    assert parsed(body) == value


@pytest.mark.parametrize(
    ("wide", "narrow", "fits"),
    [
        ("double", "long", True),
        ("double", "float64", True),
        ("float64", "int8", True),
        ("int16", "uint8", True),
        ("float32", "int16", True),
        ("float32", "int32", False),
        ("float32", "uint8", True),
        ("uint8", "int8", False),
        ("string", "object", True),
        ("string", "long", False),
        ("any", "string", True),
        ("made up", "made up", True),
        ("made up", "long", False),
    ],
)
def test_which_type_holds_which(wide: str, narrow: str, fits: bool) -> None:
    """Not a value may be lost."""
    assert holds(wide, narrow) is fits
