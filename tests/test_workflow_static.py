"""What act does not enforce and GitHub would: read from the workflow files themselves."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.prefix) / "bin"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted((ROOT / ".github/actions").glob("*/action.yml"))]
SETUP = "./.github/actions/setup"

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / ".github")))


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def rollout() -> dict[str, Any]:
    return load(ROOT / ".github/workflows/rollout.yml")


def steps(path: Path) -> list[dict[str, Any]]:
    document = load(path)
    holders = document["jobs"].values() if "jobs" in document else [document["runs"]]
    return [step for holder in holders for step in holder.get("steps", [])]


def patience(job: dict[str, Any]) -> float:
    """How long the scripts of a job wait for Azure together, in minutes."""
    names = [name for step in job["steps"] for name in re.findall(r"-m (scripts\.\w+)", step.get("run", ""))]
    options = [option for name in names for option in import_module(name).main.params if option.name == "timeout"]
    return sum(option.default for option in options) / 60


def check(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


@each_workflow
def test_grants_nothing_by_default(path: Path) -> None:
    """A workflow gives its jobs no permission; each job asks for its own."""
    assert load(path)["permissions"] == {}


@each_workflow
def test_jobs_end(path: Path) -> None:
    """Every job has a time limit of its own, below GitHub's six hours."""
    limits = {name: job.get("timeout-minutes", 360) for name, job in load(path)["jobs"].items()}

    assert all(limit < 360 for limit in limits.values()), limits


@each_workflow
def test_login_needs_an_environment(path: Path) -> None:
    """A job that logs in to Azure names an environment: without one there is no credential for its token."""
    jobs = load(path)["jobs"]

    logged_in = [name for name, job in jobs.items() if any(step.get("uses") == SETUP for step in job.get("steps", []))]

    assert [name for name in logged_in if "environment" not in jobs[name]] == []


@each_file
def test_actions_are_pinned(path: Path) -> None:
    """Every remote action is pinned to a full commit, with its version beside it."""
    uses = re.findall(r"uses: (?!\./)(.+)", path.read_text())

    unpinned = [use for use in uses if not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)]

    assert uses
    assert unpinned == []


@each_file
def test_a_step_is_one_command(path: Path) -> None:
    """A `run:` is a single command that can be typed at a prompt, with no expression inside."""
    commands = [step["run"] for step in steps(path) if "run" in step]

    assert [command for command in commands if re.search(r"\$\{\{|[;|&\n]", command)] == []


@each_file
def test_checkout_keeps_no_token(path: Path) -> None:
    """The job's token does not stay in the work tree, where every later step could read it."""
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]

    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def test_one_login() -> None:
    """The composite action is the only place that logs in to Azure."""
    logins = {path: "azure/login@" in path.read_text() for path in FILES}

    assert [path.parent.name for path, found in logins.items() if found] == ["setup"]


def test_environments() -> None:
    """Promotions and deleting blue wait for a reviewer; deploying and going back never do."""
    environments = {name: job["environment"] for name, job in rollout()["jobs"].items()}

    assert environments == {
        "train": "deploy",
        "deploy": "deploy",
        "smoke-test": "deploy",
        "promote-10": "production",
        "promote-50": "production",
        "promote-100": "production",
        "delete-blue": "production",
        "rollback": "rollback",
    }


def test_jobs_may_read_and_log_in() -> None:
    """A job of the rollout can read the repository and ask for an OIDC token, and no more."""
    grants = [job["permissions"] for job in rollout()["jobs"].values()]

    assert all(grant == {"contents": "read", "id-token": "write"} for grant in grants)


def test_one_rollout_at_a_time() -> None:
    """A second rollout of the same endpoint waits; none is cancelled half-way."""
    concurrency = rollout()["concurrency"]

    assert "vars.ENDPOINT_NAME" in concurrency["group"]
    assert concurrency["cancel-in-progress"] is False


@each_workflow
def test_scripts_give_up_before_their_job_is_cut_off(path: Path) -> None:
    """The scripts of a job give up minutes before its time is over, and so can say how they leave the endpoint."""
    spare = {name: job["timeout-minutes"] - patience(job) for name, job in load(path)["jobs"].items()}

    assert {name: minutes for name, minutes in spare.items() if minutes < 10} == {}


def test_rollback_watches_every_job_that_can_leave_a_split() -> None:
    """The rollback follows each job from deploy to promote-100, and not delete-blue: by then green has it all."""
    assert rollout()["jobs"]["rollback"]["needs"] == [
        "train", "deploy", "smoke-test", "promote-10", "promote-50", "promote-100",
    ]  # fmt: skip


def test_rollback_runs_in_a_cancelled_run() -> None:
    """Each step of the rollback asks to run: in a cancelled run the others may not."""
    conditions = [step.get("if") for step in rollout()["jobs"]["rollback"]["steps"]]

    assert conditions == ["always()"] * 3


def test_actionlint() -> None:
    """actionlint, with shellcheck for every `run:`, has nothing to say."""
    result = check("actionlint", "-oneline", f"-shellcheck={BIN / 'shellcheck'}")

    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_zizmor() -> None:
    """zizmor's pedantic rules find nothing, and nothing is ignored in place."""
    result = check("zizmor", "-q", "--offline", "--persona=pedantic", "--strict-collection", ".")

    assert result.returncode == 0, result.stdout + result.stderr
    assert not any("zizmor: ignore" in path.read_text() for path in FILES)


def test_zizmor_keeps_its_rules() -> None:
    """A single rule of zizmor is switched off."""
    assert load(ROOT / ".github/zizmor.yml") == {"rules": {"self-repository": {"disable": True}}}
