"""What training says of a model, as the tags that it is registered with."""

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.tags import LONGEST_VALUE, OF_A_DEPLOYMENT, OF_A_MODEL, wrong

LABELS, RANGE = "labels", "range"
LISTS = (LABELS, RANGE, "lower_is_better", "higher_is_better")
"""What may be a list: all that a prediction may be, the least and the greatest, and metrics by their names."""
MOST = 20  # tags that the MLmodel of a model trained elsewhere may bring along


def tags(folder: Path) -> dict[str, str]:
    """The metrics and facts that training wrote into MLmodel: text as it is, all else as JSON.

    A list that is too long for a tag stays in MLmodel alone, where the smoke test reads it. Raises Refused, with its
    name, for what isn't one value: only LISTS may be lists.
    """
    metadata = mlmodel(folder).get("metadata") or {}
    if not isinstance(metadata, dict):
        raise Refused(f"{folder}/MLmodel: `metadata` is no mapping of names to values.")
    lines = [f"  `{key}` {why}" for key, value in metadata.items() if (why := _wrong(str(key), value))]
    if lines:
        raise Refused("\n".join([f"{folder}/MLmodel: its `metadata` can't be tags, so nothing is registered:", *lines]))
    texts = {str(key): _text(value) for key, value in metadata.items()}
    return {key: text for key, text in texts.items() if key not in LISTS or len(text) <= LONGEST_VALUE}


def readable(metadata: Any) -> dict[str, str]:
    """What of anybody's metadata could be tags, but for their length; the rest is passed over."""
    items = metadata.items() if isinstance(metadata, dict) else ()
    return {str(key): _text(value) for key, value in items if not _wrong(str(key), value)}


def fitting(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of anybody's tags that Azure takes beside the rollout's own, and that find room: LISTS first."""
    ours = dict.fromkeys((*OF_A_MODEL, *OF_A_DEPLOYMENT), "")
    refused = {name for name, _ in wrong({**tags, **ours})}
    good = [name for name, text in tags.items() if text and name not in refused | {*ours}]
    return {name: tags[name] for name in sorted(good, key=lambda name: name not in LISTS)[:MOST]}


def listed(text: Any) -> list[Any] | None:
    """A list as training writes it, or as a tag has it, which is JSON; None for anything else."""
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _text(value: Any) -> str:
    plain = str(value) if isinstance(value, date) else value
    return plain if isinstance(plain, str) else json.dumps(plain)


def _wrong(key: str, value: Any) -> str:
    """Why a value can't be a tag, "" where it can."""
    if isinstance(value, list) and key in LISTS:
        known = [item for item in value if item is not None]  # where a range has no end
        return "holds more than texts and numbers" if any(_wrong("", item) for item in known) else ""
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which is no number: let training fail for it"
    if isinstance(value, str | bool | int | float | date):
        return ""
    kind = "nothing" if value is None else f"a {type(value).__name__}"
    return f"is {kind}, but a tag is a text, a number, true or false: write several, or keep it in a file"
