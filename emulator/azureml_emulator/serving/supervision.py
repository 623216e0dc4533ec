"""One place in a pool, kept filled: its instance is probed as Azure probes a container, and replaced when it fails.

Probes ask GET / (how-to-inference-server-http). What Azure waits for is scaled by the clock: an initial delay, a
period, a back-off. What a model process needs is real: the time to start, to predict, to answer a probe.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

# Kubernetes' seconds before a restart, and of running after which they start over; Azure documents none.
BACK_OFF = (10, 20, 40, 80, 160, 300)
FORGIVEN = 600
START_ATTEMPTS = 3  # an instance that ends before it was ever ready; Azure's number isn't known


class Unhealthy(Exception):
    """An instance failed its probes or ended. A deployment's first one did so before it was ready; its log says why."""


class Ended(Unhealthy):
    """An instance ended by itself: worth another attempt even if it was never ready."""


class Backend(Protocol):
    """What a place needs of an instance: azureml_emulator.serving.instances.Instance, or a stub."""

    url: str
    ended: asyncio.Future[int]

    async def start(self) -> None:
        """Start it; it may take a while to answer. Raises OSError or EOFError, and then it isn't running."""

    async def probe(self, seconds: float) -> bool:
        """Whether GET / is answered with 200 within that time."""

    async def stop(self) -> None:
        """End it. It answers nothing at that moment. Harmless when it has ended or never started."""


@dataclass(frozen=True)
class Probe:
    """A deployment's `livenessProbe` or `readinessProbe` (reference-yaml-deployment-managed-online), in seconds."""

    initial_delay: float = 10
    period: float = 10
    timeout: float = 2
    failure_threshold: int = 30
    success_threshold: int = 1

    def failed(self, kind: str) -> Unhealthy:
        """What to raise when it gave up."""
        return Unhealthy(f"its {kind} probe failed {self.failure_threshold} times in a row")

    async def verdicts(self, ask: Callable[[float], Awaitable[bool | None]], clock: float) -> AsyncIterator[bool]:
        """True or False whenever as many probes in a row as its threshold say so. None from `ask` doesn't count."""
        passed = failed = 0
        time = asyncio.get_running_loop().time
        await asyncio.sleep(self.initial_delay * clock)
        while True:
            due = time() + self.period * clock
            good = await ask(self.timeout)
            if good is not None:
                passed, failed = (passed + 1, 0) if good else (0, failed + 1)
                if passed >= self.success_threshold or failed >= self.failure_threshold:
                    yield good
            await asyncio.sleep(max(due - time(), 0))


AZURES_PROBE = Probe()


@dataclass(frozen=True)
class Supervision:
    """How instances are watched. `patience`: seconds for which a request may keep an instance from answering probes."""

    liveness: Probe = AZURES_PROBE
    readiness: Probe = AZURES_PROBE
    patience: float = 5
    clock: float = 1


class Place:
    """An instance and, when it died or hung, its successors. Calls `free` when it may take requests (again).

    `requests` are those that its instance has, by the time they came, the oldest first: the pool's to keep.
    """

    def __init__(self, make: Callable[[], Backend], rules: Supervision, free: Callable[[], None]) -> None:
        self.ready = False
        self.requests: dict[object, float] = {}
        self._make, self._rules, self._free = make, rules, free
        self._instance = make()
        self._was_ready = asyncio.Event()
        self._keeper: asyncio.Task[NoReturn] | None = None

    @property
    def url(self) -> str:
        """Where the present instance is asked."""
        return self._instance.url

    async def start(self) -> None:
        """Return when an instance is ready. Raises Unhealthy. In either case stop() must follow."""
        self._keeper = asyncio.ensure_future(self._keep())
        ready = asyncio.ensure_future(self._was_ready.wait())
        try:
            await _first_of(self._keeper, ready)
        finally:
            ready.cancel()
        if self._keeper.done():
            await self._keeper

    async def stop(self, drain_seconds: float = 0) -> None:
        """Take no more requests, give those that are here some time, and end the instance."""
        self.ready = False
        if self._keeper:
            await cancel(self._keeper)
        await until(lambda: not self.requests, drain_seconds)
        await self._instance.stop()

    async def _keep(self) -> NoReturn:
        """Run one instance after the other. Raises Unhealthy when none was ever ready."""
        time, clock, endings = asyncio.get_running_loop().time, self._rules.clock, 0
        while True:
            began = time()
            try:
                await self._run(self._instance)
            except Unhealthy as failure:
                endings = 1 if time() - began > FORGIVEN * clock else endings + 1
                if not self._was_ready.is_set():
                    _check_start(failure, endings)
            await asyncio.sleep(BACK_OFF[min(endings, len(BACK_OFF)) - 1] * clock)
            self._instance = self._make()

    async def _run(self, instance: Backend) -> NoReturn:
        """Start an instance and follow it to its end. Raises Unhealthy, with nothing of it left running."""
        try:
            await instance.start()
        except (OSError, EOFError) as failure:
            raise Ended(f"the instance could not be started: {failure}") from failure
        probes = [asyncio.ensure_future(follow(instance)) for follow in (self._follow_readiness, self._follow_liveness)]
        try:
            await _first_of(instance.ended, *probes)
        finally:
            self.ready = False
            outcomes = await cancel(*probes)
        await instance.stop()
        raise next((outcome for outcome in outcomes if isinstance(outcome, Unhealthy)), _ended(instance))

    async def _follow_readiness(self, instance: Backend) -> None:
        readiness = self._rules.readiness
        async for good in readiness.verdicts(functools.partial(self._ask, instance), self._rules.clock):
            self.ready = good
            if good:
                self._was_ready.set()
                self._free()
            elif not self._was_ready.is_set():
                raise readiness.failed("readiness")

    async def _follow_liveness(self, instance: Backend) -> None:
        liveness = self._rules.liveness
        async for good in liveness.verdicts(functools.partial(self._ask, instance), self._rules.clock):
            if not good:
                raise liveness.failed("liveness")

    async def _ask(self, instance: Backend, seconds: float) -> bool | None:
        """Probe. None for silence while it has a request that may still take its time: that is no sign of ill health.

        With Azure's defaults no legal request keeps a container silent for long enough to be restarted. Here the
        clock makes probes come sooner, but not requests end sooner.
        """
        if await instance.probe(seconds):
            return True
        oldest = next(iter(self.requests.values()), None)
        now = asyncio.get_running_loop().time()
        return None if oldest is not None and now - oldest < self._rules.patience else False


def _check_start(failure: Unhealthy, attempts: int) -> None:
    """Raise Unhealthy when an instance that was never ready is not worth another attempt."""
    if not isinstance(failure, Ended):
        raise failure
    if attempts >= START_ATTEMPTS:
        raise Unhealthy(f"{failure}, the last of {attempts} attempts to start it") from failure


def _ended(instance: Backend) -> Ended:
    return Ended(f"the instance ended with exit code {instance.ended.result()}")


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def cancel(*tasks: asyncio.Future[Any]) -> list[Any]:
    """Cancel them and return, once they ended, what became of them."""
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Return when `condition` holds, or after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
