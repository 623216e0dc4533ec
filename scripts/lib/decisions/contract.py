"""What a model promises its clients, and what of that another one breaks: pure decisions, without Azure and MLflow.

The contract is blue's. Its clients send what its signature says; what they send besides is let pass by Azure's scorer.
That scorer casts before it checks, and silently: 63.9 becomes 63 where green takes a `long`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.lib.decisions.metrics import table
from scripts.lib.decisions.model_example import example, narrowed
from scripts.lib.decisions.model_folder import mlmodel
from scripts.lib.decisions.model_tags import LABELS, listed, readable
from scripts.lib.decisions.number_types import holds
from scripts.lib.decisions.signature import Field, Specs, fields, holds_shape, specs

TRAILER = re.compile(r"(?im)^[\s*-]*contract-change:(.+)$")


@dataclass(frozen=True)
class Contract:
    """None stands for what the model doesn't say. `example` is the saved input example as a request.

    `takes` and `gives` are the signature's inputs and outputs as they stand in it, `tags` its metadata.
    """

    inputs: Mapping[str, Field] | None = None
    outputs: Mapping[str, Field] | None = None
    params: Mapping[str, Field] | None = None
    labels: list[Any] | None = None
    example: dict[str, Any] | None = None
    takes: Specs | None = None
    gives: Specs | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """`column` is its name in a Contract-Change; `breaks`: a client of blue's is refused or misunderstood.

    `answered`: it is about what the model answers, not about what it is sent.
    """

    column: str
    what: str
    breaks: bool
    answered: bool = False


def contract(folder: Path) -> Contract:
    """That of a model folder, of which MLmodel and the input example are enough."""
    described = mlmodel(folder)
    signature, said = described.get("signature"), readable(described.get("metadata"))
    parts = signature if isinstance(signature, dict) else {}
    inputs, outputs, params = (fields(parts.get(part)) for part in ("inputs", "outputs", "params"))
    sent = example(folder, described)
    if inputs and sent:
        cast = {name: narrowed(field.type, name, sent) for name, field in inputs.items()}
        inputs = {name: Field(cast[name], field.required, field.shape) for name, field in inputs.items()}
    if params is None and inputs is not None:
        params = {}
    takes, gives = specs(parts.get("inputs")), specs(parts.get("outputs"))
    return Contract(inputs, outputs, params, listed(said.get(LABELS)), sent, takes, gives, said)


def differences(blue: Contract, green: Contract) -> list[Difference]:
    """All that differs, whether it breaks anything or not."""
    return [
        *_signatures(blue, green),
        *(_inputs(blue.inputs, green.inputs) if blue.inputs is not None and green.inputs is not None else ()),
        *(_params(blue.params, green.params) if blue.params is not None and green.params is not None else ()),
        *(_outputs(blue.outputs, green.outputs) if blue.outputs is not None and green.outputs is not None else ()),
        *_labels(blue.labels, green.labels),
    ]


def declared(messages: Iterable[str]) -> set[str]:
    """The columns that `Contract-Change: COLUMN` lines name, several with commas; one with a comma in it, too."""
    found = {text for message in messages for text in TRAILER.findall(message)}
    parts = {part for text in found for part in (text, *text.split(","))}
    return {part.strip(" \t\r`'\"") for part in parts} - {""}


def unexcused(found: Iterable[Difference], allowed: Iterable[str]) -> list[Difference]:
    """The breaks that nobody has allowed; who allows a column allows what is in it."""
    names = set(allowed)
    return [it for it in found if it.breaks and not any(_names(name, it.column) for name in names)]


def shown(found: Sequence[Difference], left: Sequence[Difference]) -> str:
    """The differences as a Markdown table; `left` are the breaks that nobody has allowed."""
    rows = [(it.column, it.what, _verdict(it, left)) for it in found]
    return table(("", "what differs", "breaks clients"), rows)


def _verdict(found: Difference, left: Sequence[Difference]) -> str:
    if not found.breaks:
        return "no"
    return "**yes**" if found in left else "yes, which is meant"


def _names(name: str, column: str) -> bool:
    return column == name or column.startswith((f"{name}.", f"{name}[]", f"{name}{{}}"))


def _signatures(blue: Contract, green: Contract) -> Iterator[Difference]:
    if blue.inputs is None:
        yield Difference("signature", "blue has none, so it isn't known what its clients send", breaks=False)
    elif green.inputs is None:
        yield Difference("signature", "green has none, so what it is sent is neither cast nor checked", breaks=False)
    if bool(blue.example) != bool(green.example):
        who = "green" if green.example else "blue"
        yield Difference("input example", f"only {who} has one; what is sent is cast to it", breaks=False)


def _inputs(old: Mapping[str, Field], new: Mapping[str, Field]) -> Iterator[Difference]:
    for name in [name for name in new if name not in old]:
        what = "required, and blue's clients don't send it" if new[name].required else "new, and optional"
        yield Difference(name, what, new[name].required)
    for name in [name for name in old if name not in new]:
        yield Difference(name, "not asked for any more; whoever sends it is answered all the same", breaks=False)
    for name in [name for name in old if name in new]:
        before, after = old[name], new[name]
        if before.required != after.required:
            what = "required, where blue does without it" if after.required else "optional now"
            yield Difference(name, what, after.required)
        yield from _kinds(name, before, after, answered=False)


def _params(old: Mapping[str, Field], new: Mapping[str, Field]) -> Iterator[Difference]:
    for name in sorted(old.keys() | new.keys()):
        before, after, column = old.get(name), new.get(name), f"params.{name}"
        if after is None:
            yield Difference(column, "ignored: green has no such param", breaks=True)
        elif before is None:
            without = after.default is None
            yield Difference(column, "a new param without a default" if without else "a new param", without)
        else:
            yield from _kinds(column, before, after, answered=False)
            if before.default != after.default:
                what = f"{json.dumps(after.default)} where it isn't sent, {json.dumps(before.default)} by blue"
                yield Difference(column, what, after.default is None)


def _outputs(old: Mapping[str, Field], new: Mapping[str, Field]) -> Iterator[Difference]:
    def called(name: str) -> str:
        return "output" if len(old) == len(new) == 1 and name == "0" else f"output.{name}"

    for name in [name for name in new if name not in old]:
        yield Difference(called(name), "new in the answer", breaks=False, answered=True)
    for name in [name for name in old if name not in new]:
        yield Difference(called(name), "not in the answer any more", breaks=True, answered=True)
    for name in [name for name in old if name in new]:
        yield from _kinds(called(name), old[name], new[name], answered=True)


def _kinds(column: str, old: Field, new: Field, answered: bool) -> Iterator[Difference]:
    """Types and shapes. What is sent must fit into green's, what is answered into blue's."""
    wide, narrow = (old, new) if answered else (new, old)
    if old.type != new.type:
        fits = holds(wide.type, narrow.type)
        silently = not fits and not answered and holds(narrow.type, wide.type)
        more = ": what doesn't fit is changed silently" if silently else ""
        yield Difference(column, f"{new.type}, where blue has {old.type}{more}", not fits, answered)
    if old.shape != new.shape:
        what = f"shape {_size(new.shape)}, where blue has {_size(old.shape)}"
        yield Difference(column, what, not holds_shape(wide.shape, narrow.shape), answered)


def _labels(old: list[Any] | None, new: list[Any] | None) -> Iterator[Difference]:
    """1, "1", 1.0 and true are different ones, as they are to a client."""
    if old is None:
        return
    if new is None:
        yield Difference(LABELS, "green doesn't say which it has", breaks=True, answered=True)
        return
    before, after = ([json.dumps(label) for label in labels] for labels in (old, new))
    if added := [label for label in after if label not in before]:
        yield Difference(LABELS, f"{', '.join(added)}: blue never answers that", breaks=True, answered=True)
    if gone := [label for label in before if label not in after]:
        yield Difference(LABELS, f"never {', '.join(gone)} any more", breaks=False, answered=True)


def _size(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else str(list(shape))
