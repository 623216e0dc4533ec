"""Decisions about training on a cluster: the file, the names, the environment, what became of a job."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.lib.decisions import job_file, job_output, training
from tests.support import ROOT
from tests.support.training import job as example

GOOD: dict[str, Any] = {
    "type": "command",
    "code": "..",
    "command": "python model/train.py --data ${{inputs.data}} --out ${{outputs.model}}",
    "compute": "azureml:cpu",
    "environment": {"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"},
    "inputs": {"data": {"type": "uri_file", "path": "azureml:heart@latest"}},
    "outputs": {"model": {"type": "uri_folder", "path": "azureml://datastores/training/paths/${{name}}"}},
}


def output(path: str | None) -> dict[str, Any]:
    return {"outputs": {"model": {"type": "uri_folder", "path": path}}}


def test_a_file_that_can_train() -> None:
    """A job without data, or with a registered environment, is one, too; and the example that make_it_yours writes."""
    assert not list(job_file.problems(yaml.safe_load(example())))
    assert not list(job_file.problems(GOOD))
    assert not list(job_file.problems({**GOOD, "inputs": {}, "command": "python a.py ${{outputs.model}}"}))
    assert not list(job_file.problems({**GOOD, "environment": "azureml:ours:3"}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "sweep"}, "sweep"),
        ({"name": "mine"}, "gets one of its own"),
        ({"code": "."}, "must be `..`"),
        ({"compute": None}, "`compute` is missing"),
        ({"command": "python model/train.py ${{inputs.data}}"}, "writes no"),
        ({"environment": None}, "`environment` is missing"),
        ({"outputs": {}}, "outputs.model.path"),
        ({"outputs": ["model"]}, "outputs.model.path"),
        (output(None), "outputs.model.path"),
        (output("azureml://datastores/training/paths/model"), "a folder for each job"),
        (output("azureml://datastores/workspaceblobstore/paths/${{name}}"), "where registered models are"),
        ({"inputs": {"data": {"path": "rows.csv"}}}, "neither an asset"),
        ({"inputs": {"data": {"path": "https://example.com/rows.csv"}}}, "neither an asset"),
    ],
)
def test_a_file_that_can_t(change: dict[str, Any], said: str) -> None:
    """Each reason is a sentence of its own."""
    [problem] = job_file.problems({**GOOD, **change})
    assert said in problem


@pytest.mark.parametrize(
    ("path", "named", "short"),
    [
        ("azureml:heart:3", ("heart", "3"), "heart:3"),
        ("azureml:heart:2026-11-27", ("heart", "2026-11-27"), "heart:2026-11-27"),
        ("azureml:heart@latest", ("heart", ""), "heart@latest"),
        ("azureml:heart", None, "azureml:heart"),
        ("azureml://datastores/lake/paths/heart/", None, "azureml://datastores/lake/paths/heart/"),
        ("azureml:/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/data/heart/versions/3", None, "heart:3"),
        ("/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/data/heart/versions/10", None, "heart:10"),
        ("azureml://registries/r/data/heart/versions/3", None, "heart:3"),
    ],
)
def test_data_by_name_and_version(path: str, named: tuple[str, str] | None, short: str) -> None:
    """An asset is told from all else, and is short for people, as Azure tells it, too."""
    assert (training.asset(path), training.short(path)) == (named, short)


def test_the_digest_is_of_code_and_data() -> None:
    """A file's name or content, or the data's version, makes another; their order doesn't."""
    one, two = {"a": b"1", "b": b"2"}, {"b": b"2", "a": b"1"}

    same = training.digest(one, "heart:3")

    others = [({"a": b"1"}, "heart:3"), ({"a": b"2", "b": b"1"}, "heart:3"), ({"c": b"1", "b": b"2"}, "heart:3")]
    assert training.digest(two, "heart:3") == same
    assert same not in {training.digest(*other) for other in [*others, (one, "heart:4")]}


@pytest.mark.parametrize(
    ("command", "code", "out"),
    [
        ("true # done", 0, "out"),
        ("cd / &&\n  exec true", 0, "out"),
        ("false\ntrue", 0, "out"),
        ("true\nfalse", 1, ""),
        ("exit 3", 3, ""),
        ("set -e; false; true", 1, ""),
    ],
)
def test_what_a_job_does_after_its_command(command: str, code: int, out: str) -> None:
    """Whatever shape job.yml's command has, it ends as it would, and what comes after it comes where it ended well."""
    whole = training.command({"command": command}, "FILE").replace("python FILE ${{outputs.model}}", "echo out")

    ended = subprocess.run(["bash", "-c", whole], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout.strip()) == (code, out)


