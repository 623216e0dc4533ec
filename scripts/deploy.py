"""Deploy a registered model version: as `default` on a new endpoint, else as green at 0 % next to what serves."""

from __future__ import annotations

from dataclasses import replace
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
@click.option(
    "--version",
    type=option_types.version,
    metavar="NUMBER",
    required=True,
    help="The model version, as register_model prints it.",
)
@click.option(
    "--digest",
    default="",
    show_default=False,
    help="The one that the model must have: what was trained. Else: what its tag says.",
)
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
    deadline, earlier = Deadline(timeout), Deadline(timeout / 2)  # half the time for what an earlier run left running
    steps: list[Plan] = []
    kept: set[str] = set()

    def plan(state: EndpointState) -> Plan:
        plan = plan_deploy(state, wanted)
        plan = replace(plan, after=tuple(name for name in plan.after if name not in kept))
        if not (steps and plan.done):
            deadline.tell(plan.say)
        return plan

    def write(plan: Plan, state: EndpointState) -> None:
        """One step: what is next is planned from what is there then, since a creation takes ten minutes."""
        if plan.create:
            _create(endpoint, plan, state, found, rollout, with_package, deadline)
        elif plan.scale:
            _scale(endpoint, plan, deadline)
        elif plan.take_over:
            endpoint.shift(lambda state: plan_deploy(state, wanted).take_over or Shift({}, "", done=True), deadline)
        else:
            kept.update(_remove(endpoint, plan.after[0], deadline))

    def busy(state: EndpointState) -> bool:
        return not earlier.passed and (state.busy or any(d.busy for d in state.deployments.values()))

    while not steps or not steps[-1].done:
        steps.append(endpoint.change(plan, write, deadline, busy=busy, known=[step.deployment for step in steps[-1:]]))
    _tell(endpoint, steps)
    return steps[-1].deployment


def _tell(endpoint: OnlineEndpoint, steps: list[Plan]) -> None:
    """The workflow's outputs and summary. `first` is that very deployment, with its creation time."""
    done = steps[-1]
    state = endpoint.seen
    first_one = str(state.deployments[done.deployment].ref) if done.first else ""
    step_output.output(deployment=done.deployment, green=done.green, blue=done.blue, first=first_one)
    step_output.summary(steps[0].say, f"Traffic: **{percentages(state.traffic)}**")
    if not done.green:
        step_output.summary("There is nothing to promote: the promotion jobs are skipped.")


def _create(
    endpoint: OnlineEndpoint,
    plan: Plan,
    state: EndpointState,
    model: Any,
    rollout: str,
    with_package: bool,
    deadline: Deadline,
) -> None:
    """The deployment of its file, with what only this run knows."""
    for name in plan.remove:
        say(f"{name} is left over from an earlier rollout")
        endpoint.remove(name, deadline)
    entity = endpoint_files.deployment(GREEN if plan.green else BLUE, plan.deployment, endpoint.name)
    entity.tags = {**entity.tags, **_tags(model, rollout), "settings": entity.tags["settings"]}
    entity.tags.pop("replaces", None)  # nobody else says that
    if plan.blue:
        entity.tags["replaces"] = str(state.deployments[plan.blue].ref)
    entity.instance_count = max(entity.instance_count or 1, plan.instances)
    if with_package:
        entity.environment = _package(endpoint, model, deadline)
    else:
        entity.model = f"azureml:{model.name}:{model.version}"
    if plan.first and not state.first_rollout:  # killed between creation and traffic, the next run still knows
        endpoint.shift(lambda state: Shift(state.traffic, "", done=state.first_rollout, tags=FIRST_ROLLOUT), deadline)
    try:
        create(endpoint, entity, deadline, make_room(state))
    except NotStarted as error:
        if error.why:
            log = "\n".join(f"    {line}" for line in error.why)  # in Markdown a block, which shows all as it is
            step_output.summary(f"**{plan.deployment}** did not start. Its log says:", log)
        raise


def _tags(model: Any, rollout: str) -> dict[str, str]:
    """What a deployment says of where it comes from: this run, the registered version, and the rollout's own.

    A model that was trained elsewhere is nobody's commit: the run's would name who didn't write it.
    """
    of_ours = {"model": model.name, "version": str(model.version), "rollout": rollout}
    of_run = {name: value for name, value in provenance.tags().items() if name != "commit"}
    return {**of_run, **model.tags, **of_ours}


def _remove(endpoint: OnlineEndpoint, name: str, deadline: Deadline) -> list[str]:
    """Remove what is left over; what can't be removed is told and kept, since green stands without that."""
    say(f"{name} is left over from an earlier rollout")
    try:
        endpoint.remove(name, deadline)
    except Exception as error:
        if passes(error) or getattr(error, "status", "") == "Canceled" or explain(error) is None:
            raise
        say(f"{name} stays for now: {brief(error)}. The next deploy removes it, or delete_blue {name}.")
        return [name]
    return []


def _scale(endpoint: OnlineEndpoint, plan: Plan, deadline: Deadline) -> None:
    """As many instances as what serves has, for a green that stands at 0 % already."""
    entity: Any = asked(
        endpoint.workspace, deadline, lambda: endpoint.client.online_deployments.get(plan.deployment, endpoint.name)
    )
    entity.instance_count = plan.instances
    # The SDK reads milliseconds as whole seconds (azure-ai-ml 1.35): the file, which it fits, has them as they were.
    entity.request_settings = endpoint_files.deployment(GREEN, plan.deployment, endpoint.name).request_settings
    endpoint.put_deployment(entity, f"scaling {plan.deployment} to {plan.instances}", deadline)


def _package(endpoint: OnlineEndpoint, model: Any, deadline: Deadline) -> str:
    """Build an image of model and server. The SDK's `package_model=True` would do it, but crashes in 1.35."""
    from azure.ai.ml.entities import AzureMLOnlineInferencingServer, ModelPackage

    name, version = f"{model.name}-{model.version}", str(model.version)
    request = ModelPackage(target_environment=name, inferencing_server=AzureMLOnlineInferencingServer())
    package = endpoint.client.models.package
    environment = within(deadline, f"packaging {name}", lambda: package(model.name, version, request))
    return f"azureml:{environment.name}:{environment.version}"


if __name__ == "__main__":
    main()
