"""What training says of a model, as the tags that it is registered with."""

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

from scripts.lib.decisions.contract import LABELS
from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.state import Refused


def tags(folder: Path) -> dict[str, str]:
    """The metrics and facts that training wrote into MLmodel: text as it is, all else as JSON.

    Raises Refused, with its name, for what isn't one value: `labels` alone may be a list.
    """
    metadata = mlmodel(folder).get("metadata") or {}
    if not isinstance(metadata, dict):
        raise Refused(f"{folder}/MLmodel: `metadata` is no mapping of names to values.")
    lines = [f"  `{key}` {why}" for key, value in metadata.items() if (why := _wrong(str(key), value))]
    if lines:
        raise Refused("\n".join([f"{folder}/MLmodel: its `metadata` can't be tags, so nothing is registered:", *lines]))
    plain = {key: str(value) if isinstance(value, date) else value for key, value in metadata.items()}
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in plain.items()}


def _wrong(key: str, value: Any) -> str:
    """Why a value can't be a tag, "" where it can."""
    if isinstance(value, list) and key == LABELS:
        return "holds more than texts and numbers" if any(_wrong("", item) for item in value) else ""
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which is no number: let training fail for it"
    if isinstance(value, str | bool | int | float | date):
        return ""
    kind = "nothing" if value is None else f"a {type(value).__name__}"
    return f"is {kind}, but a tag is a text, a number, true or false: write several, or keep it in a file"
