"""Model processes: start one, ask whether it is well, know when it ends, stop it."""

import asyncio
import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import sys
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import cast

import aiohttp

from azureml_emulator.serving import container

STOP_SECONDS = 5  # between SIGTERM and SIGKILL; a drained instance needs a tenth of a second


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


class Instance:
    """One process that serves the MLflow model under `model` on a loopback port.

    What it prints is appended to `log`. After start(), scoring requests go to `url`, `ended` resolves to the exit
    code, and `pid` leads a process group of its own.
    """

    def __init__(self, model: Path, log: Path) -> None:
        self._model, self._log = model, log
        self.url = self._address = ""
        self.pid = 0

    async def start(self) -> None:
        """Return once the process exists; what is asked before its model is loaded waits in the backlog."""
        context = await asyncio.to_thread(warm)
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with socket.create_server(("127.0.0.1", 0)) as listener:  # opened here: no other process can take the port
            self._address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            arguments = (listener, self._model, self._log)
            self._process = context.Process(target=container.serve, args=arguments, daemon=True)
            self._process.start()
        self.url, self.pid = f"{self._address}/score", cast(int, self._process.pid)
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._note_end)

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
            os.killpg(self.pid, signal.SIGKILL)
        await self.ended

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        with contextlib.suppress(OSError):  # usually the group is empty by now
            os.killpg(self.pid, signal.SIGKILL)  # a worker would outlive a master that was killed
        self.ended.set_result(self._process.exitcode or 0)