def test_the_digest_of_an_output(tmp_path: Path) -> None:
    """Each file counts by its name and content, no folder does; the last digest that a log has is the job's own."""
    (tmp_path / "a/b").mkdir(parents=True)
    digests = [job_output.digest(tmp_path)]
    for name, content in (("a/b/c", "1"), ("a/b/c", "2"), ("a/c", "2"), ("ä b", "")):
        (tmp_path / name).write_text(content)
        digests.append(job_output.digest(tmp_path))
    (tmp_path / "empty").mkdir()

    assert len({*digests}) == len(digests)
    assert job_output.digest(tmp_path) == digests[-1]
    log = f"output sha256:{digests[0]}\n50%\noutput sha256:{digests[1]}\nx output sha256:{digests[2]}\n"
    assert (job_output.printed(log), job_output.printed("output sha256:short\n")) == (digests[1], "")


def test_the_environment_is_the_lock() -> None:
    """Each package with its pin and all its hashes, on a line, without comments; nothing else but Python."""
    lock = (ROOT / "model/requirements.txt").read_text()

    made = training.conda(lock, "3.12")

    python, pip, lines = made["dependencies"]
    assert (python, pip) == ("python=3.12", "pip")
    pins = [line for line in lock.splitlines() if line[:1].isalnum()]
    assert [line.split()[0] for line in lines["pip"]] == [pin.split()[0] for pin in pins]
    assert sum(line.count("--hash=sha256:") for line in lines["pip"]) == lock.count("--hash=sha256:")
    assert not any("#" in line or "\\" in line for line in lines["pip"])


def test_python_is_the_rollout_s() -> None:
    """A model is served with the Python that it was trained with, wherever that was."""
    from scripts.lib.azure.training import PYTHON

    action = yaml.safe_load((ROOT / ".github/actions/setup/action.yml").read_text())
    assert action["runs"]["steps"][0]["with"]["python-version"] == PYTHON


@pytest.mark.parametrize(
    ("log", "found"),
    [
        ('downloading\n{"auc": 0.91, "rows": 303}\nmodel written to /out\n', {"auc": 0.91, "rows": 303}),
        ('{"auc": 0.1}\n{"auc": 0.9}\n{not json\n', {"auc": 0.9}),
        ('"auc"\n[1]\n', {}),
        ("", {}),
    ],
)
def test_metrics_are_the_last_object_that_was_printed(log: str, found: dict[str, float]) -> None:
    """A job's log has both streams."""
    assert training.metrics(log) == found


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("Failed", "UserError: exit code 1", "run-1-a-1 failed: UserError: exit code 1"),
        ("Failed", "AzureMLCompute job failed. PreemptionError: Nodes of this job got pre-empted.", "lost its node"),
        ("Canceled", "", "run-1-a-1 was cancelled\n"),
    ],
)
def test_what_ended_without_a_model(status: str, error: str, said: str) -> None:
    """Failed, preempted and cancelled are told apart; the end of the log, and what comes next, is told each time."""
    log = "".join(f"line {number}\n" for number in range(100))

    told = training.ended("run-1-a-1", status, error, log)

    assert said in told
    assert "line 99" in told and "line 80" in told and "line 79" not in told
    assert "Nothing is registered" in told and "un this again" in told


@pytest.mark.parametrize("status", training.WAITING)
def test_no_node(status: str) -> None:
    """A job that only waited is told as such, and how to stop it."""
    told = training.late("run-1-a-1", status, "cpu", 300, "")

    assert "no node after 300 minutes" in told and "az ml job cancel --name run-1-a-1" in told


def test_late() -> None:
    """One that runs too long is another thing: its log says how far it is."""
    told = training.late("run-1-a-1", "Running", "cpu", 300, "epoch 7\n")

    assert "not over after 300 minutes" in told and "epoch 7" in told and "no node" not in told


def test_what_a_run_is_known_by() -> None:
    """Numbers are metrics; the job's inputs, the data's version and printed words are parameters; NaN is neither."""
    job = {
        "inputs": {"data": {"path": "azureml:heart@latest"}, "more": {"path": "azureml:b:2"}, "bound": 0.8, "seed": 7}
    }
    printed = {"auc": 0.9, "rows": 303, "loss": float("nan"), "kind": "forest", "fast": True, "a\nb": "x", "by": [1]}

    assert training.numbers(printed) == {"auc": 0.9, "rows": 303.0}
    assert training.params(job, "azureml:heart:3", printed | {"seed": "another", "long": "x" * 999}) == {
        "data": "heart:3",
        "more": "azureml:b:2",
        "bound": "0.8",
        "seed": "7",
        "kind": "forest",
        "fast": "True",
        "long": "x" * 250,
    }
    assert training.params({"inputs": None}, "", {}) == {}
