"""What is wrong with an answer, by the model's signature and by what is expected: labels, ranges, columns, shapes.

Azure's scorer answers what `predict` returns: an array as a list, a frame or a series as a list of records, all else as
it is (mlflow_score_script.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from scripts.lib.decisions.expectations import Expected, Rule
from scripts.lib.decisions.signature import Specs, holds_shape, is_required

Columns = dict[str, list[Any]]  # the values of each; "" is the name of what has none
WHOLE = frozenset({"integer", "long", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))})
NUMBERS = frozenset({"float", "double", "float16", "float32", "float64"})
TRUTHS = frozenset({"boolean", "bool"})
TEXTS = frozenset({"string", "str"})
NESTED = {"object": dict, "map": dict, "array": list}
SHOWN = 500  # characters of an answer


def problems(answer: Any, rows: int | None, gives: Specs | None, said: Expected) -> Iterator[str]:
    """What is wrong with the JSON that answers a right request of so many rows (None: that isn't known).

    `gives` are the signature's outputs, None where it doesn't say.
    """
    if any(isinstance(value, float) and not math.isfinite(value) for value in leaves(answer)):
        yield f"a number in it is none, NaN or infinite: {shown(answer)}"
    count = None if said.per_row is False else rows
    form = _tensors if gives and all(spec["type"] == "tensor" for spec in gives) else _rows
    columns, wrong = form(answer, count, gives or [])
    yield from wrong or _by_rules(columns, said)


def names(gives: Specs | None) -> list[str]:
    """The names of what a model answers; none where the signature has none."""
    return [str(spec["name"]) for spec in gives or () if spec.get("name") is not None]


def leaves(value: Any) -> Iterator[Any]:
    """All values in lists and objects, however deep."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, list | dict):
            stack += found.values() if isinstance(found, dict) else found
        else:
            yield found


def shown(value: Any) -> str:
    return json.dumps(value)[:SHOWN]


def _tensors(answer: Any, count: int | None, gives: Specs) -> tuple[Columns, list[str]]:
    """One unnamed tensor is the answer itself; of named ones each stands under its name."""
    parts = answer if isinstance(answer, dict) else {}
    if len(gives) == 1 and not parts:
        parts = {_keys(gives)[0]: _unframed(answer, len(gives[0]["tensor-spec"]["shape"]))}
    wrong = []
    for name, spec in zip(_keys(gives), gives, strict=True):
        dtype, wanted = spec["tensor-spec"]["dtype"], tuple(spec["tensor-spec"]["shape"])
        if count is not None and wanted[:1] == (-1,):
            wanted = (count, *wanted[1:])
        if name not in parts:
            wrong.append(f"without {name or 'a tensor'}: {shown(answer)}")
        elif not holds_shape(wanted, found := shape(parts[name])):
            wrong.append(f"{_of(name)}the shape {_size(found)}, not {list(wanted)}: {shown(parts[name])}")
        elif other := [it for it in leaves(parts[name]) if dtype != "object" and not _fits(it, {"type": dtype})]:
            wrong.append(f"{_of(name)}{shown(other)}, where the model promises {dtype}")
    return {name: value if isinstance(value, list) else [value] for name, value in parts.items()}, wrong


def _unframed(answer: Any, rank: int) -> Any:
    """An array of so many dimensions that comes as a frame, which some flavors make of it: without the names."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        return answer
    return [next(iter(row.values())) if rank == 1 == len(row) else [*row.values()] for row in answer]


def _rows(answer: Any, count: int | None, gives: Specs) -> tuple[Columns, list[str]]:
    """A list with a prediction for each row, or an object with a list for each column."""
    rows = _transposed(answer, gives) if isinstance(answer, dict) else answer
    if isinstance(answer, dict) and not gives and len(rows) != count:
        rows = [answer]  # nobody says that its lists have a value for each row
    if count is None and answer is not None:
        rows = rows if isinstance(rows, list) else [rows]
    elif not isinstance(rows, list) or (len(rows) != count and rows != [answer]):
        each = f" of {count} predictions, one for each row (expectations may say `per_row: false`)" if count else ""
        return {}, [f"not a list{each}: {shown(answer)}"]
    columns: Columns = {}
    for row in rows:
        for name, value in _cells(row, gives).items():
            columns.setdefault(name, []).append(value)
    if not gives and (None in columns.get("", ()) or (count is not None and not columns)):
        return columns, [f"null, or nothing, is no prediction: {shown(answer)}"]
    pairs = zip(_keys(gives), gives, strict=True)
    return columns, [why for name, spec in pairs for why in _misfit(name, spec, columns, len(rows))]


def _transposed(answer: dict[str, Any], gives: Specs) -> list[Any]:
    """The rows of columns; an object that is none of that is one prediction."""
    lengths = {len(values) if isinstance(values, list) else None for values in answer.values()}
    is_row = bool(gives) and all(_fits(answer.get(str(spec.get("name"))), spec) for spec in gives)
    if is_row or len(lengths) != 1 or None in lengths:
        return [answer]
    return [{name: values[at] for name, values in answer.items()} for at in range(lengths.pop() or 0)]


def _cells(row: Any, gives: Specs) -> dict[str, Any]:
    """The values of a prediction by their columns; what holds the only one (`[1]`, `{"0": 1}`) is taken off."""
    if not gives:
        return row if isinstance(row, dict) else {"": row}
    if isinstance(row, dict) and names(gives):
        return row
    parts = [row]
    if isinstance(row, dict | list) and (len(gives) > 1 or (len(row) == 1 and not _are_nested(gives))):
        parts = [*row.values()] if isinstance(row, dict) else row
    return dict(zip(_keys(gives), parts, strict=False))


def _are_nested(gives: Specs) -> bool:
    return any(spec["type"] in NESTED for spec in gives)


def _keys(gives: Specs) -> list[str]:
    """The columns' names; of several unnamed ones their numbers."""
    return [str(spec.get("name", at if len(gives) > 1 else "")) for at, spec in enumerate(gives)]


def _misfit(name: str, spec: Mapping[str, Any], columns: Columns, rows: int) -> Iterator[str]:
    """What a column lacks, or has of another type."""
    values = columns.get(name, [])
    if len(values) < rows and is_required(spec):
        yield f"without {name or 'a value'} in {rows - len(values)} of {rows} predictions"
    if other := [value for value in values if not _fits(value, spec)]:
        yield f"{_of(name)}{shown(other)}, where the model promises {spec['type']}"


def _fits(value: Any, spec: Mapping[str, Any]) -> bool:
    """Whether a value is of the type that the signature says; of types that JSON has none for, any is."""
    kind = spec["type"]
    if value is None:
        return not is_required(spec) or kind == "any"
    if kind in NESTED:
        return isinstance(value, NESTED[kind])
    if kind in TRUTHS:
        return isinstance(value, bool)
    if kind in TEXTS:
        return isinstance(value, str)
    if kind in WHOLE:
        return type(value) is int
    return kind not in NUMBERS or type(value) in (int, float)


def _by_rules(columns: Columns, said: Expected) -> Iterator[str]:
    """What breaks the rule of its column, or the one for every prediction."""
    shared = {name: values for name, values in columns.items() if name not in said.columns}
    for name, rule in said.columns.items():
        if name not in columns:
            yield f"without {name}, for which there is an expectation"
        yield from _by_rule(name, columns.get(name, []), rule)
    for name, values in shared.items():
        yield from _by_rule(name, values, replace(said.every, labels=None))
    labels = said.every.labels
    if labels and not said.columns:
        yield from _labelled(shared, labels)


def _by_rule(name: str, values: list[Any], rule: Rule) -> Iterator[str]:
    if rule.labels and (unknown := _unknown(values, rule.labels)):
        yield f"{_of(name)}{shown(unknown)} are none of the labels {json.dumps(rule.labels)}"
    least, most = rule.range or (None, None)
    numbers = [value for value in leaves(values) if type(value) in (int, float)]
    outside = [it for it in numbers if (least is not None and it < least) or (most is not None and it > most)]
    if outside:
        yield f"{_of(name)}{shown(outside)} are outside of the range {json.dumps(rule.range)}"


def _labelled(columns: Columns, labels: list[Any]) -> Iterator[str]:
    """Of one column each value is a label; of a table it is enough that a column of their type has labels alone."""
    types = {type(label) for label in labels}
    kin = columns
    if len(columns) > 1:
        kin = {name: values for name, values in columns.items() if {type(value) for value in leaves(values)} <= types}
    unknown = {name: wrong for name, values in kin.items() if (wrong := _unknown(values, labels))}
    if kin and len(unknown) == len(kin):
        name = next(iter(unknown))
        yield f"{_of(name)}{shown(unknown[name])} are none of the labels {json.dumps(labels)}"


def _unknown(values: list[Any], labels: list[Any]) -> list[Any]:
    """Those that are no label. A list of as many numbers as there are labels is a score for each of them."""
    each = [it for value in values for it in ([] if _scores(value, labels) else leaves(value))]
    return [it for it in each if not any(it == label and type(it) is type(label) for label in labels)]


def _scores(value: Any, labels: list[Any]) -> bool:
    return isinstance(value, list) and len(value) == len(labels) > 1 and all(type(it) is float for it in value)


def shape(value: Any) -> tuple[int, ...] | None:
    """The sizes of a nested list, None where its parts have several."""
    if not isinstance(value, list):
        return ()
    inner = {shape(part) for part in value}
    only = inner.pop() if len(inner) == 1 else () if not value else None
    return None if only is None else (len(value), *only)


def _size(shape: tuple[int, ...] | None) -> str:
    return "of no tensor" if shape is None else str(list(shape))


def _of(name: str) -> str:
    return f"{name}: " if name else ""
