"""What all commands share: results on stdout, errors in one sentence, the workspace's and the endpoint's options."""

import contextlib
import functools
import io
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from scripts.lib.azure.errors import explain
from scripts.lib.azure.workspace import Workspace, endpoint_yaml
from scripts.lib.cli import option_types

Function = Callable[..., Any]
INTERRUPTED = (
    "interrupted. Azure goes on with what it had begun: show_endpoint tells how the endpoint is; "
    "run this again to go on, or rollback to go back."
)


class Command(click.Command):
    """Prints what its function returns on stdout, and nothing else; an error ends with a message and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with interruptible(), contextlib.redirect_stdout(io.StringIO()):  # the SDK prints a dot each time it polls
                result = super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt as error:
            raise click.ClickException(INTERRUPTED) from error
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            raise click.ClickException(message) from error
        if result is not None:
            click.echo(result)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A job that is cancelled gets SIGTERM: taken like Ctrl-C, so that it can still say how things are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


command = functools.partial(click.command, cls=Command, context_settings={"show_default": True})


def workspace_options(function: Function) -> Function:
    """Give the function a first argument `workspace`; what is missing of it is named, all at once, with exit code 2."""

    @click.option("--subscription-id", envvar="AZURE_SUBSCRIPTION_ID", show_envvar=True)
    @click.option("--resource-group", envvar="AZURE_RESOURCE_GROUP", show_envvar=True)
    @click.option("--workspace", envvar="AZURE_ML_WORKSPACE", show_envvar=True)
    @functools.wraps(function)
    def wrapper(subscription_id: str | None, resource_group: str | None, workspace: str | None, **rest: Any) -> Any:
        given = {
            "AZURE_SUBSCRIPTION_ID (--subscription-id)": subscription_id,
            "AZURE_RESOURCE_GROUP (--resource-group)": resource_group,
            "AZURE_ML_WORKSPACE (--workspace)": workspace,
        }
        missing = [name for name, value in given.items() if not value]
        if missing or not (subscription_id and resource_group and workspace):
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
        type=option_types.ENDPOINT,
        show_default="name in endpoints/endpoint.yml",
    )
    @functools.wraps(function)
    def wrapper(workspace: Workspace, endpoint: str | None, **rest: Any) -> Any:
        from scripts.lib.azure.endpoint import OnlineEndpoint

        name = endpoint or option_types.ENDPOINT.convert(str(endpoint_yaml()["name"]), None, None)
        return function(OnlineEndpoint(workspace, name), **rest)

    return wrapper


def timeout_option(seconds: float) -> Callable[[Function], Function]:
    """How long the command may wait for Azure, with the default in seconds."""
    return click.option(
        "--timeout",
        type=option_types.SECONDS,
        default=seconds,
        metavar="SECONDS",
        help="How long to wait for Azure at most.",
    )


REQUEST = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
