"""A model's saved input example: as the request that it stands for, and what Azure's scorer casts to because of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.lib.decisions.number_types import holds
from scripts.lib.decisions.signature import Specs, is_required

ROWS = 20  # of an example that are sent
VALUES = {
    "double": 1.5,
    "float": 1.5,
    "long": 1,
    "integer": 1,
    "boolean": True,
    "string": "a",
    "datetime": "2026-01-01",
}  # as good as any
Body = dict[str, Any]


def file_name(described: Mapping[str, Any]) -> str:
    """The name of the example's file in the model folder, "" where MLmodel has none."""
    info = described.get("saved_input_example_info")
    path = str(info.get("artifact_path") or "") if isinstance(info, dict) else ""
    return path if path == Path(path).name else ""


def content(folder: Path, described: Mapping[str, Any]) -> Any:
    """The example as it was saved; None without one that can be read."""
    try:  # without a name it is the folder, which can't be read
        return json.loads((folder / file_name(described)).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def example(folder: Path, described: Mapping[str, Any]) -> Body | None:
    """The example as a request, None without one that can be sent."""
    return request(content(folder, described), described)


def request(saved: Any, described: Mapping[str, Any]) -> Body | None:
    """The same, of an example that has been read."""
    if saved is None:
        return None
    params, info = None, described["saved_input_example_info"]
    if info.get("params") and isinstance(saved, dict):
        saved, params = saved.get("inputs"), saved.get("params")
    sent = _input(saved, str(info.get("type")))
    return None if sent is None else {"input_data": sent} | ({"params": params} if params else {})


def narrowed(kind: str, column: str, body: Body) -> str:
    """The type that a column of this type in the signature is cast to, because of the example's values."""
    read = read_as(values(column, body))
    return kind if read not in ("long", "double") or holds(read, kind) else read


def values(column: str, body: Body) -> list[Any]:
    """Those of a column of the example's frame; none where there is no such column."""
    frame = body["input_data"]
    columns = [str(name) for name in frame.get("columns") or ()] if isinstance(frame, dict) else []
    return [row[columns.index(column)] for row in frame["data"]] if column in columns else []


def read_as(values: list[Any]) -> str:
    """The type that pandas reads in these values, "" where it says nothing.

    Whole numbers are `long`, which then cuts 2.3 down to 2, unless one is missing; nothing but nulls is `double`.
    """
    kinds = {type(value) for value in values}
    if kinds and kinds <= {int, float, type(None)}:
        return "long" if kinds == {int} else "double"
    return {bool: "boolean", str: "string"}.get(kinds.pop(), "") if len(kinds) == 1 else ""


def first_rows(body: Body) -> Body:
    """The request with no more than ROWS rows: some save all they trained on."""
    frame = body["input_data"]
    if not (isinstance(frame, dict) and "columns" in frame):
        return body
    data = frame["data"][:ROWS]
    return {**body, "input_data": {**frame, "index": list(range(len(data))), "data": data}}


def made_up(takes: Specs | None) -> list[Body]:
    """Requests for a signature's columns: with all of them, and without the optional.

    None at all where there is a type that nothing can be made up for.
    """
    columns = {str(spec.get("name", at)): spec for at, spec in enumerate(takes or ())}
    if not columns or not all(spec["type"] in VALUES for spec in columns.values()):
        return []
    required = [name for name, spec in columns.items() if is_required(spec)]
    rows = [names for names in ([*columns], required) if names]
    distinct = rows[:1] if rows[0] == rows[-1] else rows
    return [
        {"input_data": {"columns": names, "index": [0], "data": [[VALUES[columns[name]["type"]] for name in names]]}}
        for names in distinct
    ]


def _input(content: Any, kind: str) -> Any:
    """What stands in a request's `input_data`; None for what can't be sent as JSON."""
    if kind != "dataframe":
        has_inputs = kind == "ndarray" and isinstance(content, dict) and "inputs" in content
        return None if kind.startswith("sparse") else content["inputs"] if has_inputs else content
    data = content.get("data") if isinstance(content, dict) else None
    if not (isinstance(data, list) and data and all(isinstance(row, list) for row in data)):
        return None
    columns = content.get("columns") or list(range(len(data[0])))
    if any(len(row) != len(columns) for row in data):
        return None
    return {"columns": columns, "index": list(range(len(data))), "data": data}
