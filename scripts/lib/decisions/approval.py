"""What a reviewer approves, and whether the endpoint still is so: pure decisions, without Azure.

An approval may come days after the question. What the reviewer saw travels along as JSON, and is compared then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from scripts.lib.decisions.state import Deployment, Endpoint, Refused, percentages
from scripts.lib.decisions.traffic import Shift, plan_shift, positive


@dataclass(frozen=True)
class Side:
    """One of the pair: the deployment, and the model version that it has. `digest`, `commit`: "" if not known."""

    deployment: str
    model: str
    version: str
    digest: str = ""
    commit: str = ""

    @property
    def label(self) -> str:
        return f"{self.deployment} with {self.model} {self.version}"


@dataclass(frozen=True)
class Reviewed:
    """What a reviewer saw: the endpoint's name, its split (percentages above zero), and the pair."""

    endpoint: str
    traffic: Mapping[str, int]
    blue: Side
    green: Side

    @classmethod
    def parse(cls, text: str) -> Reviewed:
        """From the JSON that `str` makes. Raises ValueError for any other text."""
        try:
            found = json.loads(text)
            seen = cls(found["endpoint"], dict(found["traffic"]), Side(**found["blue"]), Side(**found["green"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"not what `review` prints: {error!r}") from error
        texts = [seen.endpoint, *asdict(seen.blue).values(), *asdict(seen.green).values()]
        if not all(isinstance(text, str) for text in texts) or not all(type(n) is int for n in seen.traffic.values()):
            raise ValueError("not what `review` prints: a value of another type")
        return seen

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def reviewed(state: Endpoint) -> Reviewed | None:
    """What there is to review, None without a green. Raises Ambiguous where it can't be told who is who."""
    blue, green = state.roles
    if blue is None or green is None:
        return None
    return Reviewed(state.name, dict(state.traffic), _side(state.deployments[blue]), _side(state.deployments[green]))


def check(state: Endpoint, expected: Reviewed) -> None:
    """Raises Refused, with every difference, unless the endpoint is what the reviewer saw and green is healthy."""
    _refuse([*_split(state, expected.traffic), *_differences(state, expected)])


def plan_promotion(state: Endpoint, percent: int, expected: Reviewed | None = None) -> Shift:
    """Give `percent` to green, the rest to blue; done where it is so already, as after a crash.

    Raises Refused without a green, where green isn't healthy, where the endpoint is not what the reviewer saw, or,
    without that, where a third deployment has traffic.
    """
    if expected:
        target = positive({expected.green.deployment: percent, expected.blue.deployment: 100 - percent})
        moved = [] if state.traffic == target else _split(state, expected.traffic)
        _refuse([*moved, *_differences(state, expected)])
    pair = reviewed(state)
    if pair is None:
        raise Refused(f"there is no green to promote: {percentages(state.traffic)}. `deploy` makes one.")
    _refuse(_unhealthy(state, pair.green.deployment))
    return plan_shift(state, pair.green.deployment, percent, expected.traffic if expected else None)


def _side(deployment: Deployment) -> Side:
    model = deployment.model
    return Side(deployment.name, model.name, model.version, model.digest, deployment.tags.get("commit", ""))


def _refuse(differences: list[str]) -> None:
    if differences:
        raise Refused(
            f"{'; '.join(differences)}. So nothing is changed. "
            "Look with show_endpoint; promote.yml, or another rollout, asks for a new approval."
        )


def _split(state: Endpoint, was: Mapping[str, int]) -> list[str]:
    if positive(was) == state.traffic:
        return []
    return [f"the split was {percentages(was)} when it was reviewed, now it is {percentages(state.traffic)}"]


def _differences(state: Endpoint, was: Reviewed) -> list[str]:
    """All but the split."""
    names = [f"{was.endpoint} was reviewed, not {state.name}"] if was.endpoint != state.name else []
    now = reviewed(state)
    if now is None:
        return [*names, "the pair that was reviewed is gone"]
    roles = {"blue": (was.blue, now.blue), "green": (was.green, now.green)}
    sides = [difference for role, (then, present) in roles.items() for difference in _changed(role, then, present)]
    return [*names, *sides, *_unhealthy(state, now.green.deployment)]


def _changed(role: str, was: Side, now: Side) -> list[str]:
    facts = {
        role: (was.label, now.label),
        f"{role}'s digest": (was.digest, now.digest),
        f"{role}'s commit": (was.commit, now.commit),
    }
    return [
        f"{name} was {then or 'unknown'}, now it is {present or 'unknown'}"
        for name, (then, present) in facts.items()
        if then != present
    ]


def _unhealthy(state: Endpoint, green: str) -> list[str]:
    deployment = state.deployments[green]
    return [] if deployment.healthy else [f"green {green} is {deployment.state}, not healthy"]
