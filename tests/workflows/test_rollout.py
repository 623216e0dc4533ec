"""The real rollout.yml, through act, against a running emulator."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_emulator.testing import Arm
from azureml_emulator.workflows.act import Job, Run, copy_tree
from scripts.lib.azure.workspace import endpoint_name
from tests.support import ROOT
from tests.support.repository import DEPLOYING, PERCENTS, PROMOTING, TRAINING, Repository, repository, results
from tests.support.watching import watching

UNHEARD_OF = '{"input_data": {"columns": ["unheard of"], "data": [["unheard of"]]}}'


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    if not (ROOT / "model/train.py").exists():
        pytest.skip("this repository trains no model")
    with repository(tmp_path_factory.mktemp("workflows"), own_model=True, ATTEST="true") as made:
        yield made


@contextmanager
def arguments() -> Iterator[set[str]]:
    """Every command line that shows on this machine meanwhile."""
    found: set[str] = set()

    def look() -> None:
        listed = subprocess.run(["ps", "-axww", "-o", "args"], capture_output=True, text=True, check=True)
        found.update(listed.stdout.splitlines())

    with watching(look):
        yield found


@pytest.fixture(scope="module")
def typed() -> Iterator[set[str]]:
    with arguments() as found:
        yield found


@pytest.fixture(scope="module")
def first(ours: Repository, typed: set[str]) -> Run:
    return ours.push()


@pytest.fixture(scope="module")
def second(ours: Repository, first: Run) -> Run:
    ours.merge_model(seed=200)
    return ours.push()


def split(job: Job) -> dict[str, int]:
    """What a promotion printed."""
    return dict(
        next(json.loads(line) for line in job.log.splitlines() if re.fullmatch(r'\{("[\w-]+": \d+(, )?)+\}', line))
    )


def secret(environ: dict[str, str], token: str) -> re.Pattern[str]:
    """The endpoint's keys, the identity header and GitHub's token as they are; tokens and signatures by their form."""
    arm, name = Arm(environ), endpoint_name()
    keys = arm("POST", f"onlineEndpoints/{name}/listKeys").json().values()
    literally = "|".join(re.escape(value) for value in [*keys, environ["IDENTITY_HEADER"], token])
    return re.compile(rf"{literally}|eyJ[\w-]+\.[\w-]+\.|[?&]sig=[0-9A-Za-z]")


def test_first_rollout_passes(first: Run) -> None:
    """The first rollout trains, deploys and smoke-tests."""
    assert first.exit_code == 0
    assert results(first, "success") == [*TRAINING, "attest", *DEPLOYING]


def test_first_deployment_is_tested_before_it_serves(first: Run) -> None:
    """The endpoint's first deployment waits at 0 % for its smoke test, and gets all traffic then, without approval."""
    steps = [name for name in first.jobs["rollout/smoke-test"].steps if "scripts." in name]

    assert "no traffic" in first.jobs["rollout/deploy"].summary
    assert [part in step for part, step in zip(("smoke_test", "promote --first"), steps, strict=False)] == [True, True]
    assert split(first.jobs["rollout/smoke-test"]) == {"default": 100}


def test_a_rollout_keeps_one_id(ours: Repository, second: Run) -> None:
    """The job that registers makes it: the deployment and the record of the last split have that."""
    rollout = second.jobs["rollout/register"].outputs["rollout"]
    arm, name = Arm(ours.environ), endpoint_name()
    paths = f"onlineEndpoints/{name}", f"onlineEndpoints/{name}/deployments/xgboost-model-2"

    assert re.fullmatch(r"local/rollout/actions/runs/[0-9]+/attempts/1", rollout)
    assert [arm("GET", path).json()["tags"]["rollout"] for path in paths] == [rollout, rollout]


def test_first_rollout_has_nothing_to_promote_and_says_so(first: Run) -> None:
    """On an endpoint's first rollout the later jobs are skipped, and the deploy's summary says why."""
    assert results(first, "skipped")[: len(PROMOTING) + 2] == [*PROMOTING, "delete-blue", "rollback"]
    assert "nothing to promote" in first.jobs["rollout/deploy"].summary.lower()


def test_model_folder_is_kept(ours: Repository, first: Run) -> None:
    """The model folder is an artifact of the run."""
    assert (ours.artifacts / "model" / "MLmodel").is_file()


def test_second_rollout_passes(second: Run) -> None:
    """The rollout of a changed model goes through every job, and needs no rollback."""
    assert second.exit_code == 0
    assert results(second, "skipped")[:1] == ["rollback"]


def test_promotion_goes_up_in_stages(second: Run) -> None:
    """Green gets the shares of stages.yml, one after the other."""
    splits = [split(second.jobs[f"rollout/{name}"]) for name in PROMOTING]

    assert [found["xgboost-model-2"] for found in splits] == [*PERCENTS.values()]


def test_second_rollout_replaces_the_first(ours: Repository, second: Run) -> None:
    """In the end green has all traffic, and blue is deleted."""
    endpoint = ours.endpoint()

    assert endpoint["traffic"] == {"xgboost-model-2": 100}
    assert [deployment["name"] for deployment in endpoint["deployments"]] == ["xgboost-model-2"]


def test_secrets_stay_secret(ours: Repository, typed: set[str], first: Run, second: Run) -> None:
    """No key, token or signature is in a log, a summary, an output, an artifact or an argument list of two rollouts."""
    jobs = [job for run in (first, second) for job in run.jobs.values()]
    artifacts = [path.read_bytes().decode(errors="replace") for path in ours.artifacts.rglob("*") if path.is_file()]
    log = (Path(ours.environ["SSL_CERT_FILE"]).parent / "emulator.log").read_text()
    texts = [*(text for job in jobs for text in (job.log, job.summary, str(job.outputs))), *artifacts, log]
    texts += typed

    found = [text for text in texts if secret(ours.environ, ours.github.token).search(text)]

    assert any("scripts.promote" in text for text in typed)
    assert found == []


@pytest.mark.drill
def test_cancelled_promotion_goes_back_to_blue(ours: Repository, second: Run) -> None:
    """A run that is cancelled while green has a share of the traffic gives all of it back to blue."""
    blue = ours.traffic

    def cancel(name: str, job: Job) -> None:
        if name == f"rollout/{PROMOTING[0]}" and "setting the traffic" in job.log:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ours.dispatch("rollout", {"version": "1"}, watch=cancel)

    assert ours.traffic == blue


@pytest.mark.drill
def test_failed_smoke_test_leaves_blue(ours: Repository, second: Run, tmp_path: Path) -> None:
    """When the smoke test fails, here of a mistake in its file, nothing is promoted, and nothing taken back."""
    blue = ours.traffic
    copy_tree(ours.tree, tmp_path / "tree")
    broken = replace(ours, tree=tmp_path / "tree")
    broken.merge("endpoints/smoke-requests.json", r"(?s)\A.*\Z", UNHEARD_OF)

    run = broken.dispatch("rollout", {"version": "1"})

    assert run.exit_code == 1
    assert results(run, "failure") == ["smoke-test"]
    assert results(run, "success") == [*TRAINING, "register", "deploy"]
    assert ours.traffic == blue
