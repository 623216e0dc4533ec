"""GitHub's description of its API (openapi.yml) as a table of routes, and as checks of bodies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator

DESCRIPTION: dict[str, Any] = yaml.safe_load((files("azureml_emulator.github") / "openapi.yml").read_bytes())
METHODS = ("get", "put", "post", "patch")


@dataclass(frozen=True)
class Operation:
    """One row: `name` is GitHub's operationId; `path` matches an undecoded path and names its parts."""

    name: str
    method: str
    path: re.Pattern[str]
    row: dict[str, Any]


@cache
def operations() -> tuple[Operation, ...]:
    """All that is described."""
    return tuple(
        Operation(row["operationId"], method.upper(), _pattern(path), row)
        for path, methods in DESCRIPTION["paths"].items()
        for method, row in methods.items()
        if method in METHODS
    )


def wrong_request(operation: Operation, body: Any) -> list[str]:
    """What is wrong with the JSON sent; a body that the operation doesn't have is not looked at, as by GitHub."""
    wanted = operation.row.get("requestBody")
    if wanted is None or (body is None and not _resolved(wanted).get("required")):
        return []
    return list(_problems(_resolved(wanted), body))


def wrong_answer(operation: Operation, status: int, body: Any) -> list[str]:
    """What is wrong with an answer. Those that every operation may give (401, 403, 422, 5xx) are errors."""
    found = operation.row["responses"].get(str(status))
    if found is None and status < 400:
        return [f"{operation.name} is not described to answer {status}"]
    found = _resolved(found or {"$ref": "#/components/responses/error"})
    if "content" not in found:
        return [] if body is None else [f"{operation.name} {status} has a body"]
    return list(_problems(found, body))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    found: Any = part
    if "$ref" in part:
        found = DESCRIPTION
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
    return dict(found)


def _problems(part: dict[str, Any], body: Any) -> Iterator[str]:
    for error in _validator(part["content"]["application/json"]["schema"]["$ref"]).iter_errors(body):
        yield f"{error.json_path}: {error.message}"


@cache
def _validator(reference: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": reference, "components": DESCRIPTION["components"]})
