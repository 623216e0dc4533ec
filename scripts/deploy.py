"""Deploy a registered model version: as `default` on a new endpoint, else as green at 0 % next to what serves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import click

from scripts.lib.azure import endpoint_files
from scripts.lib.azure.deployments import NotStarted, create
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.endpoint_files import BLUE, GREEN
from scripts.lib.azure.errors import brief, explain, passes
from scripts.lib.azure.model_files import facts
from scripts.lib.azure.registered import verified
from scripts.lib.azure.trying import asked
from scripts.lib.azure.waiting import ANSWER, Deadline, say, within
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command, timeout_option
from scripts.lib.cli.place import endpoint_options, rollout_option
from scripts.lib.decisions import model_tags, tags
from scripts.lib.decisions.deploying import Plan, Wanted, make_room, plan_deploy
from scripts.lib.decisions.state import FIRST_ROLLOUT, EndpointState, Model, Shift, percentages
from scripts.lib.github import provenance, step_output


@command()
@endpoint_options
@click.option(
    "--model",
    type=option_types.model,
    show_default="the tag `model` in endpoints/endpoint.yml",
    help="The registered model's name.",
)
@click.option("--version", type=option_types.version, metavar="NUMBER", required=True, help="register_model prints it.")
@click.option("--digest", default="", show_default=False, help="What was trained has it; else: its tag.")
@click.option("--with-package", is_flag=True, help="Build an image with the model first, and deploy that.")
@rollout_option
@timeout_option(1800)
def main(
    endpoint: OnlineEndpoint,
    model: str | None,
    version: int,
    digest: str,
    with_package: bool,
    rollout: str,
    timeout: float,
) -> str:
    """Deploy a model version; prints the name of the deployment that has it.

    It becomes green, at 0 %, with at least as many instances as what serves; on an endpoint that has never served it
    waits at 0 %, too. A model that serves already changes nothing, one that stands healthy is used. Greens that were
    rolled back or never promoted are removed once the new one is there; what served before stays. What doesn't become
    healthy is removed again. Before anything else, what is registered is downloaded and its digest compared.
    """
    step_output.output(endpoint=endpoint.name)  # first of all: a rollback goes by it, also of what was cancelled
    blue, green = (endpoint_files.settings(path) for path in (BLUE, GREEN))  # a wrong file, before a long download
    name = model or endpoint_files.model_name()
    found = verified(endpoint.workspace, name, str(version), digest, Deadline(timeout))
    if "digest" not in found.tags:  # nobody registered it by register_model, which makes its metadata tags
        said = facts(endpoint.workspace, Model(found.name, str(found.version)), Deadline(ANSWER))
        found.tags = {**model_tags.fitting(said), **found.tags}
    tags.check(
        f"{name} {version}",
        {**endpoint_files.deployment_tags(), **_tags(found, rollout), "settings": "", "replaces": ""},
        "endpoints/*.yml and training's `metadata` have them: register_model says no before it registers such a model.",
    )
    registered = Model(found.name, str(found.version), found.tags.get("digest", ""))
    first, prefix = (endpoint_files.read(path).content["name"] for path in (BLUE, GREEN))
    wanted = Wanted(registered, green, rollout, first, prefix, blue)
    steps = _Deploying(endpoint, wanted, found, with_package, Deadline(timeout), Deadline(timeout / 2)).to_the_end()
    _tell(endpoint, steps)
    return steps[-1].deployment


@dataclass
class _Deploying:
    """One step after the other, each planned from what is there then, since a creation takes ten minutes."""

    endpoint: OnlineEndpoint
    wanted: Wanted
    model: Any
    with_package: bool
    deadline: Deadline
    earlier: Deadline  # half the time, for what an earlier run left running
    steps: list[Plan] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)

    def to_the_end(self) -> list[Plan]:
        while not self.steps or not self.steps[-1].done:
            known = [step.deployment for step in self.steps[-1:]]
            self.steps.append(self.endpoint.change(self.plan, self.write, self.deadline, busy=self.busy, known=known))
        return self.steps

    def plan(self, state: EndpointState) -> Plan:
        plan = plan_deploy(state, self.wanted)
        plan = replace(plan, after=tuple(name for name in plan.after if name not in self.kept))
        if not (self.steps and plan.done):
            self.deadline.tell(plan.say)
        return plan

    def busy(self, state: EndpointState) -> bool:
        return not self.earlier.passed and (state.busy or any(d.busy for d in state.deployments.values()))

    def write(self, plan: Plan, state: EndpointState) -> None:
        if plan.create:
            self.create(plan, state)
        elif plan.scale:
            self.scale(plan)
        elif plan.take_over:
            self.endpoint.shift(self.take_over, self.deadline)
        else:
            self.remove(plan.after[0])

    def take_over(self, state: EndpointState) -> Shift:
        return plan_deploy(state, self.wanted).take_over or Shift({}, "", done=True)

    def create(self, plan: Plan, state: EndpointState) -> None:
        """The deployment of its file, with what only this run knows."""
        for name in plan.remove:
            say(f"{name} is left over from an earlier rollout")
            self.endpoint.remove(name, self.deadline)
        entity = endpoint_files.deployment(GREEN if plan.green else BLUE, plan.deployment, self.endpoint.name)
        entity.tags = {**entity.tags, **_tags(self.model, self.wanted.rollout), "settings": entity.tags["settings"]}
        entity.tags.pop("replaces", None)  # nobody else says that
        if plan.blue:
            entity.tags["replaces"] = str(state.deployments[plan.blue].ref)
        entity.instance_count = max(entity.instance_count or 1, plan.instances)
        if self.with_package:
            entity.environment = _package(self.endpoint, self.model, self.deadline)
        else:
            entity.model = f"azureml:{self.model.name}:{self.model.version}"
        if plan.first and not state.first_rollout:  # killed between creation and traffic, the next run still knows
            tell = lambda now: Shift(now.traffic, "", done=now.first_rollout, tags=FIRST_ROLLOUT)  # noqa: E731
            self.endpoint.shift(tell, self.deadline)
        try:
            create(self.endpoint, entity, self.deadline, make_room(state))
        except NotStarted as error:
            if error.why:
                log = "\n".join(f"    {line}" for line in error.why)  # in Markdown a block, which shows all as it is
                step_output.summary(f"**{plan.deployment}** did not start. Its log says:", log)
            raise

    def scale(self, plan: Plan) -> None:
        """As many instances as what serves has, for a green that stands at 0 % already."""
        endpoint, name = self.endpoint, plan.deployment
        get = partial(endpoint.client.online_deployments.get, name, endpoint.name)
        entity: Any = asked(endpoint.workspace, self.deadline, get)
        entity.instance_count = plan.instances
        # The SDK reads milliseconds as whole seconds (azure-ai-ml 1.35): the file, which it fits, has them as they are.
        entity.request_settings = endpoint_files.deployment(GREEN, name, endpoint.name).request_settings
        endpoint.put_deployment(entity, f"scaling {name} to {plan.instances}", self.deadline)

    def remove(self, name: str) -> None:
        """Remove what is left over; what can't be removed is told and kept, since green stands without that."""
        say(f"{name} is left over from an earlier rollout")
        try:
            self.endpoint.remove(name, self.deadline)
        except Exception as error:
            if passes(error) or getattr(error, "status", "") == "Canceled" or explain(error) is None:
                raise
            say(f"{name} stays for now: {brief(error)}. The next deploy removes it, or delete_blue {name}.")
            self.kept.add(name)


