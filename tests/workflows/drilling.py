"""What the drills of the workflows share: a serving endpoint, approvals that somebody has to give, rollouts by hand.

The login of a job is where it waits for its approval: the stand-in here blocks as long as a file with the job's name
is there.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from azureml_emulator.workflows.act import STAND_INS, Run
from tests.support.repository import COLLEAGUE, PERCENTS, PROMOTING, Repository
from tests.support.scripts import toy_model

GREEN = "xgboost-model-2"
BLUE = {"default": 100}
FIRST, SECOND = (PROMOTING * 2)[:2]  # where there is one alone, no drill waits between two
WAIT = """  steps:
    - run: |
        if [ -e "$APPROVALS/$GITHUB_JOB" ]; then touch "$APPROVALS/waits"; fi
        while [ -e "$APPROVALS/$GITHUB_JOB" ]; do sleep 0.1; done
      shell: bash
"""
numbers = itertools.count(1)


@dataclass
class Approval:
    """What a job waits for."""

    folder: Path
    job: str
    act: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        shutil.copytree(STAND_INS, self.folder / "actions")
        login = self.folder / "actions/azure/login/action.yml"
        login.write_text(login.read_text().replace("  steps:\n", WAIT))
        (self.folder / self.job).touch()

    def asked(self, run: Future[Run]) -> None:
        """Returns once the job waits."""
        deadline = time.monotonic() + 600
        while not (self.folder / "waits").exists():
            assert not run.done(), run.result()
            assert time.monotonic() < deadline, f"{self.job} never came to wait"
            time.sleep(0.1)

    def give(self) -> None:
        (self.folder / self.job).unlink()

    def cancel(self) -> None:
        """What the button on GitHub's page does."""
        self.act[0].send_signal(signal.SIGINT)


def split(job: str) -> dict[str, int]:
    """The traffic after a promotion of green."""
    return {"default": 100 - PERCENTS[job], GREEN: PERCENTS[job]}


def fresh(ready: Repository) -> Repository:
    """That repository with an endpoint's name of its own, and reviewers."""
    ready.github.set_up(COLLEAGUE)
    return replace(ready, variables=ready.variables | {"ENDPOINT_NAME": f"drill-{next(numbers)}"})


def served(ready: Repository) -> Repository:
    """One with an endpoint on which version 1 serves."""
    made = fresh(ready)
    made.script("create_endpoint")
    made.script("deploy", "--version", 1)
    made.script("promote", "--first", "default")
    return made


def rollout(repository: Repository, inputs: dict[str, str] | None = None, **options: object) -> Run:
    """rollout.yml, by hand, of version 2: nothing is trained."""
    return repository.dispatch("rollout", {"version": "2", **(inputs or {})}, **options)


def another_version(repository: Repository, answer: int = 1) -> int:
    """A third version, or one that answers otherwise, registered once."""
    folder = repository.tree.parent / f"another-{answer}"
    made = folder if folder.exists() else toy_model(folder, answer=answer, metadata={"labels": [1, 0]})
    return int(repository.script("register_model", made))
