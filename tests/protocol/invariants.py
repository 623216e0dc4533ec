"""What must hold of each deed, and of the endpoint at every step: a function each, with its sentence.

Who acts is judged by what his last read showed: nobody can see a write that Azure doesn't show yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from scripts.lib.decisions.record import live, marks
from scripts.lib.decisions.state import SERVES
from tests.protocol.world import OPEN, STRANGER, Deed, World

Rule = Callable[[World, Deed], bool]
FORWARD = ("stage", "promotion", "first", "to")
WRITES = (*FORWARD, "back", "own")


def traffic_goes_to_who_is_tested_and_approved(world: World, deed: Deed) -> bool:
    """Whoever gets more traffic passed a smoke test and was approved, or served before, or is the first, tested."""
    more = {name for name, share in deed.now.state.traffic.items() if share > deed.seen.state.traffic.get(name, 0)}
    fit = (world.tested & world.approved) | world.served
    if deed.what == "first":
        fit = fit | world.tested
    return deed.what == "to" or deed.approved or deed.seen.keys(dict.fromkeys(more, 0)) <= fit


def what_was_approved_is_what_is_written(world: World, deed: Deed) -> bool:
    """A promotion writes over the split that was approved, and for the deployments that were: not for their names."""
    if not deed.proposal or deed.what not in ("stage", "promotion"):
        return True
    shown, now = deed.proposal, deed.seen.state
    keys = {name: d.created for name, d in now.deployments.items()}
    same = [keys.get(shown[role]) == shown[f"{role}_created"] for role in ("green", "blue") if shown[role]]
    return now.traffic == shown["traffic"] and all(same)


def a_stage_never_lowers(world: World, deed: Deed) -> bool:
    """Only a person lowers green's share."""
    if deed.what != "stage" or not deed.proposal:
        return True
    green = deed.proposal["green"]
    return deed.now.state.traffic.get(green, 0) >= deed.seen.state.traffic.get(green, 0)


def a_stage_is_of_who_owns_green(world: World, deed: Deed) -> bool:
    """A run promotes only what its own deploy made or took over, and nobody took since."""
    return deed.what != "stage" or deed.rollout in deed.seen.owners[(deed.proposal or {})["green_created"]]


def the_record_tells_who_wrote(world: World, deed: Deed) -> bool:
    """Each split of ours is written with the record of who wrote it, whence he came, and what it is."""
    found = live(deed.now.state)
    return deed.what not in WRITES or (found is not None and found.rollout == deed.rollout)


def an_own_rollback_takes_back_its_own(world: World, deed: Deed) -> bool:
    """The job rollback changes only a split that its own rollout wrote, or where no record is, its own green's."""
    if deed.what != "own" or deed.seen.writer == deed.rollout:
        return True
    found = live(deed.seen.state)
    if found and found.rollout == deed.rollout and deed.seen.writer == STRANGER:
        return True  # a stranger gave again what this rollout had given
    left = [deed.seen.state.deployments[name] for name in deed.seen.state.traffic]
    whose = [{d.rollout} | deed.seen.owners.get(d.created, frozenset()) for d in left]  # it made, or took over
    return not deed.seen.state.tags.get("rollout") and any(deed.rollout in owners for owners in whose)


def going_back_goes_where_all_was(world: World, deed: Deed) -> bool:
    """A rollback that nobody told whom, and that something is recorded for, leads to what served before."""
    if deed.what not in ("back", "own") or deed.approved or not deed.seen.state.tags.get("rollout"):
        return True
    return deed.seen.keys(deed.now.state.traffic) <= deed.seen.before or deed.seen.before >= OPEN


def what_is_learnt_is_kept(world: World, deed: Deed) -> bool:
    """Whoever is rolled back carries a mark for the next review."""
    left = deed.seen.state.traffic.keys() - deed.now.state.traffic.keys()
    seen = replace(deed.seen.state, tags=deed.now.state.tags)
    return deed.what not in ("back", "own") or left & seen.deployments.keys() <= marks(seen).keys()


def an_approval_ends_the_mark(world: World, deed: Deed) -> bool:
    """Who is promoted was approved by somebody who knew."""
    green = (deed.proposal or {}).get("green")
    return deed.what not in ("stage", "promotion") or green not in marks(deed.now.state)


def green_can_answer_its_share(world: World, deed: Deed) -> bool:
    """A promotion gives no share of what blue serves that is beyond what green can answer."""
    if deed.what not in ("stage", "promotion") or not deed.proposal or not deed.proposal["blue"]:
        return True
    state, name, blue = deed.seen.state, deed.proposal["green"], deed.proposal["blue"]
    share, capacity = deed.now.state.traffic.get(name, 0), state.deployments[name].capacity
    lower = share <= state.traffic.get(name, 0)
    return lower or blue not in state.traffic or capacity * 100 >= share * state.deployments[blue].capacity


