"""What a command accepts on its command line besides names: percentages, splits. Wrong values end with exit code 2."""

import re
from dataclasses import replace

import click

from scripts.lib.cli.names import deployment
from scripts.lib.decisions import approval
from scripts.lib.decisions.state import Ref


def split(text: str) -> dict[str, int]:
    """A whole split, `default=90,xgboost-model-2=10`: percentages of 0 to 100 whose sum is 100."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, percent = (side.strip() for side in part.partition("="))
        name = deployment(name)
        if name in found or not re.fullmatch(r"[0-9]{1,3}", percent) or int(percent) > 100:
            raise click.BadParameter(f"{part!r} is not NAME=PERCENT, once each, 0 to 100")
        found[name] = int(percent)
    if sum(found.values()) != 100:
        raise click.BadParameter(f"{text!r} sums to {sum(found.values())}, not 100")
    return found


def ref(text: str) -> Ref:
    """A deployment by its name, or as `deploy` prints the first: with its creation time."""
    found = Ref.parse(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no name of a deployment")
    return replace(found, name=deployment(found.name))


def proposal(text: str) -> approval.Proposal:
    """What `review` printed. An empty text is none: an output that got lost must not become "expect nothing"."""
    try:
        return approval.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def version(text: str) -> int:
    """A registered version: a whole number, as the local workspace counts them."""
    if re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
        return int(text)
    if ":" in text or "/" in text:
        raise click.BadParameter(
            f"{text!r} is an address. A model of a registry, or of another name, isn't deployed here: register its "
            "folder in this workspace with register_model, which prints the version."
        )
    raise click.BadParameter(f"{text!r} is no version that can be deployed: those are whole numbers from 1 on")


def model(text: str) -> str:
    """A registered model's name (azure-ai-ml's own pattern), not its address."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,254}", text, re.ASCII):
        raise click.BadParameter(f"{text!r} is no model's name: letters, digits, `_`, `-` and dots; its version apart")
    return text


SHARE = click.IntRange(1, 100)
