"""What a command accepts on its command line besides names: percentages, splits. Wrong values end with exit code 2."""

import re
from typing import Any

import click

from scripts.lib.cli.names import DEPLOYMENT
from scripts.lib.decisions.approval import Proposal


class Split(click.ParamType[dict[str, int]]):
    """A whole split, `default=90,xgboost-model-2=10`: percentages of 0 to 100 whose sum is 100."""

    name = "map"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        if isinstance(value, dict):
            return value
        split: dict[str, int] = {}
        for part in value.split(","):
            name, _, percent = (text.strip() for text in part.partition("="))
            name = DEPLOYMENT.convert(name, param, ctx)
            if name in split or not re.fullmatch(r"[0-9]{1,3}", percent) or int(percent) > 100:
                self.fail(f"{part!r} is not NAME=PERCENT, once each, 0 to 100", param, ctx)
            split[name] = int(percent)
        if sum(split.values()) != 100:
            self.fail(f"{value!r} sums to {sum(split.values())}, not 100", param, ctx)
        return split


class Proposed(click.ParamType[Proposal]):
    """What `review` printed. An empty text is none: an output that got lost must not become "expect nothing"."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Proposal:
        if isinstance(value, Proposal):
            return value
        try:
            return Proposal.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


SPLIT = Split()
PROPOSAL = Proposed()
PERCENT = click.IntRange(0, 100)
SHARE = click.IntRange(1, 100)
VERSION = click.IntRange(min=1)
MINUTES = click.IntRange(0, 300)
SECONDS = click.FloatRange(min=0)
