"""The set-up at Azure, judged: pure decisions about what was read. Unknown stands for what could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from scripts.lib.cli import names
from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, listed, ok, shorten, wrong
from scripts.lib.doctor.quota import Shape
from scripts.lib.setup.rights import METRICS, MONITORING, NEEDED, PROVIDER, ROLE

#: What the roles that the scripts ask for don't let read: they are had over the workspace, and these lie above it.
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities/read"
USAGES = "Microsoft.MachineLearningServices/locations/usages/read"
REFUSED = "the login has no right to read it"
#: Packages of a model that Azure's no-code image doesn't serve: which versions, and who says so.
REJECTED = {"mlflow": (">=3.7", "the image crashes with it (Azure/azureml-examples#3873, #4051)")}

REACHED, NO_LOGIN, NO_RIGHT, NO_WORKSPACE, UNKNOWN = "reached", "no login", "no right", "no workspace", "unknown"


@dataclass(frozen=True)
class Reach:
    """How far a read of the workspace came, one of the five above, and Azure's words."""

    outcome: str
    why: str = ""


def login(reach: Reach, subjects: Mapping[str, str] | Unknown) -> Finding:
    """Whether Azure accepts the login at all. `subjects` are those that GitHub sends, by environment."""
    if reach.outcome == UNKNOWN:
        return cannot_tell("login", reach.why)
    if reach.outcome != NO_LOGIN:
        return ok("login", "Azure accepts it.")
    told = str(subjects) if isinstance(subjects, Unknown) else f"Azure must trust {listed(subjects.values())}."
    mend = (
        "By hand: `az login`. In a workflow see the log of the step “Log in to Azure”: AADSTS700213 means that the "
        "identity has no federated credential for the subject that GitHub sends (AADSTS7002138: but one in other "
        f"upper and lower case). {told}"
    )
    return wrong("login", f"Azure does not accept it: {shorten(reach.why)}", mend)


def workspace(reach: Reach) -> Finding:
    """Whether the workspace is there."""
    if reach.outcome == REACHED:
        return ok("workspace", "it is there.")
    if reach.outcome == NO_WORKSPACE:
        mend = "Set AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP and AZURE_ML_WORKSPACE."
        return wrong("workspace", shorten(reach.why), mend)
    return cannot_tell("workspace", "it could not be read (see login and role).")


def role(reach: Reach, permissions: Sequence[Mapping[str, Any]] | Unknown) -> Finding:
    """Whether the login may do what the scripts do.

    `permissions` are those of the caller on the workspace, of each role one
    (learn.microsoft.com/rest/api/authorization/permissions/list-for-resource).
    """
    mend = f"Give the identity the role {ROLE} on the workspace."
    if reach.outcome == NO_RIGHT:
        return wrong("role", f"the login may not even read the workspace: {shorten(reach.why)}", mend)
    if reach.outcome != REACHED:
        return cannot_tell("role", "the workspace could not be read (see login and workspace).")
    if isinstance(permissions, Unknown):
        return cannot_tell("role", f"the login may read the workspace, but not its own permissions: {permissions}")
    missing = [action for action in NEEDED if not may(permissions, action)]
    if missing:
        return wrong(
            "role", f"the login may not {', '.join(action.removeprefix(PROVIDER) for action in missing)}.", mend
        )
    return ok("role", "the login may do all that the scripts do.")


def metrics(permissions: Sequence[Mapping[str, Any]] | Unknown) -> Finding:
    """Whether the login may read what live traffic shows. Without that a rollout goes on, but asks a person each time.

    The role for it is none of Azure ML's (azure-monitor/roles-permissions-security).
    """
    if isinstance(permissions, Unknown):
        return cannot_tell("metrics", permissions)
    if may(permissions, METRICS):
        return ok("metrics", "the login may read what live traffic shows.")
    say = "the login may not read what live traffic shows, so no stage is judged: a person decides alone."
    return wrong("metrics", say, f"Give the identity the role {MONITORING} on the workspace: setup_github prints how.")


def reads(permissions: Sequence[Mapping[str, Any]] | Unknown, action: str) -> bool:
    """Whether the login, as far as is known, has a role such as Reader, so that asking is no mere refusal.

    Known is what it may in the workspace: a Monitoring Reader there is refused what lies above.
    """
    return not isinstance(permissions, Unknown) and may(permissions, action)


