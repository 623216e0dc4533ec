"""Where a command works and for whom: the options of the workspace, the endpoint and the rollout."""

import functools
from typing import Any

import click

from scripts.lib.azure.workspace import Workspace, endpoint_name
from scripts.lib.cli import names
from scripts.lib.cli.command import Function
from scripts.lib.github import provenance


def workspace_options(function: Function) -> Function:
    """Give the function a first argument `workspace`; what is missing of it is named, all at once, with exit code 2."""

    @click.option(
        "--subscription-id", envvar="AZURE_SUBSCRIPTION_ID", show_envvar=True, help="The subscription of the workspace."
    )
    @click.option("--resource-group", envvar="AZURE_RESOURCE_GROUP", show_envvar=True, help="Its resource group.")
    @click.option("--workspace", envvar="AZURE_ML_WORKSPACE", show_envvar=True, help="The Azure ML workspace.")
    @functools.wraps(function)
    def wrapper(subscription_id: str | None, resource_group: str | None, workspace: str | None, **rest: Any) -> Any:
        given = {
            "AZURE_SUBSCRIPTION_ID (--subscription-id)": subscription_id,
            "AZURE_RESOURCE_GROUP (--resource-group)": resource_group,
            "AZURE_ML_WORKSPACE (--workspace)": workspace,
        }
        if missing := [name for name, value in given.items() if not value]:
            raise click.UsageError(f"which workspace? Set {', '.join(missing)}.")
        return function(Workspace(*map(str, given.values())), **rest)

    return wrapper


def endpoint_options(function: Function) -> Function:
    """Give the function a first argument `endpoint`, an OnlineEndpoint of the workspace."""

    @workspace_options
    @click.option(
        "--endpoint",
        envvar="ENDPOINT_NAME",
        show_envvar=True,
        type=names.endpoint,
        show_default="name in endpoints/endpoint.yml",
        help="The endpoint.",
    )
    @functools.wraps(function)
    def wrapper(workspace: Workspace, endpoint: str | None, **rest: Any) -> Any:
        from scripts.lib.azure.endpoint import OnlineEndpoint

        return function(OnlineEndpoint(workspace, endpoint or endpoint_name()), **rest)

    return wrapper


rollout_option = click.option(
    "--rollout",
    callback=lambda ctx, param, value: value or provenance.rollout_id(),
    metavar="ID",
    help="Whose rollout this is, as register_model says in a workflow.  [default: this run, or `by hand`]",
)
