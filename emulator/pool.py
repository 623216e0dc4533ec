"""The instances of one deployment: which of them answers a request, how many may wait, what happens at the end."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from emulator.instances import Unhealthy

RESTART_SECONDS = (1, 2, 4, 8, 16, 32, 60)  # back-off between attempts to replace an instance that died


class Backend(Protocol):
    """What a pool needs of an instance: emulator.instances.Instance, or a stub in a benchmark."""

    url: str
    ended: asyncio.Future[int]

    async def start(self) -> None:
        """Return once it answers; raise Unhealthy, with nothing left running, when it never will."""

    async def stop(self) -> None:
        """End it. It answers nothing at that moment. Harmless when it has ended or never started."""


@dataclass(frozen=True)
class Settings:
    """A deployment's `request_settings` (reference-yaml-deployment-managed-online) with Azure's defaults.

    Time in the queue counts towards the time-out: Azure has deprecated a limit of its own for it.
    """

    request_timeout_ms: int = 5000
    max_concurrent_requests_per_instance: int = 1


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PoolError(Exception):
    """A request got no answer from an instance."""


class TooManyRequests(PoolError):
    """Twice as many requests as the instances take at once are already being answered or waiting."""


class TimedOut(PoolError):
    """No answer within request_timeout_ms, time in the queue included."""


class NotReady(PoolError):
    """No instance is ready, or the pool is being stopped."""


class ConnectionLost(PoolError):
    """The instance went away while it was answering."""


@dataclass(eq=False)
class _Member:
    """One instance in the pool, from being ready to being dropped."""

    instance: Backend
    ready: bool = True
    busy: int = 0
    keeper: asyncio.Task[None] | None = field(default=None, repr=False)


class Pool:
    """Made by `await Pool.start(...)`, ended by `await pool.stop()`.

    An instance never gets more requests at once than its limit: the others wait here, not in gunicorn's backlog,
    where stopping the instance would lose them. An instance that dies is replaced, with back-off.
    """

    def __init__(self, make: Callable[[], Backend], settings: Settings) -> None:
        self.settings = settings
        self.in_flight = 0  # being answered or waiting
        self._make = make
        self._members: list[_Member] = []
        self._size = 0
        self._closing = False
        # Free slots, first those that are the n-th of their instance for the smallest n: the least loaded instance.
        self._slots: asyncio.PriorityQueue[tuple[int, int, _Member]] = asyncio.PriorityQueue()
        self._order = itertools.count()
        # The connector is unlimited, the slots limit; the container's cookies are nobody's business here.
        connector, cookies = aiohttp.TCPConnector(limit=0), aiohttp.DummyCookieJar()
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=cookies, timeout=aiohttp.ClientTimeout(), auto_decompress=False
        )

    @classmethod
    async def start(cls, make: Callable[[], Backend], count: int, settings: Settings | None = None) -> "Pool":
        """Start `count` instances at once. Raises Unhealthy, and then none is left running."""
        pool = cls(make, settings or Settings())
        try:
            await pool.scale(count)
        except BaseException:
            await pool.stop()
            raise
        return pool

    @property
    def ready(self) -> int:
        """How many instances are ready."""
        return sum(member.ready for member in self._members)

    async def scale(self, count: int) -> None:
        """Have `count` instances. New ones are ready, and old ones drained, when this returns. Raises Unhealthy."""
        missing = count - len(self._members)
        self._members += [self._admit(instance) for instance in await self._launch(missing)]
        leaving, self._members = self._members[count:], self._members[:count]
        self._size = count
        await self._retire(leaving)

    async def stop(self, drain_seconds: float = 30) -> None:
        """Take no new request, answer those that are here, then end the instances."""
        self._closing = True
        await _until(lambda: self.in_flight == 0, drain_seconds)
        leaving, self._members = self._members, []
        await self._retire(leaving, drain_seconds=0)
        await self._session.close()

    async def score(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST to an instance. Raises TooManyRequests, TimedOut, NotReady or ConnectionLost."""
        if self._closing or not self.ready:
            raise NotReady
        if self.in_flight >= 2 * self.settings.max_concurrent_requests_per_instance * self._size:
            raise TooManyRequests
        self.in_flight += 1
        seconds = self.settings.request_timeout_ms / 1000
        # A task, since it outlives the client's patience: the instance stays busy until it has answered.
        exchange = asyncio.ensure_future(self._exchange(body, headers, seconds))
        exchange.add_done_callback(self._finish)
        await asyncio.wait({exchange}, timeout=seconds)
        if not exchange.done():
            raise TimedOut
        return exchange.result()

    def _finish(self, exchange: asyncio.Future[Answer]) -> None:
        self.in_flight -= 1
        if not exchange.cancelled():
            exchange.exception()  # seen, even if nobody waits any more

    async def _exchange(self, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            rank, order, member = await self._free_slot(deadline)
            member.busy += 1
            try:
                return await self._post(member, body, headers)
            except aiohttp.ClientError as error:
                if not _refused(error):
                    raise ConnectionLost from error
                member.ready = False  # it has ended and nothing was sent: another instance may have the request
            finally:
                member.busy -= 1
                self._slots.put_nowait((rank, order, member))

    async def _post(self, member: _Member, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._session.post(member.instance.url, data=body, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def _free_slot(self, deadline: float) -> tuple[int, int, _Member]:
        while self.ready:
            slot = self._slots.get_nowait() if self._slots.qsize() else await self._next_slot(deadline)
            if slot[2].ready:
                return slot
        raise NotReady

    async def _next_slot(self, deadline: float) -> tuple[int, int, _Member]:
        try:
            return await asyncio.wait_for(self._slots.get(), deadline - asyncio.get_running_loop().time())
        except asyncio.TimeoutError:
            raise TimedOut from None

    async def _launch(self, count: int) -> list[Backend]:
        instances = [self._make() for _ in range(count)]
        starts = [asyncio.ensure_future(instance.start()) for instance in instances]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await asyncio.gather(*(instance.stop() for instance in instances))
            raise
        return instances

    def _admit(self, instance: Backend) -> _Member:
        member = _Member(instance)
        member.keeper = asyncio.ensure_future(self._keep(member))
        for rank in range(self.settings.max_concurrent_requests_per_instance):
            self._slots.put_nowait((rank, next(self._order), member))
        return member

    async def _keep(self, member: _Member) -> None:
        """Replace an instance that died."""
        await asyncio.wait({member.instance.ended})
        member.ready = False
        for seconds in itertools.chain(RESTART_SECONDS, itertools.repeat(RESTART_SECONDS[-1])):
            await asyncio.sleep(seconds)
            with contextlib.suppress(Unhealthy):
                [instance] = await self._launch(1)
                self._members[self._members.index(member)] = self._admit(instance)
                return

    async def _retire(self, members: list[_Member], drain_seconds: float = 30) -> None:
        keepers = [member.keeper for member in members if member.keeper]
        for keeper in keepers:
            keeper.cancel()
        for member in members:
            member.ready = False
        await asyncio.gather(*keepers, return_exceptions=True)
        await _until(lambda: not any(member.busy for member in members), drain_seconds)
        await asyncio.gather(*(member.instance.stop() for member in members))


def _refused(error: aiohttp.ClientError) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    """Return when `condition` holds, or after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
