"""The contract in contract.yml as checks: of one recorded call (`azureml-emulator --trace`), or of one answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import isodate
import yaml
from jsonschema import Draft202012Validator, FormatChecker

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "contract.yml").read_text())
PROVIDER = "/providers/Microsoft.MachineLearningServices"
PLACES = {
    "{W}": f"/subscriptions/[^/]+/resourceGroups/[^/]+{PROVIDER}/workspaces/[^/]+",
    "{L}": f"/subscriptions/[^/]+{PROVIDER}/locations/[^/]+",
    "{G}": "/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ManagedIdentity",
    "{A}": "/subscriptions/.+/providers/Microsoft.Authorization",
    "{B}": r"/[^/]+\.blob\.[^/]+/.+",
}
#: Answers that start a long-running operation, and the headers that Azure describes for them.
STARTED = {
    ("PUT", 201): ("Azure-AsyncOperation", "x-ms-async-operation-timeout"),
    ("POST", 202): ("Location",),
    ("DELETE", 202): ("Location", "x-ms-async-operation-timeout"),
}
FORMATS = FormatChecker(formats=["uuid"])


def format_check(name: str, parse: Callable[[str], object]) -> None:
    """Texts in this format are those that `parse` neither raises a ValueError on nor makes nothing of."""
    FORMATS.checks(name, raises=ValueError)(lambda value: not isinstance(value, str) or bool(parse(value)))


format_check("date-time", isodate.parse_datetime)
format_check("duration", lambda text: isodate.parse_duration(text) is not None)
format_check("uri", lambda text: urlsplit(text).scheme and urlsplit(text).netloc)


def route(method: str, path: str) -> str | None:
    """The row of the contract's table for a call."""
    return next((row for row in CONTRACT["routes"] if _pattern(row).fullmatch(f"{method} {path}")), None)


def complaints(call: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a recorded call: `{method, path, query, status, headers, body}`."""
    method, path, status = call["method"], call["path"], call["status"]
    row = route(method, path)
    if row is None:
        yield f"{method} {path} is in no row of the contract"
        return
    found, version = CONTRACT["routes"][row], call["query"].get("api-version")
    if version and version not in found.get("versions", [version]):
        yield f"{row} was asked for in api-version {version}"
    if status not in found and status < 400:
        yield f"{row} was answered {status}"
    is_managed = row.split()[1].startswith(("{W}", "{L}", "{G}", "{A}"))
    if status in found or is_managed:
        yield from (f"{row} {status}: {problem}" for problem in problems(found.get(status, "Error"), call["body"]))
    if is_managed:
        yield from _missing_headers(row, call)


def problems(schema: Any, body: Any) -> Iterator[str]:
    """Where a body is not what the schema of this name says; `[name]` is a page of them."""
    for error in _validator(*schema if isinstance(schema, list) else [schema], isinstance(schema, list)).iter_errors(
        body
    ):
        yield f"{error.json_path}: {error.message}"


def _missing_headers(row: str, call: dict[str, Any]) -> Iterator[str]:
    given = {name.lower() for name in call["headers"]}
    if not row.split()[1].startswith(
        ("{W}/models/", "{W}/data/", "{W}/environments/", "{G}", "{A}")
    ):  # those are there at once
        for name in STARTED.get((call["method"], call["status"]), ()):
            if name.lower() not in given:
                yield f"{row} {call['status']} has no header {name}"
    if "x-ms-request-id" not in given:
        yield f"{row} {call['status']} has no header x-ms-request-id"


@cache
def _validator(name: str, is_page: bool) -> Draft202012Validator:
    one = {"$ref": f"#/$defs/{name}"}
    page = {
        "type": "object",
        "additionalProperties": False,
        "required": ["value"],
        "properties": {"value": {"type": "array", "items": one}, "nextLink": {"type": ["string", "null"]}},
    }
    schema = {**(page if is_page else one), "$defs": CONTRACT["$defs"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FORMATS)


@cache
def _pattern(row: str) -> re.Pattern[str]:
    """ARM paths ignore case."""
    pattern = re.escape(row)
    for place, expression in PLACES.items():
        pattern = pattern.replace(re.escape(place), expression)
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", pattern) + "/?", re.IGNORECASE)
