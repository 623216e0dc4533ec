"""Whether the cores suffice for blue and green together: a pure decision about Azure's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, ok, wrong

TOTAL = "Total Cluster Dedicated Regional vCPUs"


@dataclass(frozen=True)
class Shape:
    """What a deployment runs on: machines of a type, so many."""

    instance_type: str
    instances: int

    @property
    def size(self) -> str:
        """The type's name, which Azure reads in any case."""
        return self.instance_type.lower()

    def charge(self, cores: int) -> int:
        """The cores it takes of the quota: a fifth more machines, for upgrades (how-to-manage-quotas)."""
        return -(-6 * self.instances // 5) * cores


@dataclass(frozen=True)
class Usage:
    """How many cores of a family are in use; a `limit` below zero is none. `id` says whose they are."""

    name: str
    used: int
    limit: int
    id: str = ""

    @property
    def whole(self) -> bool:
        """Whether it is about the subscription; the list has parts, too: of each workspace, and each compute in it."""
        return "/workspaces/" not in self.id


def wanted(blue: Shape, green: Shape) -> list[Shape]:
    """What must fit together: blue, and green with as many instances as blue at least."""
    return [blue, Shape(green.instance_type, max(green.instances, blue.instances))]


def quota(
    wanted: Sequence[Shape],
    present: Sequence[Shape],
    sizes: Mapping[str, tuple[int, str]] | Unknown,
    usages: Sequence[Usage] | Unknown,
) -> Finding:
    """Whether what is free suffices. `present` are the endpoint's deployments, whose cores count as used.

    `sizes` has cores and family by instance type in lower case; families are spelt `standardDSv2Family` there and
    `Standard DSv2 Family Cluster Dedicated vCPUs` in usages.
    """
    if isinstance(sizes, Unknown) or isinstance(usages, Unknown):
        why = sizes if isinstance(sizes, Unknown) else usages
        return cannot_tell("core quota", f"it could not be read: {why}", "Look in the studio, under Quota.")
    unknown = sorted({shape.size for shape in (*wanted, *present)} - set(sizes))
    if unknown:
        return cannot_tell("core quota", f"Azure tells nothing of {', '.join(unknown)}.")
    families = sorted({sizes[shape.size][1] for shape in wanted})
    needs = {family: _cores(wanted, sizes, family) - _cores(present, sizes, family) for family in families}
    for family, needed in needs.items():
        if found := _short(family, needed, limit(family, usages)):
            return found
    total = limit(TOTAL, usages) or Usage(TOTAL, 0, -1)
    short = _short("all families", _cores(wanted, sizes) - _cores(present, sizes), total)
    return short or ok("core quota", f"there are {_cores(wanted, sizes)} cores for blue and green together.")


def limit(family: str, usages: Iterable[Usage]) -> Usage | None:
    """The subscription's quota of a family, however that is spelt; the last of several."""
    return {_family(usage.name): usage for usage in usages if usage.whole}.get(_family(family))


def _short(family: str, needed: int, usage: Usage | None) -> Finding | None:
    if usage is None:
        return cannot_tell("core quota", f"Azure tells no quota of {family}.")
    free = max(usage.limit - usage.used, 0)
    if usage.limit < 0 or needed <= free:
        return None
    say = f"blue and green together need {needed} more cores of {family}, but {free} of {usage.limit} are free."
    return wrong("core quota", say, "Ask for more in the studio, under Quota, or take a smaller instance_type.")


def _cores(shapes: Iterable[Shape], sizes: Mapping[str, tuple[int, str]], family: str = "") -> int:
    found = [(shape, *sizes[shape.size]) for shape in shapes]
    return sum(shape.charge(cores) for shape, cores, its_family in found if family in ("", its_family))


def _family(name: str) -> str:
    return name.lower().replace(" ", "").removesuffix("clusterdedicatedvcpus")
