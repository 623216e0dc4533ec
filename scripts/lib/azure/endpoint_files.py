"""What the files of endpoints/ say of what is to be created: its entities, its settings, and the name of the model.

The one place that understands these files: what `deploy` loads, `doctor --files` has loaded before anything is trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import click

from scripts.lib.azure.loading import BLUE as BLUE
from scripts.lib.azure.loading import GREEN as GREEN
from scripts.lib.azure.loading import dropped, load, sentences
from scripts.lib.azure.loading import read as read
from scripts.lib.azure.waiting import say
from scripts.lib.azure.workspace import ENDPOINT
from scripts.lib.decisions import file_rules
from scripts.lib.decisions import settings as decided
from scripts.lib.decisions.creating import Described
from scripts.lib.decisions.settings import Settings
from scripts.lib.decisions.state import Refused


def deployment(path: Path, name: str, endpoint: str) -> Any:
    """The SDK's entity of a deployment file under that name, with the digest of its settings as the tag `settings`."""
    _tell_dropped(path)
    entity = load(path, name=name, endpoint_name=endpoint)
    entity.tags = {**(entity.tags or {}), "settings": settings(path).digest}
    return entity


def endpoint(name: str) -> Any:
    """The SDK's entity of endpoint.yml under that name."""
    _tell_dropped(ENDPOINT)
    return load(ENDPOINT, name=name)


def described(entity: Any, *, asked: bool = False) -> Described:
    """The SDK's entity of an endpoint, in one spelling; of endpoint.yml's (`asked`) only the lines that it has."""
    if entity is None:
        return Described()
    fixed = {key: str(_plain(getattr(entity, key)) or "").lower() for key in ("auth_mode", "public_network_access")}
    if identity := entity.identity:
        ids = sorted(str(one.resource_id).lower() for one in identity.user_assigned_identities or ())
        fixed["identity"] = " ".join([str(identity.type).lower(), *ids])
    named = read(ENDPOINT).content if asked else fixed
    fixed = {key: value for key, value in fixed.items() if value and key in named}
    return Described((entity.description or "").strip(), entity.tags or {}, fixed)


def settings(path: Path) -> Settings:
    """What a deployment file asks for besides name, model and count. Raises Refused where it isn't understood."""
    asked, entity = read(path).content, load(path, endpoint_name="any")
    return decided.settings({key: value for key, value in _nested(entity, asked, path.parent).items() if key in asked})


def live_fields(entity: Any) -> dict[str, str]:
    """The settings that the SDK's entity of a deployment has, spelt as `settings` spells a file's."""
    return decided.flat(_nested(entity))


def deployment_tags() -> dict[str, str]:
    """The tags of both deployment files: what a model's own have to stand beside."""
    found = [read(path).content.get("tags") for path in (BLUE, GREEN)]
    return {str(name): str(text) for tags in found if isinstance(tags, dict) for name, text in tags.items()}


def model_name() -> str:
    """The registered model's name, whose one home is the tag `model` in endpoints/endpoint.yml."""
    document = read(ENDPOINT)
    if wrong := file_rules.model(document):
        raise Refused(*sentences(ENDPOINT, wrong))
    return str(document.content["tags"]["model"])


def _tell_dropped(path: Path) -> None:
    """Once a command, however often it plans anew."""
    context = click.get_current_context(silent=True)
    told = context.meta.setdefault(__name__, set()) if context else set()
    for line in dropped(path):
        if line not in told:
            told.add(line)
            say(line)


def _nested(entity: Any, asked: Mapping[str, Any] | None = None, folder: Path = Path()) -> dict[str, Any]:
    """An entity's settings as plain values; of files that it names, as `asked` for in `folder`, their content."""
    found = {key: _plain(getattr(entity, key, None)) for key in decided.KEYS}
    for key in ("environment", "code_configuration"):
        if asked and isinstance(asked.get(key), dict):
            found[key] = _with_files(asked[key], folder)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "__dict__") and not isinstance(value, str | Path):
        return _plain({key: inner for key, inner in vars(value).items() if not key.startswith("_")})
    return value


def _with_files(value: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same, with the digest of each file or folder in the place of its path."""
    found = {key: _with_files(inner, folder) if isinstance(inner, dict) else inner for key, inner in value.items()}
    paths = {key: folder / str(found[key]) for key in ("code", "conda_file", "path") if key in value}
    return found | {key: _digest(path) for key, path in paths.items() if path.exists()}


def _digest(path: Path) -> str:
    files = sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    content = [f"{file.relative_to(path)}\n".encode() + file.read_bytes() for file in files]
    return hashlib.sha256(b"\0".join(content)).hexdigest()
