"""`azureml-emulator` serves until stopped; `azureml-emulator run -- COMMAND` serves while COMMAND runs."""

import asyncio
import fcntl
import json
import logging
import os
import shlex
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import trustme
import uvloop

from azureml_emulator.api.server import Server, listen
from azureml_emulator.api.trace import recorder
from azureml_emulator.faults.command import fault
from azureml_emulator.faults.control import Control
from azureml_emulator.faults.injection import PREFIX, Injection
from azureml_emulator.process import environment, run
from azureml_emulator.resources.azure import Azure, Options


@click.group(invoke_without_command=True)
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps everything.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="On 127.0.0.1; 0 takes any free one.")
@click.option("--workspace", "workspaces", multiple=True, default=["local"], show_default=True, help="May be repeated.")
@click.option("--core-quota", default=100, show_default=True, help="Cores that deployments may take together.")
@click.option("--operation-seconds", default=0.2, show_default=True, help="The least time of an operation.")
@click.option("--token-seconds", default=3600, show_default=True, help="How long a token is good.")
@click.option(
    "--clock",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Factor on the seconds that Azure waits before and between probes, and before a restart.",
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
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    with tempfile.TemporaryDirectory(prefix="emulator-") as temporary:
        folder = (state or Path(temporary)).resolve()
        sys.exit(run(list(command), folder, [*options, *(f"--workspace={name}" for name in workspaces)]))


@contextmanager
def locked(state: Path) -> Iterator[Path]:
    """The state folder, made if missing, for this process alone. Raises ClickException when another one has it."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"{state} is in use by another emulator; name another --state.") from None
        yield state


def listening(port: int) -> socket.socket:
    """A socket on loopback. Raises ClickException when the port is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as failure:
        raise click.ClickException(f"port {port} cannot be used: {failure.strerror}.") from None


async def serve(state: Path, listener: socket.socket, options: Options, trace: Path | None, with_parent: bool) -> None:
    """Serves until SIGINT or SIGTERM. Prints one line once it is ready."""
    stopped = stop_signal(with_parent)
    base = f"https://127.0.0.1:{listener.getsockname()[1]}"
    azure = Azure(state, base, options)
    try:
        certificate = issue_certificate(state / "ca.pem")
        await azure.open()
        injection = Injection(azure)
        control = Control(injection)
        server = Server(azure, base, [*([recorder(trace)] if trace else []), injection.around])
        server.app.add_subapp(PREFIX, control.app)
        runner = await listen(server, listener, certificate)
        control.write(state, base)
        write_environment(state, environment(base, state / "ca.pem", azure.tokens.identity, options.workspaces[0]))
        click.echo(f"Azure ML at {base}; source {state}/environment.sh to use it")
        await stopped.wait()
        await runner.cleanup()
    finally:
        await azure.close()


def stop_signal(with_parent: bool) -> asyncio.Event:
    """Set by SIGINT, SIGTERM and, with_parent, by the end of standard input: the parent holds its other end."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), stopped.set)
    return stopped


def issue_certificate(ca_file: Path) -> ssl.SSLContext:
    """A certificate for loopback from a CA made now. Its key is never written: only the CA's certificate is."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def write_environment(state: Path, variables: dict[str, str]) -> None:
    """The variables for programs and for a shell; only the owner may read them, the identity header is a secret."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    files = {"environment.json": json.dumps(variables), "environment.sh": "\n".join(lines) + "\n"}
    for name, text in files.items():
        descriptor = os.open(state / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(text)


main.add_command(fault)

if __name__ == "__main__":
    main()
