"""What the tests of the emulator share besides its own fixtures: a real model."""

import warnings
from pathlib import Path

import pytest

pytest_plugins = ["azureml_emulator.fixtures"]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scikit-learn model as MLflow saves it, for requests like azureml_emulator.testing.SAMPLE."""
    folder: Path = tmp_path_factory.mktemp("trained") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, of its types and of integer columns
        save(folder)
    return folder


def save(folder: Path) -> None:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"size": [0.5, 1.5, 2.5, 3.5], "colour": ["red", "blue", "red", "blue"]})
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 0, 1, 1])
    requirements = ["mlflow<3", "scikit-learn", "pandas"]
    signature = infer_signature(frame, model.predict(frame))
    mlflow.sklearn.save_model(
        model, folder, signature=signature, input_example=frame.head(1), pip_requirements=requirements
    )
