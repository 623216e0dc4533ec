"""An endpoint's state, as the decisions see it: without Azure.

The endpoint itself is the state of a rollout: its traffic, the record beside it (record.py), and the claims that
deployments carry, each naming the one it replaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SUCCEEDED = "Succeeded"
BUSY = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
SERVES = frozenset({SUCCEEDED, "Updating", "Scaling"})
"""States in which a deployment answers: one that is being changed does, with what it had before."""
FIRST_ROLLOUT = {"first-rollout": "pending"}
"""The endpoint's tag until it first has traffic: tells a new endpoint from one that somebody set to 0 %."""


class Refused(Exception):
    """The endpoint is not in a state in which this may be done. The message says why and what to do next."""


class Ambiguous(Refused):
    """Neither the record nor any claim tells who is blue and who is green."""


class Overwritten(Refused):
    """Somebody else wrote the split, just before or after it was written here."""


@dataclass(frozen=True)
class Model:
    """A registered model version. `digest` is the one of its content, "" where it is not known."""

    name: str
    version: str
    digest: str = ""

    def same(self, other: Model) -> bool:
        """Whether both are the same model: by content where both have a digest that is made alike, else by name."""
        if self.digest and other.digest and self.digest.rpartition(":")[0] == other.digest.rpartition(":")[0]:
            return self.digest == other.digest
        return (self.name, self.version) == (other.name, other.version)


@dataclass(frozen=True)
class Ref:
    """A deployment by name and creation time (ISO text, UTC): a name that came back is another deployment.

    `version` is its model's, for people. Without a time it is what older releases wrote: a name alone.
    """

    name: str
    created: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Ref | None:
        """From a tag's value. None where that is empty or something else."""
        parts = text.split(" ")
        return cls(*parts) if parts[0] and len(parts) <= 3 else None

    def __str__(self) -> str:
        return " ".join([self.name, self.created, self.version]).strip()


@dataclass(frozen=True)
class Deployment:
    """One deployment of an endpoint, its name in lower case. `state` is Azure's provisioning state.

    `instances` at a time answer `concurrency` requests each; `fields` are its live settings, `settings` the digest of
    those it was made with, `rollout` the id of the rollout that made it; each "" or empty where it isn't known.
    """

    name: str
    model: Model
    state: str = SUCCEEDED
    created: str = ""
    replaces: Ref | None = None
    rollout: str = ""
    settings: str = ""
    instances: int = 1
    concurrency: int = 1
    machine: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        return self.state == SUCCEEDED

    @property
    def busy(self) -> bool:
        return self.state in BUSY

    @property
    def ref(self) -> Ref:
        return Ref(self.name, self.created, self.model.version)

    @property
    def ours(self) -> bool:
        """Whether a rollout made it: by hand nobody writes these tags."""
        return bool(self.rollout or (self.tags.get("model") and self.tags.get("version")))

    @property
    def capacity(self) -> int:
        """How many requests it answers at once."""
        return self.instances * self.concurrency


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

    def named(self, name: str) -> Deployment:
        """The deployment that a person names. Raises Refused where there is none of that name."""
        if name not in self.deployments:
            names = ", ".join(self.deployments) or "none: deploy makes one"
            raise Refused(f"{self.name} has no deployment {name}; it has: {names}. Look with show_endpoint.")
        return self.deployments[name]

    def standing(self, ref: Ref | None) -> Deployment | None:
        """The very deployment that is meant, None where it is gone, or another one has its name."""
        found = self.deployments.get(ref.name) if ref else None
        return found if found and ref and ref.created in ("", found.created) else None


@dataclass(frozen=True)
class Shift:
    """The split to have in the end: percentages above zero, sum 100 (or none). `done`: nothing is to be written.

    `tags` are written to the endpoint in the same call, None takes one away. `hold` (with `done`): the split is left to
    others though this rollout began; that is so only if it still is after a while, since a read may be late.
    """

    split: Mapping[str, int]
    say: str
    done: bool = False
    tags: Mapping[str, str | None] = field(default_factory=dict)
    hold: bool = False


def positive(traffic: Mapping[str, int]) -> dict[str, int]:
    """A split without its zeros: that is how Azure keeps it."""
    return {name: percent for name, percent in traffic.items() if percent > 0}


def percentages(traffic: Mapping[str, int]) -> str:
    """A split for people, the largest share first: `default 90 %, xgboost-model-2 10 %`."""
    shares = sorted(traffic.items(), key=lambda share: (-share[1], share[0]))
    return ", ".join(f"{name} {percent} %" for name, percent in shares if percent) or "no traffic"


def written_out(traffic: Mapping[str, int]) -> str:
    """A split as tags and options have it: `default=90,xgboost-model-2=10`."""
    return ",".join(f"{name}={percent}" for name, percent in sorted(traffic.items()))


def end_mirroring(endpoint: EndpointState) -> str:
    """The command that does, whoever is mirrored to."""
    mirror = " ".join(f"{name}=0" for name in endpoint.mirror)
    return f'End the mirroring first: az ml online-endpoint update --name {endpoint.name} --mirror-traffic "{mirror}"'
