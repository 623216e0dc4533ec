"""compare_models and digest_model: what a pull request does to the model, and what training made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.decisions.model_folder import digest
from tests.support import ROOT
from tests.support.scripts import SAMPLE, outputs, run, toy_model


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "head", metadata={"auc": 0.95, "f1": 0.7, "labels": [0, 1], "data_sha256": "12"})


def test_the_metrics_are_set_side_by_side(head: Path, tmp_path: Path) -> None:
    """Each with its change and whether that is better, and the data, in the summary; as JSON on stdout."""
    base = toy_model(tmp_path / "base", metadata={"auc": 0.9, "accuracy": 0.8, "data_sha256": "34"})
    summary = tmp_path / "summary"

    result = run("compare_models", base, head, GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"base": {"auc": 0.9, "accuracy": 0.8}, "head": {"auc": 0.95, "f1": 0.7}}
    rows = [
        "| auc | 0.9 | 0.95 | +0.05, better |",
        "| data | `34` | `12` | other data |",
        "| accuracy | 0.8 | – | – |",
        "| f1 | – | 0.7 | – |",
    ]
    assert all(row in summary.read_text().splitlines() for row in rows)


@pytest.mark.parametrize("options", [[], ["--sample", "model/sample.csv"]], ids=str)
def test_a_sample_is_named(head: Path, tmp_path: Path, options: list[str]) -> None:
    """Metrics of a few rows stand beside the sentence that they are that."""
    summary = tmp_path / "summary"

    result = run("compare_models", head, head, *options, GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0, result.output
    said = ["Trained on the sample `model/sample.csv` alone" in text for text in (summary.read_text(), result.stderr)]
    assert said == [bool(options)] * 2


JOB = "inputs: {{data: {{path: '{}'}}}}"
BROKEN = "inputs: ["


@pytest.mark.parametrize(
    ("base", "pull_request", "row"),
    [
        (JOB.format("azureml:heart:3"), JOB.format("azureml:heart:4"), "`heart:3` | `heart:4` | other data |"),
        (
            JOB.format("azureml:heart:3"),
            JOB.format("azureml:heart@latest"),
            "`heart:3` | `heart@latest` | other data |",
        ),
        (JOB.format("azureml:heart:3"), JOB.format("azureml:heart:3"), "`heart:3` | `heart:3` |  |"),
        (None, JOB.format("azureml:heart:3"), "– | `heart:3` |  |"),
        (JOB.format("azureml:heart:3"), None, "`heart:3` | – |  |"),
        (BROKEN, JOB.format("azureml:a|b:3"), "– | `azureml:ab:3` |  |"),
        (JOB.format("azureml:heart:3"), BROKEN, "`heart:3` | – |  |"),
        ("type: command", "inputs: {data: 5}", None),
        (None, None, None),
    ],
)
def test_the_rollouts_data_are_named(
    base: str | None, pull_request: str | None, row: str | None, head: Path, tmp_path: Path
) -> None:
    """What each model/job.yml names stands side by side, version or @latest; without a cluster there is no row."""
    jobs, summary = [tmp_path / "base.yml", tmp_path / "job.yml"], tmp_path / "summary"
    for path, text in zip(jobs, (base, pull_request), strict=True):
        if text is not None:
            path.write_text(text)

    result = run("compare_models", "--jobs", *jobs, head, head, GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0, result.output
    told = [line for line in summary.read_text().splitlines() if line.startswith("| the rollout's data")]
    assert told == ([f"| the rollout's data | {row}"] if row else [])


def test_a_contract_that_stays_is_said(head: Path, tmp_path: Path) -> None:
    """Other metrics break no client."""
    base, summary = toy_model(tmp_path / "base", metadata={"auc": 0.9, "labels": [0, 1]}), tmp_path / "summary"

    run("compare_models", base, head, GITHUB_STEP_SUMMARY=str(summary))

    assert "The contract stays as it is." in summary.read_text()
    assert "Contract-Change" not in summary.read_text()


def test_what_breaks_clients_is_shown(head: Path, tmp_path: Path) -> None:
    """Whoever merges sees what will stop the rollout, and what to write if it is meant; the comparison fails nobody."""
    base, summary = toy_model(tmp_path / "base", metadata={"labels": ["0", "1"]}), tmp_path / "summary"
    described = json.loads((head / "MLmodel").read_text())
    described["signature"]["inputs"] = described["signature"]["inputs"].replace('"double"', '"long"', 1)
    (head / "MLmodel").write_text(json.dumps(described))

    result = run("compare_models", base, head, GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0
    column = SAMPLE["input_data"]["columns"][0]
    assert (
        f"| {column} | long, where blue has double: what doesn't fit is changed silently | **yes** |"
        in summary.read_text()
    )
    assert f"`Contract-Change: {column}, labels`" in summary.read_text()
    assert "labels: 0, 1: blue never answers that (breaks clients)" in result.stderr


@pytest.mark.parametrize("base", ["nowhere", "."])
def test_a_base_without_a_model_is_said(head: Path, tmp_path: Path, base: str) -> None:
    """The first pull request that trains, or a base whose training is broken, can be merged all the same."""
    summary = tmp_path / "summary"

    result = run("compare_models", tmp_path / base, head, GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0
    assert json.loads(result.stdout)["base"] is None
    assert "has no model" in result.stderr and "no model to compare with" in summary.read_text()
    assert "| auc | – | 0.95 | – |" in summary.read_text()


def test_models_without_metrics_are_compared(tmp_path: Path) -> None:
    """Training need not say any: there is a sentence in the place of an empty table."""
    base, head = (toy_model(tmp_path / name, metadata={}) for name in ("base", "head"))
    summary = tmp_path / "summary"

    result = run("compare_models", base, head, GITHUB_STEP_SUMMARY=str(summary))

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"base": {}, "head": {}})
    assert "says no metric" in summary.read_text() and "| metric |" not in summary.read_text()


def test_a_pull_request_without_a_model_fails(head: Path, tmp_path: Path) -> None:
    """A missing folder is wrong usage, a folder without a model is a failure."""
    missing, empty = (run("compare_models", head, tmp_path / name) for name in ("nowhere", "."))

    assert (missing.exit_code, empty.exit_code) == (2, 1)
    assert "has no file MLmodel" in empty.stderr


def test_the_digest_is_printed(head: Path, tmp_path: Path) -> None:
    """It is the one that register_model and deploy compare."""
    result = run("digest_model", head, GITHUB_OUTPUT=str(tmp_path / "output"))

    assert result.stdout == f"{digest(head)}\n"
    assert outputs(tmp_path / "output") == {"digest": digest(head)}


def test_no_digest_without_a_model(tmp_path: Path) -> None:
    """Training that made nothing is noticed here, not in Azure."""
    result = run("digest_model", tmp_path)

    assert result.exit_code == 1
    assert "has no file MLmodel" in result.stderr


@pytest.mark.parametrize("script", ["digest_model", "compare_models"])
def test_what_training_installs_is_enough(script: str, head: Path) -> None:
    """Next to the training there are click and PyYAML, but nothing of Azure, and no requests of ours."""
    blocked = "import sys; sys.modules.update(dict.fromkeys(['azure', 'requests', 'mlflow', 'marshmallow']));"
    arguments = [str(head)] * (2 if script == "compare_models" else 1)
    code = f"{blocked} import runpy; sys.argv = {['script', *arguments]!r}; "
    code += f"runpy.run_module('scripts.{script}', run_name='__main__')"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
