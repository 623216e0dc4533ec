"""model/job.yml as people have it: it trains at the local Azure ML, or is refused in a sentence before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from azureml_emulator.testing import Arm
from scripts.lib.azure import job_file, trained
from scripts.lib.azure import training as jobs
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import Workspace
from scripts.lib.decisions.state import Refused
from scripts.lib.github.repository_variables import WORKSPACE
from tests.support import ROOT, training
from tests.support.scripts import run

JOB = training.job()
IMAGE = "  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04 # and the packages of model/requirements.txt\n"
DATA = "    type: uri_file\n    path: azureml:heart@latest # the newest when a rollout starts\n"
COMMAND = "--data ${{inputs.data}} --out ${{outputs.model}}"
OUTPUT = "    type: uri_folder\n    mode: upload\n"
INPUTS, MORE = f"inputs:\n  data:\n{DATA}", "azureml://datastores/training/paths/${{name}}-more"
TRAIN = "import pathlib, sys\npathlib.Path(sys.argv[sys.argv.index('--out') + 1], 'MLmodel').write_text('')\n"
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/computes/c"


def having(old: str, new: str, more: str = "") -> str:
    """The example of docs/, changed."""
    assert old in JOB
    return JOB.replace(old, new) + more


TRAINS = {
    "curated": having(f"\n{IMAGE}", " azureml:AzureML-sklearn-1.0-ubuntu20.04-py38-cpu@latest\n"),
    "registered": having(f"\n{IMAGE}", " azureml:ours:3\n"),
    "a registry's": having(f"\n{IMAGE}", " azureml://registries/azureml/environments/sklearn-1.5/versions/3\n"),
    "a file": having(f"\n{IMAGE}", " file:environment.yml\n"),
    "conda": having(IMAGE, "  image: a/b:1\n  conda_file: conda.yml\n"),
    "conda written out": having(IMAGE, "  image: a/b:1\n  conda_file: {dependencies: [python=3.12]}\n"),
    "an image with a name": having(IMAGE, "  image: a/b:1\n  name: ours\n"),
    "build": having(IMAGE, "  build: {path: docker}\n"),
    "a cluster's name alone": having("azureml:cpu-cluster", "cpu-cluster"),
    "resources": having("", "", "resources: {instance_count: 1, instance_type: Standard_DS3_v2, shm_size: 4g}\n"),
    "a limit": having("", "", "limits: {timeout: 3600}\n"),
    "identity": having("", "", "identity: {type: managed}\n"),
    "variables": having("", "", "environment_variables: {DEPTH: '3'}\n"),
    "names": having("", "", "experiment_name: heart\ndisplay_name: trees\ndescription: x\ntags: {team: a}\n"),
    "no type, as there is one": having("type: command\n", ""),
    "several lines": having("command: python", "command: >-\n  python"),
    "a version": having("@latest", ":1"),
    "data by a path": having("azureml:heart@latest", "azureml://datastores/workspaceblobstore/paths/data/heart-1.csv"),
    "a folder": having(
        DATA, "    type: uri_folder\n    path: azureml://datastores/workspaceblobstore/paths/data\n    mode: ro_mount\n"
    ),
    "a table": having(DATA, "    type: mltable\n    path: azureml://datastores/workspaceblobstore/paths/data\n"),
    "no data": having(INPUTS, "").replace(" --data ${{inputs.data}}", ""),
    "numbers": having("inputs:\n", "inputs:\n  depth: 3\n  fast: true\n").replace(
        "--data", "--n ${{inputs.depth}} --data"
    ),
    "more outputs": having("outputs:\n", f"outputs:\n  plots: {{type: uri_folder, path: '{MORE}'}}\n"),
    "a mounted output": having("mode: upload", "mode: rw_mount"),
}


REFUSED = {
    "a sweep": ("type: sweep\ntrial: {command: x}\n", "`type` is sweep"),
    "a pipeline": ("type: pipeline\njobs: {}\n", "`type` is pipeline"),
    "spark": ("type: spark\n", "`type` is spark"),
    "AutoML": ("type: automl\ntask: regression\n", "`type` is automl"),
    "empty": ("", "is empty"),
    "a list": ("- command\n", "is no mapping"),
    "no YAML": ("type: [", "is not YAML"),
    "a tab": ("type:\tcommand\n\tcode: ..\n", "a tab"),
    "a key twice": (having("", "", "command: x\n"), "stands twice"),
    "a key that is none": (having("compute:", "computer:"), "`compute` is missing"),
    "another key": (having("", "", "computer: x\n"), "`computer` is no key that Azure knows: write `compute`"),
    "a key of the data": (
        having("    path: azureml:heart", "    paths: a\n    path: azureml:heart"),
        "`inputs.data.paths`",
    ),
    "serverless": (having("compute: azureml:cpu-cluster\n", ""), "`compute` is missing"),
    "this machine": (having("azureml:cpu-cluster", "local"), "`compute` is local"),
    "a cluster's id": (having("azureml:cpu-cluster", f"azureml:{ID}"), "write the cluster's name"),
    "a word": (having(f"\n{IMAGE}", " sklearn\n"), "`environment` is missing"),
    "conda alone": (having(IMAGE, "  conda_file: conda.yml\n"), "`environment` is missing"),
    "no such conda": (having(IMAGE, "  image: a/b:1\n  conda_file: nowhere.yml\n"), "model/nowhere.yml"),
    "no such file": (having(f"\n{IMAGE}", " file:nowhere.yml\n"), "model/nowhere.yml"),
    "no such build": (having(IMAGE, "  build: {path: nowhere}\n"), "`environment.build.path` can't be used"),
    "as who submits": (having("", "", "identity: {type: user_identity}\n"), "`identity` is user_identity"),
    "as somebody": (having("", "", "identity: {type: me}\n"), '`identity.type` is "me"'),
    "an open door": (having("", "", "services: {code: {type: vs_code}}\n"), "`services` is there"),
    "a name": (having("", "", "name: mine\n"), "`name` is there"),
    "a parent": (having("", "", "parent_job_name: a\n"), "`parent_job_name` is there"),
    "hours": (having("", "", "limits: {timeout: 1h}\n"), "`limits.timeout` must be a whole number"),
    "many": (having("", "", "resources: {instance_count: two}\n"), "`resources.instance_count` must be a whole number"),
    "a number in a tag": (having("", "", "tags: {n: 3}\n"), '`tags.n` must be a text: write "3"'),
    "a list of tags": (having("", "", "tags: [a]\n"), "`tags` must hold lines"),
    "a variable": (
        having("", "", "environment_variables: {N: 3}\n"),
        '`environment_variables.N` must be a text: write "3"',
    ),
    "no text": (having("command: python", "command:\n  - python"), "it is one text"),
    "another input": (having("inputs.data", "inputs.rows"), "${{inputs.rows}}, which is none of ${{inputs.data}}"),
    "a shell's braces": (having("${{inputs.data}}", "${inputs.data}"), "reads no `${{inputs.data}}`"),
    "spaces": (having("${{outputs.model}}", "${{ outputs.model }}"), "${{ outputs.model }}, which is none of"),
    "a sweep's": (having("--data", "--n ${{search_space.n}} --data"), "${{search_space.n}}, which is none of"),
    "short data": (having(f"\n{DATA}", " azureml:heart:1\n"), "has no `path`"),
    "no version": (having("@latest", ""), "are neither an asset"),
    "a label": (having("@latest", "@stable"), "are neither an asset"),
    "the web's": (having("azureml:heart@latest", "https://example.com/a.csv"), "are neither an asset"),
    "a kind of data": (having("uri_file", "csv"), '`inputs.data.type` is "csv"'),
    "a list of inputs": (having(INPUTS, "inputs: [a]\n"), "`inputs` must hold lines"),
    "null": (having(INPUTS, "inputs:\n"), "`inputs` must hold lines"),
    "another output": (having("outputs:\n", "outputs:\n  plots: {type: uri_folder}\n"), "`outputs.plots.path` must be"),
    "it registers": (having(OUTPUT, f"{OUTPUT}    name: mine\n"), "`outputs.model.name` is there"),
    "a model": (having(OUTPUT, "    type: mlflow_model\n"), "`outputs.model.type` is mlflow_model"),
    "where models are": (having("datastores/training", "datastores/workspaceblobstore"), "where registered models are"),
}
NOT_EMULATED = {
    "distribution: {type: pytorch, process_count_per_instance: 2}\n": "a distribution isn't emulated",
    "resources: {instance_count: 2}\n": "on several nodes isn't emulated",
    "resources: {docker_args: --init}\n": "dockerArgs isn't emulated",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    training.write(tmp_path, TRAIN)
    (tmp_path / "model/conda.yml").write_text("dependencies: [python=3.12]\n")
    (tmp_path / "model/environment.yml").write_text("image: a/b:1\n")
    (tmp_path / "model/docker").mkdir()
    (tmp_path / "model/docker/Dockerfile").write_text("FROM a\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "model/job.yml"


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    found = Arm(azure)
    training.set_up(found)
    for version in ("1", "2"):
        training.data(found, version)
    made = found("PUT", "environments/ours/versions/3", {"properties": {"image": "a/b:1"}})
    assert made.status_code in (200, 201), made.text
    return found


def test_what_trains(tree: Path, azure: dict[str, str], arm: Arm) -> None:
    """Each is submitted as it is, also on other data, and makes a model; an image gets the packages of the lock."""
    workspace, deadline, names = Workspace(*(azure[name] for name in WORKSPACE)), Deadline(300), {}
    for case, text in TRAINS.items():
        tree.write_text(text)
        job_file.checked()
        other = "azureml:heart:2" if case == "numbers" else ""  # it has more inputs, which stay
        wanted = jobs.wanted(workspace, jobs.read(), other, "run-as-people-have-it", {}, deadline)
        names[case], _ = jobs.begun(workspace, wanted, deadline)

    ended = {case: trained.watched(workspace, name, deadline) for case, name in names.items()}

    assert {case: (seen.status, seen.log) for case, seen in ended.items() if seen.status != "Completed"} == {}
    for case, packages in (("an image with a name", True), ("a limit", True), ("conda", False)):
        environment = arm("GET", f"jobs/{names[case]}").json()["properties"]["environmentId"]
        made = arm("GET", environment.partition("/workspaces/local/")[2]).json()["properties"]
        assert ("click==8.1.8" in made["condaFile"]) == packages, made
    inputs = arm("GET", f"jobs/{names['numbers']}").json()["properties"]["inputs"]
    assert inputs["data"]["uri"].endswith("heart/versions/2") and inputs["depth"]["value"] == "3"


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_t(tree: Path, case: str) -> None:
    """Each is a sentence that says where; Azure isn't asked."""
    text, says = REFUSED[case]
    tree.write_text(text)

    with pytest.raises(Refused) as refused:
        job_file.checked()

    assert says in str(refused.value) and str(refused.value).startswith("model/job.yml")


def test_who_says_so(tree: Path, arm: Arm) -> None:
    """The doctor, of the files alone, and train_job: exit code 1, the same words, and no job."""
    shutil.copytree(ROOT / "endpoints", "endpoints")
    before = arm("GET", "jobs").json()
    fine = run("doctor", "--files")
    tree.write_text(having("", "", "computer: x\n"))

    results = [run("doctor", "--files"), run("train_job", GITHUB_RUN_ID="people")]

    assert fine.exit_code == 0 and "training job: ok" in fine.stderr
    assert [result.exit_code for result in results] == [1, 1]
    assert all("write `compute`" in result.stderr and "Traceback" not in result.stderr for result in results)
    assert arm("GET", "jobs").json() == before


@pytest.mark.parametrize("more", NOT_EMULATED)
def test_what_the_local_azure_doesn_t_have(tree: Path, arm: Arm, more: str) -> None:
    """What Azure takes is refused here by its name, and submitted once."""
    tree.write_text(having("", "", more))

    result = run("train_job", GITHUB_RUN_ID="people")

    assert (result.exit_code, NOT_EMULATED[more] in result.stderr) == (1, True), result.stderr
    assert result.stderr.count("submitting") == 1 and "Traceback" not in result.stderr
