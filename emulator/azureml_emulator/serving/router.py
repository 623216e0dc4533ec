"""The data plane: which deployment answers a scoring request, and what the client gets to see of it.

Statuses are those of how-to-troubleshoot-online-endpoints; the values of `ms-azureml-model-error-reason` are those
that the router of Azure's Kubernetes extension sets. Guesses: the reasons `model_timeout` and `model_connection_lost`,
the bodies of all errors that no container made, and that a lost instance is a 502 and none that is ready a 503, as a
gateway has it. For failing probes that page speaks of 424.
"""

import asyncio
import contextlib
import hmac
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from azureml_emulator.serving.container import FAULT
from azureml_emulator.serving.pool import Answer, ConnectionLost, NotReady, Pool, PoolError, TimedOut, TooManyRequests
from azureml_emulator.serving.traffic import NO_MODEL, Answered

Accepts = Callable[[str], bool]

CONNECTION = {"connection", "content-length", "keep-alive", "trailer", "transfer-encoding", "upgrade"}
# Not for the container: what belongs to the connection, what was used up here, and the key.
NOT_FORWARDED = CONNECTION | {"authorization", "azureml-model-deployment", "content-encoding", "expect", "host", "te"}
NOT_FORWARDED |= {FAULT}
NOT_RETURNED = CONNECTION | {"date", "server"}

# What a deployment that did not answer amounts to: status, code, reason, message.
FAILURES: Mapping[type[PoolError], tuple[int, str, str, str]] = {
    TooManyRequests: (429, "TooManyRequests", "too_many_pending_request", "has too many pending requests"),
    TimedOut: (408, "RequestTimeout", "model_timeout", "did not answer within its request_timeout_ms"),
    NotReady: (503, "ServiceUnavailable", "model_not_ready", "has no instance that is ready"),
    ConnectionLost: (502, "BadGateway", "model_connection_lost", "lost the instance that was answering"),
}


@dataclass(frozen=True)
class Route:
    """How one endpoint answers. Never changed, only replaced as a whole: a request sees one state of it.

    `accepts` says whether a bearer token may come in. `traffic` and `mirror` are percentages by deployment. `pools`
    holds every deployment of the endpoint, None for one that has no instances (yet, or because it failed).
    """

    accepts: Accepts
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    pools: Mapping[str, Pool | None] = field(default_factory=dict)


class _Refused(Exception):
    """The endpoint, not a deployment, turns a request away."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def any_of(keys: Iterable[str]) -> Accepts:
    """Accept these keys, each compared in constant time."""
    accepted = [_bytes(key) for key in keys if key]
    return lambda token: any(hmac.compare_digest(_bytes(token), key) for key in accepted)


class Router:
    """Routes by endpoint name. `counts`: how often (endpoint, deployment, status) was answered, mirrored ones aside.

    `tell` is told of each scoring request that a deployment was asked, and how many milliseconds that took.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        self.routes: dict[str, Route] = {}
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self.disturb: Callable[[str, str], dict[str, str]] = lambda endpoint, deployment: {}
        self.tell: Callable[[str, Answered, float], None] = lambda endpoint, answered, milliseconds: None
        self._chance = chance or random.Random()  # noqa: S311  # a split is no secret
        self._mirrored: set[asyncio.Task[None]] = set()

    async def score(self, endpoint: str, headers: Mapping[str, str], body: bytes | str) -> Answer:
        """Answer a scoring request; a text is the query of one for swagger.json. Raises nothing that others cause.

        `headers` must be looked up without regard to case, as aiohttp's request.headers are.
        """
        request = _forwarded(headers)
        try:
            route = self._enter(endpoint, headers)
            named = headers.get("azureml-model-deployment")
            deployment = named or self._draw(route)
            pool = _pool(route, deployment)
        except _Refused as refused:
            return _error(refused.status, refused.code, str(refused), {"x-request-id": request["x-request-id"]})
        if not named and isinstance(body, bytes):
            self._mirror(route, body, request)
        began = time.perf_counter()
        answer = await _ask(deployment, pool, body, request | self.disturb(endpoint, deployment))
        self.counts[endpoint, deployment, answer.status] += 1
        if isinstance(body, bytes):
            answered = (deployment, str(answer.status), _model_status(answer))
            self.tell(endpoint, answered, 1000 * (time.perf_counter() - began))
        return answer

    def _enter(self, endpoint: str, headers: Mapping[str, str]) -> Route:
        route = self.routes.get(endpoint)
        if route is None:
            raise _Refused(404, "NotFound", f"There is no endpoint {endpoint}.")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not route.accepts(token.strip()):
            raise _Refused(401, "Unauthorized", "The key or token is missing, wrong or no longer valid.")
        return route

    def _draw(self, route: Route) -> str:
        live = {name: percent for name, percent in route.traffic.items() if percent > 0}
        if not live:
            raise _Refused(404, "NotFound", "No deployment of this endpoint has traffic.")
        return self._chance.choices(list(live), list(live.values()))[0]

    def _mirror(self, route: Route, body: bytes, request: Mapping[str, str]) -> None:
        for name, percent in route.mirror.items():
            pool = route.pools.get(name)
            if pool and self._chance.random() * 100 < percent:
                copy = asyncio.ensure_future(_drop(pool, body, request))
                self._mirrored.add(copy)  # the loop itself keeps no task alive
                copy.add_done_callback(self._mirrored.discard)


