"""A part of a model's signature, as MLmodel has it in JSON: what its columns, tensors, params and outputs are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Specs = list[dict[str, Any]]
"""A part of the signature as MLflow writes it: a mapping for each column or tensor."""


@dataclass(frozen=True)
class Field:
    """A column, a tensor, a param or an output. `shape` has -1 for any size, None for what is no tensor."""

    type: str
    required: bool = True
    shape: tuple[int, ...] | None = None
    default: Any = None


def fields(text: Any) -> dict[str, Field] | None:
    """A part of the signature, which is JSON, by name; unnamed ones by position. None where it says nothing."""
    try:
        return dict(
            pair for at, spec in enumerate(json.loads(text)) for pair in _leaves(str(spec.get("name", at)), spec)
        )
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def specs(text: Any) -> Specs | None:
    """A part of the signature as it stands. None where it says nothing."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    whole = isinstance(found, list) and all(isinstance(spec, dict) and "type" in spec for spec in found)
    return found if whole and found else None


def is_required(spec: Mapping[str, Any]) -> bool:
    """Whether a column must be there, and hold a value; older releases of MLflow wrote `optional`."""
    return bool(spec.get("required", not spec.get("optional", False)))


def _leaves(name: str, spec: Mapping[str, Any], asked: bool = True) -> Iterator[tuple[str, Field]]:
    """A column, or each part of one that is an object, an array or a map."""
    required = asked and is_required(spec)
    match spec["type"]:
        case "tensor":
            tensor = spec["tensor-spec"]
            yield name, Field(tensor["dtype"], required, tuple(tensor["shape"]))
        case "object":
            for key, part in spec["properties"].items():
                yield from _leaves(f"{name}.{key}", part, required)
        case "array":
            yield from _leaves(f"{name}[]", spec["items"], required)
        case "map":
            yield from _leaves(f"{name}{{}}", spec["values"], required)
        case kind:
            shape = spec.get("shape")
            yield name, Field(kind, required, tuple(shape) if shape else None, spec.get("default"))


def holds_shape(wide: tuple[int, ...] | None, narrow: tuple[int, ...] | None) -> bool:
    """Whether what has the one shape has the other, too: -1 stands for any size."""
    if wide is None or narrow is None or len(wide) != len(narrow):
        return False
    return all(size in (-1, narrow[at]) for at, size in enumerate(wide))
