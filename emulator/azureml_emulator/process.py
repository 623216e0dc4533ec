"""A running emulator for a command, a demo or a test, and the environment that leads a client to it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from select import select
from subprocess import PIPE

from azureml_emulator.arm.names import CLOUD, GROUP, SUBSCRIPTION

#: A variable that could lead a client past the emulator, to the real Azure or through a proxy.
FOREIGN = ("AZURE_", "AZUREML_", "ARM_", "IDENTITY_", "MSI_")
STATE = "EMULATOR_STATE"  # tells `fault` and `stop` in a command of `run` which emulator is theirs
START_SECONDS = 120.0  # with deployments to bring back on a busy machine
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def environment(base: str, ca: Path, identity: str, workspace: str) -> dict[str, str]:
    """What the unmodified SDK needs to find the emulator at `base`, and nothing but it."""
    return {
        "AZUREML_CURRENT_CLOUD": CLOUD,  # with the next line: without it an unreachable emulator means the real Azure
        "ARM_CLOUD_METADATA_URL": f"{base}/metadata/endpoints?api-version=2019-05-01",
        "REQUESTS_CA_BUNDLE": str(ca),
        "SSL_CERT_FILE": str(ca),
        "IDENTITY_ENDPOINT": f"{base}/msi/token",
        "IDENTITY_HEADER": identity,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "AZURE_AUTHORITY_HOST": base,
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_RESOURCE_GROUP": GROUP,
        "AZURE_ML_WORKSPACE": workspace,
    }


def without_azure(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` less everything that names an Azure, a certificate bundle or a proxy."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(FOREIGN) and name.lower() not in PROXIES and not name.endswith("_CA_BUNDLE")
    }


@contextmanager
def running(state: Path, *options: str) -> Iterator[dict[str, str]]:
    """Starts an emulator with its state in `state`, gives the variables that lead to it, and stops it.

    Raises RuntimeError with its log when it doesn't start.
    """
    process = start(state, *options)
    try:
        yield variables(state)
    finally:
        stop(process)


def start(state: Path, *options: str, with_parent: bool = True) -> "subprocess.Popen[str]":
    """An emulator that is ready, and stops with this process unless told not to.

    Raises RuntimeError with its log when it doesn't start.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = state / "emulator.log"
    command = [
        sys.executable,
        "-m",
        "azureml_emulator",
        "--state",
        str(state),
        *(["--with-parent"] if with_parent else []),
        *options,
    ]
    log.touch(mode=0o600)
    with log.open("a", encoding="utf-8") as stderr:  # a session of its own: Ctrl-C is for the caller, who stops this
        process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=stderr, start_new_session=True, text=True)
    output = process.stdout
    if not (output and select([output], [], [], START_SECONDS)[0] and output.readline()):
        stop(process)
        said = log.read_text(encoding="utf-8")
        raise RuntimeError(f"The emulator did not start, or not within {START_SECONDS:g} s; it says:\n{said}")
    return process


def variables(state: Path) -> dict[str, str]:
    """What leads a client to the emulator that runs, or ran last, on this folder."""
    found: dict[str, str] = json.loads((state / "environment.json").read_text(encoding="utf-8"))
    return found


def stop(process: "subprocess.Popen[str]") -> None:
    """Lets an emulator end what it is answering; kills it when that takes over half a minute."""
    process.send_signal(signal.SIGTERM)
    with process:  # not until its output ends: what starts containers holds that, and may need longer
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def run(command: list[str], state: Path, options: list[str]) -> int:
    """Runs a command against an emulator of its own and answers its exit code."""
    with running(state, *options) as found:
        environ = {**without_azure(os.environ), **found, STATE: str(state)}
        return subprocess.run(command, env=environ, check=False).returncode
