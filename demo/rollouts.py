"""Three rollouts by the real workflow file, with clients that keep asking the endpoint from the first answer on."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import click
import yaml

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.workflows.act import WORKSPACE_VARIABLES, Job, Run, commit, repository_variables, run_workflow
from demo import one_in_ten
from demo.clients import PAUSE, Clients
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.policy_file import POLICY
from scripts.lib.azure.scoring_client import ROWS, SAMPLE, bearer, load_requests
from scripts.lib.azure.workspace import Workspace, endpoint_name
from scripts.lib.decisions import requests
from scripts.lib.decisions.canary.policy import LONGEST, STAGES
from scripts.lib.decisions.requests import Body
from scripts.lib.decisions.state import percentages

ROLLOUT = ".github/workflows/rollout.yml"
SEED = re.compile(r"^SEED = (\d+)", re.MULTILINE)
LINE = "  {:<20} {:>5}   {:<36} {}"
HURRY = 0.02  # seconds between a client's requests while live traffic judges: more of them show the same sooner
PATIENT = {str(at.percent): {"bake_minutes": LONGEST, "deadline_minutes": LONGEST} for at in STAGES}  # or until noticed


class Demo:
    """Three rollouts from the repository `tree` on `github`, against the emulator that `variables` lead to."""

    def __init__(self, tree: Path, variables: Mapping[str, str], github: LocalGitHub) -> None:
        self.tree, self.variables, self.github = tree, variables, github
        self.endpoint = OnlineEndpoint(Workspace(*(variables[name] for name in WORKSPACE_VARIABLES)), endpoint_name())
        self.rare = hold_back(tree)
        self.clients = Clients(tree / ROWS, self.rare)
        jobs = yaml.safe_load((tree / ".github/workflows/stages.yml").read_text(encoding="utf-8"))["jobs"]
        self.asking = [name for name in jobs if name.startswith(("promote-", "delete-"))]  # for an approval, each
        self.reviewed = ""  # what the page said, Markdown, when the second rollout first asked for an approval
        self.moments: dict[str, float] = {}  # of the third: shifted, noticed, undone

    def play(self) -> None:
        """Ends where a request failed. Raises ClickException: a good model isn't rolled out, or a bad one stays."""
        try:
            click.echo("First rollout: the endpoint does not exist yet")
            self.rolled_out()
            change_model(self.tree)
            click.echo("\nSecond rollout: another model is merged to main")
            self.rolled_out()
            if self.clients.problems:
                return
            if self.rare:
                break_model(self.tree, self.rare)
                click.echo("\nThird rollout: a model is merged that fails for one row in ten, none of the smoke test's")
                self.taken_back()
            else:
                click.echo(f"\nNo third rollout, of a bad model: {ROWS} has no row to keep from the smoke test.")
        finally:
            self.clients.stop()

    def rolled_out(self) -> None:
        before = self.serving()
        run = self.rollout()
        self.reviewed = run.jobs["rollout/smoke-test"].summary
        if run.exit_code:
            logs = [f"--- {name}\n{job.log}" for name, job in run.jobs.items() if job.result == "failure"]
            raise click.ClickException("the rollout failed:\n" + "\n".join(logs))
        if self.serving() == before:
            raise click.ClickException("the rollout deployed nothing: training made the model that serves already.")

    def taken_back(self) -> None:
        [blue] = self.clients.trusted = self.serving()
        job = self.rollout().jobs[f"rollout/{self.asking[0]}"]
        if len(self.moments) < 3 or job.result != "failure" or self.serving() != {blue}:
            raise click.ClickException(f"the bad model was not noticed in {self.asking[0]}, or not undone:\n{job.log}")
        noticed, undone = (self.moments[it] - self.moments["shifted"] for it in ("noticed", "undone"))
        click.echo(
            f"  {len(self.clients.excused)} requests to the bad model failed; it was noticed {noticed:.0f} s after the"
        )
        click.echo(f"  shift, and after {undone:.0f} s {blue} had all traffic again")
        for issue in self.github.issues.values():
            click.echo(f"  an issue tells of it: {issue['title']}")

    def rollout(self) -> Run:
        click.echo(LINE.format("job", "took", "traffic then", "answered meanwhile"))
        made = self.github.add_run(run_id=len(self.github.runs) + 1)
        approve = self.github.approving(made.id, "colleague", self.asking)

        def watch(name: str, job: Job) -> None:
            approve(name, job)
            self.tell(name, job)
            if self.clients.trusted and name.endswith(self.asking[0]):
                self.look(job)

        run = run_workflow(
            ROLLOUT,
            environ={**self.variables, **self.github.environ(), "GITHUB_RUN_ID": str(made.id)},
            workdir=self.tree,
            variables=repository_variables(self.variables),
            watch=watch,
        )
        skipped = [name for name, job in run.jobs.items() if job.result == "skipped" and "staging" not in name]
        click.echo(f"  skipped: {', '.join(skipped)}")
        return run

    def look(self, job: Job) -> None:
        """When what happened in a promotion of a bad model, as far as its log has come."""
        moments, now, shared = self.moments, time.monotonic(), len(self.serving()) > 1
        if shared and "shifted" not in moments:
            moments["shifted"], self.clients.pause = now, HURRY
        if "is unhealthy" in job.log:
            moments.setdefault("noticed", now)
        if "shifted" in moments and not shared:
            moments["undone"], self.clients.pause, self.clients.trusted = now, PAUSE, ()

    def serving(self) -> set[str]:
        """The deployments that have traffic."""
        state = self.endpoint.find()
        return set(state.traffic) if state else set()

    def tell(self, name: str, job: Job) -> None:
        """A line for each job that ends; the clients start as soon as something serves."""
        if job.result not in ("success", "failure"):
            return
        state = self.endpoint.find()
        traffic = percentages(dict(sorted(state.traffic.items()))) if state else "no endpoint"
        answered = ", ".join(f"{count} by {deployment}" for deployment, count in self.clients.news().items())
        click.echo(LINE.format(name, f"{job.seconds:.0f} s", traffic, answered or "-"))
        if state and state.traffic and not self.clients.started:
            self.clients.start(state.scoring_uri, bearer(self.endpoint))


def change_model(tree: Path) -> None:
    """A change of the model, as a merge to main brings it: another SEED. Raises ClickException where there is none."""
    script = tree / "model/train.py"
    code, seeds = SEED.subn(lambda found: f"SEED = {int(found[1]) + 1}", script.read_text(encoding="utf-8"))
    if seeds != 1:
        raise click.ClickException("model/train.py has no line `SEED = <number>` to change for the second rollout.")
    script.write_text(code, encoding="utf-8")
    commit(tree, "Change the seed")


def hold_back(tree: Path) -> Body | None:
    """Takes the last row of the smoke test from its file, for the clients alone; None where there is none to take."""
    *others, last = load_requests(tree / ROWS)
    if not others or requests.split(last) is None or last in [*others, *load_requests(tree / SAMPLE)]:
        return None
    (tree / ROWS).write_text(json.dumps(others), encoding="utf-8")
    return last


def break_model(tree: Path, rare: Body) -> None:
    """A merge of a model that fails for this row, judged by what every copy begins with."""
    model = tree / "model"
    (model / "train.py").rename(model / one_in_ten.TRAIN.name)
    shutil.copy(one_in_ten.HERE, model / "train.py")
    (model / one_in_ten.ROW.name).write_text(json.dumps(rare["input_data"]), encoding="utf-8")
    (tree / POLICY).write_text(yaml.safe_dump(PATIENT), encoding="utf-8")
    commit(tree, "Break the model")
