"""`azureml-emulator fault`: faults for people."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import requests
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from azureml_emulator.faults.client import Faults
from azureml_emulator.faults.kinds import KINDS


@click.group()
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), default=".emulator", show_default=True)
@click.pass_context
def fault(context: click.Context, state: Path) -> None:
    """Let calls, operations or deployments of a running emulator go wrong."""
    context.obj = state


@fault.group()
def add() -> None:
    """Add a fault; prints it with its id. A call meets the faults in the order they were added."""


@fault.command("list")
@click.pass_obj
def list_(state: Path) -> None:
    """Print the faults, one JSON object a line."""
    with reached(state) as faults:
        for found in faults.all():
            click.echo(json.dumps(found))


@fault.command()
@click.argument("number", metavar="[ID]", type=int, required=False)
@click.pass_obj
def clear(state: Path, number: int | None) -> None:
    """Clear one fault, or all: what they hold goes on."""
    with reached(state) as faults:
        faults.clear(number)


@fault.command()
@click.option("--forget", is_flag=True, help="Start the record anew afterwards.")
@click.pass_obj
def calls(state: Path, forget: bool) -> None:
    """Print method and path of the last calls, one a line."""
    with reached(state) as faults:
        for call in faults.calls():
            click.echo(f"{call['method']} {call['path']}")
        if forget:
            faults.forget()


@contextmanager
def reached(state: Path) -> Iterator[Faults]:
    """The faults of the emulator that runs on the folder. Raises ClickException when there is none, or it refuses."""
    try:
        yield Faults(state)
    except (FileNotFoundError, requests.ConnectionError):
        raise click.ClickException(f"no emulator runs on {state}; name its folder with --state.") from None
    except ValueError as refusal:
        raise click.UsageError(str(refusal)) from None


@click.pass_context
def added(context: click.Context, /, **given: object) -> None:
    with reached(context.obj) as faults:
        known = {name: value for name, value in given.items() if value}
        click.echo(json.dumps(faults.add(str(context.info_name), **known)))


def option(name: str, field: FieldInfo) -> click.Option:
    """The emulator itself checks the values."""
    default = f" [{field.default}]" if field.default and field.default is not PydanticUndefined else ""
    text, is_flag = f"{field.description}{default}", field.annotation is bool
    return click.Option([f"--{name.replace('_', '-')}"], help=text, is_flag=is_flag, required=field.is_required())


for kind, described in KINDS.items():
    options: list[click.Parameter] = [option(name, field) for name, field in described.model_fields.items()]
    add.add_command(click.Command(kind, callback=added, params=options, help=described.__doc__))
