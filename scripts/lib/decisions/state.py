"""Who is blue, who is green, and what a deploy has to do: decisions about an endpoint's state, without Azure.

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


class Moved(Refused):
    """Somebody else changed the split while it was being written."""


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
    def serves(self) -> bool:
        """Whether it can answer: one that is being changed still does, with what it had before."""
        return self.state in {SUCCEEDED, "Updating", "Scaling"}

    @property
    def busy(self) -> bool:
        return self.state in BUSY


@dataclass(frozen=True)
class Endpoint:
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
    pairs = _pairs(replaces)
    if not pairs:
        return _alone(traffic), None
    greens = _greens(traffic, pairs)
    if len(greens) != 1:
        raise _unclear("green", traffic, pairs)
    return pairs[greens[0]], greens[0]


def way_back(traffic: Mapping[str, int], replaces: Mapping[str, str]) -> str | None:
    """Whom green replaces, None without a pair. Which of several is green doesn't matter if all replace the same one.

    Raises Ambiguous when they don't.
    """
    pairs = _pairs(replaces)
    blues = {pairs[green] for green in _greens(traffic, pairs)}
    if pairs and len(blues) != 1:
        raise _unclear("blue", traffic, pairs)
    return blues.pop() if blues else None


def _pairs(replaces: Mapping[str, str]) -> dict[str, str]:
    """Each deployment that replaces another existing one, with whom it replaces."""
    return {name: old for name, old in replaces.items() if old in replaces and old != name}


def _greens(traffic: Mapping[str, int], pairs: Mapping[str, str]) -> list[str]:
    """Who may be green: whom nobody replaces; of several those with traffic, else those whose blue has it."""
    heads = [name for name in pairs if name not in pairs.values()]
    serving = [name for name in heads if traffic.get(name, 0)]
    return serving or [name for name in heads if traffic.get(pairs[name], 0)] or heads


def _unclear(role: str, traffic: Mapping[str, int], pairs: Mapping[str, str]) -> Ambiguous:
    claims = ", ".join(f"{name} replaces {old}" for name, old in pairs.items())
    return Ambiguous(f"can't tell which is {role}: {claims} ({percentages(traffic)}). Delete the wrong one.")


def _alone(traffic: Mapping[str, int]) -> str | None:
    serving = [name for name, percent in traffic.items() if percent]
    if len(serving) > 1:
        raise Ambiguous(f"can't tell blue from green: {percentages(traffic)}, and no tag says which replaces which.")
    return serving[0] if serving else None


def situation(endpoint: Endpoint) -> str:
    """One line for people: where in a rollout the endpoint is."""
    try:
        blue, green = endpoint.roles
    except Ambiguous as why:
        return str(why)
    if not endpoint.traffic:
        return _without_traffic(endpoint)
    unhealthy = [f"{d.name} is {d.state}" for d in endpoint.deployments.values() if not d.healthy]
    return "; ".join([_progress(endpoint, blue, green), *unhealthy])


def _without_traffic(endpoint: Endpoint) -> str:
    if endpoint.first_rollout or not endpoint.deployments:
        return "nothing serves yet: the first rollout has not ended (deploy finishes it)"
    return "nothing serves: somebody took all traffic away (promote --to NAME --percent 100 gives it back)"


def _progress(endpoint: Endpoint, blue: str | None, green: str | None) -> str:
    if green is None:
        return f"{blue} serves; no rollout is in progress"
    percent = endpoint.traffic.get(green, 0)
    if percent == 100:
        return f"{green} serves; its blue {blue} is still there, so rollback works until delete_blue"
    if percent == 0:
        return f"{blue} serves; green {green} waits at 0 % (promote gives it a share, the next deploy removes it)"
    return f"a rollout is in progress: {percentages(endpoint.traffic)} (promote goes on, rollback goes back)"
