"""Model processes: start one, ask whether it is well, know when it ends, stop it."""

import asyncio
import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import cast

import aiohttp

from azureml_emulator.serving import container

STOP_SECONDS = 5  # between SIGTERM and SIGKILL; a drained instance needs a tenth of a second
LOG_BYTES = 4 * 1024 * 1024  # of which the last half is kept when a log has grown so large
LOG_SECONDS = 10.0  # between looks at that


@functools.cache
def warm() -> ForkServerContext | SpawnContext:
    """What starts processes. The first call blocks for some seconds while the fork server imports MLflow.

    A fork of it starts in 0.1 s, a new interpreter in 5 s; macOS' frameworks do not survive a fork.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["azureml_emulator.serving.preload"])
    first = context.Process(target=int)
    first.start()
    first.join()
    return context


async def warmed() -> ForkServerContext | SpawnContext:
    """The same, without blocking. Its thread doesn't keep the emulator from ending, as the loop's own threads would."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        with contextlib.suppress(OSError, EOFError):  # the caller meets it again
            warm()
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, daemon=True).start()
    await done.wait()
    return warm()


class Instance:
    """One process that serves the MLflow model under `model` on a loopback port.

    What it prints is appended to `log`; `variables` are for the model. After start(), scoring requests go to `url`,
    `ended` resolves to the exit code, and `pid` leads a process group of its own.
    """

    def __init__(self, model: Path, log: Path, variables: Mapping[str, str] | None = None) -> None:
        self._model, self._log, self._variables = model, log, dict(variables or {})
        self.url = self._address = ""
        self.pid = 0

    async def start(self) -> None:
        """Return once the process exists; what is asked before its model is loaded waits in the backlog."""
        context = await warmed()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with socket.create_server(("127.0.0.1", 0)) as listener:  # opened here: no other process can take the port
            self._address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            arguments = (listener, self._model, self._log, self._variables)
            self._process = context.Process(target=container.serve, args=arguments, daemon=True)
            self._process.start()
        self.url, self.pid = f"{self._address}/score", cast(int, self._process.pid)
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._note_end)
        self._tidy()

    async def probe(self, seconds: float) -> bool:
        """Whether GET / is answered with 200 within that time."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self._address) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return False

    async def stop(self) -> None:
        """End the process: what it is answering now gets STOP_SECONDS, what waits in its backlog is lost."""
        if not self.pid or self.ended.done():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)  # gunicorn's master ends its worker
        await asyncio.wait({self.ended}, timeout=STOP_SECONDS)
        if not self.ended.done():
            self._kill_group()
        await self.ended

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        self._tidying.cancel()
        self._kill_group()  # a worker would outlive a master that was killed
        self.ended.set_result(self._process.exitcode or 0)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in it, or, on macOS, the dead
            os.killpg(self.pid, signal.SIGKILL)

    def _tidy(self) -> None:
        """Keep the log from growing without end: containers append, so they go on at its new end."""
        with contextlib.suppress(OSError), self._log.open("r+b") as log:
            if os.fstat(log.fileno()).st_size > LOG_BYTES:
                log.seek(-LOG_BYTES // 2, os.SEEK_END)
                last = log.read()
                log.seek(0)
                log.write(last)
                log.truncate()
        self._tidying = asyncio.get_running_loop().call_later(LOG_SECONDS, self._tidy)
