"""Whether Azure's no-code scorer starts with a model's signature and input example, and takes what it is sent then.

It makes samples of both, and casts requests to them before MLflow checks the signature (mlflow_score_script.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.lib.decisions.model_example import Body, content, read_as, request, values
from scripts.lib.decisions.predictions import leaves
from scripts.lib.decisions.signature import Specs, specs

DTYPES = {"long": "int64", "double": "float64", "boolean": "bool", "string": "str"}  # numpy's names
TAKEN = {"string": ("datetime", "boolean", "binary")}  # what MLflow makes of columns of texts, too
GIVEN = ("integer", "long", "float", "double", "boolean", "string", "binary")  # with datetime: all that have samples
ENDS = "of which Azure's scorer makes no sample, and ends"


def ends(described: dict[str, Any], folder: Path) -> Iterator[str]:
    """What keeps its container from starting."""
    saved = content(folder, described)
    if _kind(described) not in ("dataframe", "ndarray") and isinstance(saved, dict):
        yield f"its input example is neither a frame nor arrays, {ENDS}. Save it with a frame"
    signature = described.get("signature")
    if not isinstance(signature, dict):
        return
    takes, gives = (specs(signature.get(part)) for part in ("inputs", "outputs"))
    if takes is None:
        yield f"its signature has no inputs, {ENDS}. Save it with inputs, or without a signature"
    elif _sample(described, saved) is None and (takes[0].get("name") or takes[0]["type"] == "tensor"):
        yield from _without_sample(takes, "Save it with an input example")
    yield from _without_sample(gives or [], "Let the signature promise something else, or no outputs", records=True)


def _without_sample(said: Specs, mend: str, records: bool = False) -> Iterator[str]:
    """What no array of zeros, or empty frame, can be made of. `records`: it is shown by rows, as outputs are."""
    names = [str(spec.get("name", at)) for at, spec in enumerate(said)]
    for name, spec in zip(names, said, strict=True):
        if spec["type"] == "tensor":
            why = f"has the shape {spec['tensor-spec']['shape']}" if -1 in spec["tensor-spec"]["shape"][1:] else ""
        elif records and names.count(name) > 1:
            why = "is there more than once"
        else:
            known = spec["type"] in GIVEN or (spec["type"] == "datetime" and not records)
            why = "" if known else f"is of type {spec['type']}"
        if why:
            yield f"{name} in its signature {why}, {ENDS}. {mend}"


def refused(described: dict[str, Any], folder: Path) -> Iterator[str]:
    """Columns and tensors that MLflow refuses of any request, since they are cast to another type than their own."""
    signature, sent = described.get("signature"), _sample(described, content(folder, described))
    takes = specs(signature.get("inputs")) if isinstance(signature, dict) else None
    for spec in takes if takes and sent else ():
        read, asked = _read(spec, sent or {}), _asked(spec)
        if read and asked not in (read, *TAKEN.get(read, ())):
            name = spec.get("name", "its input")
            yield (
                f"{name} is {asked} by its signature and {read} by its input example: requests are cast to {read}, and "
                f"refused as not {asked}. Save both with {read}, or the signature alone"
            )


def _sample(described: dict[str, Any], saved: Any) -> Body | None:
    """The example, where a sample is made of it: not of the bare list that newer MLflow writes for an array."""
    bare = _kind(described) == "ndarray" and not (isinstance(saved, dict) and "inputs" in saved)
    return None if bare else request(saved, described)


def _kind(described: dict[str, Any]) -> str:
    info = described.get("saved_input_example_info")
    return str(info.get("type")) if isinstance(info, dict) else ""


def _read(spec: dict[str, Any], sent: Body) -> str:
    """What the example's values are cast to, "" where they aren't or where it is as good as any."""
    if spec["type"] != "tensor":
        return read_as(values(str(spec.get("name")), sent)) if spec["type"] in (*GIVEN, "datetime") else ""
    data = sent["input_data"]
    part = data.get(spec.get("name")) if isinstance(data, dict) else data
    return "" if _asked(spec) == "object" else DTYPES.get(read_as([*leaves(part)]), "")


def _asked(spec: dict[str, Any]) -> str:
    return str(spec["tensor-spec"]["dtype"] if spec["type"] == "tensor" else spec["type"])
