"""The names of endpoints and deployments on a command line. Wrong ones end with exit code 2."""

import re
from typing import Any

import click


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


DEPLOYMENT = Name()
ENDPOINT = Name(lower=False)
