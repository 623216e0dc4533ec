"""Faults: what goes wrong, with what, and how often. Only describes and counts; `injection.py` makes them happen."""

import asyncio
import itertools
import random
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest, NotFound

ANYTHING = re.compile(".*")
ENDPOINT = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/.+/workspaces/([^/]+)/onlineEndpoints/([^/]+)/?", re.IGNORECASE
)
DEPLOYMENT = re.compile(r".+/onlineEndpoints/([^/]+)/deployments/([^/]+)/?", re.IGNORECASE)


class Fault(BaseModel):
    """The first `skip` that match pass unharmed, the next `times` are hit; 0 times: all until it is cleared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skip: int = Field(0, ge=0, description="How many that match pass unharmed first.")
    times: int = Field(1, ge=0, description="How many are hit then; 0 is all until it is cleared.")

    def matches(self, *subject: str) -> bool:
        raise NotImplementedError


class OnCalls(Fault):
    """Matched by method and path (as sent, without the query, case ignored); `*` stands for any text."""

    about: ClassVar[re.Pattern[str]] = ANYTHING  # paths of other things don't match

    method: str = Field("*", description="Of the calls that match.")
    path: str = Field("*", description="Of the calls that match, without the query; * stands for any text.")

    def matches(self, *subject: str) -> bool:
        return _alike(subject, (self.method, self.path)) and bool(self.about.fullmatch(subject[1]))


class Disturbance(OnCalls):
    """Meets a call before its effect, or after it and before the answer."""

    when: Literal["before", "after"] = Field("before", description="before or after the call took effect.")


class Refuse(Disturbance):
    """Answer with a status and Azure's error envelope."""

    status: int = Field(503, ge=400, le=599, description="The HTTP status.")
    code: str = Field("InjectedFault", description="The error's code.")
    message: str = Field("Somebody asked the local Azure ML to fail here.", description="The error's message.")
    retry_after: int | None = Field(None, ge=0, description="Seconds in a Retry-After header; none without.")


class Delay(Disturbance):
    """Let the call go on after some seconds, or when the fault is cleared."""

    seconds: float = Field(1, ge=0, description="How long.")


class Drop(Disturbance):
    """Close the connection without an answer."""


class Hold(Disturbance):
    """Hold the call until the fault is cleared or the client goes away. `before`: then it never takes effect."""


class OnOperations(OnCalls):
    """Meets the long-running operation that a matching call starts; a call that starts none doesn't count."""


class Fail(OnOperations):
    """Let the operation fail."""

    code: str = Field("InternalServerError", description="The operation's error code.")
    message: str = Field("Somebody asked the local Azure ML to fail here.", description="The error's message.")


class Hang(OnOperations):
    """Let the operation never end. It goes on when the fault is cleared."""


class Break(OnOperations):
    """Let the deployment that is put not become healthy, with this at the end of its container log."""

    about = DEPLOYMENT
    method: Literal["PUT"] = Field("PUT", description="PUT.")
    log: str = Field("", description="What the container printed.")


class OnUpdates(OnCalls):
    """Meets the document of an endpoint that is there already."""

    about = ENDPOINT


def _split(value: Any) -> Any:
    """`blue=90,green=10` as the mapping it stands for."""
    return dict(part.partition("=")[::2] for part in value.split(",")) if isinstance(value, str) else value


Percent = Annotated[int, Field(ge=0, le=100)]


class Overwrite(OnUpdates):
    """Let somebody else write the endpoint's traffic, right after a matching PUT succeeded or GET was answered."""

    method: Literal["PUT", "GET"] = Field("PUT", description="PUT or GET.")
    traffic: Annotated[dict[str, Percent], BeforeValidator(_split)] = Field(description="Like blue=90,green=10.")


