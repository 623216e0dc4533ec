"""Imported once, by the fork server: an instance forked from it starts in a tenth of a second instead of five seconds.

Microsoft's server itself is absent on purpose: importing it reads the instance's environment.
"""

import contextlib
import os

os.environ["OMP_NUM_THREADS"] = "1"  # before the first import below starts threads, which a fork does not survive

import azure.monitor.opentelemetry.exporter  # noqa: F401
import flask  # noqa: F401
import gunicorn.app.base
import gunicorn.workers.sync  # noqa: F401
import inference_schema.parameter_types.pandas_parameter_type
import inference_schema.parameter_types.standard_py_parameter_type
import inference_schema.schema_decorators  # noqa: F401
import mlflow.pyfunc
import mlflow.sklearn
import mlflow.utils.requirements_utils
import pydantic_settings  # noqa: F401
import sklearn.compose
import sklearn.linear_model
import sklearn.pipeline  # noqa: F401

with contextlib.suppress(ImportError):  # what models most often need, and is none of our dependencies
    import xgboost  # noqa: F401

# The first model a process loads makes MLflow list all that is installed, which takes 0.3 s.
mlflow.utils.requirements_utils.warn_dependency_requirement_mismatches(["mlflow"])
