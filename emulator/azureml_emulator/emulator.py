"""One emulator in this process: Azure, its HTTPS front and the faults put together, served until it is stopped."""

import asyncio
import json
import os
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
from azureml_emulator.process import environment
from azureml_emulator.resources.azure import Azure, Options


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
