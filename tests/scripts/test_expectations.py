"""endpoints/smoke-expectations.yml: what it may say, and where it is wrong."""

from __future__ import annotations

import pytest

from scripts.lib.decisions.expectations import Expected, Rule, expected, unknown_columns
from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import parse

FILE = "endpoints/smoke-expectations.yml"
ALL = """
labels: [low, "yes", 1]
range: [0, null]
per_row: false
columns:
  price: {range: [0, 1.0e+6]}
  kind:
    labels: [true, a b]
"""


def read(text: str) -> Expected:
    return expected(parse(text.encode(), FILE), FILE)


def test_all_that_it_may_say() -> None:
    """Rules for every prediction, for columns, and whether each row has one."""
    said = read(ALL)

    assert (said.every, said.per_row) == (Rule(["low", "yes", 1], (0, None)), False)
    assert said.columns == {"price": Rule(range=(0, 1e6)), "kind": Rule([True, "a b"])}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lables: [0, 1]", "line 1: `lables` is no key that is known: write `labels`."),
        (
            "range: [0, 1]\nminimum: 3",
            "line 2: `minimum` is no key that is known: there is labels, range, ",
        ),
        ("labels:", "line 1: `labels` must be a list"),
        ("labels: 3", "line 1: `labels` must be a list"),
        ("labels: []", "line 1: `labels` must be a list"),
        ("labels: [0, no]", 'line 1: `labels` has no, which YAML reads as false: write "no", or false.'),
        ("labels: [2026-01-01]", "`labels` has 2026-01-01, which is neither a text nor a number"),
        ("labels: [[0]]", "`labels` has [0], which is neither"),
        ("labels: [.nan]", "`labels` has .nan, which is neither"),
        ("range: 3", "must be the least and the greatest number"),
        ("range: [1]", "must be the least and the greatest number"),
        ("range: [true, 1]", "must be the least and the greatest number"),
        ("range: [0, .inf]", "must be the least and the greatest number"),
        ("range: [0, 1e6]", "1e6 is a text in YAML: write 1.0e+6"),
        ("range: [1, 0]", "begins with the greater number"),
        ("per_row: maybe", "line 1: `per_row` must be true or false"),
        ("columns: [a]", "`columns` must hold lines"),
        ("columns:\n  a: 3", "line 2: `columns.a` must hold `labels` or `range`"),
        ("columns:\n  a:\n    rnage: [0, 1]", "line 3: `columns.a.rnage` is no key that is known: write `range`."),
        ("columns:\n  a:\n    range: [1, 0]", "line 3: `columns.a.range` begins with the greater"),
        ("columns:\n  0: {range: [0, 1]}", 'line 2: the key 0 is no text: write "0"'),
        ("labels: [0", "is not YAML"),
        ("- labels", "is no mapping"),
    ],
)
def test_a_typo_is_an_error_with_its_place(text: str, why: str) -> None:
    """The file, the line, the key, and what to write."""
    with pytest.raises(Refused) as found:
        read(text)

    assert str(found.value).startswith(FILE) and why in str(found.value)


def test_all_that_is_wrong_is_listed() -> None:
    """Not just the first."""
    with pytest.raises(Refused) as found:
        read("lables: [0]\nrange: [1, 0]")

    assert len(str(found.value).splitlines()) == 2


def test_what_an_alias_brings_stands_in_no_line_of_its_own() -> None:
    """The first line is named then."""
    with pytest.raises(Refused) as found:
        read("columns:\n  a: &x {range: [1, 0]}\n  b: {<<: *x}")

    assert "line 2: `columns.a.range`" in str(found.value) and "line 1: `columns.b.range`" in str(found.value)


def test_a_column_that_the_model_does_not_answer_is_a_typo() -> None:
    """Where the signature names its outputs; else nobody knows."""
    said = read("columns:\n  prise: {range: [0, 1]}")

    assert unknown_columns(said, ["price", "kind"], FILE) == [
        f"{FILE}, line 2: the model answers no `prise`: write `price`."
    ]
    assert unknown_columns(said, [], FILE) == []
