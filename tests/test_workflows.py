"""The real rollout.yml, through act, against a running emulator."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from emulator.act import WORKSPACE_VARIABLES, Job, Run, Watch, commit, copy_tree, run_workflow
from emulator.process import running
from tests.arm import Arm

ROOT = Path(__file__).parent.parent
DEPLOYING = ["train", "deploy", "smoke-test"]
PROMOTING = ["promote-10", "promote-50", "promote-100"]


@dataclass
class Repository:
    """A copy of this repository on GitHub, whose variables lead to an emulator."""

    tree: Path
    artifacts: Path
    environ: dict[str, str]
    arguments: set[str] = field(default_factory=set)

    def rollout(self, watch: Watch = lambda name, job: None) -> Run:
        """Run rollout.yml; `arguments` gathers every command line that shows on this machine meanwhile."""
        with gathered(self.arguments):
            return run_workflow(
                ".github/workflows/rollout.yml",
                environ=self.environ,
                workdir=self.tree,
                variables={name: self.environ[name] for name in WORKSPACE_VARIABLES},
                artifacts=self.artifacts,
                watch=watch,
            )

    def merge(self, path: str, pattern: str, replacement: str) -> None:
        """Merge a change of one file to main."""
        file = self.tree / path
        text, changes = re.subn(pattern, replacement, file.read_text())
        assert changes == 1
        file.write_text(text)
        commit(self.tree, f"Change {path}")

    def merge_model(self, trees: int) -> None:
        self.merge("model/train.py", r'"n_estimators": \d+', f'"n_estimators": {trees}')

    def endpoint(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "scripts.show_endpoint"]
        shown = subprocess.run(command, cwd=self.tree, env=os.environ | self.environ, capture_output=True, check=True)
        return json.loads(shown.stdout)


@contextmanager
def gathered(arguments: set[str]) -> Iterator[None]:
    """Looks at the process list all the time."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            listed = subprocess.run(["ps", "-axww", "-o", "args"], capture_output=True, text=True, check=True)
            arguments.update(listed.stdout.splitlines())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("workflows")
    copy_tree(ROOT, folder / "tree")
    with running(folder / "state") as environ:
        yield Repository(folder / "tree", folder / "artifacts", environ)


@pytest.fixture(scope="module")
def first(repository: Repository) -> Run:
    return repository.rollout()


@pytest.fixture(scope="module")
def second(repository: Repository, first: Run) -> Run:
    repository.merge_model(trees=200)
    return repository.rollout()


def secret(environ: dict[str, str]) -> re.Pattern[str]:
    """The endpoint's keys and the identity header as they are; tokens and signatures by their form."""
    arm = Arm(environ)
    keys = arm("POST", "onlineEndpoints/heart-classifier/listKeys").json().values()
    literally = "|".join(re.escape(value) for value in [*keys, environ["IDENTITY_HEADER"]])
    return re.compile(rf"{literally}|eyJ[\w-]+\.[\w-]+\.|[?&]sig=[0-9A-Za-z]")


def results(run: Run, result: str) -> list[str]:
    return [name for name, job in run.jobs.items() if job.result == result]


def test_first_rollout_passes(first: Run) -> None:
    """The first rollout trains, deploys and smoke-tests."""
    assert first.exit_code == 0
    assert results(first, "success") == DEPLOYING


def test_first_rollout_has_nothing_to_promote_and_says_so(first: Run) -> None:
    """On an endpoint's first rollout the later jobs are skipped, and the deploy's summary says why."""
    assert results(first, "skipped") == [*PROMOTING, "delete-blue", "rollback"]
    assert "nothing to promote" in first.jobs["deploy"].summary.lower()


def test_model_folder_is_kept(repository: Repository, first: Run) -> None:
    """The model folder is an artifact of the run."""
    assert (repository.artifacts / "model" / "MLmodel").is_file()


def test_second_rollout_passes(second: Run) -> None:
    """The rollout of a changed model goes through every job, and needs no rollback."""
    assert second.exit_code == 0
    assert results(second, "skipped") == ["rollback"]


def test_promotion_goes_up_in_stages(second: Run) -> None:
    """Green gets 10, 50, then 100 % of the traffic."""
    splits = [json.loads(second.jobs[name].log.splitlines()[-1]) for name in PROMOTING]

    assert [split["xgboost-model-2"] for split in splits] == [10, 50, 100]


def test_second_rollout_replaces_the_first(repository: Repository, second: Run) -> None:
    """In the end green has all traffic, and blue is deleted."""
    endpoint = repository.endpoint()

    assert endpoint["traffic"] == {"xgboost-model-2": 100}
    assert [deployment["name"] for deployment in endpoint["deployments"]] == ["xgboost-model-2"]


def test_secrets_stay_secret(repository: Repository, first: Run, second: Run) -> None:
    """No key, token or signature is in a log, a summary, an output, an artifact or an argument list of two rollouts."""
    jobs = [job for run in (first, second) for job in run.jobs.values()]
    artifacts = [
        path.read_bytes().decode(errors="replace") for path in repository.artifacts.rglob("*") if path.is_file()
    ]
    log = (Path(repository.environ["SSL_CERT_FILE"]).parent / "emulator.log").read_text()
    texts = [*(text for job in jobs for text in (job.log, job.summary, str(job.outputs))), *artifacts, log]
    texts += repository.arguments

    found = [text for text in texts if secret(repository.environ).search(text)]

    assert any("scripts.shift_traffic" in text for text in repository.arguments)
    assert found == []


def test_cancelled_promotion_goes_back_to_blue(repository: Repository, second: Run) -> None:
    """A run that is cancelled while green has a share of the traffic gives all of it back to blue."""
    blue = repository.endpoint()["traffic"]
    repository.merge_model(trees=100)

    def cancel(name: str, job: Job) -> None:
        if name == "promote-50" and any("shift_traffic" in step for step in job.steps):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repository.rollout(cancel)

    assert repository.endpoint()["traffic"] == blue


def test_failed_smoke_test_leaves_blue(repository: Repository, second: Run, tmp_path: Path) -> None:
    """When the smoke test fails nothing is promoted, and blue keeps all traffic."""
    blue = repository.endpoint()["traffic"]
    copy_tree(repository.tree, tmp_path / "tree")
    broken = replace(repository, tree=tmp_path / "tree")
    broken.merge_model(trees=120)
    broken.merge("endpoints/smoke-requests.json", r'"fixed"\],\n *\[62', '"unheard of", 0],\n[62')

    run = broken.rollout()

    assert run.exit_code == 1
    assert results(run, "failure") == ["smoke-test"]
    assert results(run, "success") == ["train", "deploy", "rollback"]
    assert repository.endpoint()["traffic"] == blue