def the_way_back_goes_by_approval(world: World, deed: Deed) -> bool:
    """What a rollback would lead to is deleted only by the job delete-blue, approved, or by a person."""
    gone = deed.deployment
    if deed.what not in ("delete", "superfluous") or gone is None:
        return True
    known = deed.seen.state.tags.get("rollout") and gone.state in SERVES
    return not known or {gone.created} != deed.seen.before


def deploy_removes_only_what_never_served(world: World, deed: Deed) -> bool:
    """Without approval goes what failed, was rolled back or never promoted; of other repositories: nothing well."""
    gone = deed.deployment
    if deed.what != "delete" or gone is None or not gone.healthy:
        return True
    fallen = gone.created in world.had or gone.name in marks(deed.seen.state)
    whose = {who for who in deed.seen.owners[gone.created] if "/" in who} or {gone.rollout}
    ours = _repository(deed.rollout)
    foreign = "/" in deed.rollout and all("/" in who and _repository(who) != ours for who in whose)
    return gone.ours and gone.created not in world.retired and (fallen or not foreign)


def a_successor_is_there_first(world: World, deed: Deed) -> bool:
    """A healthy deployment is removed without approval only once the one that is to follow it is healthy."""
    gone = deed.deployment
    if deed.what != "delete" or gone is None or not gone.healthy or not deed.seen.state.traffic:
        return True
    state = deed.seen.state
    return any(d.healthy and d.ours for name, d in state.deployments.items() if name not in state.traffic and d != gone)


def what_stands_is_used(world: World, deed: Deed) -> bool:
    """A healthy deployment of ours with that model and those settings is not built a second time."""
    made, seen = deed.deployment, deed.seen.state
    if deed.what != "create" or made is None or not seen.traffic:
        return True
    return not any(
        d.ours and d.healthy and d.model.same(made.model) and d.settings == made.settings
        for d in seen.deployments.values()
    )


def green_starts_as_large_as_blue(world: World, deed: Deed) -> bool:
    """Green never starts below blue's live count."""
    made, planned = deed.deployment, deed.planned
    if deed.what != "create" or made is None or made.replaces is None or planned is None:
        return True
    return made.instances >= planned.deployments[made.replaces.name].instances


def nobody_is_overwritten(world: World, deed: Deed) -> bool:
    """A deployment is created under a name that was free when it was looked at last."""
    made = deed.deployment
    return deed.what != "create" or made is None or made.name not in deed.seen.state.deployments


def nothing_is_taken_from_a_third(world: World, deed: Deed) -> bool:
    """The first gets traffic only where nobody has any; a share for one is taken from its counterpart alone."""
    had, has = deed.seen.state.traffic.keys(), deed.now.state.traffic.keys()
    return not (deed.what == "first" and had) and not (deed.what == "to" and len(had | has) > 2)


def who_had_nothing_to_do_writes_nothing(world: World, deed: Deed) -> bool:
    """A run whose deploy had nothing to do changes nothing, whatever its smoke test finds."""
    return deed.rollout not in world.idle


def _repository(rollout: str) -> str:
    return rollout.partition("/actions/")[0]


RULES: list[Rule] = [
    traffic_goes_to_who_is_tested_and_approved,
    what_was_approved_is_what_is_written,
    a_stage_never_lowers,
    a_stage_is_of_who_owns_green,
    the_record_tells_who_wrote,
    an_own_rollback_takes_back_its_own,
    going_back_goes_where_all_was,
    what_is_learnt_is_kept,
    an_approval_ends_the_mark,
    green_can_answer_its_share,
    the_way_back_goes_by_approval,
    deploy_removes_only_what_never_served,
    a_successor_is_there_first,
    what_stands_is_used,
    green_starts_as_large_as_blue,
    nobody_is_overwritten,
    nothing_is_taken_from_a_third,
    who_had_nothing_to_do_writes_nothing,
]


class Broken(AssertionError):
    """A rule is broken: which, and by what."""


def judge(world: World, deed: Deed) -> None:
    """Raises Broken, with the sentence, where a deed of ours breaks a rule."""
    for rule in [] if deed.rollout == STRANGER else RULES:
        if not rule(world, deed):
            raise Broken(f"{rule.__doc__}\n  {deed.what} by {deed.rollout}; seen: {deed.seen}; now: {deed.now}")
