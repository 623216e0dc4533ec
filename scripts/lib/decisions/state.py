"""An endpoint's state, and who is blue and green in it: without Azure.

The endpoint itself is the state of a rollout: its traffic, and green's tag `replaces` that names blue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

SUCCEEDED = "Succeeded"
BUSY = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
FIRST_ROLLOUT = {"first-rollout": "pending"}
"""The endpoint's tag until it first has traffic: tells a new endpoint from one that somebody set to 0 %."""


class Refused(Exception):
    """The endpoint is not in a state in which this may be done. The message says why and what to do next."""


class Ambiguous(Refused):
    """Traffic and tags do not tell who is blue and who is green."""


class Overwritten(Refused):
    """Somebody else wrote the split, just before or after it was written here."""


@dataclass(frozen=True)
class Model:
    """A registered model version. `digest` is the one of its content, "" where it is not known."""

    name: str
    version: str
    digest: str = ""

    def same(self, other: "Model") -> bool:
        """Whether both are the same model: by content where both have a digest, else by name and version."""
        if self.digest and other.digest:
            return self.digest == other.digest
        return (self.name, self.version) == (other.name, other.version)


@dataclass(frozen=True)
class Deployment:
    """One deployment of an endpoint. `state` is Azure's provisioning state, `instances` a count."""

    name: str
    model: Model
    state: str = SUCCEEDED
    replaces: str = ""
    instances: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        return self.state == SUCCEEDED

    @property
    def busy(self) -> bool:
        return self.state in BUSY


@dataclass(frozen=True)
class EndpointState:
    """An endpoint as it was read. `traffic` and `mirror` hold percentages above zero, by deployment name."""

    name: str
    traffic: Mapping[str, int] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    state: str = SUCCEEDED
    scoring_uri: str = ""

    @property
    def busy(self) -> bool:
        return self.state in BUSY

    @property
    def first_rollout(self) -> bool:
        return FIRST_ROLLOUT.items() <= self.tags.items()

    @property
    def replaces(self) -> dict[str, str]:
        return {name: deployment.replaces for name, deployment in self.deployments.items()}

    @property
    def roles(self) -> tuple[str | None, str | None]:
        return roles(self.traffic, self.replaces)


@dataclass(frozen=True)
class Shift:
    """The split to have in the end: percentages above zero, sum 100 (or none). `done`: nothing is to be written."""

    split: Mapping[str, int]
    say: str
    done: bool = False


def positive(traffic: Mapping[str, int]) -> dict[str, int]:
    """A split without its zeros: that is how Azure keeps it."""
    return {name: percent for name, percent in traffic.items() if percent > 0}


def percentages(traffic: Mapping[str, int]) -> str:
    """A split for people, the largest share first: `default 90 %, xgboost-model-2 10 %`."""
    shares = sorted(traffic.items(), key=lambda share: (-share[1], share[0]))
    return ", ".join(f"{name} {percent} %" for name, percent in shares if percent) or "no traffic"


def roles(traffic: Mapping[str, int], replaces: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Name (blue, green), None where there is none.

    `replaces` has every existing deployment: what its tag says it replaces, or "". Green is the deployment that
    replaces an existing one and is itself replaced by none; blue is whom it replaces, whichever has the traffic.

    Raises Ambiguous when traffic and tags leave several answers.
    """
    greens = candidates(traffic, replaces)
    if len(greens) > 1:
        raise unclear("green", traffic, greens)
    for green, blue in greens.items():
        return blue, green
    serving = [name for name, percent in traffic.items() if percent]
    if len(serving) > 1:
        raise Ambiguous(f"can't tell blue from green: {percentages(traffic)}, and no tag says which replaces which.")
    return (serving[0] if serving else None), None


def candidates(traffic: Mapping[str, int], replaces: Mapping[str, str]) -> dict[str, str]:
    """Who may be green, and whom each replaces: none without a pair. Raises Ambiguous for a circle.

    Of the deployments that nobody replaces those with traffic, else those whose blue has it, else all.
    """
    pairs = {name: old for name, old in replaces.items() if old in replaces and old != name}
    heads = {name: old for name, old in pairs.items() if name not in pairs.values()}
    if pairs and not heads:
        raise unclear("green", traffic, pairs)
    serving = {name: old for name, old in heads.items() if traffic.get(name)}
    return serving or {name: old for name, old in heads.items() if traffic.get(old)} or heads


def unclear(role: str, traffic: Mapping[str, int], pairs: Mapping[str, str]) -> Ambiguous:
    claims = ", ".join(f"{name} replaces {old}" for name, old in pairs.items())
    return Ambiguous(f"can't tell which is {role}: {claims} ({percentages(traffic)}). Delete the wrong one.")
