"""What a fresh copy brings along for its upkeep: Dependabot, code owners, pre-commit, and locks that fit together."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from scripts.lib.yours import packing
from tests.support import ROOT

WEEK = 7
READ_BY_DEPENDABOT = 500_000  # bytes of a file, dependabot-core's python/shared_file_fetcher.rb
LOCKS = ["requirements.txt", "scripts/requirements.txt", "model/requirements.txt"]


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


UPDATES: dict[str, dict[str, Any]] = {
    update["package-ecosystem"]: update for update in load(".github/dependabot.yml")["updates"]
}


def test_dependabot_looks_after_actions_and_python() -> None:
    """`uv` is the ecosystem that keeps a lock for all platforms as it is."""
    assert load(".github/dependabot.yml")["version"] == 2
    assert UPDATES.keys() == {"github-actions", "uv"}


@pytest.mark.parametrize("ecosystem", UPDATES)
def test_updates_come_weekly_in_groups_after_a_week(ecosystem: str) -> None:
    """A release less than a week old is not proposed, and one pull request brings all small updates."""
    update = UPDATES[ecosystem]

    assert update["schedule"] == {"interval": "weekly"}
    assert min(update["cooldown"].values()) >= WEEK
    assert [group["patterns"] for group in update["groups"].values()] == [["*"]]


def test_cooldown_says_only_what_github_reads() -> None:
    """Releases of actions have no semver-…-days (Dependabot options reference)."""
    python = {"default-days", "semver-major-days", "semver-minor-days", "semver-patch-days"}

    assert UPDATES["github-actions"]["cooldown"].keys() == {"default-days"}
    assert {"default-days"} <= UPDATES["uv"]["cooldown"].keys() <= python


def test_dependabot_finds_every_action() -> None:
    """`/` means the workflows, so each folder with an action of our own must match another entry."""
    folders = {f"/{file.parent.relative_to(ROOT)}" for file in (ROOT / ".github").rglob("action.y*ml")}
    listed = UPDATES["github-actions"]["directories"]

    assert "/" in listed
    assert folders
    assert [folder for folder in folders if not any(fnmatch(folder, pattern) for pattern in listed)] == []


def test_dependabot_finds_every_lock() -> None:
    """From `/` it reads that folder and those directly below, and passes over large files."""
    found = subprocess.check_output(["git", "ls-files", "-z", "*requirements.txt"], cwd=ROOT, text=True).split("\0")
    ours = [name for name in found if name and not (ROOT / name).with_name("MLmodel").exists()]
    listed = [name for name in ours if Path(name).parent != packing.WHEELS]  # of a release, and without a .in

    assert UPDATES["uv"]["directory"] == "/"
    assert sorted(listed) == sorted(LOCKS)
    assert all((ROOT / name).with_suffix(".in").exists() for name in LOCKS)
    assert all((ROOT / name).stat().st_size < READ_BY_DEPENDABOT for name in LOCKS)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_says_how_it_is_compiled(lock: str) -> None:
    """Dependabot takes the options from the head of the lock: without them it would drop the other platforms."""
    head = " ".join((ROOT / lock).read_text().splitlines()[:3])

    assert "--universal" in head
    assert re.search(r"--python-version[= ]3\.10\b", head)


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_what_a_job_installs_is_what_was_tested(lock: str) -> None:
    """Each lock holds only packages of requirements.txt, at the same versions and with the same hashes."""
    pin = re.compile(r"^(?:    )?([\w.\[\]-]+==[^ ;]+|--hash=\S+)", re.MULTILINE)  # for which platforms, may differ
    tested, pins = (pin.findall((ROOT / file).read_text()) for file in (LOCKS[0], lock))

    assert len(pins) > 100
    assert set(pins) - set(tested) == set()


def test_mlflow_3_is_not_proposed() -> None:
    """Azure's no-code image crashes with 3.7 and later."""
    [ignored] = [rule for rule in UPDATES["uv"]["ignore"] if rule["dependency-name"] == "mlflow"]
    [versions] = [SpecifierSet(version) for version in ignored["versions"]]

    assert "3.0.0" in versions and "3.7.1" in versions
    assert "2.22.5" not in versions


@pytest.mark.parametrize("folder", [".github", "scripts", "endpoints", "model"])
def test_what_reaches_production_has_owners(folder: str) -> None:
    """Each folder that decides what serves, or how, belongs to the team."""
    lines = [line.split() for line in (ROOT / ".github" / "CODEOWNERS").read_text().splitlines() if line.strip()]
    owners = {line[0]: line[1:] for line in lines if not line[0].startswith("#")}

    assert re.fullmatch(r"@[\w-]+/[\w-]+", *owners[f"/{folder}/"])


def test_pre_commit_takes_its_configuration() -> None:
    """The file is valid for the pre-commit that is installed, without a warning."""
    command = [Path(sys.prefix) / "bin" / "pre-commit", "validate-config", ".pre-commit-config.yaml"]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_commit_is_checked_as_in_ci() -> None:
    """The hook is CI's own command, on everything."""
    [repository] = load(".pre-commit-config.yaml")["repos"]
    [hook] = repository["hooks"]
    checks = [
        step.get("run", "").removeprefix("exec ") for step in load(".github/workflows/ci.yml")["jobs"]["check"]["steps"]
    ]

    assert (repository["repo"], hook["language"], hook["pass_filenames"]) == ("local", "system", False)
    assert hook["entry"] == "make check"
    assert hook["entry"] in checks


MINE = """
import os, sys
import numpy as np; from sklearn.ensemble import *
def train(table, settings={}, rows = None):
    try: model = RandomForestClassifier(**settings)
    except: pass
    f = lambda x: x == None
    return f'model'
"""


def lint(name: str, code: str) -> int:
    """The exit code of ruff for code that would be in the file of that name."""
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--stdin-filename", name, "-"]
    return subprocess.run(command, cwd=ROOT, input=code, text=True, capture_output=True, check=False).returncode


def test_lint_leaves_a_model_of_one_s_own_alone() -> None:
    """In model/ a train.py as people write them passes; elsewhere it wouldn't, and what can't run doesn't there."""
    assert lint("model/train.py", MINE) == 0
    assert lint("scripts/train.py", MINE) == 1
    assert lint("model/train.py", "train(table)") == 1


def test_types_and_format_of_a_model_are_its_owner_s() -> None:
    """`make check` asks neither of model/."""
    [types] = re.findall(r"^files = (.*)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert "model" not in types.partition("#")[0]
    assert "ruff format --check --exclude 'model/**'" in (ROOT / "Makefile").read_text()


def test_make_help_lists_every_target() -> None:
    """Each target has a line that says what it does."""
    [targets] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    listed = subprocess.check_output(["make", "--silent", "help"], cwd=ROOT, text=True).splitlines()

    assert sorted(line.split()[0] for line in listed) == sorted(targets.split())
    assert all(len(line.split()) > 1 for line in listed)
