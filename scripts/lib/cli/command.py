"""What all commands share: results on stdout, errors in one sentence, the workspace's and the endpoint's options."""

import contextlib
import functools
import io
import signal
import threading
from collections.abc import Callable
from typing import Any

import click

from scripts.lib.azure.errors import explain
from scripts.lib.azure.workspace import Workspace, endpoint_name
from scripts.lib.cli import names
from scripts.lib.github import provenance

Function = Callable[..., Any]
INTERRUPTED = (
    "interrupted. Azure goes on with what it had begun: show_endpoint tells how the endpoint is; "
    "run this again to go on, or rollback to go back."
)


class Command(click.Command):
    """Prints what its function returns on stdout, and nothing else; an error ends with a message and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        main_thread = threading.current_thread() is threading.main_thread()
        # A job that is cancelled gets SIGTERM: taken like Ctrl-C, so that it can still say how things are.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler) if main_thread else None
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the SDK prints a dot each time it polls
                result = super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise click.ClickException(INTERRUPTED) from error
        except Exception as error:
            if (message := explain(error)) is None:
                raise
            raise click.ClickException(message) from error
        finally:
            if main_thread:
                signal.signal(signal.SIGTERM, before)
        if result is not None:
            click.echo(result)


command = functools.partial(click.command, cls=Command, context_settings={"show_default": True})


def workspace_options(function: Function) -> Function:
    """Give the function a first argument `workspace`; what is missing of it is named, all at once, with exit code 2."""

    @click.option("--subscription-id", envvar="AZURE_SUBSCRIPTION_ID", show_envvar=True, default="")
    @click.option("--resource-group", envvar="AZURE_RESOURCE_GROUP", show_envvar=True, default="")
    @click.option("--workspace", envvar="AZURE_ML_WORKSPACE", show_envvar=True, default="")
    @functools.wraps(function)
    def wrapper(subscription_id: str, resource_group: str, workspace: str, **rest: Any) -> Any:
        given = {
            "AZURE_SUBSCRIPTION_ID (--subscription-id)": subscription_id,
            "AZURE_RESOURCE_GROUP (--resource-group)": resource_group,
            "AZURE_ML_WORKSPACE (--workspace)": workspace,
        }
        if missing := [name for name, value in given.items() if not value]:
            raise click.UsageError(f"which workspace? Set {', '.join(missing)}.")
        return function(Workspace(subscription_id, resource_group, workspace), **rest)

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


def timeout_option(seconds: float, says: str = "How long to wait for Azure at most.") -> Callable[[Function], Function]:
    """How long the command may wait, with the default in seconds."""
    return click.option("--timeout", type=click.FloatRange(min=0), default=seconds, metavar="SECONDS", help=says)
