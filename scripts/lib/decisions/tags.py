"""What Azure lets tags be, and which go where there is no room: pure.

azure-resource-manager/management/tag-resources: 50 on a resource; a name has 512 characters and a value 256 at most;
names are the same in upper and lower case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scripts.lib.decisions.record import MARK, OF, TAGS
from scripts.lib.decisions.state import FIRST_ROLLOUT, Refused

MOST, LONGEST_NAME, LONGEST_VALUE = 50, 512, 256
FORBIDDEN = "<>%&\\?/"
OF_A_DEPLOYMENT = ("model", "version", "rollout", "settings", "replaces")
"""What `deploy` writes beside what the registered version and the file say."""
OF_A_MODEL = ("digest", "commit", "run")
"""What `register_model` writes beside what training says."""
OF_A_ROLLOUT = len((*TAGS, *FIRST_ROLLOUT)) + 2
"""So many does the endpoint need, with the claims of a pair; marks and older claims go where there is no room."""


def wrong(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each tag that Azure refuses by its name, and why."""
    for name, value in tags.items():
        twin = [other for other in tags if other != name and other.lower() == name.lower()]
        if found := [sign for sign in name if sign in FORBIDDEN or not sign.isprintable()]:
            yield name, f"has {found[0]!r} in its name, but Azure takes none of {' '.join(FORBIDDEN)} there"
        elif not 0 < len(name) <= LONGEST_NAME:
            yield name, f"has a name of {len(name)} characters: Azure takes 1 to {LONGEST_NAME}"
        elif len(value) > LONGEST_VALUE:
            yield name, f"is {len(value)} characters long: Azure keeps {LONGEST_VALUE}"
        elif twin:
            yield name, f"is {twin[0]}, too: Azure tells no upper from lower case in names"


def check(what: str, tags: Mapping[str, str], then: str) -> None:
    """Raises Refused, with each tag of `what` that Azure would refuse; `then` says who mends it."""
    lines = [f"  `{name}` {why}" for name, why in wrong(tags)]
    if len(tags) > MOST:
        lines.append(f"  there are {len(tags)} of them, the rollout's own included: Azure takes {MOST}")
    if lines:
        raise Refused("\n".join([f"{what}: Azure would refuse its tags, so nothing is written:", *lines, then]))


def fitting(now: Mapping[str, str], changes: Mapping[str, str | None], endpoint: str) -> dict[str, str]:
    """The endpoint's tags with the changes (None takes one away), and no more than it can have.

    Marks go first, then claims, those of the oldest deployments before others. Then a way back goes without what it
    would record: it must never fail for a tag. Raises Refused for whatever else finds no room.
    """
    kept = {name: value for name, value in {**now, **changes}.items() if value is not None}
    old = [name for name in kept if name.startswith((MARK, OF)) and name not in changes]
    old.sort(key=lambda name: (name.startswith(OF), kept[name]))  # the values begin with the creation time
    for name in old[: max(0, len(kept) - MOST)]:
        del kept[name]
    if len(kept) > MOST and changes.get("rollout-direction") == "back":
        kept = {name: value for name, value in kept.items() if name not in changes}
    if len(kept) > MOST:
        raise Refused(
            f"{endpoint} has {len(now)} tags, and Azure takes {MOST}: there is no room for what the rollout writes. "
            f"Take some of yours away: az ml online-endpoint update --name {endpoint} --remove tags.NAME"
        )
    return kept
