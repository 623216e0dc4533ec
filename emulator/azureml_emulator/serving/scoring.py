"""The entry script of an instance: what Azure's no-code MLflow scorer answers, over the same casts.

The body is `{"input_data": …}` as `{columns, index?, data}`, a list, or named tensors, with optional `params`
(how-to-deploy-mlflow-models). inference-schema casts the input to the model's saved input example, else to its
signature, **before** MLflow checks it: 63.9 in a `long` column becomes 63 silently. What is no JSON object with
`input_data` is answered 400, another content type 415, and all that run() raises 500: by Microsoft's server.
"""

import json
import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

import mlflow.pyfunc
import numpy as np
import pandas as pd
from inference_schema.parameter_types.abstract_parameter_type import AbstractParameterType
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema
from mlflow.models import Model
from mlflow.types.schema import Schema

Array: TypeAlias = np.ndarray[Any, Any]
Sample: TypeAlias = pd.DataFrame | Array | dict[str, Array] | None


class Uncast(AbstractParameterType):  # type: ignore[misc]  # inference-schema ships no types
    """An input that nothing describes: taken as it comes."""

    def __init__(self) -> None:
        super().__init__(None)

    def deserialize_input(self, input_data: Any) -> Any:
        """Return `input_data`: a frame, an array or named arrays, by its form."""
        if isinstance(input_data, list):
            return np.asarray(input_data)
        if isinstance(input_data, dict) and {"columns", "data"} <= input_data.keys():
            return pd.DataFrame(**input_data)
        if isinstance(input_data, dict):
            return _arrays(input_data)
        raise ValueError("input_data is neither a split frame, a list nor named tensors")

    def input_to_swagger(self) -> dict[str, Any]:
        """Return the schema of any object."""
        return {"type": "object", "example": {}}


def model_folder() -> Path:
    """The folder with the MLmodel file, anywhere under AZUREML_MODEL_DIR; the shallowest if there are several."""
    root = Path(os.environ["AZUREML_MODEL_DIR"])
    found = sorted(root.rglob("MLmodel"), key=lambda path: (len(path.parts), path))
    if not found:
        raise FileNotFoundError(f"no MLmodel file under {root}")
    return found[0].parent


def sample(folder: Path) -> Sample:
    """What the input is cast to: the saved example, else zero rows in the shape of the signature, else nothing."""
    model = Model.load(str(folder))
    if model.saved_input_example_info:
        example = _saved_example(folder, model.saved_input_example_info)
        if example is not None:
            return example
    schema = model.signature.inputs if model.signature else None
    if schema is None:
        return None
    return _zero_tensors(schema) if schema.is_tensor_spec() else _empty_frame(schema)


def _saved_example(folder: Path, info: Mapping[str, str]) -> Sample:
    # Not by Model.load_input_example: that casts the example to the signature, which Azure does not.
    text = (folder / info["artifact_path"]).read_text()
    content = json.loads(text)
    if info["type"] == "dataframe":
        return pd.read_json(StringIO(text), orient="split" if "columns" in content else "values", dtype=False)
    if info["type"] == "ndarray":
        inputs = content["inputs"]
        return _arrays(inputs) if isinstance(inputs, dict) else np.asarray(inputs)
    return None


def _arrays(named: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(values) for name, values in named.items()}


def _empty_frame(schema: Schema) -> pd.DataFrame:
    columns = zip(schema.input_names(), schema.pandas_types(), strict=True)
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns})


def _zero_tensors(schema: Any) -> Array | dict[str, Array]:
    tensors = {spec.name: np.zeros([abs(size) for size in spec.shape], spec.type) for spec in schema.inputs}
    return tensors if schema.has_input_names() else next(iter(tensors.values()))


def parameter_type(example: Sample) -> AbstractParameterType:
    """How inference-schema reads an input like `example`. The number of rows and columns is free."""
    if isinstance(example, pd.DataFrame):
        return PandasParameterType(example, enforce_shape=False, orient="split")
    if isinstance(example, np.ndarray):
        return NumpyParameterType(example, enforce_shape=False)
    if isinstance(example, dict):
        return StandardPythonParameterType(
            {name: NumpyParameterType(value, enforce_shape=False) for name, value in example.items()}
        )
    return Uncast()


def jsonable(prediction: Any) -> Any:
    """A prediction as JSON holds it: arrays as lists, frames and series as a list of records."""
    if isinstance(prediction, pd.Series):
        prediction = prediction.to_frame()
    if isinstance(prediction, pd.DataFrame):
        return prediction.to_dict(orient="records")
    return prediction.tolist() if isinstance(prediction, np.ndarray) else prediction


def init() -> None:
    """Load the model; the inference server calls it once."""
    global model
    model = mlflow.pyfunc.load_model(str(FOLDER))


FOLDER = model_folder()  # at import, since the server reads run()'s decoration before it calls init()
model: Any  # a pyfunc model


@input_schema("input_data", parameter_type(sample(FOLDER)))  # type: ignore[untyped-decorator]  # as above
def run(input_data: Any, params: dict[str, Any] | None = None) -> Any:
    """Predict; the inference server calls it for each POST /score."""
    return jsonable(model.predict(input_data, params=params))
