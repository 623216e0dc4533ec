"""The names of endpoints and deployments on a command line. Wrong ones end with exit code 2."""

import re

import click


def endpoint(name: str) -> str:
    """3-32 characters, a letter first, letters, digits and single dashes (how-to-manage-quotas).

    Lower-cased, as Azure does (azure-sdk-for-python#28715).
    """
    if not 3 <= len(name) <= 32 or not re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", name):
        raise click.BadParameter(f"{name!r} must have 3 to 32 letters, digits and single dashes, a letter first")
    return name.lower()


def deployment(name: str) -> str:
    """The same."""
    return endpoint(name)
