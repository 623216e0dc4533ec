"""The life of a job, from the queue to its end. Knows no HTTP."""

import asyncio
import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from azureml_emulator.arm.documents import Document, Scope
from azureml_emulator.arm.errors import ApiError
from azureml_emulator.jobs.process import Process
from azureml_emulator.resources.job_body import filled
from azureml_emulator.resources.job_files import LOG, JobFiles

LAST_LINES = 10  # of the log, in the error of a job that failed
#: MicrosoftDocs/azure-docs#66288, microsoft/MLOpsPython#346
PREEMPTED = (
    "AzureMLCompute job failed. PreemptionError: Nodes of this job got pre-empted. Check if the run has failed or "
    "restarted. Reason: Received pre-emption warning signal"
)


class TimedOut(Exception):
    """A job ran longer than its limits allow."""


class Mishap(Protocol):
    """What may go wrong: while a job waits for its node, before its command starts, and while that runs."""

    async def waiting(self) -> None: ...
    async def starting(self, tell: Callable[[str], None]) -> None: ...
    async def running(self, process: Process, log: Path) -> None: ...


class Nodes:
    """Which nodes are taken: of each cluster as many as it has, of all together as many as the machine has cores."""

    def __init__(self) -> None:
        self._taken: list[str] = []
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def one(self, cluster: Document) -> AsyncIterator[None]:
        """A node, as soon as there is one."""
        id, most = cluster["id"], cluster["properties"]["properties"]["scaleSettings"]["maxNodeCount"]
        async with self._freed:
            cores = os.cpu_count() or 1
            await self._freed.wait_for(lambda: self._taken.count(id) < most and len(self._taken) < cores)
            self._taken.append(id)
        try:
            yield
        finally:
            async with self._freed:
                self._taken.remove(id)
                self._freed.notify_all()


@dataclass(frozen=True)
class Life:
    """One job's: `folder` is its own until it ends, `warnings` stand at the top of its log, `variables` are for its
    process, and `tell` writes its status, with the error where it failed. It may run for so many `seconds`.
    """

    scope: Scope
    job: Document
    cluster: Document
    principal: str
    folder: Path
    warnings: Iterable[str]
    variables: Callable[[], dict[str, str]]
    seconds: float | None
    tell: Callable[[str, ApiError | None], None]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    async def live(self, files: JobFiles, nodes: Nodes, mishaps: Sequence[Mishap]) -> None:
        """Tells how it ended, whatever that was; a second cancellation leaves it as it is."""
        status, error = "Completed", None
        try:
            await self._do(files, nodes, mishaps)
        except (asyncio.CancelledError, TimedOut):  # Azure cancels what takes longer than its limits allow
            status = "Canceled"
        except ApiError as failure:
            status, error = "Failed", failure
        except (OSError, sqlite3.Error) as failure:  # a full disk
            status, error = "Failed", ApiError(f"{type(failure).__name__}: {failure}")
        try:
            if status != "Completed":
                await files.keep(self.scope, self.job, self.folder, succeeded=False)
            await files.keep_log(self.scope, self.job["name"], self.log)
        except (ApiError, OSError, sqlite3.Error) as failure:
            status, error = "Failed", error or ApiError(f"{type(failure).__name__}: {failure}")
        self.tell(status, error)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _do(self, files: JobFiles, nodes: Nodes, mishaps: Sequence[Mishap]) -> None:
        self.tell("Preparing", None)
        values = await files.bring(self.scope, self.job, self.folder, self.principal)
        command = filled(self.job["properties"]["command"], values)
        self.tell("Queued", None)
        for mishap in mishaps:
            await mishap.waiting()
        async with nodes.one(self.cluster):
            await self._run(command, mishaps)
        self.tell("Finalizing", None)
        await files.keep(self.scope, self.job, self.folder, succeeded=True)

    async def _run(self, command: str, mishaps: Sequence[Mishap]) -> None:
        """Raises ApiError where the command fails, and TimedOut."""
        self.tell("Running", None)
        self.log.write_text("".join(f"WARNING of the local Azure ML: {line}\n" for line in self.warnings))
        for mishap in mishaps:
            await mishap.starting(lambda status: self.tell(status, None))
        process = await Process.start(command, self.folder / "wd", self.log, self.variables())
        doing = [asyncio.ensure_future(mishap.running(process, self.log)) for mishap in mishaps]
        try:
            code = await asyncio.wait_for(process.wait(), self.seconds)
        except asyncio.TimeoutError:
            raise TimedOut from None
        finally:
            await process.stop()
            for task in doing:
                task.cancel()
        if process.preempted:
            raise ApiError(PREEMPTED, "UserError")
        if code:
            raise ApiError(self._failure(code), "UserError")

    def _failure(self, code: int) -> str:
        """As a job's page says it; public reports have this of version 2's jobs."""
        what = Path((re.findall(r"[\w./-]+", self.job["properties"]["command"]) or ["sh"])[0]).name
        last = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
        said = f"Execution failed. User process '{what}' exited with status code {code}."
        return f"{said} Please check log file '{LOG}' for error details. Error: {last}"
