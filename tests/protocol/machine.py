"""The machine: what people do to an endpoint, in any order, and between each other's calls."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scripts.lib.decisions.state import Deployment, Shift
from tests.protocol import verbs
from tests.protocol.invariants import judge
from tests.protocol.probes import PROBES
from tests.protocol.runs import Back, ByHand, Promotion, Run, Work, looked_through
from tests.protocol.world import STRANGER, Actor, World, by_hand, wanted

WHO = st.integers(0, 7)
TOUCHES = st.sampled_from([1, 2, 3, 5, 0, 0, 100])  # 0: to the end of the job
WEATHER = st.sampled_from(["fine"] * 4 + ["late", "late", "old list", "short list", "lost", "lost after"])
REPOSITORIES = st.sampled_from(["octo/heart", "octo/heart", "octo/other"])
CHANGES = ["deleted", "updated", "endpoint updated", "broken", "1", "2", "3", "3", "Failed", "Updating", "Succeeded"]
NAMES = st.sampled_from(["default", "xgboost-model-2", "xgboost-model-3", "experiment"])


class Machine(RuleBasedStateMachine):
    """Its rules are what people do; what must hold is asked at each deed (`judge`) and after each step (`PROBES`)."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(judge)
        self.works: list[Work] = []
        self.numbers = self.versions = 0
        self.names: set[str] = set()  # that deployments had

    @initialize(how=st.sampled_from(["empty", "empty", "serves", "serves", "tries"]), instances=st.integers(1, 2))
    def begins(self, how: str, instances: int) -> None:
        """With nothing, with a first version that serves, or that waits while somebody tries his own deployment."""
        if how != "empty":
            self.merge("octo/heart", 0, True, 0, True, 1 if how == "serves" else 0)
            self.works[-1].go_on(0)
            self.world.changes("default", instances=instances)
        if how == "tries":
            self.make_by_hand("experiment", True, False)
            self.portal(1, 1, 100)

    # What workflows do.

    @rule(
        repository=REPOSITORIES,
        back=st.sampled_from([0, 0, 0, 1, 2]),
        new=st.booleans(),
        settings=st.sampled_from([0, 0, 0, 1]),
        good=st.sampled_from([True] * 5 + [False]),
        approvals=st.sampled_from([0, 0, 0, 1, 2, 4]),
    )
    def merge(self, repository: str, back: int, new: bool, settings: int, good: bool, approvals: int) -> None:
        """A new model, the same one, an older one, or other settings; perhaps nobody comes between some approvals."""
        self.versions += new
        run = self._arrives(repository, max(1, self.versions - back), settings, good)
        self._press_on(run, approvals)

    @precondition(lambda self: self._runs())
    @rule(who=WHO, repository=REPOSITORIES, approvals=st.sampled_from([0, 1, 2]))
    def merge_the_same(self, who: int, repository: str, approvals: int) -> None:
        """Another run arrives with what one that has not ended is at."""
        run = self._one(self._runs(), who)
        other = self._arrives(repository, run.version, run.settings, run.good)
        other.go_on(100)
        self._press_on(other, approvals)

    @rule(jobs=st.integers(0, 3), first=st.booleans(), approvals=st.integers(0, 2))
    def merge_twice(self, jobs: int, first: bool, approvals: int) -> None:
        """Another run takes over what one has made, after some of that one's jobs; both go on, one is approved."""
        self.versions += 1
        older, younger = (self._arrives("octo/heart", self.versions, 0, True) for _ in range(2))
        for _ in range(jobs):
            older.go_on(0)
        younger.go_on(100)
        older.go_on(100)
        self._press_on(older if first else younger, approvals)

    @precondition(lambda self: self._busy())
    @rule(who=WHO, touches=TOUCHES, weather=WEATHER)
    def goes_on(self, who: int, touches: int, weather: str) -> None:
        self._one(self._busy(), who).go_on(touches, weather)

    @precondition(lambda self: self._waiting())
    @rule(who=WHO, touches=st.sampled_from([-1, 2, 4, 5, 0, 100]), approvals=st.sampled_from([0, 0, 1, 3]))
    def approve(self, who: int, touches: int, approvals: int) -> None:
        work = self._one(self._waiting(), who)
        self.world.rest()
        work.approve()
        if touches >= 0:
            work.go_on(touches)
        self._press_on(work, approvals)

    @precondition(lambda self: self._waiting())
    @rule(who=WHO, touches=st.sampled_from([0, 0, 3]))
    def reject_or_expire(self, who: int, touches: int) -> None:
        work = self._one(self._waiting(), who)
        work.reject()
        work.go_on(touches)

    @precondition(lambda self: self._going())
    @rule(who=WHO, touches=st.sampled_from([-1, 0, 3]), weather=WEATHER)
    def cancel_or_kill_the_runner(self, who: int, touches: int, weather: str) -> None:
        work = self._one(self._going(), who)
        work.cancel()
        if touches >= 0:
            work.go_on(touches, weather)

    @precondition(lambda self: self._going())
    @rule(who=WHO)
    def vanish(self, who: int) -> None:
        """Killed, and nothing follows."""
        self.works.remove(self._one(self._going(), who))

    @precondition(lambda self: self._ended())
    @rule(who=WHO, all_jobs=st.booleans())
    def run_again(self, who: int, all_jobs: bool) -> None:
        run = self._one(self._ended(), who)
        if all_jobs or run.failed:
            run.again(all_jobs)

    @rule(percent=st.sampled_from([5, 10, 50, 100, 100]), delete=st.booleans(), approved=st.booleans())
    def promote_yml(self, percent: int, delete: bool, approved: bool) -> None:
        work = Promotion(self.world, self._number(), percent, delete)
        self.works.append(work)
        if approved:
            self._press_on(work, 1)

    @rule(touches=TOUCHES)
    def rollback_yml(self, touches: int) -> None:
        runs = [work for work in self.works if isinstance(work, Run)]
        self._begin(Back(self.world, self._number(), runs), touches)

    # What people do by hand.

    @rule(touches=TOUCHES, weather=WEATHER)
    def rollback(self, touches: int, weather: str) -> None:
        work = ByHand(self.world, lambda me: looked_through(me, verbs.rollback(me)))
        self.works.append(work)
        work.go_on(touches, weather)

    @precondition(lambda self: self.world.now.state.deployments)
    @rule(who=WHO)
    def rollback_to(self, who: int) -> None:
        name = self._deployment(who).name
        self._begin(ByHand(self.world, lambda me: verbs.rollback(me, name)), 100)

    @precondition(lambda self: self.world.now.state.deployments)
    @rule(who=WHO, percent=st.sampled_from([0, 10, 50, 100]), touches=TOUCHES)
    def promote_to(self, who: int, percent: int, touches: int) -> None:
        name = self._deployment(who).name
        self._begin(ByHand(self.world, lambda me: verbs.promote_to(me, name, percent)), touches)

    @precondition(lambda self: self.world.now.state.deployments)
    @rule(who=WHO)
    def delete_blue(self, who: int) -> None:
        name = self._deployment(who).name
        self._begin(ByHand(self.world, lambda me: verbs.delete_blue(me, name)), 100)

    @precondition(lambda self: self.world.now.state.deployments)
    @rule(who=WHO)
    def smoke_test(self, who: int) -> None:
        """With --mark, of any deployment."""
        name = self._deployment(who).name
        self._begin(ByHand(self.world, lambda me: verbs.smoke_test(me, name)), 100)

    @rule(back=st.sampled_from([0, 1]), touches=TOUCHES)
    def deploy(self, back: int, touches: int) -> None:
        wants = wanted("by hand", max(1, self.versions - back))
        self._begin(ByHand(self.world, lambda me: verbs.deploy(me, wants, True)), touches)

    # What strangers do.

    @precondition(lambda self: self.world.now.state.deployments)
    @rule(one=WHO, other=WHO, share=st.sampled_from([100, 50, 10, 0]))
    def portal(self, one: int, other: int, share: int) -> None:
        """A split, with our tags as they were."""
        split = {self._deployment(other).name: 100 - share} if share else {}
        split[self._deployment(one).name] = share + split.get(self._deployment(one).name, 0)
        stranger = Actor(self.world, STRANGER)
        self.world.split("portal", stranger, Shift(split, ""))

    @rule(name=NAMES, good=st.booleans(), anew=st.booleans())
    def make_by_hand(self, name: str, good: bool, anew: bool) -> None:
        """A deployment under any name, also one that is used: then it was deleted before.

        That takes longer than anybody's look until his PUT.
        """
        stranger, state = Actor(self.world, STRANGER), self.world.now.state
        if name in self.names and self._busy():
            return
        if name in state.deployments and anew and name not in state.traffic:
            self.world.delete(stranger, name)
        if name not in self.world.now.state.deployments:
            self.world.create(stranger, by_hand(name, max(1, self.versions)), good)

    @precondition(lambda self: self.world.now.state.deployments)
    @rule(who=WHO, change=st.sampled_from(CHANGES))
    def changes_by_hand(self, who: int, change: str) -> None:
        """Deleted without traffic, updated from a file that knows no tags, scaled, failed; or it answers wrongly."""
        found = self._deployment(who)
        if change == "deleted":
            if found.name not in self.world.now.state.traffic:
                self.world.delete(Actor(self.world, STRANGER), found.name)
        elif change == "updated":
            bare = replace(found.model, digest="")
            self.world.changes(found.name, tags={}, replaces=None, rollout="", settings="", model=bare)
        elif change.isdigit():
            self.world.changes(found.name, instances=int(change))
        elif change == "endpoint updated":
            self.world.erase()
        elif change == "broken":
            self.world.bad.add(found.created)
        else:
            self.world.changes(found.name, state=change)

    @rule()
    def time_goes_by(self) -> None:
        """What Azure had begun is done."""
        self.world.rest()
        for name, deployment in self.world.now.state.deployments.items():
            if deployment.busy:
                self.world.changes(name, state="Succeeded")

    @invariant()
    def what_must_hold(self) -> None:
        self.names |= self.world.now.state.deployments.keys()
        for probe in PROBES:
            probe(self.world)

    def _begin(self, work: Work, touches: int) -> None:
        self.works.append(work)
        work.go_on(touches)

    def _press_on(self, work: Work, approvals: int) -> None:
        """Nobody comes between, and it is approved so many times."""
        for _ in range(approvals):
            work.go_on(100)
            if not work.waits:
                return
            self.world.rest()
            work.approve()
        if approvals:
            work.go_on(100)

    def _arrives(self, repository: str, version: int, settings: int, good: bool) -> Run:
        self.numbers += 1
        run = Run(self.world, repository, self.numbers, version, settings, good)
        self.works.append(run)
        return run

    def _number(self) -> str:
        self.numbers += 1
        return f"octo/heart/actions/runs/{self.numbers}/attempts/1"

    def _one(self, found: list, who: int):  # type: ignore[no-untyped-def,type-arg]
        return found[who % len(found)]

    def _deployment(self, who: int) -> Deployment:
        found: Deployment = self._one(list(self.world.now.state.deployments.values()), who)
        return found

    def _busy(self) -> list[Work]:
        return [work for work in self.works if work.doing]

    def _waiting(self) -> list[Work]:
        return [work for work in self.works if work.waits]

    def _going(self) -> list[Work]:
        return [work for work in self.works if not work.over]

    def _runs(self) -> list[Run]:
        return [work for work in self.works if isinstance(work, Run) and not work.over]

    def _ended(self) -> list[Run]:
        return [work for work in self.works if isinstance(work, Run) and work.over]
