"""The instances of one deployment: which of them answers a request, how many may wait, what happens at the end."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from azureml_emulator.serving.supervision import AZURES_PROBE, Backend, Place, Probe, Supervision, cancel, until

UNREAD = 0.05  # seconds for reading what has come


@dataclass(frozen=True)
class Settings:
    """A deployment's request settings and probes (reference-yaml-deployment-managed-online) with Azure's defaults.

    Time in the queue counts towards the time-out: Azure has deprecated a limit of its own for it. `clock` scales what
    Azure waits for: see supervision.py.
    """

    request_timeout_ms: int = 5000
    max_concurrent_requests_per_instance: int = 1
    liveness: Probe = AZURES_PROBE
    readiness: Probe = AZURES_PROBE
    clock: float = 1


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


class Pool:
    """Made by `await Pool.start(...)`, ended by `await pool.stop()`.

    An instance never gets more requests at once than its limit: the others wait here, not in gunicorn's backlog,
    where stopping the instance would lose them.
    """

    def __init__(self, make: Callable[[], Backend], settings: Settings) -> None:
        self.settings = settings
        self.in_flight = 0  # being answered or waiting
        self._make = make
        self._rules = Supervision(
            settings.liveness, settings.readiness, settings.request_timeout_ms / 1000, settings.clock
        )
        self._places: list[Place] = []
        self._waiting: deque[asyncio.Future[Place]] = deque()
        self._closing = False
        # The connector is unlimited, the places limit; the container's cookies are nobody's business here.
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
        return sum(place.ready for place in self._places)

    async def scale(self, count: int) -> None:
        """Have `count` instances. New ones are ready, and old ones drained, when this returns. Raises Unhealthy."""
        new = await self._launch(count - len(self._places))
        self._places += new
        self._places.sort(key=lambda place: not place.ready)  # those that answer stay
        leaving, self._places = self._places[count:], self._places[:count]
        await asyncio.gather(*(place.stop(self._rules.patience) for place in leaving))

    async def stop(self, drain_seconds: float | None = None) -> None:
        """Take no new request, answer those that are here, for as long as they may take, then end the instances."""
        self._closing = True
        await until(lambda: self.in_flight == 0, self._rules.patience if drain_seconds is None else drain_seconds)
        leaving, self._places = self._places, []
        await asyncio.gather(*(place.stop() for place in leaving))
        for turn in list(self._waiting):
            self._send_away(turn)
        await self._session.close()

    async def score(self, body: bytes | str, headers: Mapping[str, str]) -> Answer:
        """POST a body to an instance; a text is the query of a GET of its swagger.json.

        Raises TooManyRequests, TimedOut, NotReady or ConnectionLost.
        """
        if self._closing or not self.ready:
            raise NotReady
        if self.in_flight >= 2 * self.settings.max_concurrent_requests_per_instance * len(self._places):
            raise TooManyRequests
        self.in_flight += 1
        seconds = self.settings.request_timeout_ms / 1000
        # A task, since it outlives the client's patience: the instance stays busy until it has answered.
        exchange = asyncio.ensure_future(self._exchange(body, headers, seconds))
        exchange.add_done_callback(self._finish)
        await asyncio.wait({exchange}, timeout=seconds)
        if not exchange.done():  # where the loop was held up, the answer may be here, and not read yet
            await asyncio.wait({exchange}, timeout=UNREAD)
        if not exchange.done():
            raise TimedOut
        return exchange.result()

    def _finish(self, exchange: asyncio.Future[Answer]) -> None:
        self.in_flight -= 1
        if not exchange.cancelled():
            exchange.exception()  # seen, even if nobody waits any more

    async def _exchange(self, body: bytes | str, headers: Mapping[str, str], seconds: float) -> Answer:
        deadline = asyncio.get_running_loop().time() + seconds
        while self.ready:
            turn = self._line_up(deadline)
            place = await turn
            try:
                return await self._ask(place.url, body, headers)
            except aiohttp.ClientError as error:
                if not _refused(error):
                    raise ConnectionLost from error
                place.ready = False  # it has ended and nothing was sent: another instance may have the request
            finally:
                del place.requests[turn]
                self._admit()
        raise NotReady

    async def _ask(self, url: str, body: bytes | str, headers: Mapping[str, str]) -> Answer:
        if isinstance(body, str):
            asked = self._session.get(f"{url.removesuffix('score')}swagger.json?{body}", headers=headers)
        else:
            asked = self._session.post(url, data=body, headers=headers, allow_redirects=False)
        async with asked as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    def _line_up(self, deadline: float) -> asyncio.Future[Place]:
        """Whose turn it is to answer, as soon as it is. Raises TimedOut."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Place] = loop.create_future()
        self._waiting.append(turn)
        self._admit()
        if not turn.done():
            expiry = loop.call_at(deadline, self._send_away, turn)
            turn.add_done_callback(lambda _turn: expiry.cancel())
        return turn

    def _send_away(self, turn: asyncio.Future[Place]) -> None:
        if not turn.done():  # its turn may have come in the moment that its time was over
            self._waiting.remove(turn)
            turn.set_exception(TimedOut())

    def _admit(self) -> None:
        """Give those that wait longest the instances that have least to do, as far as these take more."""
        while self._waiting and (place := self._least_busy()):
            turn = self._waiting.popleft()
            place.requests[turn] = asyncio.get_running_loop().time()
            turn.set_result(place)

    def _least_busy(self) -> Place | None:
        limit = self.settings.max_concurrent_requests_per_instance
        free = [place for place in self._places if place.ready and len(place.requests) < limit]
        return min(free, key=lambda place: len(place.requests), default=None)

    async def _launch(self, count: int) -> list[Place]:
        places = [Place(self._make, self._rules, self._admit) for _ in range(count)]
        starts = [asyncio.ensure_future(place.start()) for place in places]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            await cancel(*starts)
            await asyncio.gather(*(place.stop() for place in places))
            raise
        return places


def _refused(error: aiohttp.ClientError) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)
