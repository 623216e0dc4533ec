"""Refuse a job whose variables are missing or odd, or lead staging to production: before it logs in.

What it found good it hands to the steps that follow: who they log in as.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from scripts.lib.azure.waiting import say
from scripts.lib.azure.workspace import endpoint_name
from scripts.lib.cli.command import command
from scripts.lib.decisions.state import Refused
from scripts.lib.github import provenance, step_output
from scripts.lib.github.repository_variables import PLACE, PREFIX, collides, missing, odd


@command()
@click.argument("target", type=click.Choice(["production", "staging"]))
@click.option("--client-id", default="", show_default=False, help="What the login gets of AZURE_CLIENT_ID.")
@click.option("--tenant-id", default="", show_default=False, help="What the login gets of AZURE_TENANT_ID.")
@click.option(
    "--production",
    envvar="PRODUCTION_ENDPOINT",
    show_envvar=True,
    default="",
    show_default=False,
    metavar="SUBSCRIPTION/GROUP/WORKSPACE/ENDPOINT",
    help="Where staging must not be.",
)
def main(target: str, client_id: str, tenant_id: str, production: str) -> None:
    """Check what a job of TARGET has got of the repository's variables: the two ids, and what the scripts read.

    A required one that is not set ends with exit code 1, as does white space, and a staging that is the production
    endpoint itself; a staging that isn't told where production is ends with exit code 2.
    """
    address = provenance.address()
    where = f"at {address}/settings/variables/actions." if address else "in the repository's settings."
    given = {"AZURE_CLIENT_ID": client_id, "AZURE_TENANT_ID": tenant_id}
    given |= {name: os.environ.get(name, "") for name in PLACE}
    staging, theirs = target == "staging", production.split("/")
    if staging and len(theirs) != len(PLACE):
        raise click.UsageError(f"--production is {production!r}: staging must know which endpoint it must not be.")
    staged = {PREFIX + name: value for name, value in given.items()}
    if lacking := missing(staged if staging else given, staging):
        raise Refused(f"the repository lacks the variables {', '.join(lacking)}: set them {where}")
    if spoilt := odd(given):
        raise Refused(f"there is {'; '.join(spoilt)}, which no such variable has: set them again {where}")
    if staging and collides({**dict(zip(PLACE, theirs, strict=True)), **staged}, endpoint_name()):
        raise Refused(
            "staging is the production endpoint itself, so it would be promoted without approval. "
            f"Give STAGING_AZURE_ML_WORKSPACE another workspace, or delete it, {where}"
        )
    step_output.output(page=_page(given))
    step_output.environment(**_logged_in(client_id, tenant_id))
    say(f"{target}: {'/'.join(filter(None, (given[name] for name in PLACE)))}")


def _page(given: dict[str, str]) -> str:
    """Where the studio shows the endpoint."""
    workspace = (
        f"/subscriptions/{given['AZURE_SUBSCRIPTION_ID']}/resourcegroups/{given['AZURE_RESOURCE_GROUP']}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{given['AZURE_ML_WORKSPACE']}"
    )
    name = (given["ENDPOINT_NAME"] or endpoint_name()).lower()
    return f"https://ml.azure.com/endpoints/realtime/{name}/detail?wsid={workspace}&tid={given['AZURE_TENANT_ID']}"


def _logged_in(client_id: str, tenant_id: str) -> dict[str, str]:
    """The login of the job's later steps: this identity's, by a token of the job's own or, where it may ask for none,
    by `az`. Never a machine's identity, which azure-identity would try first on runners of one's own; nor another
    job's there, which ends with the folder of `az` that all jobs of a machine share else (Azure/login#394).
    """
    folder = Path(os.environ.get("RUNNER_TEMP", ""), "azure")
    ids = {"AZURE_CLIENT_ID": client_id, "AZURE_TENANT_ID": tenant_id}
    return {**ids, "AZURE_CONFIG_DIR": str(folder), "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}


if __name__ == "__main__":
    main()
