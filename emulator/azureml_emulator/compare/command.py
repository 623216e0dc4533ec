"""`azureml-emulator compare`: finds out where the real Azure ML answers otherwise."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click

from azureml_emulator.compare.cleaning import clean, left
from azureml_emulator.compare.differences import Call, differences
from azureml_emulator.compare.replay import VARIABLES, connect, replay
from azureml_emulator.process import run

ASKS = """In the workspace {place} this makes and deletes
  one endpoint (compare-…) with two deployments of one {instance_type} each, together for about 40 minutes,
  which takes its price and, of the quota, 1.2 times its cores, twice;
  one model (compare-…) with two versions, a few kilobytes each, which stays, archived."""
TRACE = click.Path(path_type=Path, dir_okay=False)
FIELDS = {"method", "path", "status", "headers", "body"}


@click.command()
@click.option("--instance-type", default="Standard_DS3_v2", show_default=True, help="Of both deployments.")
@click.option("--trace", type=TRACE, help="Keep Azure's answers in this file, ours in FILE.local, masked.")
@click.option("--against", type=TRACE, help="Compare with a kept trace; nothing is asked of Azure.")
@click.option(
    "--clean", "only_clean", is_flag=True, help="Delete what killed comparisons left: whatever has their tag."
)
@click.option("--yes", is_flag=True, help="Don't ask.")
def compare(instance_type: str, trace: Path | None, against: Path | None, only_clean: bool, yes: bool) -> None:
    """Make a short list of calls to a real workspace and to a local Azure ML, and print where the answers differ.

    AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZURE_ML_WORKSPACE name the workspace. Exit code 0: nothing differs;
    1: something does, or Azure refused; 2: nothing was asked of it.
    """
    try:
        distribution("azure-ai-ml")
    except PackageNotFoundError:
        raise click.UsageError("it needs the SDK: pip install 'azureml-emulator[testing]'") from None
    if only_clean:
        take_away(yes)
        return
    with tempfile.TemporaryDirectory() as folder:
        kept = trace or Path(folder) / "azure.jsonl"
        kept.parent.mkdir(parents=True, exist_ok=True)
        local = kept.with_name(f"{kept.name}.local")
        if against is None:
            agree(ASKS.format(place=workspace(), instance_type=instance_type), yes)
            with told():
                replay(kept, instance_type)
        azure = read(against or kept)
        click.echo("The same calls to a local Azure ML", err=True)
        command = [sys.executable, "-m", "azureml_emulator.compare.replay", str(local), instance_type]
        if run(command, Path(folder) / "state", []):
            raise click.ClickException("the calls to the local Azure ML failed; what they said is above.")
        found = differences(azure, read(local))
    click.echo("\n".join(found) or "Nothing differs.")
    sys.exit(1 if found else 0)


def take_away(yes: bool) -> None:
    place = workspace()
    with told():
        client = connect()
        names = left(client)
        if not names:
            click.echo(f"Comparisons left nothing in {place}.")
            return
        agree(f"In the workspace {place} comparisons made, and this deletes or archives: {', '.join(names)}.", yes)
        for name in names:
            clean(client, name)


def workspace() -> str:
    """Raises UsageError where the variables don't name one."""
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        raise click.UsageError(f"set {', '.join(missing)}: they name the workspace.")
    return "/".join(os.environ[name] for name in VARIABLES)


def agree(what: str, yes: bool) -> None:
    """Raises UsageError where nobody does."""
    click.echo(what, err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("without a terminal, say --yes.")
    if not click.confirm("Go on?", err=True):
        raise click.UsageError("then not.")


@contextmanager
def told() -> Iterator[None]:
    """A refusal or a signal in one sentence; what a workflow sends ends it as Ctrl-C does."""
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import AzureError

    for number in (signal.SIGINT, signal.SIGTERM):  # the first is ignored in a shell's background
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except (AzureError, MlException) as error:
        raise click.ClickException(f"Azure says: {error}\n{LOOK}") from None
    except KeyboardInterrupt:
        raise click.ClickException(f"stopped. {LOOK}") from None


LOOK = "What it made is deleted unless it says otherwise above; to look again: azureml-emulator compare --clean"


def read(trace: Path) -> list[Call]:
    """Raises UsageError where the file is no trace, or an empty one."""
    try:
        calls = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{trace} is no trace: {error}") from None
    if not calls or not all(isinstance(call, dict) and call.keys() >= FIELDS for call in calls):
        raise click.UsageError(f"{trace} is no trace: a line is an object with {', '.join(sorted(FIELDS))}")
    return calls
