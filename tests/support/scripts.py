"""What the tests of the scripts share: a repository with a model name of its own, toy models, a way to run a script."""

from __future__ import annotations

import functools
import importlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from azureml_emulator import testing
from azureml_emulator.testing import Arm
from azureml_emulator.testing import endpoint as endpoint_body
from scripts.lib.azure.asking import EXPECTATIONS
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.scoring_client import ROWS as SMOKE_REQUESTS
from scripts.lib.azure.scoring_client import SAMPLE as SAMPLE_REQUEST
from scripts.lib.azure.workspace import Workspace
from scripts.lib.setup.rights import RIGHTS
from tests.support import ROOT

GREEN = "xgboost-model-2"
SAMPLE = {"input_data": {"columns": ["age", "height", "colour"], "index": [0], "data": [[48, 1.7, "red"]]}}
ROWS = [[age, 1.5, "blue"] for age in range(20, 34)]
toy_model = functools.partial(testing.toy_model, sample=SAMPLE)


def run(script: str, *arguments: object, stdin: str = "", **environ: str) -> Result:
    """Run a script in this process, which has imported the SDK already."""
    command = importlib.import_module(f"scripts.{script}").main
    return CliRunner().invoke(command, [str(argument) for argument in arguments], input=stdin, env=environ)


def outputs(path: Path) -> dict[str, str]:
    """The outputs of a step, of which each has one line."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def change(path: Path, **fields: Any) -> None:
    """Set fields of a YAML file."""
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}))


def name_deployments(endpoints: Path) -> None:
    """Name them as the article and the tests do, whatever this repository names them."""
    change(endpoints / "blue-deployment.yml", name="default")
    change(endpoints / "green-deployment.yml", name="xgboost-model")


def own_requests(folder: Path) -> None:
    """Requests that toys take, and no more expectations than they have: whatever model this repository has."""
    (folder / SAMPLE_REQUEST).write_text(json.dumps(SAMPLE))
    (folder / SMOKE_REQUESTS).write_text(json.dumps({"input_data": {**SAMPLE["input_data"], "data": ROWS}}))
    (folder / EXPECTATIONS).unlink(missing_ok=True)


@contextmanager
def repository(folder: Path, model: str) -> Iterator[Path]:
    """Work in a copy of endpoints/ whose model has another name, so that its versions are the test's own."""
    shutil.copytree(ROOT / "endpoints", folder / "endpoints")
    own_requests(folder)
    change(folder / "endpoints" / "endpoint.yml", tags={"model": model})
    name_deployments(folder / "endpoints")
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


class Live:
    """An endpoint that the scripts work on; `tags` are those it had when it was ready for tests."""

    def __init__(self, name: str):
        self.name = name
        self.tags: Mapping[str, str] = {}

    def run(self, script: str, *arguments: object, **environ: str) -> Result:
        """Run a script on it."""
        return run(script, *arguments, ENDPOINT_NAME=self.name, **environ)

    def do(self, script: str, *arguments: object, **environ: str) -> str:
        """Run a script that must succeed; what it prints."""
        result = self.run(script, *arguments, **environ)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    def serve(self, version: object) -> str:
        """Deploy a version as the endpoint's first, and give it all traffic; its deployment's name."""
        name = self.do("deploy", "--version", version)
        self.do("promote", "--percent", 100)
        return name

    def show(self) -> dict[str, Any]:
        """What show_endpoint prints."""
        shown: dict[str, Any] = json.loads(self.do("show_endpoint"))
        return shown

    @property
    def traffic(self) -> dict[str, int]:
        return dict(self.show()["traffic"])

    @property
    def deployments(self) -> dict[str, dict[str, Any]]:
        return {deployment["name"]: deployment for deployment in self.show()["deployments"]}


@contextmanager
def pair_endpoint(folder: Path, model: str, *toys: Mapping[str, Any]) -> Iterator[Live]:
    """An endpoint named like the model, whose versions the toys are: `default` has the first, green the second, at 0 %.

    Further toys are registered, but not deployed.
    """
    with repository(folder / "repository", model=model):
        for number, facts in enumerate(toys):
            run("register_model", toy_model(folder / str(number), **facts))
        live = Live(model)
        live.do("create_endpoint")
        live.serve(1)
        live.do("deploy", "--version", 2)
        live.tags = opened(os.environ, live).read().tags
        yield live


def opened(azure: Mapping[str, str], live: Live) -> OnlineEndpoint:
    """It as the scripts see it, for what no command does."""
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
    return OnlineEndpoint(Workspace(*(azure[name] for name in names)), live.name)


def write(arm: Arm, live: Live, traffic: dict[str, int], tags: Mapping[str, str] | None = None, **more: Any) -> None:
    """Somebody else's write of the split, once no operation is running; with the tags there are, unless others."""
    path = f"onlineEndpoints/{live.name}"
    kept = arm("GET", path).json()["tags"] if tags is None else dict(tags)
    body = {**endpoint_body(traffic=traffic, **more), "tags": kept}
    while (answer := arm("PUT", path, body)).status_code == 409:
        time.sleep(0.1)
    assert arm.settle(answer)["status"] == "Succeeded"


def restore(arm: Arm, live: Live) -> None:
    """All traffic on `default`, and the tags as they were when the endpoint was ready."""
    write(arm, live, {"default": 100}, live.tags)


def own_identity(arm: Arm, environment: str) -> dict[str, str]:
    """What selects the identity of an environment: it has a role with its rights on the workspace, and no other."""
    group = f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers"
    authorization = f"{arm.base}{arm.workspace}/providers/Microsoft.Authorization"
    role = f"{authorization}/roleDefinitions/{uuid.uuid4()}"
    identity = arm("PUT", f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/{environment}", {}).json()
    actions = [f"Microsoft.MachineLearningServices/workspaces/{action}" for action in RIGHTS[environment]]
    permissions = [{"actions": actions}]
    properties = {"roleName": environment, "permissions": permissions, "assignableScopes": [arm.workspace]}
    given = {"principalId": identity["properties"]["principalId"], "roleDefinitionId": role}
    assert arm("PUT", role, {"properties": properties}).status_code == 201
    put = arm("PUT", f"{authorization}/roleAssignments/{uuid.uuid4()}", {"properties": given})
    assert put.status_code == 201
    return {"AZURE_CLIENT_ID": identity["properties"]["clientId"]}
