"""What of a signature and an input example stands against serving a model: as Azure's scorer finds it, but before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.serving.samples import described as start
from scripts.lib.decisions import scorer
from scripts.lib.decisions.model_folder import mlmodel

Spec = dict[str, Any]


def of(kind: str, name: str | None = "a", **more: Any) -> Spec:
    return {"type": kind, "required": True, **({"name": name} if name else {}), **more}


def tensor(*shape: int, dtype: str = "float64", **more: Any) -> Spec:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}, **more}


ARRAY = {"items": {"type": "double"}}
PARTS = {"properties": {"b": {"type": "double"}}}
IN = [of("double")]


def frame(*values: Any) -> Spec:
    return {"columns": ["a"], "data": [[value] for value in values]}


def model(folder: Path, example: Any = None, kind: str = "dataframe", **signature: Any) -> Path:
    facts: dict[str, Any] = {"flavors": {"python_function": {"loader_module": "nobody"}}}
    if signature:
        facts["signature"] = {part: json.dumps(said) for part, said in signature.items()}
    if example is not None:
        (folder / "example.json").write_text(json.dumps(example))
        facts["saved_input_example_info"] = {"artifact_path": "example.json", "type": kind}
    (folder / "MLmodel").write_text(json.dumps(facts))
    return folder


#: What a model says, and a part of what is told of it; nothing where it starts.
SAID: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, ""),
    "plain columns": ({"inputs": [of("datetime"), of("float", "b")], "outputs": [of("binary", None)]}, ""),
    "unnamed outputs": ({"inputs": IN, "outputs": [of("long", None), of("long", None)]}, ""),
    "a date out": ({"inputs": IN, "outputs": [of("datetime", "ds")]}, "ds in its signature is of type datetime"),
    "an array out": ({"inputs": IN, "outputs": [of("array", **ARRAY)]}, "of type array"),
    "an object out": ({"inputs": IN, "outputs": [of("object", **PARTS)]}, "of type object"),
    "twice out": ({"inputs": IN, "outputs": [of("long"), of("long")]}, "more than once"),
    "a tensor of any size out": ({"inputs": IN, "outputs": [tensor(-1, -1)]}, "has the shape [-1, -1]"),
    "a tensor out": ({"inputs": IN, "outputs": [tensor(-1, 3)]}, ""),
    "outputs alone": ({"outputs": IN}, "no inputs"),
    "an array in": ({"inputs": [of("array", **ARRAY)]}, "a in its signature is of type array"),
    "an array later": ({"inputs": [*IN, of("array", "b", **ARRAY)]}, "b in its signature is of type array"),
    "an array with an example": ({"inputs": [of("array", **ARRAY)], "example": frame([1.5])}, ""),
    "an array without a name": ({"inputs": [of("array", None, **ARRAY)]}, ""),
    "twice in": ({"inputs": [of("long"), of("long")]}, ""),
    "images of any size": ({"inputs": [tensor(-1, -1, -1, 3)]}, "has the shape [-1, -1, -1, 3]"),
    "images by name": ({"inputs": [tensor(-1, -1, name="x")]}, "x in its signature has the shape"),
    "with an example": ({"inputs": [tensor(-1, -1)], "example": {"inputs": [[1.5]]}, "kind": "ndarray"}, ""),
    "with a bare one": ({"inputs": [tensor(-1, -1)], "example": [[1.5]], "kind": "ndarray"}, "has the shape"),
    "an object as example": ({"inputs": IN, "example": {"a": 1}, "kind": "json_object"}, "neither a frame nor arrays"),
    "a sparse matrix": ({"example": {"data": [1.5]}, "kind": "sparse_matrix_csr"}, "neither a frame nor arrays"),
    "a list as example": ({"inputs": IN, "example": ["a"], "kind": "json_object"}, ""),
}


@pytest.mark.parametrize("case", SAID)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_ends_the_scorer_is_told_before(case: str, tmp_path: Path) -> None:
    """Just that: the scorer itself, asked for its samples, agrees on each."""
    facts, told = SAID[case]
    folder = model(tmp_path, **facts)

    found = list(scorer.ends(mlmodel(folder), folder))

    assert (bool(found), all(told in line for line in found)) == (bool(told), True), found
    try:
        [said.input_to_swagger() for said in start(folder)]
    except Exception:
        assert told
    else:
        assert not told


#: A column or a tensor, what its example holds, and what Azure casts it to; nothing where that is fine.
CAST: list[tuple[Spec, Any, str]] = [
    (of("float"), frame(1.5), "double"),
    (of("integer"), frame(1, 2), "long"),
    (of("double"), frame(3), "long"),
    (of("long"), frame(1, None), "double"),
    (of("string"), frame(None), "double"),
    (of("double"), frame("3"), "string"),
    (of("double"), frame(1.5, 2), ""),
    (of("long"), frame(1), ""),
    (of("boolean"), frame(True), ""),
    (of("boolean"), frame(True, None), ""),
    (of("datetime"), frame("2026-01-01"), ""),
    (of("float", "b"), frame(1.5), ""),
    (of("array", **ARRAY), frame([1.5]), ""),
    (tensor(-1, 2, dtype="float32"), {"inputs": [[1.5, 2.5]]}, "float64"),
    (tensor(-1, 2), {"inputs": [[1, 2]]}, "int64"),
    (tensor(-1, 2), {"inputs": [[1, 2.5]]}, ""),
    (tensor(-1, dtype="float32", name="b"), {"inputs": {"b": [1.5]}}, "float64"),
    (tensor(-1, 2, dtype="float32"), [[1.5, 2.5]], ""),
    (tensor(-1, dtype="object"), {"inputs": ["a"]}, ""),
]


@pytest.mark.parametrize(("spec", "example", "cast"), CAST)
def test_what_is_cast_to_another_type_is_told(spec: Spec, example: Any, cast: str, tmp_path: Path) -> None:
    """The example decides what a request becomes, and MLflow takes no narrower type than the signature's for it."""
    kind = "dataframe" if "columns" in example else "ndarray"
    folder = model(tmp_path, example, kind, inputs=[spec])

    found = list(scorer.refused(mlmodel(folder), folder))

    assert [f"requests are cast to {cast}," in line for line in found] == [True] * bool(cast), found


def test_without_an_example_nothing_is_cast_wrongly(tmp_path: Path) -> None:
    """Requests are cast to the signature then."""
    folder = model(tmp_path, inputs=[of("float")])

    assert list(scorer.refused(mlmodel(folder), folder)) == []
