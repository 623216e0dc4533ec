"""Faults of jobs: while one waits for a node, before its command starts, and while that runs."""

import asyncio
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Literal

from pydantic import Field

from azureml_emulator.faults.fault import Fault, alike, within
from azureml_emulator.jobs.process import Process


class OnJobs(Fault):
    """Meets a job when it is submitted, by its name."""

    job: str = Field("*", description="The job's name; * stands for any text.")

    def matches(self, *subject: str) -> bool:
        return alike(subject, (self.job,))

    async def waiting(self) -> None:
        """While the job is Queued."""

    async def starting(self, tell: Callable[[str], None]) -> None:
        """When it has its node; `tell` writes another status."""

    async def running(self, process: Process, log: Path) -> None:
        """Once its command runs."""


class Starve(OnJobs):
    """Let a job wait for its node: for some seconds, or until the fault is cleared."""

    seconds: float = Field(0, ge=0, description="How long; 0 is until it is cleared.")

    async def waiting(self) -> None:
        self.meet()
        await within(self.seconds or inf, self._cleared)


class Stall(OnJobs):
    """Let a job hang on its node, without a word, until the fault is cleared."""

    status: Literal["Running", "NotResponding", "Paused"] = Field("Running", description="What it reads meanwhile.")

    async def starting(self, tell: Callable[[str], None]) -> None:
        self.meet()
        tell(self.status)
        await self._cleared.wait()
        tell("Running")


class Crash(OnJobs):
    """Let a job's command end with an exit code, and with this at the end of its log."""

    status: int = Field(1, ge=1, le=255, description="The exit code.")
    seconds: float = Field(0, ge=0, description="How long it runs first.")
    log: str = Field("", description="What it printed last.")

    async def running(self, process: Process, log: Path) -> None:
        await asyncio.sleep(self.seconds)
        with log.open("a", encoding="utf-8") as out:
            out.write(f"{self.log}\n" if self.log else "")
        self.meet()
        process.end(self.status)


class Preempt(OnJobs):
    """Let a job's node be taken away."""

    seconds: float = Field(0, ge=0, description="How long it runs first.")

    async def running(self, process: Process, log: Path) -> None:
        await asyncio.sleep(self.seconds)
        self.meet()
        process.end(137, preempted=True)
