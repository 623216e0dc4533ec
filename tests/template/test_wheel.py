"""The emulator as others get it: a wheel, the same whoever builds it, that needs nothing of this repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.lib.yours import packing
from tests.support import ROOT

UV = ROOT / ".venv" / "bin" / "uv"
MOST_BYTES = 230_000
USE = """
import json
import os
from pathlib import Path

from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, Model
from azure.identity import DefaultAzureCredential

from azureml_emulator.github import schema
from azureml_emulator.testing import SAMPLE, toy_model
from azureml_emulator.workflows.act import STAND_INS

names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
client = MLClient(DefaultAzureCredential(), *(os.environ[name] for name in names))
client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="elsewhere")).result()
model = Model(name="toy", path=str(toy_model(Path("toy"), answer="hello")), type="mlflow_model")
deployment = ManagedOnlineDeployment(
    name="toy",
    endpoint_name="elsewhere",
    model=client.models.create_or_update(model),
    instance_type="Standard_F2s_v2",
    instance_count=1,
)
client.online_deployments.begin_create_or_update(deployment).result()
Path("sample.json").write_text(json.dumps(SAMPLE))

print()  # ends the SDK's dots
print(client.online_endpoints.get("elsewhere").provisioning_state)
print(client.online_endpoints.invoke("elsewhere", request_file="sample.json", deployment_name="toy"))
print(len(schema.DESCRIPTION.table) > 10, (STAND_INS / "azure" / "login" / "action.yml").is_file(), schema.__file__)
"""


def build(tree: Path, out: Path) -> Path:
    subprocess.run(["make", "--old-file=install", "-C", tree, "wheel", f"OUT={out}"], check=True, capture_output=True)
    [wheel] = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


def test_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """Built elsewhere, at another time and by somebody with another umask, the wheel is the same to the byte."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "emulator", tree / "emulator")
    shutil.copy(ROOT / "Makefile", tree)
    (tree / ".venv").symlink_to(ROOT / ".venv")
    for path in (tree / "emulator").rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1_600_000_000, 1_600_000_000))

    assert build(tree, tmp_path / "out").read_bytes() == wheel.read_bytes()


def test_the_release_is_what_is_built(wheel: Path) -> None:
    """At a release the wheel in wheels/ is this, to the byte; between two, the version says that it is older."""
    version = packing.version(ROOT)
    released = sorted((ROOT / packing.WHEELS).glob("*.whl"))

    if packing.DEVELOPED in version:
        assert version not in str(released)
        return
    assert [file.name for file in released] == [wheel.name]
    assert released[0].read_bytes() == wheel.read_bytes()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert f"./wheels/{wheel.name} --hash=sha256:{digest}" in (ROOT / packing.REQUIREMENTS).read_text()


def test_one_version() -> None:
    """The template and its emulator are released together."""
    versions = [packing.version(ROOT / folder) for folder in ("", "emulator")]

    assert versions[0]
    assert versions[0] == versions[1]


def test_contents(wheel: Path) -> None:
    """The wheel holds the module and nothing else: no tests, no benchmarks, some 170 kB."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"azureml_emulator"}
    assert wheel.stat().st_size < MOST_BYTES


@pytest.mark.drill
def test_use_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, each package held to a hash, the SDK deploys a model and asks it."""
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    elsewhere.mkdir()
    line = tmp_path / "requirements.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    line.write_text(f"azureml-emulator[testing] @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [UV, "pip", "install", "--quiet", "--require-hashes", "--python", environment, "--requirement", line]
    subprocess.run([*install, "--constraint", ROOT / "requirements.txt"], check=True)

    command = [environment / "bin" / "azureml-emulator", "run", "--", environment / "bin" / "python", "-c", USE]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    state, answer, resources = done.stdout.splitlines()[-3:]
    assert (state.upper()[-9:], answer) == ("SUCCEEDED", '["hello"]')
    assert resources.startswith(f"True True {environment}")
