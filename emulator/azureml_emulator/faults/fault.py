"""What every fault is: whom it meets and how often. What a kind does when it meets somebody, its own class says."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from typing_extensions import Self

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import NotFound

Kind = TypeVar("Kind", bound="Fault")


class Fault(BaseModel):
    """The first `skip` that match pass unharmed, the next `times` are hit; 0 times: all until it is cleared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skip: int = Field(0, ge=0, description="How many that match pass unharmed first.")
    times: int = Field(1, ge=0, description="How many are hit then; 0 is all until it is cleared.")

    _id: int = PrivateAttr(0)
    _seen: int = PrivateAttr(0)
    _hit: int = PrivateAttr(0)
    _held: list[str] = PrivateAttr(default_factory=list)
    _met: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _cleared: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    def matches(self, *subject: str) -> bool:
        raise NotImplementedError

    @property
    def spent(self) -> bool:
        return self._cleared.is_set() or 0 < self.times <= self._hit

    @property
    def document(self) -> Document:
        """How it is described, how many matching ones it has seen and hit, and the calls it holds now."""
        counts = {"seen": self._seen, "hit": self._hit, "held": self._held, "spent": self.spent}
        return {"id": self._id, "kind": type(self).__name__.lower(), **self.model_dump(), **counts}

    def take(self) -> bool:
        """Counts a match, and says whether it is one to hit."""
        if self.spent:
            return False
        self._seen += 1
        self._hit += self._seen > self.skip
        return self._seen > self.skip

    def meet(self) -> Self:
        """To be called when it does what it does: who waited for that is told."""
        self._met.set()
        return self

    async def until_met(self, seconds: float) -> None:
        """Returns when it has met something or was cleared, or after so many seconds."""
        await within(seconds, self._met)

    def clear(self) -> None:
        """What it holds goes on."""
        self._cleared.set()
        self._met.set()


class OnCalls(Fault):
    """Matched by method and path (as sent, without the query, case ignored); `*` stands for any text."""

    about: ClassVar[re.Pattern[str]] = re.compile(".*")  # paths of other things don't match

    method: str = Field("*", description="Of the calls that match.")
    path: str = Field("*", description="Of the calls that match, without the query; * stands for any text.")

    def matches(self, *subject: str) -> bool:
        return alike(subject, (self.method, self.path)) and bool(self.about.fullmatch(subject[1]))


class Injected(dict[int, Fault]):
    """The faults that were added and not cleared since, by number, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)

    def __missing__(self, number: int) -> Fault:
        raise NotFound(f"There is no fault {number}.")

    def add(self, fault: Fault) -> int:
        fault._id = next(self._numbers)
        self[fault._id] = fault
        return fault._id

    def clear(self, number: int | None = None) -> None:
        """Clears one fault or all: calls that are held and operations that hang go on. Raises NotFound."""
        for cleared in list(self) if number is None else [number]:
            self[cleared].clear()
            del self[cleared]

    def due(self, kind: type[Kind], *subject: str) -> Iterator[Kind]:
        """The faults that hit this subject, in the order they were added, at most one of a kind."""
        taken = set()
        for fault in list(self.values()):
            if isinstance(fault, kind) and type(fault) not in taken and fault.matches(*subject) and fault.take():
                taken.add(type(fault))
                yield fault


def alike(subject: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return all(fnmatchcase(text.lower(), pattern.lower()) for text, pattern in zip(subject, patterns, strict=True))


async def within(seconds: float, event: asyncio.Event) -> None:
    """Returns when the event is set, or after so many seconds."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
