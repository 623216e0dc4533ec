"""Two rollouts by the real workflow file, with clients that keep asking the endpoint from the first answer on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click
import yaml

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.workflows.act import WORKSPACE_VARIABLES, Job, commit, repository_variables, run_workflow
from demo.clients import Clients
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.scoring_client import ROWS, bearer
from scripts.lib.azure.workspace import Workspace, endpoint_name
from scripts.lib.decisions.state import percentages

ROLLOUT = ".github/workflows/rollout.yml"
SEED = re.compile(r"^SEED = (\d+)", re.MULTILINE)
LINE = "  {:<20} {:>5}   {:<36} {}"


class Demo:
    """Two rollouts from the repository `tree` on `github`, against the emulator that `variables` lead to."""

    def __init__(self, tree: Path, variables: Mapping[str, str], github: LocalGitHub) -> None:
        self.tree, self.variables, self.github = tree, variables, github
        self.endpoint = OnlineEndpoint(Workspace(*(variables[name] for name in WORKSPACE_VARIABLES)), endpoint_name())
        self.clients = Clients(tree / ROWS)
        jobs = yaml.safe_load((tree / ".github/workflows/stages.yml").read_text(encoding="utf-8"))["jobs"]
        self.asking = [name for name in jobs if name.startswith(("promote-", "delete-"))]  # for an approval, each
        self.reviewed = ""  # what the page said, Markdown, when the last rollout first asked for an approval

    def play(self) -> None:
        """Raises ClickException when a run fails, or deploys nothing."""
        try:
            click.echo("First rollout: the endpoint does not exist yet")
            self.rollout()
            change_model(self.tree)
            click.echo("\nSecond rollout: another model is merged to main")
            self.rollout()
        finally:
            self.clients.stop()

    def rollout(self) -> None:
        before = self.serving()
        click.echo(LINE.format("job", "took", "traffic then", "answered meanwhile"))
        made = self.github.add_run(run_id=len(self.github.runs) + 1)
        approve = self.github.approving(made.id, "colleague", self.asking)

        def watch(name: str, job: Job) -> None:
            approve(name, job)
            self.tell(name, job)

        run = run_workflow(
            ROLLOUT,
            environ={**self.variables, **self.github.environ(), "GITHUB_RUN_ID": str(made.id)},
            workdir=self.tree,
            variables=repository_variables(self.variables),
            watch=watch,
        )
        self.reviewed = run.jobs["rollout/smoke-test"].summary
        skipped = [name for name, job in run.jobs.items() if job.result == "skipped" and "staging" not in name]
        click.echo(f"  skipped: {', '.join(skipped)}")
        if run.exit_code:
            logs = [f"--- {name}\n{job.log}" for name, job in run.jobs.items() if job.result == "failure"]
            raise click.ClickException("the rollout failed:\n" + "\n".join(logs))
        if self.serving() == before:
            raise click.ClickException("the rollout deployed nothing: training made the model that serves already.")

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
