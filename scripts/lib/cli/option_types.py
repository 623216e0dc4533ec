"""What a command accepts on its command line: names, percentages, splits. Wrong values end with exit code 2."""

import json
import re
from typing import Any

import click

from scripts.lib.decisions.approval import Proposal


class Name(click.ParamType[str]):
    """An endpoint's or deployment's name: 3-32 characters, a letter first, letters, digits and single dashes.

    Deployments are lower-cased, as Azure does (azure-sdk-for-python#28715). Limits: how-to-manage-quotas.
    """

    name = "name"

    def __init__(self, lower: bool = True):
        self.lower = lower

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not 3 <= len(value) <= 32 or not re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", value):
            self.fail(f"{value!r} must have 3 to 32 letters, digits and single dashes, a letter first", param, ctx)
        return str(value.lower() if self.lower else value)


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


class Variables(click.ParamType[dict[str, str]]):
    """The repository's variables: a JSON object of texts, or null for what is not set."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        try:
            variables = json.loads(value)
        except json.JSONDecodeError as error:
            self.fail(f"no JSON: {error}", param, ctx)
        if not isinstance(variables, dict) or not all(isinstance(text, str | None) for text in variables.values()):
            self.fail("not a JSON object whose values are all texts", param, ctx)
        return {name: text or "" for name, text in variables.items()}


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


class Filled(click.ParamType[str]):
    """A text that guards something: an empty one is a line that got lost. `what` says what it must name."""

    name = "name"

    def __init__(self, what: str):
        self.what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail(f"it is empty: {self.what}", param, ctx)
        return str(value)


class Production(click.ParamType[list[str]]):
    """Where production's endpoint is: subscription, resource group, workspace and, if it has another name, endpoint."""

    name = "subscription/group/workspace/[endpoint]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        parts = value.split("/")
        if len(parts) != 4:
            self.fail(f"{value!r} is not SUBSCRIPTION/GROUP/WORKSPACE/ENDPOINT", param, ctx)
        return list(parts)


DEPLOYMENT = Name()
ENDPOINT = Name(lower=False)
SPLIT = Split()
VARIABLES = Variables()
PRODUCTION = Production()
PROPOSAL = Proposed()
PERCENT = click.IntRange(0, 100)
SHARE = click.IntRange(1, 100)
VERSION = click.IntRange(min=1)
MINUTES = click.IntRange(0, 300)
ENVIRONMENT = Filled("name the environment whose reviewers must approve, or say `none` in staging")
SECONDS = click.FloatRange(min=0)
