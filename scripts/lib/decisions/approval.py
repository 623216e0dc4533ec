"""What a reviewer approves, and whether the endpoint still is so: pure decisions, without Azure.

An approval may come days after the question. The proposal that the reviewer saw travels along as JSON, and is compared
then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from scripts.lib.decisions.state import Deployment, EndpointState, Refused, Shift, percentages, positive
from scripts.lib.decisions.traffic import plan_shift


@dataclass(frozen=True)
class Side:
    """One of the pair: the deployment, and the model version that it has. `digest`, `commit`: "" if not known."""

    deployment: str
    model: str
    version: str
    digest: str = ""
    commit: str = ""

    @classmethod
    def of(cls, deployment: Deployment) -> Side:
        model = deployment.model
        return cls(deployment.name, model.name, model.version, model.digest, deployment.tags.get("commit", ""))

    @property
    def facts(self) -> dict[str, str]:
        """What must not have changed, with what people call it."""
        label = f"{self.deployment} with {self.model} {self.version}"
        return {"": label, "'s digest": self.digest or "unknown", "'s commit": self.commit or "unknown"}


@dataclass(frozen=True)
class Proposal:
    """What a reviewer sees: the endpoint's name, its split (percentages above zero), and the pair."""

    endpoint: str
    traffic: Mapping[str, int]
    blue: Side
    green: Side

    @classmethod
    def parse(cls, text: str) -> Proposal:
        """From the JSON that `str` makes. Raises ValueError for any other text."""
        try:
            found = json.loads(text)
            made = cls(found["endpoint"], dict(found["traffic"]), Side(**found["blue"]), Side(**found["green"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"not what `review` prints: {error!r}") from error
        texts = [made.endpoint, *asdict(made.blue).values(), *asdict(made.green).values()]
        if not all(isinstance(text, str) for text in texts) or not all(type(n) is int for n in made.traffic.values()):
            raise ValueError("not what `review` prints: a value of another type")
        return made

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def propose(state: EndpointState) -> Proposal | None:
    """What there is to review, None without a green. Raises Ambiguous where it can't be told who is who."""
    blue, green = state.roles
    if blue is None or green is None:
        return None
    sides = (Side.of(state.deployments[name]) for name in (blue, green))
    return Proposal(state.name, dict(state.traffic), *sides)


def check(state: EndpointState, expected: Proposal, aim: Mapping[str, int] | None = None) -> None:
    """Raises Refused, with every difference, unless the endpoint is what the reviewer saw and green is healthy.

    A split that is `aim` already is no difference: the promotion was made, and its job killed.
    """
    differences = []
    if state.name != expected.endpoint:
        differences.append(f"{expected.endpoint} was reviewed, not {state.name}")
    if state.traffic not in (positive(expected.traffic), aim):
        was = percentages(expected.traffic)
        differences.append(f"the split was {was} when it was reviewed, now it is {percentages(state.traffic)}")
    if now := propose(state):
        pairs = {"blue": (expected.blue.facts, now.blue.facts), "green": (expected.green.facts, now.green.facts)}
        differences += [
            f"{role}{fact} was {was[fact]}, now it is {present[fact]}"
            for role, (was, present) in pairs.items()
            for fact in was
            if was[fact] != present[fact]
        ]
        differences += _unhealthy(state, now.green.deployment)
    else:
        differences.append("the pair that was reviewed is gone")
    _refuse(differences)


def plan_promotion(state: EndpointState, percent: int, expected: Proposal | None = None) -> Shift:
    """Give `percent` to green, the rest to blue; done where it is so already, as after a crash.

    Raises Refused without a green, where green isn't healthy, where the endpoint is not what the reviewer saw, or,
    without that, where a third deployment has traffic.
    """
    if expected:
        check(state, expected, positive({expected.green.deployment: percent, expected.blue.deployment: 100 - percent}))
    pair = propose(state)
    if pair is None:
        raise Refused(f"there is no green to promote: {percentages(state.traffic)}. `deploy` makes one.")
    _refuse(_unhealthy(state, pair.green.deployment))
    return plan_shift(state, pair.green.deployment, percent, expected.traffic if expected else None)


def _unhealthy(state: EndpointState, green: str) -> list[str]:
    deployment = state.deployments[green]
    return [] if deployment.healthy else [f"green {green} is {deployment.state}, not healthy"]


def _refuse(differences: list[str]) -> None:
    if differences:
        raise Refused(
            f"{'; '.join(differences)}. So nothing is changed. "
            "Look with show_endpoint; promote.yml, or another rollout, asks for a new approval."
        )
