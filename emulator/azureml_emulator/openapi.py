"""An OpenAPI 3.1 description as a table of routes, and as checks of what is asked and answered.

Of JSON Schema it leaves everything to `jsonschema`. Two descriptions are read with it: GitHub's (github/openapi.yml),
by which the local GitHub answers, and Azure's (tests/contract.yml, beside the package), to which a recording is held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import isodate
import yaml
from jsonschema import Draft202012Validator, FormatChecker

METHODS = ("get", "head", "put", "post", "patch", "delete")
FORMATS = FormatChecker(formats=["uuid"])


def _format(name: str, parse: Callable[[str], object]) -> None:
    """Texts in this format are those that `parse` neither raises a ValueError on nor makes nothing of."""
    FORMATS.checks(name, raises=ValueError)(lambda value: not isinstance(value, str) or bool(parse(value)))


_format("date-time", isodate.parse_datetime)
_format("duration", lambda text: isodate.parse_duration(text) is not None)
_format("uri", lambda text: urlsplit(text).scheme and urlsplit(text).netloc)


@dataclass(frozen=True)
class Operation:
    """One row: `name` is the operationId; `path` matches an undecoded path and names its parts."""

    name: str
    method: str
    path: re.Pattern[str]
    row: Mapping[str, Any] = field(hash=False)


class Description:
    """What a service is described to be asked and to answer. Resource managers ignore the case of paths, others don't.

    An answer from 400 on that its operation doesn't name is the operation's `default`, or `components/responses/error`.
    """

    def __init__(self, document: dict[str, Any], ignore_case: bool = False):
        self.document = document
        self.ignore_case = ignore_case
        self._validators: dict[str, Draft202012Validator] = {}

    @classmethod
    def read(cls, text: str | bytes, ignore_case: bool = False) -> Description:
        return cls(yaml.safe_load(text), ignore_case)

    def closed(self) -> Description:
        """The same, but for keys that no schema names: an answer of ours that has one is wrong here."""
        return Description(_closed(self.document), self.ignore_case)

    @cached_property
    def table(self) -> tuple[Operation, ...]:
        """All that is described."""
        return tuple(
            Operation(row["operationId"], method.upper(), self._pattern(path, item.get("parameters", ())), row)
            for path, item in self.document["paths"].items()
            for method, row in item.items()
            if method in METHODS
        )

    def find(self, method: str, path: str) -> Operation | None:
        """The first operation that this is a call of."""
        path = path.rstrip("/") or path
        return next((row for row in self.table if row.method == method and row.path.fullmatch(path)), None)

    def wrong_query(self, operation: Operation, query: Mapping[str, str]) -> list[str]:
        """What is wrong with the query's parameters. One that isn't described is not looked at."""
        known = {part["name"]: part["schema"] for part in map(self.resolved, operation.row.get("parameters", ()))}
        return [
            f"{name}: {wrong}"
            for name in known.keys() & query.keys()
            for wrong in self.problems(known[name], query[name])
        ]

    def wrong_request(self, operation: Operation, body: Any) -> list[str]:
        """What is wrong with the JSON sent; a body that the operation doesn't have is not looked at."""
        wanted = self.resolved(operation.row.get("requestBody", {}))
        if not wanted or (body is None and not wanted.get("required")):
            return []
        return list(self.problems(_schema(wanted), body))

    def wrong_answer(
        self, operation: Operation, status: int, body: Any, headers: Mapping[str, str] | None = None
    ) -> list[str]:
        """What is wrong with an answer; without `headers`, they aren't looked at."""
        found = self.answer(operation, status)
        if found is None:
            return [f"{operation.name} is not described to answer {status}"]
        if "content" not in found:
            wrong = [] if body is None else [f"{operation.name} {status} has a body"]
        else:
            wrong = list(self.problems(_schema(found), body))
        given = None if headers is None else {name.lower() for name in headers}
        wanted = [name for name, header in found.get("headers", {}).items() if header.get("required")]
        return wrong + [f"no header {name}" for name in wanted if given is not None and name.lower() not in given]

    def answer(self, operation: Operation, status: int) -> dict[str, Any] | None:
        """How an answer with this status is described."""
        described = operation.row["responses"]
        found = described.get(str(status))
        if found is None and status >= 400:
            found = described.get("default", {"$ref": "#/components/responses/error"})
        return None if found is None else self.resolved(found)

    def problems(self, schema: dict[str, Any], body: Any) -> Iterator[str]:
        """Where a body is not what a schema says."""
        for error in self._validator(schema).iter_errors(body):
            yield f"{error.json_path}: {error.message}"

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """What a part stands for that may be a reference."""
        found: Any = part
        if "$ref" in part:
            found = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
        return dict(found)

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        made = {**schema, "components": self.document["components"]}
        key = schema.get("$ref") or repr(schema)
        return self._validators.setdefault(key, Draft202012Validator(made, format_checker=FORMATS))

    def _pattern(self, path: str, parameters: Any) -> re.Pattern[str]:
        """A part of a path ends at a slash, unless the description says that its slashes aren't encoded."""
        whole = {part["name"] for part in parameters if part.get("x-ms-skip-url-encoding")}
        named = re.sub(
            r"\\{(\w+)\\}", lambda part: f"(?P<{part[1]}>{'.+' if part[1] in whole else '[^/]+'})", re.escape(path)
        )
        return re.compile(named, re.IGNORECASE if self.ignore_case else 0)


def _schema(part: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body in JSON; any body is right where only another form is described."""
    return dict(part["content"].get("application/json", {}).get("schema", {}))


def _closed(part: Any) -> Any:
    """Every schema with named keys allows no others; what stands below `properties` are names, no schema's words.

    Conditions stay as they are: they look at one key, beside others.
    """
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {word: value if word in ("if", "then", "else") else _closed(value) for word, value in part.items()}
    if isinstance(part.get("properties"), dict):
        made["properties"] = {name: _closed(schema) for name, schema in part["properties"].items()}
        made.setdefault("additionalProperties", False)
    return made