class Stale(OnUpdates):
    """Answer GETs of the endpoint with what it was before a matching PUT: so many, or for a time after it ended."""

    method: Literal["PUT"] = Field("PUT", description="PUT.")
    reads: int = Field(1, ge=1, description="How many GETs; the SDK's own when a PUT ended is one of them.")
    seconds: float = Field(0, ge=0, description="How long after the PUT's operation ended; instead of `reads`.")


class Misbehave(Fault):
    """Let the containers of a deployment answer badly, slowly, or die of a scoring request; mirrored ones aside."""

    times: int = Field(0, ge=0, description="How many requests; 0 is all until it is cleared.")
    endpoint: str = Field("*", description="The endpoint's name; * stands for any text.")
    deployment: str = Field("*", description="The deployment's name; * stands for any text.")
    rate: float = Field(1, ge=0, le=1, description="The share of the requests that are hit, drawn at random.")
    seconds: float = Field(0, ge=0, description="Seconds that the container takes longer.")
    status: int | None = Field(None, ge=100, le=599, description="What the container answers instead.")
    crash: bool = Field(False, description="Kill the process that is to answer.")

    def matches(self, *subject: str) -> bool:
        drawn = random.random() < self.rate  # noqa: S311  # no secret
        return drawn and _alike(subject, (self.endpoint, self.deployment))


def _alike(subject: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return all(fnmatchcase(text.lower(), pattern.lower()) for text, pattern in zip(subject, patterns, strict=True))


KINDS: dict[str, type[Fault]] = {
    kind.__name__.lower(): kind for kind in (Refuse, Delay, Drop, Hold, Fail, Hang, Break, Overwrite, Stale, Misbehave)
}


def parse(document: Document) -> Fault:
    """The fault that `{"kind": …, …}` describes. Raises BadRequest."""
    given = dict(document)
    kind = KINDS.get(str(given.pop("kind", "")))
    if kind is None:
        raise BadRequest(f"kind must be one of {', '.join(KINDS)}.")
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise BadRequest("; ".join(problems)) from None


class Active:
    """A fault that was added: how many matching ones it has `seen` and `hit`, and the calls it holds now.

    `reached` is set once it has hit something, `cleared` when it has been cleared.
    """

    def __init__(self, number: int, fault: Fault):
        self.number, self.fault = number, fault
        self.seen = self.hit = 0
        self.held: list[str] = []
        self.reached, self.cleared = asyncio.Event(), asyncio.Event()

    @property
    def spent(self) -> bool:
        return self.cleared.is_set() or 0 < self.fault.times <= self.hit

    @property
    def document(self) -> Document:
        kind = type(self.fault).__name__.lower()
        counts = {"seen": self.seen, "hit": self.hit, "held": self.held, "spent": self.spent}
        return {"id": self.number, "kind": kind, **self.fault.model_dump(), **counts}

    def take(self) -> bool:
        """Counts a match, and says whether it is one to hit."""
        if self.spent:
            return False
        self.seen += 1
        self.hit += self.seen > self.fault.skip
        return self.seen > self.fault.skip


class Faults:
    """What was added and not cleared since, oldest first."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.all: dict[int, Active] = {}

    def __bool__(self) -> bool:
        return bool(self.all)

    def __getitem__(self, number: int) -> Active:
        if number not in self.all:
            raise NotFound(f"There is no fault {number}.")
        return self.all[number]

    def add(self, fault: Fault) -> Active:
        active = Active(next(self._numbers), fault)
        self.all[active.number] = active
        return active

    def clear(self, number: int | None = None) -> None:
        """Clears one fault or all: calls that are held and operations that hang go on. Raises NotFound."""
        for active in list(self.all.values()) if number is None else [self[number]]:
            active.cleared.set()
            del self.all[active.number]

    def due(self, layer: type[Fault], *subject: str) -> Iterator[Active]:
        """The faults that hit this subject, in the order they were added, at most one of a kind."""
        taken = set()
        for active in list(self.all.values()):
            kind = type(active.fault)
            if issubclass(kind, layer) and kind not in taken and active.fault.matches(*subject) and active.take():
                taken.add(kind)
                yield active
