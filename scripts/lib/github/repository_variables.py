"""The repository's variables: which there are, what each is, and which of them staging takes. Nobody is asked here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "STAGING_"
SWITCH = "AZURE_ML_WORKSPACE"
"""With the prefix it switches staging on; so it, alone, is never taken without the prefix for staging."""


@dataclass(frozen=True)
class Variable:
    """A variable of the repository: no secret. `says` is one sentence for people."""

    name: str
    says: str
    required: bool = True


VARIABLES = {
    variable.name: variable
    for variable in (
        Variable("AZURE_CLIENT_ID", "The client id of the managed identity that the workflows log in as."),
        Variable("AZURE_TENANT_ID", "The directory (tenant) that the identity belongs to."),
        Variable("AZURE_SUBSCRIPTION_ID", "The subscription of the workspace."),
        Variable("AZURE_RESOURCE_GROUP", "The resource group of the workspace."),
        Variable("AZURE_ML_WORKSPACE", "The Azure ML workspace that has the models and the endpoint."),
        Variable("ENDPOINT_NAME", "The endpoint, if it is not the `name` in endpoints/endpoint.yml.", required=False),
        Variable("RUNNER", "The label of your own runners, if all jobs are to run there.", required=False),
        Variable("ATTEST", "`true`: attest models in a private repository, too (Enterprise Cloud).", required=False),
    )
}
WORKSPACE = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", SWITCH)
"""Where the workspace is: the arguments of `Workspace`, in its order."""
PLACE = (*WORKSPACE, "ENDPOINT_NAME")
"""What the scripts of a job read of its `env`; who they log in as, check_variables hands them."""


def pick(variables: Mapping[str, str], staging: bool = False) -> dict[str, str]:
    """The values that production or staging takes, by the names without prefix; an empty value is as good as none.

    Staging takes each from STAGING_<name>, and what is not set there, but for the workspace, from <name>: as the
    workflows do, whose `env` tests/workflows/approval_rules.py compares.
    """
    picked = {
        name: next((variables[own] for own in _sources(name, staging) if variables.get(own)), "") for name in VARIABLES
    }
    return {name: value for name, value in picked.items() if value}


def missing(variables: Mapping[str, str], staging: bool = False) -> list[str]:
    """The names that must still be set before a job can log in and find its workspace."""
    picked = pick(variables, staging)
    required = [variable.name for variable in VARIABLES.values() if variable.required]
    return [_sources(name, staging)[-1] for name in required if name not in picked]


def odd(variables: Mapping[str, str]) -> list[str]:
    """The names whose values have white space: they were copied wrongly."""
    return [name for name, value in variables.items() if re.search(r"\s", value)]


def staged(variables: Mapping[str, str]) -> bool:
    """Whether a staging workspace is configured."""
    return bool(variables.get(PREFIX + SWITCH))


def collides(variables: Mapping[str, str], endpoint: str) -> bool:
    """Whether staging would be the production endpoint itself, where promotions wait for nobody's approval.

    `endpoint` is the name where ENDPOINT_NAME gives none. Azure tells no upper from lower case.
    """
    places = [{"ENDPOINT_NAME": endpoint, **pick(variables, staging)} for staging in (False, True)]
    ours, theirs = ([place.get(name, "").lower() for name in PLACE] for place in places)
    return staged(variables) and ours == theirs


def _sources(name: str, staging: bool) -> list[str]:
    if not staging:
        return [name]
    return [PREFIX + name] if name == SWITCH else [PREFIX + name, name]
