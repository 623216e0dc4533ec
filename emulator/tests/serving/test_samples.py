"""What a model says of itself, as Azure's no-code scorer takes it: what it can't use, and what ends its container."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from azureml_emulator.serving.samples import described

LONG, DOUBLE = {"type": "long", "name": "a", "required": True}, {"type": "double", "name": "b", "required": True}
ANY = {"type": "object", "example": {}}


def tensor(*shape: int, name: str | None = None) -> dict[str, Any]:
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": list(shape)}}
    return spec if name is None else {"name": name, **spec}


def array(name: str = "a") -> dict[str, Any]:
    return {"type": "array", "items": {"type": "double"}, "name": name, "required": True}


def model(
    folder: Path, example: Any = None, kind: str = "dataframe", flavor: str = "python_function", **signature: Any
) -> Path:
    """An MLmodel with that signature and example; a text is the example's file as it is."""
    description: dict[str, Any] = {"flavors": {flavor: {}, "python_function": {"loader_module": "nobody"}}}
    if signature:
        description["signature"] = {name: json.dumps(columns) for name, columns in signature.items()}
    if example is not None:
        (folder / "example.json").write_text(example if isinstance(example, str) else json.dumps(example))
        description["saved_input_example_info"] = {"artifact_path": "example.json", "type": kind}
    (folder / "MLmodel").write_text(json.dumps(description))
    return folder


UNUSABLE = [
    pytest.param([1.0, 2.0], "ndarray", id="an array as MLflow 2.22 writes it, a bare list"),
    pytest.param("{", "dataframe", id="no JSON"),
    pytest.param({"columns": ["a"], "data": {"a": [1]}, "more": 1}, "dataframe", id="no frame"),
    pytest.param(7, "json_object", id="a number, which has no columns"),
]


@pytest.mark.parametrize(("example", "kind"), UNUSABLE)
def test_an_example_that_cannot_be_used_leaves_the_signature(tmp_path: Path, example: Any, kind: str) -> None:
    """Whatever loading it raises is caught."""
    input_, _, _ = described(model(tmp_path, example, kind, inputs=[LONG, DOUBLE]))

    assert dict(input_.sample_input.dtypes) == {"a": np.dtype("int64"), "b": np.dtype("float64")}


def test_a_missing_example_leaves_the_signature(tmp_path: Path) -> None:
    """Its file may be left out of a folder."""
    folder = model(tmp_path, {"columns": ["a"], "data": [[1]]}, inputs=[DOUBLE])
    (folder / "example.json").unlink()

    assert list(described(folder)[0].sample_input.columns) == ["b"]


def test_the_example_goes_before_the_signature(tmp_path: Path) -> None:
    """With the types that pandas reads in it."""
    input_, _, _ = described(model(tmp_path, {"columns": ["b"], "data": [[1]]}, inputs=[DOUBLE]))

    assert dict(input_.sample_input.dtypes) == {"b": np.dtype("int64")}


@pytest.mark.parametrize("example", [["a", "b"], "text"])
def test_an_example_that_is_a_list_or_a_text_says_nothing(tmp_path: Path, example: Any) -> None:
    """Such input is parsed when it comes, not cast."""
    input_, _, _ = described(model(tmp_path, json.dumps(example), kind="json_object"))

    assert input_.input_to_swagger() == ANY


def test_a_free_number_of_rows_is_one_row(tmp_path: Path) -> None:
    """So that the sample can be shown."""
    assert described(model(tmp_path, inputs=[tensor(-1, 2)]))[0].sample_input.shape == (1, 2)


def test_the_output_is_described_by_its_records(tmp_path: Path) -> None:
    """A frame of the signature's columns."""
    _, _, output = described(model(tmp_path, inputs=[LONG], outputs=[DOUBLE]))

    assert isinstance(output.sample_input, pd.DataFrame) and output.orient == "records"


def test_parameters_have_their_defaults_as_a_sample(tmp_path: Path) -> None:
    """inference-schema then shows them."""
    params = [{"name": "beams", "type": "long", "default": 3, "shape": None}]

    _, parameters, _ = described(model(tmp_path, inputs=[LONG], params=params))

    assert parameters.sample_input == {"beams": 3}


def test_nothing_said_is_anything(tmp_path: Path) -> None:
    """Neither signature nor example."""
    assert [it.input_to_swagger() for it in described(model(tmp_path))] == [ANY] * 3


DEADLY = [
    pytest.param({"inputs": [tensor(-1, -1)]}, "negative dimensions", id="a free inner dimension of the input"),
    pytest.param({"inputs": [tensor(2, -1, name="x")]}, "negative dimensions", id="of a named input"),
    pytest.param({"inputs": [LONG], "outputs": [tensor(-1, -1)]}, "negative dimensions", id="of the output"),
    pytest.param({"inputs": [LONG], "outputs": [array()]}, "not DataType", id="an array column in the output"),
    pytest.param({"inputs": [array()]}, "referenced before assignment", id="an array column first in the input"),
    pytest.param({"inputs": [LONG, array("b")]}, "must provide a sample Numpy array", id="an array column later"),
    pytest.param({"outputs": [LONG]}, "inputs", id="a signature of the output alone"),
    pytest.param(
        {"params": [{"name": "n", "type": "long", "default": 3, "shape": None}]}, "inputs", id="of parameters alone"
    ),
    pytest.param({"inputs": [LONG], "outputs": [LONG, LONG]}, "unique", id="a column twice in the output"),
    pytest.param({"inputs": [LONG], "example": {"a": 1}, "kind": "json_object"}, "Numpy array", id="a dict example"),
]


@pytest.mark.parametrize(("facts", "words"), DEADLY)
def test_what_ends_azure_s_container_ends_this_one(tmp_path: Path, facts: dict[str, Any], words: str) -> None:
    """With the same words in its log, as far as they are libraries'."""
    with pytest.raises(Exception, match=words):
        [said.input_to_swagger() for said in described(model(tmp_path, **facts))]


@pytest.mark.parametrize("flavor", ["transformers", "langchain"])
def test_language_models_are_out_of_scope(tmp_path: Path, flavor: str) -> None:
    """And the log says so."""
    with pytest.raises(NotImplementedError, match=f"{flavor} aren't emulated"):
        described(model(tmp_path, flavor=flavor, inputs=[LONG]))
