"""The command `azureml-emulator`: serves until stopped, or (`run -- COMMAND`) while COMMAND runs."""

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import uvloop

from azureml_emulator.compare.command import compare
from azureml_emulator.emulator import listening, serve
from azureml_emulator.faults.command import fault
from azureml_emulator.lock import end, locked
from azureml_emulator.process import STATE, run
from azureml_emulator.resources.azure import Options


@click.group(invoke_without_command=True)
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps everything.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="On 127.0.0.1; 0 takes any free one.")
@click.option("--workspace", "workspaces", multiple=True, default=["local"], show_default=True, help="May be repeated.")
@click.option("--core-quota", default=100, show_default=True, help="Cores that deployments may take together.")
@click.option("--operation-seconds", default=0.2, show_default=True, help="The least time of an operation.")
@click.option("--token-seconds", default=3600, show_default=True, help="How long a token is good.")
@click.option(
    "--datastore-auth",
    type=click.Choice(["accesskey", "identity"]),
    default="accesskey",
    show_default=True,
    help="What opens blobs: keys and signatures, or, where the account allows none, tokens and roles alone.",
)
@click.option(
    "--clock",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Factor on the seconds that Azure waits before and between probes, and before a restart.",
)
@click.option(
    "--minute",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0.01),
    help="Seconds that a minute of Azure's takes, by which it tells of traffic and dates its answers.",
)
@click.option(
    "--azure-polling", is_flag=True, help="Let clients poll operations as they poll Azure: the SDK every 5 to 30 s."
)
@click.option(
    "--max-payload", default=10 * 1024 * 1024, show_default=True, help="Bytes that a scoring request may have."
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    help="File that every call is appended to, without secrets.",
)
@click.option("--with-parent", is_flag=True, help="Stop when standard input ends.")
@click.pass_context
def main(
    context: click.Context, /, state: Path | None, port: int, trace: Path | None, with_parent: bool, **options: Any
) -> None:
    """A local Azure ML for the unmodified azure-ai-ml SDK. Without a command it serves until stopped."""
    if context.invoked_subcommand:
        theirs = state or os.environ.get(STATE)
        context.default_map = {name: {"state": theirs} for name in ("stop", "fault")} if theirs else None
        return
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("azure").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # it logs what it can't parse, with the secrets
    os.umask(0o077)  # the state folder may have been there, open to others
    with locked((state or Path(".emulator")).resolve()) as folder, listening(port) as listener:
        uvloop.run(serve(folder, listener, Options(**options), trace, with_parent))


@main.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run_command(context: click.Context, command: tuple[str, ...]) -> None:
    """Serve while COMMAND runs, with the variables set that lead it here. Ends with its exit code."""
    given = dict(context.parent.params) if context.parent else {}
    state, workspaces = given.pop("state"), given.pop("workspaces")
    given.pop("with_parent")
    flags = {name for name, value in given.items() if value is True}
    options = [
        f"--{name.replace('_', '-')}" + ("" if name in flags else f"={value}")
        for name, value in given.items()
        if value is not None and value is not False
    ]
    with tempfile.TemporaryDirectory(prefix="emulator-") as temporary:
        folder = (state or Path(temporary)).resolve()
        sys.exit(run(list(command), folder, [*options, *(f"--workspace={name}" for name in workspaces)]))


@main.command()
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), default=".emulator", show_default=True)
def stop(state: Path) -> None:
    """Stop the emulator that serves on a state folder: what it is answering ends first."""
    end(state)
    click.echo(f"The emulator on {state} has ended.")


main.add_command(fault)
main.add_command(compare)

if __name__ == "__main__":
    main()
