"""The calls: the article's steps and what a rollout asks besides, on an endpoint of its own, through the SDK."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azureml_emulator.compare.cleaning import PREFIX, TAG, clean, say
from azureml_emulator.compare.masks import Masks
from azureml_emulator.compare.recording import recorded
from azureml_emulator.testing import SAMPLE, toy_model

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

#: What names the workspace, and how its values are masked.
VARIABLES = {
    "AZURE_SUBSCRIPTION_ID": "subscription",
    "AZURE_RESOURCE_GROUP": "group",
    "AZURE_ML_WORKSPACE": "workspace",
}
#: What Azure builds the image from: what its container needs (serving/azure-needs.txt), no library of the model's own.
PACKAGES = ["mlflow>=2.22,<3", "pandas", "azureml-inference-server-http==1.5.1", "azureml-ai-monitoring==1.0.0"]
CONDA = {"dependencies": ["python=3.10", "pip", {"pip": PACKAGES}]}


def connect() -> MLClient:
    """To the workspace of the environment variables."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    place = (os.environ[name] for name in VARIABLES)
    return MLClient(DefaultAzureCredential(process_timeout=60), *place, show_progress=False, enable_telemetry=False)


def replay(trace: Path, instance_type: str) -> None:
    """Makes the calls and writes them down. What it made is deleted at the end, however that comes."""
    name = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    client = connect()
    known = {os.environ[variable]: mask for variable, mask in VARIABLES.items()} | {name: "own"}
    with redirect_stdout(sys.stderr):  # the SDK's dots
        try:
            with recorded(trace, Masks(known)):
                Replay(client, name, instance_type).run()
        except BaseException as error:
            say(f"Ended early ({str(error) or type(error).__name__}); now what was made is deleted")
            raise
        finally:
            clean(client, name)


class Replay:
    """`name` is the endpoint's and the model's."""

    def __init__(self, client: MLClient, name: str, instance_type: str) -> None:
        self.client, self.name, self.instance_type = client, name, instance_type

    def run(self) -> None:
        from azure.ai.ml.entities import ManagedOnlineEndpoint

        say(f"Registering {self.name}, creating the endpoint")
        with refused():
            self.client.models.get(self.name, label="latest")
        with refused():
            self.client.online_endpoints.get(self.name)
        self.register()
        endpoint = ManagedOnlineEndpoint(name=self.name, auth_mode="key", tags=TAG)
        self.client.online_endpoints.begin_create_or_update(endpoint).result()
        with refused():
            self.deploy("missing", "99")
        self.deploy("blue", "1")
        self.split(blue=100)
        self.ask()
        self.register()
        self.deploy("green", self.client.models.get(self.name, label="latest").version)
        self.ask("green")
        self.look()
        self.split(blue=90, green=10)
        self.ask("blue")
        with refused():
            self.split(blue=90, none=10)
        self.split(blue=0, green=100)
        self.ask()
        say("Deleting blue, then the endpoint")
        self.client.online_deployments.begin_delete("blue", self.name).result()
        list(self.client.online_deployments.list(self.name))
        self.client.online_endpoints.begin_delete(self.name).result()
        with refused():
            self.client.online_endpoints.get(self.name)

    def register(self) -> None:
        from azure.ai.ml.entities import Model

        with tempfile.TemporaryDirectory() as folder:
            model = Model(name=self.name, path=toy(Path(folder), self.name), type="mlflow_model", tags=TAG)
            self.client.models.create_or_update(model)

    def deploy(self, name: str, version: str) -> None:
        from azure.ai.ml.entities import ManagedOnlineDeployment

        say(f"Deploying {name}")
        deployment = ManagedOnlineDeployment(
            name=name,
            endpoint_name=self.name,
            model=f"azureml:{self.name}:{version}",
            tags=TAG,
            instance_type=self.instance_type,
            instance_count=1,
        )
        self.client.online_deployments.begin_create_or_update(deployment).result()

    def split(self, **traffic: int) -> None:
        say(f"Traffic {traffic}")
        endpoint: Any = self.client.online_endpoints.get(self.name)
        endpoint.traffic = traffic
        self.client.online_endpoints.begin_create_or_update(endpoint).result()
        self.client.online_endpoints.get(self.name)

    def ask(self, deployment: str = "") -> None:
        """One prediction, with the key and with a wrong one.

        The SDK's `invoke` isn't recorded, and would keep asking the deployment that it once named.
        """
        from azure.core import PipelineClient
        from azure.core.rest import HttpRequest, HttpResponse

        uri = self.client.online_endpoints.get(self.name).scoring_uri
        key = self.client.online_endpoints.get_keys(self.name).primary_key
        chosen = {"azureml-model-deployment": deployment} if deployment else {}
        with PipelineClient[HttpRequest, HttpResponse](uri) as client:
            for given in (key, "wrong"):
                headers = {"Authorization": f"Bearer {given}", **chosen}
                client.send_request(HttpRequest("POST", uri, headers=headers, json=SAMPLE))

    def look(self) -> None:
        """What is read on the way: versions, deployments, a log, one that isn't there."""
        list(self.client.models.list(self.name))
        list(self.client.online_deployments.list(self.name))
        self.client.online_deployments.get("green", self.name)
        self.client.online_deployments.get_logs("green", self.name, 10)
        with refused():
            self.client.online_deployments.get("none", self.name)


def toy(folder: Path, name: str) -> Path:
    """A model as Azure can serve it; another each time, since the same bytes wouldn't be uploaded again."""
    model = toy_model(folder / "model", metadata={"name": name, "at": time.time()})
    (model / "conda.yaml").write_text(json.dumps(CONDA))  # which is YAML
    return model


@contextmanager
def refused() -> Iterator[None]:
    """For a call that Azure is to refuse: how it does, and whether, is in the trace."""
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import HttpResponseError

    with suppress(HttpResponseError, MlException):
        yield


if __name__ == "__main__":  # in a process of its own, whose environment leads to the emulator
    replay(Path(sys.argv[1]), sys.argv[2])