def _tags(model: Any, rollout: str) -> dict[str, str]:
    """What a deployment says of where it comes from: this run, the registered version, and the rollout's own.

    A model that was trained elsewhere is nobody's commit: the run's would name who didn't write it.
    """
    of_ours = {"model": model.name, "version": str(model.version), "rollout": rollout}
    of_run = {name: value for name, value in provenance.tags().items() if name != "commit"}
    return {**of_run, **model.tags, **of_ours}


def _package(endpoint: OnlineEndpoint, model: Any, deadline: Deadline) -> str:
    """Build an image of model and server. The SDK's `package_model=True` would do it, but crashes in 1.35."""
    from azure.ai.ml.entities import AzureMLOnlineInferencingServer, ModelPackage

    name, version = f"{model.name}-{model.version}", str(model.version)
    request = ModelPackage(target_environment=name, inferencing_server=AzureMLOnlineInferencingServer())
    package = endpoint.client.models.package
    environment = within(deadline, f"packaging {name}", lambda: package(model.name, version, request))
    return f"azureml:{environment.name}:{environment.version}"


def _tell(endpoint: OnlineEndpoint, steps: list[Plan]) -> None:
    """The workflow's outputs and summary. `first` is that very deployment, with its creation time."""
    done = steps[-1]
    state = endpoint.seen
    first_one = str(state.deployments[done.deployment].ref) if done.first else ""
    step_output.output(deployment=done.deployment, green=done.green, blue=done.blue, first=first_one)
    step_output.summary(steps[0].say, f"Traffic: **{percentages(state.traffic)}**")
    if not done.green:
        step_output.summary("There is nothing to promote: the promotion jobs are skipped.")


if __name__ == "__main__":
    main()
