"""What a model says of its input, output and parameters, as inference-schema wants to know it.

Azure's no-code scorer makes samples of them, the saved input example first, and where that fails its container ends:
this one ends for the same models. Named "the scorer" below.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from mlflow.models import Model
from mlflow.types.schema import DataType, ParamSchema, Schema

Array: TypeAlias = np.ndarray[Any, Any]
SAMPLES: dict[Any, Any] = {
    **{DataType.boolean: True, DataType.string: "sample string"},
    **dict.fromkeys((DataType.integer, DataType.long), 42),
    **dict.fromkeys((DataType.float, DataType.double), 0.15),
}
"""What a column or a parameter without default is like, by its type; the scorer knows no others."""
OTHER_SCORERS = ("transformers", "hftransformersv2", "langchain", "openai")
log = logging.getLogger("azmlinfsrv")


class Anything(AbstractParameterType):  # type: ignore[misc]  # inference-schema ships no types
    """What nothing describes: taken as it comes."""

    def __init__(self) -> None:
        super().__init__(None)

    def deserialize_input(self, input_data: Any) -> Any:
        """Return `input_data`."""
        return input_data

    def input_to_swagger(self) -> dict[str, Any]:
        """Return the schema of any object."""
        return {"type": "object", "example": {}}


def described(folder: Path) -> tuple[AbstractParameterType, AbstractParameterType, AbstractParameterType]:
    """Input, parameters and output of the model in a folder. Raises whatever ends Azure's container, too."""
    model = Model.load(str(folder))
    if other := [flavor for flavor in OTHER_SCORERS if flavor in model.flavors]:
        raise NotImplementedError(
            f"models of the flavor {other[0]} aren't emulated: Azure parses their input otherwise."
        )
    example, signature = _example(folder, model.saved_input_example_info), model.signature
    if signature is None:
        return _type(example, "split"), Anything(), Anything()
    signature.inputs.inputs  # the scorer needs them, example or not  # noqa: B018
    input_ = _of_input(signature.inputs) if example is None else example
    output = _of_schema(signature.outputs) if signature.outputs else None
    parameters = StandardPythonParameterType(_of_parameters(signature.params)) if signature.params else Anything()
    return _type(input_, "split"), parameters, _type(output, "records")


def _example(folder: Path, info: Mapping[str, str] | None) -> Any:
    """The saved input example; None where there is none, or it can't be used."""
    if not info:
        return None
    try:  # not by Model.load_input_example: that casts the example to the signature, which the scorer doesn't
        text = (folder / info["artifact_path"]).read_text()
        content = json.loads(text)
        orient: Any = "split" if "columns" in content else "values"  # asked of all, so a number can't be used
        if info["type"] == "dataframe":
            return pd.read_json(StringIO(text), orient=orient, dtype=False)
        if info["type"] != "ndarray":
            return content
        inputs = content["inputs"]
        return named_arrays(inputs) if isinstance(inputs, dict) else np.asarray(inputs)
    except Exception as error:
        log.warning("the input example can't be used (%s: %s), so the signature is", type(error).__name__, error)
        return None


def named_arrays(named: Mapping[str, Any]) -> dict[str, Array]:
    """Each value as an array."""
    return {name: np.asarray(values) for name, values in named.items()}


def _of_input(schema: Schema) -> Any:
    if schema.is_tensor_spec():
        return _of_schema(schema)
    try:
        return _of_schema(schema)
    except Exception as error:
        log.warning("the signature makes no frame (%s: %s)", type(error).__name__, error)
    first = schema.inputs[0]
    if first.name is None:
        return []
    if not isinstance(first.type, DataType) or first.type not in SAMPLES:
        raise UnboundLocalError("local variable 'sample_input' referenced before assignment")  # the scorer's own words
    return dict.fromkeys(schema.input_names(), SAMPLES[first.type])  # of which inference-schema makes nothing


def _of_schema(schema: Schema) -> Any:
    """An array of zeros, several by name, or an empty frame with the types of the columns."""
    if not schema.is_tensor_spec():
        types = dict(zip(schema.input_names(), schema.pandas_types(), strict=False))
        return pd.DataFrame(columns=schema.input_names()).astype(types)
    if not schema.has_input_names():
        return _zeros(schema.inputs[0])
    return {spec.name: _zeros(spec) for spec in schema.inputs}


def _zeros(spec: Any) -> Array:
    """Of a TensorSpec: one row where the number of rows is free; another free dimension is none that numpy knows."""
    free_rows = bool(spec.shape) and spec.shape[0] == -1
    return np.zeros((1, *spec.shape[1:]) if free_rows else spec.shape, dtype=spec.type)


def _of_parameters(schema: ParamSchema) -> dict[str, Any]:
    given: dict[str, Any] = {
        it.name: SAMPLES.get(it.dtype) if it.default is None else it.default for it in schema.params
    }
    return {name: value for name, value in given.items() if value is not None}


def _type(sample: Any, orient: str) -> AbstractParameterType:
    """How inference-schema reads what is like `sample`. The number of rows and columns is free."""
    if isinstance(sample, pd.DataFrame):
        return PandasParameterType(sample, enforce_shape=False, orient=orient)
    if isinstance(sample, np.ndarray):
        return NumpyParameterType(sample, enforce_shape=False)
    if isinstance(sample, dict):
        each = {name: NumpyParameterType(value, enforce_shape=False) for name, value in sample.items()}
        return StandardPythonParameterType(each)
    return Anything()
