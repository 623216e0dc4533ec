"""Whether two models' answers to one request are of one kind: values wobble, their types and numbers don't."""

from __future__ import annotations

import json
from typing import Any

NAMES = {bool: "true or false", int: "a whole number", float: "a number with a point", str: "a text"}
KINDS = {**NAMES, type(None): "null", list: "a list", dict: "an object"}


def parsed(body: str) -> Any:
    """An answer's JSON; else its text."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def changed(old: Any, new: Any, where: str = "the answer") -> str:
    """What is of another kind in the new answer, "" where nothing is: the first thing that a client would stumble over.

    A whole number may stand where one with a point did, anything where null did, and more keys in an object.
    """
    if old is None or (type(old) is float and type(new) is int):
        return ""
    if type(old) is not type(new):
        return f"{where}: {KINDS[type(new)]}, not {KINDS[type(old)]}"
    if isinstance(old, list):
        if len(old) != len(new):
            return f"{where}: {len(new)} entries, not {len(old)}"
        pairs = [(f"{where}, entry {at}", value, new[at]) for at, value in enumerate(old)]
    elif isinstance(old, dict):
        if gone := [key for key in old if key not in new]:
            return f"{where}: without {', '.join(gone)}"
        pairs = [(f"{where}, {key}", old[key], new[key]) for key in old]
    else:
        return ""
    return next((found for name, a, b in pairs if (found := changed(a, b, name))), "")
