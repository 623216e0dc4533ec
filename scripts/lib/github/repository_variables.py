"""The repository's variables: which there are, what each is, and which of them staging takes. Nobody is asked here."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.lib.github.environment import LOGINS, STAGING, TRAIN, UNATTENDED

PREFIX = "STAGING_"
IDENTITY = "AZURE_CLIENT_ID"
LOGS = "LOG_ANALYTICS_WORKSPACE_ID"
SWITCH = "AZURE_ML_WORKSPACE"
"""With the prefix it switches staging on; so it, alone, is never taken without the prefix for staging."""


@dataclass(frozen=True)
class Variable:
    """A variable of the repository: no secret. `says` is one sentence for people."""

    name: str
    says: str
    required: bool = True


_OWN = "The client id that jobs log in with in the environment"
VARIABLES = {
    variable.name: variable
    for variable in (
        Variable("AZURE_CLIENT_ID", "The client id of the managed identity that the workflows log in as."),
        Variable("DEPLOY_AZURE_CLIENT_ID", f"{_OWN} `deploy`, if it is another.", required=False),
        Variable("PRODUCTION_AZURE_CLIENT_ID", f"{_OWN} `production`, if it is another.", required=False),
        Variable("ROLLBACK_AZURE_CLIENT_ID", f"{_OWN} `rollback`, if it is another.", required=False),
        Variable("TRAIN_AZURE_CLIENT_ID", f"{_OWN} `train`, where a cluster trains.", required=False),
        Variable("AZURE_TENANT_ID", "The directory (tenant) that the identity belongs to."),
        Variable("AZURE_SUBSCRIPTION_ID", "The subscription of the workspace."),
        Variable("AZURE_RESOURCE_GROUP", "The resource group of the workspace."),
        Variable("AZURE_ML_WORKSPACE", "The Azure ML workspace that has the models and the endpoint."),
        Variable("ENDPOINT_NAME", "The endpoint, if it is not the `name` in endpoints/endpoint.yml.", required=False),
        Variable(LOGS, "The Log Analytics workspace that gets the log of requests: its customer id.", required=False),
        Variable("RUNNER", "The label of your own runners, if all jobs are to run there.", required=False),
        Variable("ATTEST", "`true`: attest models in a private repository, too (Enterprise Cloud).", required=False),
        Variable(
            "APPROVALS", "`first`: one approval for all stages, as long as live traffic is healthy.", required=False
        ),
    )
}
APPROVALS, FIRST = "APPROVALS", "first"
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


def client_id(variables: Mapping[str, str], environment: str) -> str:
    """The client id that an environment's jobs log in with."""
    return variables.get(f"{LOGINS.get(environment, environment).upper()}_{IDENTITY}") or variables.get(IDENTITY, "")


def missing(variables: Mapping[str, str], staging: bool = False) -> list[str]:
    """The names that must still be set before a job can log in and find its workspace."""
    picked = pick(variables, staging)
    required = [variable.name for variable in VARIABLES.values() if variable.required]
    return [_sources(name, staging)[-1] for name in required if name not in picked]


def odd(variables: Mapping[str, str]) -> list[str]:
    """What no id and no name has, each in words: white space, quotes, brackets, what can't be seen. Copied wrongly."""
    found = {
        name: re.findall(_LETTERS.get(name.removeprefix(PREFIX), _NEITHER), value) for name, value in variables.items()
    }
    return [f"{', '.join(dict.fromkeys(map(_named, odd)))} in {name}" for name, odd in sorted(found.items()) if odd]


_NEITHER = re.compile(r"[^\w.-]", re.ASCII)
_LETTERS = {"AZURE_RESOURCE_GROUP": re.compile(r"[^\w.()-]")}  # which may have letters of any language


def _named(character: str) -> str:
    """A character for people: of what can't be seen its name and number."""
    if character.isspace():
        return "white space"
    name = unicodedata.name(character, "an invisible character")
    return character if character.isprintable() and character.isascii() else f"{name} (U+{ord(character):04X})"


def staged(variables: Mapping[str, str]) -> bool:
    """Whether a staging workspace is configured."""
    return bool(variables.get(PREFIX + SWITCH))


def once(variables: Mapping[str, str]) -> bool:
    """Whether a rollout's first approval is for its later stages, too. GitHub tells no upper from lower case."""
    return variables.get(APPROVALS, "").lower() == FIRST


def in_use(environment: str, variables: Mapping[str, str], cluster: bool) -> bool:
    """Whether there are jobs in an environment; `cluster`: one trains, by model/job.yml."""
    asked = {STAGING: staged(variables), UNATTENDED: once(variables), TRAIN: cluster}
    return asked.get(environment, True)


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
