"""What create_endpoint does about an endpoint that is there: pure decisions, without Azure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.lib.decisions.state import EndpointState, Refused


@dataclass(frozen=True)
class Described:
    """What endpoint.yml says, or how an endpoint is, in one spelling; of a file only the lines it has.

    `fixed` is what would cut off callers if it changed: how they log in, whom the endpoint is to others, its network.
    """

    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What an endpoint gets: everything (`create`), or a description and tags, where there are any."""

    say: str
    create: bool = False
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return not (self.create or self.description or self.tags)


def plan_endpoint(state: EndpointState, live: Described, wanted: Described, place: str) -> Change:
    """Decide what an endpoint lacks of `wanted`; `place` are the options by which `az` finds the workspace.

    Raises Refused where that can't be given unapproved, and where what failed to be created isn't ours.
    """
    ours = wanted.tags["model"]
    theirs = live.tags.get("model", ours)
    if state.state in ("Failed", "Canceled") and not state.deployments:
        if theirs != ours:
            raise Refused(
                f"{state.name} is left over from a failed creation, but its tag `model` is {theirs}, not {ours}. "
                "Take another name: ENDPOINT_NAME, or `name` in endpoints/endpoint.yml."
            )
        return Change("is created anew: its first creation failed", create=True)
    for key, value in wanted.fixed.items():
        if live.fixed.get(key, value) != value:
            raise Refused(_refusal(state.name, key, value, live.fixed[key], place))
    tags = {name: value for name, value in wanted.tags.items() if live.tags.get(name) != value}
    if theirs != ours:
        del tags["model"]  # it may be somebody else's: who knows better says so
    description = wanted.description if wanted.description != live.description else ""
    what = ", ".join([*(["description"] if description else []), *(f"tag {name}" for name in tags)])
    say = f"gets from endpoints/endpoint.yml: {what}" if what else "is there already"
    return Change(say + _others(state.name, theirs, ours, place), description=description, tags=tags)


def _others(name: str, theirs: str, ours: str, place: str) -> str:
    if theirs == ours:
        return ""
    yours = f"az ml online-endpoint update --name {name} {place} --set tags.model={ours}"
    return f"; its tag `model` is {theirs}, not {ours}: if it is yours, `{yours}`; else take another ENDPOINT_NAME"


def _refusal(name: str, key: str, value: str, now: str, place: str) -> str:
    why = f"endpoints/endpoint.yml: `{key}` is {value}, but {name} has {now}. Nothing was changed:"
    if key == "identity":
        return f"{why} Azure can't change an endpoint's identity. Take the line back, or another ENDPOINT_NAME."
    command = f"az ml online-endpoint update --name {name} {place} --set {key}={value}"
    return f"{why} it would cut off callers, unapproved. Take the line back, or change it by hand: {command}"