def may(permissions: Iterable[Mapping[str, Any]], action: str, kind: str = "actions") -> bool:
    """Whether one role has the action among its `actions` and not among its `notActions`: these take nothing from
    other roles (role-based-access-control/role-definitions#notactions). `*` stands for any text, case doesn't count.
    Of blobs the `kind` is dataActions.
    """
    excluded = f"not{kind[0].upper()}{kind[1:]}"
    return any(
        any(_covers(pattern, action) for pattern in role.get(kind) or ())
        and not any(_covers(pattern, action) for pattern in role.get(excluded) or ())
        for role in permissions
    )


def _covers(pattern: str, action: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("*"))
    return bool(re.fullmatch(".*".join(parts), action, re.IGNORECASE))


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as it was found; without a `state` (Azure's word) there is none.

    `model` is its tag of that name, `shapes` tells what each deployment runs on, `serving` has most of the traffic,
    `commit` is what that was made of.
    """

    state: str = ""
    model: str = ""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    serving: str = ""
    commit: str = ""


def endpoint_name(name: str, found: Endpoint | Unknown, model: str | Unknown) -> Finding:
    """Whether the endpoint may be called so, and is this repository's; `model` is what it registers.

    Azure tells of a name that is taken only when it is to be created.
    """
    check = "endpoint name"
    try:
        names.endpoint(name)
    except click.BadParameter as error:
        mend = "Change `name` in endpoints/endpoint.yml, or the variable ENDPOINT_NAME."
        return wrong(check, f"{error.message}.", mend)
    if isinstance(found, Unknown):
        return cannot_tell(check, f"{name} is valid; whether it is free: {found}")
    if not found.state:
        say = f"{name} is valid and not in this workspace yet; another one in the region may have taken it."
        return cannot_tell(check, say, "If the first rollout is refused, take another name.")
    return _there(check, name, found, model)


def _there(check: str, name: str, found: Endpoint, model: str | Unknown) -> Finding:
    others = found.model and not isinstance(model, Unknown) and found.model.lower() != model.lower()
    left = found.state == "Failed" and not found.shapes
    if others:
        say = f"{name} is there, but its tag `model` is {found.model}, not {model}."
        mend = "If it is somebody else's, name another one: ENDPOINT_NAME, or `name` in endpoints/endpoint.yml."
        return wrong(check, f"{say} Its creation failed.", mend) if left else cannot_tell(check, say, mend)
    if left:
        return ok(check, f"{name} is left over from a creation that failed: the next rollout creates it anew.")
    return ok(check, f"{name} is there." + (" Its last update failed." if found.state == "Failed" else ""))


def first_deployment(name: str, serving: str, file: str) -> Finding:
    """What a change of the first deployment's file does once the endpoint serves: nothing."""
    say = f"{name} serves with {serving}, so {file} is read no more: a change of it alone does nothing."
    return ok("first deployment", say)


def requirements(text: str | Unknown, path: str) -> Finding:
    """Whether Azure's image serves what a compiled requirements file pins (`name==version`)."""
    name = "model requirements"
    if isinstance(text, Unknown):
        return cannot_tell(name, text)
    pins = pinned(text)
    unpinned = [package for package in REJECTED if package not in pins]
    if unpinned:
        return cannot_tell(name, f"{path} pins no {', '.join(unpinned)}.", "Pin it: `make lock`.")
    for package, (versions, why) in REJECTED.items():
        bad = [pin for pin in pins[package] if SpecifierSet(versions, prereleases=True).contains(pin)]
        if bad:
            mend = f"Ask for {package} below {versions.strip('>=')} in model/requirements.in, then `make lock`."
            return wrong(name, f"{path} pins {package} {bad[0]}: {why}.", mend)
    return ok(name, f"{', '.join(f'{package} {pins[package][0]}' for package in REJECTED)}: Azure's image serves it.")


def pinned(text: str) -> dict[str, list[str]]:
    """The versions that a requirements file pins, by package; several where they depend on the platform."""
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        try:
            requirement = Requirement(re.sub(r"\s(#|--hash).*", "", line.strip()))
        except InvalidRequirement:
            continue  # a comment, an option
        pins = [one.version for one in requirement.specifier if one.operator == "==" and "*" not in one.version]
        if pins:
            found.setdefault(requirement.name.lower(), []).extend(pins)
    return found
