"""Whether a request is what a model's signature asks for, and requests that it must refuse by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.lib.decisions.predictions import NUMBERS, TEXTS, TRUTHS, WHOLE, leaves, shape
from scripts.lib.decisions.requests import Body, split
from scripts.lib.decisions.signature import Field, Specs, holds_shape, is_required

Spec = Mapping[str, Any]
NO_VALUE = "neither a number nor a date"


def misfits(body: Body, takes: Specs, params: Mapping[str, Field] | None = None) -> Iterator[str]:
    """What a request lacks, or has of another type: one that isn't what is asked for a good model may refuse."""
    names, by_name = _names(body), [spec["name"] for spec in takes if "name" in spec and spec["type"] != "tensor"]
    if by_name and not split(body):
        yield f"it has no columns, where the model asks for {', '.join(by_name)}"
        return
    for spec in takes:
        if names is not None and "name" in spec and is_required(spec) and spec["name"] not in names:
            yield f"it has no {'column' if split(body) else 'tensor'} {spec['name']}"
    for name, value, asked in _parts(body, takes):
        found, wanted = shape(value) or (), asked.get("tensor-spec", {}).get("shape")
        if wanted is not None and not holds_shape(tuple(wanted), found):
            yield f"{name or 'it'} has the shape {list(found)}, where the model asks for {wanted}"
        for other in (it for it in (leaves(value) if wanted else [value]) if not _takes(it, _type(asked))):
            yield f"{name or 'a value'} is {other!r}, where the model asks for {_type(asked)}"
    for name, value in body.get("params", {}).items():
        if (known := (params or {}).get(name)) and known.shape is None and not _takes(value, known.type):
            yield f"params.{name} is {value!r}, where the model asks for {known.type}"


def refusable(bodies: list[Body], takes: Specs | None) -> dict[str, Body]:
    """By what is wrong with each: requests made from a right one, without what is required, or of another type."""
    made = ({**_without(body, takes), **_of_another_type(body, takes)} for body in bodies if takes)
    return next((found for found in made if found), {})


def _without(body: Body, takes: Specs) -> dict[str, Body]:
    names, frame = _names(body) or [], split(body)
    name = next((spec["name"] for spec in takes if spec.get("name") in names and is_required(spec)), None)
    if name is None:
        return {}
    if frame:
        sent: Any = {**frame, "columns": [f"not {it}" if it == name else it for it in names]}
    else:
        sent = {f"not {it}" if it == name else it: value for it, value in body["input_data"].items()}
    return {f"a request without {name}": {**body, "input_data": sent}}


def _of_another_type(body: Body, takes: Specs) -> dict[str, Body]:
    """Only of numbers and dates: the scorer makes a text of everything, and true or false of any text."""
    frame, names = split(body), _names(body)
    strict = NUMBERS | WHOLE | {"datetime"}
    name = next((name for name, _, spec in _parts(body, takes) if _type(spec) in strict), None)
    if name is None:
        return {}
    if frame:
        at = frame["columns"].index(name)
        sent: Any = {**frame, "data": [[*row[:at], NO_VALUE, *row[at + 1 :]] for row in frame["data"]]}
    else:
        sent = body["input_data"]
        sent = _spoilt(sent) if names is None else {**sent, name: _spoilt(sent[name])}
    return {f"a request whose {name or 'first value'} is {NO_VALUE}": {**body, "input_data": sent}}


def _names(body: Body) -> list[str] | None:
    """Of a request's columns, or tensors; None where they have none."""
    sent, frame = body["input_data"], split(body)
    return frame["columns"] if frame else [*sent] if isinstance(sent, dict) else None


def _parts(body: Body, takes: Specs) -> Iterator[tuple[str, Any, Spec]]:
    """Each value of a column, and each tensor, that the signature knows, by name; a column of tensors isn't told of."""
    sent, frame, known = body["input_data"], split(body), {spec.get("name"): spec for spec in takes}
    if frame:
        cells = [cell for row in frame["data"] for cell in zip(frame["columns"], row, strict=True)]
        yield from ((it, value, known[it]) for it, value in cells if it in known and known[it]["type"] != "tensor")
    elif isinstance(sent, dict):
        yield from ((name, value, known[name]) for name, value in sent.items() if name in known)
    elif isinstance(sent, list) and [spec["type"] for spec in takes] == ["tensor"]:
        yield "", sent, takes[0]


def _type(spec: Spec) -> str:
    return str(spec["tensor-spec"]["dtype"] if spec["type"] == "tensor" else spec["type"])


def _takes(value: Any, kind: str) -> bool:
    """Whether the scorer takes a value for that type: it casts first, and a text that is a number is one."""
    if value is None:
        return kind not in WHOLE | TRUTHS
    if kind in TEXTS:
        return not isinstance(value, list | dict)  # a number becomes a text
    if kind not in NUMBERS | WHOLE | TRUTHS:
        return True
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _spoilt(value: Any) -> Any:
    """The same with another first value."""
    return [_spoilt(value[0]), *value[1:]] if isinstance(value, list) and value else NO_VALUE
