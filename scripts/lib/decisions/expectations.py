"""What answers may be beyond what the signature says: labels and ranges, by a file or by tags."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from scripts.lib.decisions.model_tags import LABELS, RANGE, listed
from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import Document

RULES = (LABELS, RANGE)
KEYS = (*RULES, "columns", "per_row")


@dataclass(frozen=True)
class Rule:
    """`labels` are all that a value may be, `range` the least and the greatest number; None: not said, or no end."""

    labels: list[Any] | None = None
    range: tuple[float | None, float | None] | None = None


@dataclass(frozen=True)
class Expected:
    """A rule for every prediction, others for columns by their names. `per_row`: each row has one; None: not said.

    `lines` has where the columns stand in the file.
    """

    every: Rule = Rule()
    columns: Mapping[str, Rule] = field(default_factory=dict)
    per_row: bool | None = None
    lines: Mapping[str, int] = field(default_factory=dict)


def expected(document: Document, file: str) -> Expected:
    """What a file says. Raises Refused with a line for each key that is wrong."""
    wrong = [f"{file}, line {_line(document, path)}: `{'.'.join(path)}` {why}." for path, why in _wrong(document)]
    if wrong:
        raise Refused("\n".join(wrong))
    content = document.content
    columns = {name: _rule(said) for name, said in content.get("columns", {}).items()}
    lines = {name: _line(document, ("columns", name)) for name in columns}
    return Expected(_rule(content), columns, content.get("per_row"), lines)


def with_tags(said: Expected, tags: Mapping[str, str]) -> Expected:
    """What a model's tags say where the file says nothing; what is no list there is another's tag, and no rule."""
    labels, ends = (listed(tags.get(name)) for name in RULES)
    labels = None if labels is None or _no_labels(labels) else labels
    found = Rule(labels, None if ends is None or _no_range(ends) else (ends[0], ends[1]))
    every = Rule(said.every.labels or found.labels, said.every.range or found.range)
    return replace(said, every=every)


def unknown_columns(said: Expected, names: list[str], file: str) -> list[str]:
    """A sentence for each column of the file that a model which answers those `names` hasn't."""
    there = f": it has {', '.join(names)}"
    return [
        f"{file}, line {said.lines.get(name, 1)}: the model answers no `{name}`{_instead(name, names, there)}."
        for name in said.columns
        if names and name not in names
    ]


def _rule(said: Mapping[str, Any]) -> Rule:
    ends = said.get(RANGE)
    return Rule(said.get(LABELS), None if ends is None else (ends[0], ends[1]))


def _wrong(document: Document) -> Iterator[tuple[tuple[str, ...], str]]:
    """The place of each key that is wrong, and why."""
    content = document.content
    yield from _keys(content, KEYS, ())
    yield from _rules(document, content, ())
    if "per_row" in content and not isinstance(content["per_row"], bool):
        yield ("per_row",), "must be true or false"
    columns = content.get("columns", {})
    if not isinstance(columns, dict):
        yield ("columns",), "must hold lines like `NAME: {range: [0, 1]}`"
        return
    for name, said in columns.items():
        path = ("columns", name)
        if not isinstance(said, dict):
            yield path, "must hold `labels` or `range`"
            continue
        yield from _keys(said, RULES, path)
        yield from _rules(document, said, path)


def _keys(said: Mapping[str, Any], known: tuple[str, ...], path: tuple[str, ...]) -> Iterator[tuple[Any, str]]:
    for key in said:
        if key not in known:
            yield (*path, key), "is no key that is known" + _instead(key, known, f": there is {', '.join(known)}")


def _instead(name: str, known: Any, otherwise: str) -> str:
    near = get_close_matches(name.lower(), known)
    return f": write `{near[0]}`" if near else otherwise


def _rules(document: Document, said: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[Any, str]]:
    labels, ends = said.get(LABELS), said.get(RANGE)
    if LABELS in said:
        there = labels if isinstance(labels, list) else []
        spelt = [document.spelling.get((*path, LABELS, str(at)), "") for at, _ in enumerate(there)]
        if why := _no_labels(labels, spelt):
            yield (*path, LABELS), why
    if RANGE in said and (why := _no_range(ends)):
        yield (*path, RANGE), why


def _no_labels(labels: Any, spelt: list[str] | None = None) -> str:
    """Why these are no labels, "" where they are. `spelt`: as they stand in the file."""
    if not isinstance(labels, list) or not labels:
        return "must be a list of all that a prediction may be, as in [0, 1]"
    for at, label in enumerate(labels):
        text = spelt[at] if spelt else ""
        if isinstance(label, bool) and spelt and text.lower() not in ("true", "false"):
            return f'has {text}, which YAML reads as {str(label).lower()}: write "{text}", or {str(label).lower()}'
        if not isinstance(label, str | int | float) or (isinstance(label, float) and not math.isfinite(label)):
            return f'has {text or label}, which is neither a text nor a number: write "{text or label}"'
    return ""


def _no_range(ends: Any) -> str:
    """Why this is no range, "" where it is."""
    said = "must be the least and the greatest number, as in [0, 1]; null where there is no end"
    if not isinstance(ends, list) or len(ends) != 2:
        return said
    known = [end for end in ends if end is not None]
    if any(isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end) for end in known):
        return said + "; 1e6 is a text in YAML: write 1.0e+6" * any(isinstance(end, str) for end in known)
    return "" if known == sorted(known) else "begins with the greater number: turn it round"


def _line(document: Document, path: tuple[str, ...]) -> int:
    return document.lines.get(path, 1)
