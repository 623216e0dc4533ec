"""Workflows that an owner adds: none of our business, but for our environments and our login."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.workflows.approval_rules import others_leave_ours_alone
from tests.workflows.files import OURS, Files
from tests.workflows.rules import RULES

CODEQL = """name: CodeQL Advanced
on:
  push: {branches: ["main"]}
  pull_request: {branches: ["main"]}
  schedule: [{cron: "30 5 * * 1"}]
jobs:
  analyze:
    name: Analyze (${{ matrix.language }})
    runs-on: ubuntu-latest
    permissions: {security-events: write, packages: read, actions: read, contents: read}
    strategy:
      fail-fast: false
      matrix:
        include: [{language: actions, build-mode: none}, {language: python, build-mode: none}]
    steps:
      - uses: actions/checkout@v4
      - uses: github/codeql-action/init@v4
        with: {languages: "${{ matrix.language }}", build-mode: "${{ matrix.build-mode }}"}
      - run: echo ${{ github.event.head_commit.message }}
      - uses: github/codeql-action/analyze@v4
"""
PAGES = """name: Deploy static content to Pages
on: {push: {branches: [main]}, workflow_dispatch: }
permissions: {contents: read, pages: write, id-token: write}
concurrency: {group: pages, cancel-in-progress: false}
jobs:
  deploy:
    environment: {name: github-pages, url: "${{ steps.deployment.outputs.page_url }}"}
    runs-on: azure-vnet
    steps:
      - uses: actions/checkout@v4
      - id: deployment
        uses: actions/deploy-pages@v4
"""
COMPUTED = """name: Regions
on: workflow_dispatch
jobs:
  each:
    strategy: {matrix: {region: [eu, us]}}
    environment: ${{ matrix.region }}
    runs-on: ubuntu-latest
    steps:
      - uses: azure/login@v2
        with: {client-id: "${{ secrets.OTHER_CLIENT_ID }}"}
"""
JOB = "on: push\njobs: {it: {runs-on: ubuntu-latest, %s}}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def add(tree: Path, text: str, name: str = "theirs.yml") -> Files:
    (tree / ".github/workflows" / name).write_text(text)
    return Files(tree)


def test_what_owners_add(tree: Path) -> None:
    """CodeQL, Pages, computed environments: no rule, and neither linter of `make check`, finds anything in them."""
    for name, text in {"codeql.yml": CODEQL, "static.yaml": PAGES, "regions.yml": COMPUTED}.items():
        files = add(tree, text, name)
    (tree / ".github/actions/theirs").mkdir()
    (tree / ".github/actions/theirs/action.yml").write_text("runs: {using: composite, steps: [{run: ls, shell: sh}]}")
    said = subprocess.run(["make", "-n", "check"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    linters = [line for line in said.splitlines() if re.search("/(actionlint|zizmor) ", line)]

    assert [finding for rule in RULES for finding in rule(files)] == []
    assert len(linters) == 2
    for line in linters:
        command = shlex.split(line.replace(".venv/", f"{ROOT}/.venv/"))
        ran = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "job",
    [
        "environment: production, steps: []",
        "environment: {name: Rollback}, steps: []",
        "steps: [{uses: azure/login@v2, with: {client-id: '${{ vars.AZURE_CLIENT_ID }}'}}]",
        "steps: [{uses: azure/login@v2, with: {client-id: '${{ vars.ROLLBACK_AZURE_CLIENT_ID }}'}}]",
        "steps: [{uses: ./.github/actions/setup, with: {target: production}}]",
        "uses: ./.github/workflows/stages.yml",
    ],
)
@pytest.mark.parametrize("name", ["theirs.yml", "theirs.yaml"])
def test_what_they_must_leave_alone(tree: Path, job: str, name: str) -> None:
    """A job in one of our environments, or with our login, could do what only approved jobs may."""
    assert list(others_leave_ours_alone(add(tree, JOB % job, name)))


def test_ours_are_all_there() -> None:
    """No file of the template's own is left out, here or in the Makefile."""
    there = [*(ROOT / ".github/workflows").glob("*.yml"), *(ROOT / ".github/actions").glob("*/action.yml")]
    said = subprocess.run(["make", "-n", "check"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert {str(path.relative_to(ROOT / ".github")) for path in there} >= {*OURS}
    assert all(f".github/{name}" in said for name in OURS)
