"""The repository's variables: which there are, what each is, and which of them a stage takes. Nobody is asked here."""

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "STAGING_"
STAGES = ("", "staging")
"""What a job may be for: production, or the rehearsal before it."""
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
        Variable("ATTEST", "`true`: attest models in a private repository, too (Enterprise Cloud).", required=False),
    )
}
WORKSPACE = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", SWITCH)
"""Where the workspace is: the arguments of `_workspace.Workspace`, in its order."""
EXPORTED = (*WORKSPACE, "ENDPOINT_NAME")
"""What the scripts of a job read. Not AZURE_CLIENT_ID: azure-identity would try a managed identity with it first."""


def pick(variables: Mapping[str, str], stage: str = "") -> dict[str, str]:
    """The values that a stage takes, by the names without prefix; an empty value is as good as none.

    Staging takes each from STAGING_<name>, and what is not set there, but for the workspace, from <name>.
    """
    picked = {
        name: next((variables[own] for own in _sources(name, stage) if variables.get(own)), "") for name in VARIABLES
    }
    return {name: value for name, value in picked.items() if value}


def missing(variables: Mapping[str, str], stage: str = "") -> list[str]:
    """The names that must still be set before a job of this stage can log in and find its workspace."""
    picked = pick(variables, stage)
    required = [variable.name for variable in VARIABLES.values() if variable.required]
    return [_sources(name, stage)[-1] for name in required if name not in picked]


def staged(variables: Mapping[str, str]) -> bool:
    """Whether a staging workspace is configured."""
    return bool(variables.get(PREFIX + SWITCH))


def collides(variables: Mapping[str, str], endpoint: str) -> bool:
    """Whether staging would be the production endpoint itself, where promotions wait for nobody's approval.

    `endpoint` is the name where ENDPOINT_NAME gives none. Azure tells no upper from lower case.
    """
    places = [{"ENDPOINT_NAME": endpoint, **pick(variables, stage)} for stage in STAGES]
    ours, theirs = ([place.get(name, "").lower() for name in EXPORTED] for place in places)
    return staged(variables) and ours == theirs


def _sources(name: str, stage: str) -> list[str]:
    if not stage:
        return [name]
    return [PREFIX + name] if name == SWITCH else [PREFIX + name, name]
