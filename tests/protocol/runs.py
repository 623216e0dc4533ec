"""The workflows over the endpoint in memory: which verb follows which, and what ends or rolls back a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scripts.lib.decisions.approval import Proposal
from scripts.lib.decisions.state import Overwritten, Refused
from tests.protocol import verbs
from tests.protocol.probes import (
    an_own_rollback_leaves_nothing,
    leads_on,
    nothing_to_deploy_is_true,
    what_is_left_alone_is_there,
)
from tests.protocol.verbs import RED, Steps
from tests.protocol.world import Actor, World, wanted

MANY = 100  # calls: no job has as many
STAGES = {"promote-10": 10, "promote-50": 50, "promote-100": 100}
JOBS = ["deploy", "smoke-test", *STAGES, "delete-blue"]


def looked_through(me: Actor, verb: Steps) -> Steps:
    """A verb that goes back; what it says to be so already, is."""
    shift = yield from verb
    what_is_left_alone_is_there(me.world, shift)
    return shift


class Work:
    """What somebody is at: one generator after the other. `waits`: for an approval."""

    def __init__(self, world: World, rollout: str) -> None:
        self.world, self.me = world, Actor(world, rollout)
        self.doing: Steps | None = None
        self.waits = False
        self.proposal: Proposal | None = None
        self.result = ""  # how the last generator ended: "well", or the error

    @property
    def over(self) -> bool:
        return self.doing is None and not self.waits

    def go_on(self, touches: int, weather: str = "fine") -> None:
        """As many calls as are told, or with 0 to the end of the job; the first of them in some weather."""
        self.me.weather, job = weather, self.doing
        for _ in range(touches or MANY):
            if self.doing is None or (self.doing is not job and not touches):
                return
            try:
                next(self.doing)
            except StopIteration as end:
                self._ends(end.value)
            except RED as error:
                self._fails(error)

    def approve(self) -> None:
        """Somebody approves what he was shown."""
        self.waits = False
        if self.proposal:
            self.world.approved.add(self.proposal["green_created"])

    def reject(self) -> None:
        self.waits = False

    def cancel(self) -> None:
        self.waits, self.doing = False, None

    def _ends(self, value: Any) -> None:
        self.doing, self.result = None, "well"

    def _fails(self, error: Exception) -> None:
        self.doing, self.result = None, str(error)
        if isinstance(error, Refused) and not isinstance(error, Overwritten):
            leads_on(self.me.seen.state, str(error))


class ByHand(Work):
    """A verb that somebody starts; whoever kills it kills it."""

    def __init__(self, world: World, verb: Callable[[Actor], Steps], rollout: str = "by hand") -> None:
        super().__init__(world, rollout)
        self.doing = verb(self.me)


class Promotion(Work):
    """promote.yml: a review, an approval, a promotion that a person wants as it is."""

    def __init__(self, world: World, rollout: str, percent: int, then_delete: bool) -> None:
        super().__init__(world, rollout)
        self.percent, self.then_delete = percent, then_delete
        self.doing = self._reviewed()

    def _reviewed(self) -> Steps:
        yield from verbs.smoke_test(self.me)
        self.proposal = yield from verbs.review(self.me, own=False)
        self.waits = bool(self.proposal)

    def approve(self) -> None:
        super().approve()
        self.doing = self._promoted()

    def _promoted(self) -> Steps:
        assert self.proposal
        yield from verbs.promote(self.me, self.proposal, self.percent, stage=False)
        if self.then_delete and self.percent == 100 and self.proposal["blue"]:
            shown = yield from verbs.review(self.me, self.proposal["green"])
            yield from verbs.delete_blue(self.me, self.proposal["blue"], shown)


class Run(Work):
    """rollout.yml: its jobs, each after an approval from promote-10 on, and the job rollback."""

    def __init__(self, world: World, repository: str, number: int, version: int, settings: int, good: bool) -> None:
        self.name = f"{repository}/actions/runs/{number}/attempts"
        super().__init__(world, f"{self.name}/1")
        self.attempt, self.version, self.settings, self.good = 1, version, settings, good
        self.green = self.failed = ""
        self._start("deploy")

    def _start(self, job: str) -> None:
        self.job, self.me.wrote, self.me.bad = job, False, False
        if job in STAGES or job == "delete-blue":
            self.waits = True
        else:
            self.doing = self._job(job)

    def approve(self) -> None:
        super().approve()
        self.doing = self._job(self.job)

    def _job(self, job: str) -> Steps:
        if job == "deploy":
            plan = yield from verbs.deploy(self.me, wanted(self.me.rollout, self.version, self.settings), self.good)
            self.green, self.deployment = plan.green, plan.deployment
            self.first = self.me.seen.state.deployments[plan.deployment].ref if plan.first else None
            if not plan.green and not plan.first:
                self.world.idle.add(self.me.rollout)
                nothing_to_deploy_is_true(self.me.seen.state, wanted(self.me.rollout, self.version, self.settings))
        elif job == "smoke-test":
            yield from verbs.smoke_test(self.me, self.deployment, marking=self.me.rollout not in self.world.idle)
            if self.first:
                yield from verbs.first_traffic(self.me, self.first)
            self.proposal = (yield from verbs.review(self.me, self.green)) if self.green else None
        elif job in STAGES:
            yield from verbs.promote(self.me, self.proposal, STAGES[job])
            self.proposal = yield from verbs.review(self.me, self.green)
        elif job == "delete-blue":
            yield from verbs.delete_blue(self.me, self.proposal["blue"], self.proposal)
        else:
            yield from looked_through(self.me, verbs.own_rollback(self.me))
            an_own_rollback_leaves_nothing(self.world, self.me.rollout)

    def _ends(self, value: Any) -> None:
        super()._ends(value)
        following = JOBS[JOBS.index(self.job) + 1 :] if self.job in JOBS else []
        if following and not (following[0] in STAGES and not self.proposal):
            self._start(following[0])

    def _fails(self, error: Exception) -> None:
        super()._fails(error)
        if self.job != "rollback":
            self.failed = self.job
        if self.me.wrote or self.me.bad:
            self._back()

    def _back(self) -> None:
        if self.job in JOBS[:-1]:
            self._start("rollback")

    def reject(self) -> None:
        """Or its approval expires."""
        super().reject()
        self.failed = self.job
        self._back()

    def cancel(self) -> None:
        """Or its runner dies: the job ends where it is, and has no outputs."""
        super().cancel()
        self.failed = self.job if self.job != "rollback" else self.failed
        self._back()

    def again(self, all_jobs: bool) -> None:
        """Somebody runs it again: all of it is a rollout of its own, the failed jobs are the same one."""
        self.world.idle.discard(self.me.rollout)
        if all_jobs:
            self.attempt += 1
            self.me = Actor(self.world, f"{self.name}/{self.attempt}")
            self.proposal = None
        self._start("deploy" if all_jobs else self.failed)
        self.failed = ""


class Back(Work):
    """rollback.yml: a first look, the end of what runs, and a second look that leads to the first one's target."""

    def __init__(self, world: World, rollout: str, runs: list[Run]) -> None:
        super().__init__(world, rollout)
        self.runs = runs
        self.doing = self._looks()

    def _looks(self) -> Steps:
        target = None
        try:
            target = next(iter((yield from looked_through(self.me, verbs.rollback(self.me))).split), None)
        except RED as error:
            self.result = str(error)
        for run in [run for run in self.runs if not run.over]:
            run.cancel()
            yield
            while run.doing:
                run.go_on(20)
        yield from looked_through(self.me, verbs.rollback(self.me, target))
