"""Whether a request is what a model's signature asks for: one that isn't may be refused without making it bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.lib.decisions.signature import Field

WHOLE = frozenset({"long", "integer", "boolean"})
NUMBERS = WHOLE | {"double", "float"}


def misfits(body: Mapping[str, Any], inputs: Mapping[str, Field]) -> Iterator[str]:
    """What a request in split form lacks, or has of another type, for the columns of a signature."""
    frame = body["input_data"]
    lacking = [name for name, field in inputs.items() if field.required and name not in frame["columns"]]
    yield from (f"it has no column {name}" for name in lacking if "[]" not in name and "." not in name)
    for row in frame["data"]:
        for name, value in zip(frame["columns"], row, strict=True):
            field = inputs.get(str(name))
            if field and field.shape is None and not _fits(value, field):
                yield f"{name} is {value!r}, where the model asks for {field.type}"


def _fits(value: Any, field: Field) -> bool:
    if value is None:
        return field.type not in WHOLE
    if field.type == "string":
        return not isinstance(value, list | dict)  # a number becomes a text
    return field.type not in NUMBERS or _number(value)


def _number(value: Any) -> bool:
    """As the scorer casts: a text that is a number is one."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
