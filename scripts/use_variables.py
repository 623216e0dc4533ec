"""Hand a job the repository's variables that its stage needs: to the login, and to the scripts after it."""

from __future__ import annotations

import json
import re

import click

from scripts.lib.azure.workspace import endpoint_yaml
from scripts.lib.cli import option_types
from scripts.lib.cli.command import command
from scripts.lib.decisions.state import Refused
from scripts.lib.github import repository_variables, step_output

OUTPUTS = {"client-id": "AZURE_CLIENT_ID", "tenant-id": "AZURE_TENANT_ID", "subscription-id": "AZURE_SUBSCRIPTION_ID"}


@command()
@click.option("--variables", envvar="VARIABLES", show_envvar=True, type=option_types.VARIABLES, required=True)
@click.option("--stage", envvar="STAGE", show_envvar=True, type=click.Choice(repository_variables.STAGES), default="")
def main(variables: dict[str, str], stage: str) -> str:
    """Set where the workspace is for the steps to come, and what azure/login needs as outputs; prints the former.

    --variables is `toJSON(vars)`. With the stage `staging` STAGING_<name> goes before <name>. A required one that is
    not set ends with exit code 1, as does a staging that is the production endpoint.
    """
    picked = _picked(variables, stage)
    exported = {name: picked[name] for name in repository_variables.EXPORTED if name in picked}
    step_output.environ(**exported)
    step_output.output(**{name: picked[variable] for name, variable in OUTPUTS.items()})
    return json.dumps(exported)


def _picked(variables: dict[str, str], stage: str) -> dict[str, str]:
    """What the stage takes. Raises Refused where a job with it would fail, or do what nobody meant."""
    address = step_output.address()
    where = f"at {address}/settings/variables/actions." if address else "in the repository's settings."
    if lacking := repository_variables.missing(variables, stage):
        raise Refused(f"the repository lacks the variables {', '.join(lacking)}: set them {where}")
    picked = repository_variables.pick(variables, stage)
    if odd := [name for name, value in picked.items() if re.search(r"\s", value)]:
        raise Refused(f"there is white space in the variables {', '.join(odd)}: set them again {where}")
    if stage and repository_variables.collides(variables, str(endpoint_yaml()["name"])):
        raise Refused(
            "staging is the production endpoint itself, so it would be promoted without approval. "
            f"Give STAGING_AZURE_ML_WORKSPACE another workspace, or delete it, {where}"
        )
    return picked


if __name__ == "__main__":
    main()
