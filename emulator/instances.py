"""Model processes: start one, know when it is ready, know when it ends, stop it."""

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
from typing import Any, cast

import aiohttp

from emulator import container

STOP_SECONDS = 5  # between SIGTERM and SIGKILL; a drained instance needs a tenth of a second


class Unhealthy(Exception):
    """An instance ended, or did not answer in time, before it was ready. Its log says why."""


@functools.cache
def warm() -> ForkServerContext | SpawnContext:
    """What starts processes. The first call blocks for some seconds while the fork server imports MLflow.

    A fork of it starts in 0.1 s, a new interpreter in 5 s; macOS' frameworks do not survive a fork.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["emulator.preload"])
    first = context.Process(target=int)
    first.start()
    first.join()
    return context


class Instance:
    """One process that serves the MLflow model under `model` on a loopback port.

    What it prints is appended to `log`. After start(), scoring requests go to `url`, `ended` resolves to the exit
    code, and `pid` leads a process group of its own.
    """

    def __init__(self, model: Path, log: Path, ready_seconds: float = 120) -> None:
        self._model, self._log, self._ready_seconds = model, log, ready_seconds
        self.url = ""
        self.pid = 0

    async def start(self) -> None:
        """Return once the instance answers. Raises Unhealthy, and then nothing of it is left running."""
        context = await asyncio.to_thread(warm)
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with socket.create_server(("127.0.0.1", 0)) as listener:  # opened here: no other process can take the port
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            arguments = (listener, self._model, self._log)
            self._process = context.Process(target=container.serve, args=arguments, daemon=True)
            self._process.start()
        self.url, self.pid = f"{address}/score", cast(int, self._process.pid)
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._note_end)
        try:
            await self._until_ready(address)
        except BaseException:
            await self.stop()
            raise

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

    async def _until_ready(self, address: str) -> None:
        probe = asyncio.ensure_future(_answers(address))  # the socket listens already: this waits in its backlog
        either: set[asyncio.Future[Any]] = {probe, self.ended}
        try:
            await asyncio.wait(either, timeout=self._ready_seconds, return_when=asyncio.FIRST_COMPLETED)
            if probe.done() and probe.result():
                return
            if probe.done():  # the connection is gone: so is, in a moment, the process
                await asyncio.wait({self.ended}, timeout=STOP_SECONDS)
            if self.ended.done():
                raise Unhealthy(f"the instance ended with exit code {self.ended.result()} before it was ready")
            raise Unhealthy(f"the instance was not ready after {self._ready_seconds:g} seconds")
        finally:
            probe.cancel()

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        with contextlib.suppress(OSError):  # usually the group is empty by now
            os.killpg(self.pid, signal.SIGKILL)  # a worker would outlive a master that was killed
        self.ended.set_result(self._process.exitcode or 0)


async def _answers(address: str) -> bool:
    """Whether GET / on `address` is answered with 200; a lost connection is a no."""
    try:
        async with aiohttp.ClientSession() as session, session.get(address, timeout=aiohttp.ClientTimeout()) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
