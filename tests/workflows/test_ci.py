"""ci.yml through act: what a pull request, from a fork or not, gets to see."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from azureml_emulator.workflows.act import Run, commit, copy_tree, run_workflow
from tests.support import ROOT
from tests.support.repository import results

SHIM = """#!/bin/sh
if [ "$*" = "-m venv --clear .venv" ]; then
  mkdir .venv && cp {prefix}/pyvenv.cfg .venv && ln -s {prefix}/bin {prefix}/lib .venv
else
  exec {python} "$@"
fi
"""
KEPT = ["__init__.py", "conftest.py"]
TESTS = """import pytest


def test_it() -> None:
    assert int("1") == {it}


@pytest.mark.drill
def test_more() -> None:
    assert int("1") == 1
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository with two tests of its own: what `make test` and `make drill` have to run here."""
    tree = tmp_path_factory.mktemp("ci") / "tree"
    copy_tree(ROOT, tree)
    for path in (tree / "tests").iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (tree / "tests/test_it.py").write_text(TESTS.format(it=1))
    commit(tree, "Keep a few tests")
    return tree


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose new virtual environments have the packages that are installed here already."""
    shim = tmp_path_factory.mktemp("python") / "python"
    shim.write_text(SHIM.format(python=sys.executable, prefix=sys.prefix))
    shim.chmod(0o755)
    return shim


def start(tree: Path, python: Path, event: str = "pull_request") -> Run:
    """A pull request from a fork, with neither variables nor a token that may write."""
    base = subprocess.check_output(["git", "rev-parse", "HEAD~1"], cwd=tree, text=True).strip()
    head = {"repo": {"full_name": "somebody/fork", "fork": True}}
    payload = {"pull_request": {"base": {"sha": base}, "head": head}, "number": 1}
    return run_workflow(
        ".github/workflows/ci.yml",
        event,
        workdir=tree,
        environ={"PYTHON": str(python)},
        variables={},
        payload=payload,
    )


@pytest.fixture(scope="module")
def run(tree: Path, python: Path) -> Run:
    """A pull request that makes the model's trees deeper."""
    script = tree / "model/train.py"
    script.write_text(script.read_text().replace('"max_depth": 3', '"max_depth": 2'))
    commit(tree, "Make the trees less deep")
    return start(tree, python)


def test_fork_gets_all_checks(run: Run) -> None:
    """A fork's pull request is linted, tested and compared without a variable, a secret or a login."""
    assert run.exit_code == 0, {name: job.log[-3000:] for name, job in run.jobs.items() if job.result == "failure"}
    assert results(run, "success") == ["check", "test", "drill", "compare-models"]


def test_models_are_compared(run: Run) -> None:
    """The metrics of the base branch's training and the pull request's stand side by side in the summary."""
    compared = run.jobs["compare-models"]

    assert "| auc |" in compared.summary
    assert json.loads(compared.log.splitlines()[-1])


@pytest.mark.drill
def test_what_fails_here_fails_there(tree: Path, python: Path, run: Run) -> None:
    """A failing test fails the run; a push to main has no other model to compare with."""
    (tree / "tests/test_it.py").write_text(TESTS.format(it=2))
    commit(tree, "Break a test")

    failed = start(tree, python, "push")

    assert results(failed, "failure") == ["test"]
    assert results(failed, "skipped") == ["compare-models"]
