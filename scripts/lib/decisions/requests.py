"""Requests as Azure's no-code scorer takes them: a split frame, a list, or tensors by name; with `params` or not."""

from __future__ import annotations

from typing import Any

from scripts.lib.decisions.signature import Specs

Body = dict[str, Any]
SPLIT = frozenset({"columns", "index", "data"})
KEYS = ("input_data", "params")


def each(content: Any) -> list[Body]:
    """A file's requests: one or a list of them; of those in split form each row alone. Raises ValueError."""
    bodies = content if isinstance(content, list) else [content]
    if not bodies:
        raise ValueError("it holds no request.")
    return [row for body in bodies for row in _rows_of(checked(body))]


def checked(body: Any) -> Body:
    """The body, if it is a request. Raises ValueError, in a sentence."""
    if not isinstance(body, dict) or "input_data" not in body:
        raise ValueError('a request must be {"input_data": …}, with `params` beside it if the model takes any.')
    if other := [key for key in body if key not in KEYS]:
        raise ValueError(f"a request has no {other[0]}: beside `input_data` there may be `params` alone.")
    if not isinstance(body.get("params", {}), dict):
        raise ValueError("`params` must be an object: names and values.")
    frame = body["input_data"]
    if not isinstance(frame, dict | list | str) or not frame:
        raise ValueError("`input_data` is empty: it must hold a frame, a list, or tensors by name.")
    if isinstance(frame, dict) and frame.keys() <= SPLIT and not _is_frame(frame):
        raise ValueError('a frame must be {"columns": […], "data": [[…], …]}, with rows as long as the columns.')
    return body


def split(body: Body) -> Body | None:
    """The frame of a request in split form, None for other ones."""
    frame = body["input_data"]
    return frame if isinstance(frame, dict) and _is_frame(frame) else None


def rows(body: Body, takes: Specs | None) -> int | None:
    """How many rows a request has; None where it isn't said: what a tensor's first dimension is the signature tells."""
    if frame := split(body):
        return len(frame["data"])
    if not takes or any(_first(spec) != -1 for spec in takes):
        return None
    data = body["input_data"]
    lengths = {len(part) for part in (data.values() if isinstance(data, dict) else [data]) if isinstance(part, list)}
    return lengths.pop() if len(lengths) == 1 else None


def _first(spec: Any) -> int | None:
    """The first dimension of a tensor; None of what is none."""
    shape = spec.get("tensor-spec", {}).get("shape") or [None]
    return shape[0] if isinstance(shape[0], int) else None


def _rows_of(body: Body) -> list[Body]:
    frame = split(body)
    if frame is None:
        return [body]
    return [{**body, "input_data": {**frame, "index": [0], "data": [row]}} for row in frame["data"]]


def _is_frame(frame: Body) -> bool:
    columns, data = frame.get("columns"), frame.get("data")
    if not (isinstance(columns, list) and columns and isinstance(data, list) and data):
        return False
    return all(isinstance(row, list) and len(row) == len(columns) for row in data)
