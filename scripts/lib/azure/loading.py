"""Loads a file of endpoints/ as the SDK does, and says of each key that is wrong why, and what to write."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.azure.workspace import ENDPOINT, read_yaml, uncollected
from scripts.lib.decisions import file_rules
from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import Document

BLUE = Path("endpoints/blue-deployment.yml")
GREEN = Path("endpoints/green-deployment.yml")
RULES = {ENDPOINT: file_rules.endpoint, BLUE: file_rules.first_deployment, GREEN: file_rules.later_deployment}
NAMED = {"model": "deploy names the registered version", "endpoint_name": "endpoint.yml or ENDPOINT_NAME names it"}
SPLIT = dict.fromkeys(("traffic", "mirror_traffic"), "promote and rollback alone set the split")
#: Keys that the SDK takes and the scripts set themselves, with the reason that people are told.
DROPPED = {ENDPOINT: SPLIT, BLUE: NAMED, GREEN: NAMED}
Keys = Mapping[str, tuple[str, ...]]
#: What the SDK says of a key, and what people can do about it.
SAID = {
    "Missing data for required field.": "is missing: write it",
    "Field may not be null.": "is empty: write a value, or take the line out",
    "Not a valid boolean.": "must be true or false",
    "Not a valid integer.": "must be a whole number",
    "Not a valid list.": "must hold lines like `- value`",
    "Not a valid mapping type.": "must hold lines like `name: value`",
    "Invalid input type.": "must hold lines like `name: value`",
}


def read(path: Path) -> Document:
    """What a file says, but what is dropped. Raises Refused where it isn't YAML as meant."""
    return read_yaml(path).without(*DROPPED[path])


def dropped(path: Path) -> list[str]:
    """What a file says in vain, and why."""
    content = read_yaml(path).content
    return [f"{path}: `{key}` is ignored: {why}." for key, why in DROPPED[path].items() if key in content]


def load(path: Path, **fields: str) -> Any:
    """The SDK's entity, with some fields set. Raises Refused with a line for each key that is wrong."""
    with uncollected():
        from azure.ai.ml import load_online_deployment, load_online_endpoint

    document = read(path)
    wrong = RULES[path](document) | _missing_files(document.content, path.parent)
    sdk_s = load_online_endpoint if path == ENDPOINT else load_online_deployment
    try:
        entity = sdk_s(io.StringIO(yaml.safe_dump({**document.content, **fields})), relative_origin=str(path))
    except Exception as error:  # of a file it didn't expect the SDK raises what comes: TypeError, MlException, OSError
        keys = file_rules.ENDPOINT_KEYS if path == ENDPOINT else file_rules.DEPLOYMENT_KEYS
        said = _said(error, document.content, keys)
        wrong |= {key: why for key, why in said.items() if not any(f"{ours}.".startswith(f"{key}.") for ours in wrong)}
        wrong = wrong or {"": f"can't be loaded: {' '.join(str(error).split())}"}
    if wrong:
        raise Refused("\n".join(sentences(path, wrong)))
    return entity


def sentences(path: Path, wrong: Mapping[str, str]) -> list[str]:
    """One for each key that is wrong."""
    return [f"{path}: `{key}` {why}." if key else f"{path} {why}." for key, why in wrong.items()]


def problems(path: Path) -> list[str]:
    """Why a file of endpoints/ can't be used, each with what to write instead."""
    try:
        load(path, **({} if path == ENDPOINT else {"endpoint_name": "any"}))
    except FileNotFoundError:
        return [f"{path} is missing: take it from the template."]
    except Refused as error:
        return str(error).splitlines()
    return []


def clash() -> list[str]:
    """What is wrong with the names of both deployment files together."""
    return sentences(BLUE, file_rules.clash(*(read(path).content["name"] for path in (BLUE, GREEN))))


def _said(error: Exception, content: Mapping[str, Any], keys: Keys) -> dict[str, str]:
    """Each key that the SDK refuses, with the reason in words of ours."""
    from marshmallow import ValidationError

    cause = error.__cause__ or error
    flat = _flat(cause.messages, content, "") if isinstance(cause, ValidationError) else ()
    return {path: reason(said, path, value, keys) for path, said, value in flat}


def _flat(messages: Any, content: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Each key with what the SDK says of it, and its value."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            below = content.get(key) if isinstance(content, dict) else None
            yield from _flat(inner, below, path if key in ("_schema", "value") else f"{path}.{key}".lstrip("."))
    elif isinstance(messages[-1], str):
        yield path, " ".join(messages[0].split()), content
    else:
        yield from _flat(messages[-1], content, path)  # of several alternatives the last is the written-out one


def reason(said: str, path: str, value: Any, keys: Keys) -> str:
    """What the SDK says of a key, in words of ours."""
    if said == "Unknown field.":
        near = file_rules.nearest(path, keys)
        return "is no key that Azure knows: " + (f"write `{near}`" if near else "take it out")
    if said == "Not a valid string.":
        return f'must be a text: write "{value}"' if isinstance(value, int | float) else "must be a text"
    if options := re.match(r"Value (.+) passed is not in set \[(.+)\]", said):
        return f"is {options[1]}: write one of {options[2]}".replace("'", '"')
    return SAID.get(said) or said.rstrip(".")


def _missing_files(content: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The SDK looks for code only when it uploads it, and takes a path that isn't there for a bad address."""
    named = {
        key: (value, folder)
        for key in ("code_configuration.code", "environment.conda_file", "environment.build.path")
        if isinstance(value := file_rules.at(content, key), str) and not re.match("azureml:|[a-z]+://", value)
    }
    code, script = named.get("code_configuration.code"), file_rules.at(content, "code_configuration.scoring_script")
    if code and (folder / code[0]).exists() and isinstance(script, str):
        named["code_configuration.scoring_script"] = script, folder / code[0]
    return {
        key: f"names {value}, which doesn't exist in {place}/"
        for key, (value, place) in named.items()
        if not (place / value).exists()
    }
