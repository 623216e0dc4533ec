"""One emulator in this process: Azure, its HTTPS front and the faults put together, served until it is stopped."""

import asyncio
import json
import shlex
import signal
import socket
import ssl
import sys
from pathlib import Path

import click
import trustme

from azureml_emulator.api.server import Server, listen
from azureml_emulator.api.trace import recorder
from azureml_emulator.faults.control import Control
from azureml_emulator.faults.injection import PREFIX, Injection
from azureml_emulator.private import open_private
from azureml_emulator.process import environment
from azureml_emulator.resources.azure import Azure, Options
from azureml_emulator.serving.supervision import cancel


def listening(port: int) -> socket.socket:
    """A socket on loopback. Raises ClickException when the port is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as failure:
        raise click.ClickException(f"port {port} cannot be used: {failure.strerror}.") from None


async def serve(state: Path, listener: socket.socket, options: Options, trace: Path | None, with_parent: bool) -> None:
    """Serves until SIGINT or SIGTERM. Prints one line once it is ready."""
    stopped = asyncio.ensure_future(stop_signal(with_parent).wait())
    base = f"https://127.0.0.1:{listener.getsockname()[1]}"
    azure = Azure(state, base, options)
    azure.lead = lambda header, workspace: environment(base, state / "ca.pem", header, workspace)
    try:
        certificate = issue_certificate(state / "ca.pem")
        opened = asyncio.ensure_future(azure.open())  # which may take a while: a signal does not wait for it
        await asyncio.wait({opened, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            await cancel(opened)
            return
        await opened
        injection = Injection(azure)
        control = Control(injection)
        server = Server(azure, base, [*([recorder(trace)] if trace else []), injection.around])
        server.app.add_subapp(PREFIX, control.app)
        runner = await listen(server, listener, certificate)
        control.write(state, base)
        write_environment(state, environment(base, state / "ca.pem", azure.tokens.identity, options.workspaces[0]))
        click.echo(f"Azure ML at {base}; source {state}/environment.sh to use it, leave_emulator to leave it")
        await stopped
        await runner.cleanup()
    finally:
        await azure.close()


def stop_signal(with_parent: bool) -> asyncio.Event:
    """Set by SIGINT, SIGTERM and, with_parent, by the end of standard input: the parent holds its other end."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    def end_of_input() -> None:
        loop.remove_reader(sys.stdin)  # it would be called without end
        stopped.set()

    if with_parent:
        loop.add_reader(sys.stdin, end_of_input)
    return stopped


def issue_certificate(ca_file: Path) -> ssl.SSLContext:
    """A certificate for loopback from a CA made now. Its key is never written: only the CA's certificate is."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def write_environment(state: Path, variables: dict[str, str]) -> None:
    """The variables for programs and for a shell; only the owner may read them, the identity header is a secret.

    What a shell had before comes back with `leave_emulator`: pip, for one, trusts nobody by the certificate here.
    """
    lines = [
        "type leave_emulator > /dev/null 2>&1 && leave_emulator  # another one's",
        *(f'_was_{name}="${{{name}-}}"' for name in variables),
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        "leave_emulator() {",
        *(f'  unset {name}; [ -z "$_was_{name}" ] || export {name}="$_was_{name}"' for name in variables),
        "  unset -f leave_emulator",
        "}",
    ]
    files = {"environment.json": json.dumps(variables), "environment.sh": "\n".join(lines) + "\n"}
    for name, text in files.items():
        with open_private(state / name, "w") as out:
            out.write(text)