def _pool(route: Route, deployment: str) -> Pool | None:
    if deployment not in route.pools:
        raise _Refused(404, "NotFound", f"This endpoint has no deployment {deployment}.")
    return route.pools[deployment]


async def _ask(deployment: str, pool: Pool | None, body: bytes | str, request: Mapping[str, str]) -> Answer:
    """The deployment's answer, or what its failure amounts to, in either case with the deployment's name."""
    ours = {"x-request-id": request["x-request-id"], "azureml-model-deployment": deployment}
    try:
        if pool is None:
            raise NotReady
        answer = await pool.score(body, request)
    except PoolError as error:
        status, code, reason, message = FAILURES[type(error)]
        ours["ms-azureml-model-error-reason"] = reason
        return _error(status, code, f"Deployment {deployment} {message}.", ours)
    return _translated(answer, ours)


def _translated(answer: Answer, ours: dict[str, str]) -> Answer:
    """The container's answer as the client sees it: anything but 200 is a 424, its body unchanged."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    headers = {name: value for name, value in headers.items() if name not in NOT_RETURNED} | ours
    if answer.status == 200:
        return Answer(200, headers, answer.body)
    headers["ms-azureml-model-error-statuscode"] = str(answer.status)
    headers["ms-azureml-model-error-reason"] = "model_error"
    return Answer(424, headers, answer.body)


def _model_status(answer: Answer) -> str:
    """What the container itself answered."""
    unsaid = "200" if answer.status == 200 else NO_MODEL
    return answer.headers.get("ms-azureml-model-error-statuscode", unsaid)


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """What the container gets to see of the client's headers, with a request id."""
    # A value that is not printable was not UTF-8, and can't be sent on.
    forwarded = {name.lower(): value for name, value in headers.items() if value.isprintable()}
    forwarded = {name: value for name, value in forwarded.items() if name not in NOT_FORWARDED}
    forwarded.setdefault("x-request-id", str(uuid.uuid4()))
    return forwarded


async def _drop(pool: Pool, body: bytes, request: Mapping[str, str]) -> None:
    """Score a mirrored copy; neither its answer nor its failure reaches anyone."""
    with contextlib.suppress(PoolError):
        await pool.score(body, request)


def _error(status: int, code: str, message: str, headers: Mapping[str, str]) -> Answer:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return Answer(status, {"content-type": "application/json", **headers}, body)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # a header may hold any bytes
