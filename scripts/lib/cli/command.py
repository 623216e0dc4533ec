"""What all commands share: results on stdout, errors in one sentence, and how long to wait."""

import contextlib
import functools
import io
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import click

from scripts.lib.azure.errors import explain
from scripts.lib.cli.exit_codes import EPILOG, exit_code
from scripts.lib.github import step_output

Function = Callable[..., Any]
INTERRUPTED = (
    "interrupted. Azure goes on with what it had begun: show_endpoint tells how the endpoint is; "
    "run this again to go on, or rollback to go back."
)


@contextlib.contextmanager
def annotated() -> Iterator[None]:
    """What is told to people is on the page of a workflow's run, too."""
    try:
        yield
    except click.ClickException as error:
        step_output.error(error.format_message())
        raise


class Command(click.Command):
    """Prints what its function returns on stdout, and nothing else; an error ends with a message and its exit code."""

    @annotated()
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        return super().make_context(*args, **extra)

    @annotated()
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
            click.echo(getattr(error, "result", ""), nl=hasattr(error, "result"))
            click.ClickException(message).show()
            step_output.error(message)
            ctx.exit(exit_code(error))
        finally:
            if main_thread:
                signal.signal(signal.SIGTERM, before)
        if result is not None:
            click.echo(result)


command = functools.partial(click.command, cls=Command, epilog=EPILOG, context_settings={"show_default": True})


def timeout_option(seconds: float, says: str = "How long to wait for Azure at most.") -> Callable[[Function], Function]:
    """How long the command may wait, with the default in seconds."""
    return click.option("--timeout", type=click.FloatRange(min=0), default=seconds, metavar="SECONDS", help=says)
