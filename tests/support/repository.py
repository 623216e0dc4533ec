"""What the tests of the workflows share: a copy of this repository on a local GitHub, before a local Azure ML."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from azureml_emulator.github.schema import DESCRIPTION
from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.process import running
from azureml_emulator.workflows.act import (
    WORKSPACE_VARIABLES,
    Job,
    Run,
    commit,
    copy_tree,
    repository_variables,
    run_workflow,
)
from scripts.lib.azure.policy_file import POLICY
from tests.support import ROOT
from tests.support.forked_scripts import ForkServer, fork_server
from tests.support.scripts import name_deployments, own_requests
from tests.workflows.files import Files

TRAINING = ["doctor", "train-on-cluster", "train"]
DEPLOYING = ["register", "deploy", "smoke-test"]
PERCENTS: dict[str, int] = Files(ROOT).percents
PROMOTING = list(PERCENTS)
AUTHOR, COLLEAGUE = "author", "colleague"
run_ids = itertools.count(1000)


@dataclass
class Repository:
    """A copy of this repository on GitHub, whose variables lead to an emulator."""

    tree: Path
    artifacts: Path
    environ: dict[str, str]
    github: LocalGitHub
    forks: ForkServer
    variables: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        workflow: str,
        event: str = "workflow_dispatch",
        reviewed: bool = True,
        actor: str = COLLEAGUE,
        **options: Any,
    ) -> Run:
        """Run a workflow to its end; the colleague approves each job that asks, or (not `reviewed`) goes past that."""
        steps = {name: value for name, value in self.environ.items() if name not in WORKSPACE_VARIABLES}
        environ = {"GITHUB_RUN_ID": str(next(run_ids)), **steps, **self.github.environ(), **options.pop("environ", {})}
        run_id = int(environ["GITHUB_RUN_ID"])
        self.github.add_run(f"{workflow}.yml", run_id, actor=actor, event=event, head_sha=self.head)
        asking = [*Files(self.tree).percents, "delete-blue", "promote", "teardown"] if reviewed else []
        approve, watch = self.github.approving(run_id, COLLEAGUE, asking), options.pop("watch", None)

        def both(name: str, job: Job) -> None:
            approve(name, job)
            if watch:
                watch(name, job)

        try:
            return run_workflow(
                f".github/workflows/{workflow}.yml",
                event,
                environ=environ,
                workdir=self.tree,
                variables=self.variables,
                artifacts=self.artifacts,
                actor=actor,
                watch=both,
                **options,
            )
        finally:
            self.github.finish(run_id)

    @property
    def head(self) -> str:
        """The newest commit."""
        return subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=self.tree, text=True).strip()

    def dispatch(self, workflow: str, inputs: dict[str, str] | None = None, **options: Any) -> Run:
        """A person starts a workflow."""
        return self.run(workflow, inputs=inputs or {}, **options)

    def push(self, **options: Any) -> Run:
        """What a merge to main starts."""
        return self.run("rollout", "push", actor=AUTHOR, **options)

    def merge(self, path: str, pattern: str, replacement: str) -> None:
        """Merge a change of one file to main."""
        file = self.tree / path
        text, changes = re.subn(pattern, replacement, file.read_text())
        assert changes == 1
        file.write_text(text)
        commit(self.tree, f"Change {path}")
        self.know_head()

    def merge_model(self, seed: int) -> None:
        self.merge("model/train.py", r"(?m)^SEED = \d+", f"SEED = {seed}")

    def know_head(self) -> str:
        """Make GitHub know the newest commit, and who its author is."""
        self.github.add_commit(self.head, author=AUTHOR)
        return self.head

    def script(self, name: str, *arguments: object) -> str:
        """What a script prints that somebody runs by hand."""
        ours = {"ENDPOINT_NAME": self.variables["ENDPOINT_NAME"]} if "ENDPOINT_NAME" in self.variables else {}
        output, errors = (self.tree.parent / f"{name}.{end}" for end in ("out", "err"))
        environ = {**self.environ, **ours}
        self.forks.launch(name, *arguments, output=output, errors=errors, folder=self.tree, **environ)
        assert self.forks.wait() == 0, errors.read_text()
        return output.read_text()

    def endpoint(self) -> dict[str, Any]:
        return dict(json.loads(self.script("show_endpoint")))

    @property
    def traffic(self) -> dict[str, int]:
        return dict(self.endpoint()["traffic"])


@contextmanager
def repository(folder: Path, *options: str, own_model: bool = False, **variables: str) -> Iterator[Repository]:
    """A repository with all that a rollout needs: variables, environments, and reviewers for production.

    `options` are the emulator's, `variables` stand among the repository's. Its model is a toy, or (`own_model`) ours.
    """
    copy_tree(ROOT, folder / "tree")
    (folder / "tree/model/job.yml").unlink(missing_ok=True)  # no cluster is there until somebody makes one
    name_deployments(folder / "tree" / "endpoints")
    if not own_model:
        shutil.copy(ROOT / "tests/support/toy_train.py", folder / "tree/model/train.py")
        own_requests(folder / "tree")
    unbaked = {share: {"bake_minutes": 0} for share in ("10", "50", "100")}  # a stage without traffic ends at once
    (folder / "tree" / POLICY).write_text(yaml.safe_dump(unbaked))
    commit(folder / "tree", "Name the deployments")
    with running(folder / "state", *options) as environ, LocalGitHub("local/rollout") as github, fork_server() as forks:
        github.set_up(COLLEAGUE)
        given = repository_variables(environ, **variables)
        made = Repository(folder / "tree", folder / "artifacts", environ, github, forks, given)
        made.know_head()
        yield made
        assert [wrong for answer in github.answers for wrong in DESCRIPTION.wrong_answer(*answer)] == []


def results(run: Run, result: str) -> list[str]:
    """The jobs with a result, without the name of the call they are in."""
    return [name.split("/")[-1] for name, job in run.jobs.items() if job.result == result]
