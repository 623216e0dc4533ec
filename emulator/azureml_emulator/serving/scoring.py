"""The entry script of an instance: what Azure's no-code MLflow scorer answers, over the same casts.

The body is `{"input_data": …}` as `{columns, index?, data}`, a list, or named tensors, with optional `params`
(how-to-deploy-mlflow-models). inference-schema casts the input to the model's saved input example, else to its
signature, **before** MLflow checks it: 63.9 in a `long` column becomes 63 silently. What is no JSON object with
`input_data` is answered 400, another content type 415, and all that run() raises 500: by Microsoft's server.
"""

import json
import os
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from inference_schema.schema_decorators import input_schema, output_schema

from azureml_emulator.serving.needs import lacking
from azureml_emulator.serving.samples import described, log, named_arrays


def model_folder() -> Path:
    """The folder with the MLmodel file, anywhere under AZUREML_MODEL_DIR; the shallowest if there are several."""
    root = Path(os.environ["AZUREML_MODEL_DIR"])
    found = sorted(root.rglob("MLmodel"), key=lambda path: (len(path.parts), path))
    if not found:
        raise FileNotFoundError(f"no MLmodel file under {root}")
    return found[0].parent


def parsed(data: Any) -> Any:
    """What nothing describes, by its form: JSON in a text, a list, a split frame with its index, else named arrays."""
    if isinstance(data, str):
        data = json.loads(data)
    if "input_data" in data:
        data = data["input_data"]
    if isinstance(data, list):
        return np.asarray(data)
    if isinstance(data, dict) and {"columns", "index", "data"} <= data.keys():
        return pd.read_json(StringIO(json.dumps(data)), orient="split", dtype=False)
    return named_arrays(data)


def is_cast(data: Any) -> bool:
    """Whether inference-schema has made it what a model takes: a frame, an array, or arrays by name."""
    first = next(iter(data.values()), None) if isinstance(data, dict) else data
    return isinstance(first, np.ndarray | pd.DataFrame)


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
    for line in lacking(FOLDER / "conda.yaml"):
        log.warning(line)
    model = mlflow.pyfunc.load_model(str(FOLDER))


FOLDER = model_folder()  # at import, since the server reads run()'s decoration before it calls init()
INPUT, PARAMETERS, OUTPUT = described(FOLDER)
model: Any  # a pyfunc model


@input_schema("input_data", INPUT)  # type: ignore[untyped-decorator]  # inference-schema ships no types
@input_schema("params", PARAMETERS, optional=True)  # type: ignore[untyped-decorator]
@output_schema(OUTPUT)  # type: ignore[untyped-decorator]
def run(input_data: Any, params: dict[str, Any] | None = None) -> Any:
    """Predict; the inference server calls it for each POST /score."""
    data = input_data if is_cast(input_data) else parsed(input_data)
    return jsonable(model.predict(data, params=params))
