"""The article's steps by its other tab, MLflow's plugin for Azure ML: prints what each one found, as JSON.

Run by itself, since the plugin needs older packages of Azure's: python article_by_plugin.py TRACKING-URI MODEL SAMPLE
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.deployments import get_deploy_client
from mlflow.tracking import MlflowClient

ENDPOINT, MODEL, BLUE = "by-plugin", "by-plugin-model", "default"
tracking, folder, sample = sys.argv[1:]
found: dict[str, Any] = {}


def config(key: str, **content: Any) -> dict[str, str]:
    """The plugin takes its settings from a file."""
    file = Path(tempfile.mkdtemp(), "config.json")
    file.write_text(json.dumps(content))
    return {key: str(file)}


def deploy(name: str, version: str) -> None:
    shape = config("deploy-config-file", instance_type="Standard_DS3_v2", instance_count=1)
    deployments.create_deployment(name=name, endpoint=ENDPOINT, model_uri=f"models:/{MODEL}/{version}", config=shape)


def split(**traffic: int) -> Any:
    deployments.update_endpoint(endpoint=ENDPOINT, config=config("endpoint-config-file", traffic=traffic))
    return deployments.get_endpoint(ENDPOINT)["properties"]["traffic"]


mlflow.set_tracking_uri(tracking)
registry, deployments = MlflowClient(), get_deploy_client(tracking)
rows = pd.DataFrame(**json.loads(Path(sample).read_text())["input_data"])

registry.create_registered_model(MODEL)
found["first"] = registry.create_model_version(MODEL, f"file://{folder}").version

auth = config("endpoint-config-file", auth_mode="key", identity={"type": "system_assigned"})
found["endpoint"] = deployments.create_endpoint(name=ENDPOINT, config=auth)["name"]

deploy(BLUE, found["first"])
found["all on blue"] = split(**{BLUE: 100})
found["answer"] = pd.DataFrame(deployments.predict(endpoint=ENDPOINT, df=rows)).to_numpy().tolist()

found["second"] = registry.create_model_version(MODEL, f"file://{folder}").version
found["newest"] = max(int(it.version) for it in registry.search_model_versions(f"name = '{MODEL}'"))

green = f"xgboost-model-{found['newest']}"
deploy(green, found["second"])
found["green's answer"] = (
    pd.DataFrame(deployments.predict(endpoint=ENDPOINT, deployment_name=green, df=rows)).to_numpy().tolist()
)
found["a tenth on green"] = split(**{BLUE: 90, green: 10})
found["all on green"] = split(**{BLUE: 0, green: 100})

deployments.delete_deployment(BLUE, endpoint=ENDPOINT)
found["deployments"] = [it["name"] for it in deployments.list_deployments(ENDPOINT)]
deployments.delete_endpoint(ENDPOINT)
print(json.dumps(found))
