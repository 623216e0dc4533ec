"""What the tests of the data plane share: small models, stub instances, a loop to run them in."""

import asyncio
import functools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from azureml_emulator.serving.instances import Instance
from azureml_emulator.serving.pool import Answer, Pool, Settings

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.Response]]

PUPPET = """
import os, time

class Puppet:
    def predict(self, model_input, params=None):
        if isinstance(model_input, dict):
            return {name: values.tolist() for name, values in model_input.items()}
        if "order" not in model_input:
            return model_input
        order, argument = model_input["order"][0].split(" ")
        if order == "crash":
            os._exit(1)
        if order == "sleep":
            time.sleep(float(argument))
        return [os.environ.get(argument, "unset")]

def _load_pyfunc(path):
    return Puppet()
"""

COLUMN = {"type": "string", "name": "order", "required": True}


def puppet_model(folder: Path, inputs: list[dict[str, Any]] | None = None, example: Any = None) -> Path:
    """An MLflow model that obeys its column `order` (`crash now`, `sleep SECONDS`, `show VARIABLE`), else echoes.

    Written by hand, since importing MLflow takes seconds. `inputs` is its signature, none if empty; `example` a frame
    in split form.
    """
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "puppet.py").write_text(PUPPET)
    description: dict[str, Any] = {
        "flavors": {"python_function": {"loader_module": "puppet", "code": "code", "python_version": "3.9.1"}},
    }
    if inputs != []:
        description["signature"] = {"inputs": json.dumps(inputs or [COLUMN])}
    (folder / "requirements.txt").write_text("numpy==1.0.1\n")
    if example:
        (folder / "example.json").write_text(json.dumps(example))
        info = {"artifact_path": "example.json", "type": "dataframe", "pandas_orient": "split"}
        description["saved_input_example_info"] = info
    (folder / "MLmodel").write_text(json.dumps(description))  # which is YAML
    return folder


def order(text: str) -> bytes:
    """The body of a request to the puppet."""
    return b'{"input_data": {"columns": ["order"], "data": [["%s"]]}}' % text.encode()


class Stub:
    """An instance that is a handler in this process. `well` is what it answers to probes."""

    def __init__(self, handler: Handler) -> None:
        self.url = ""
        self.well = True
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.most_busy = self.answered = 0
        self._handler = handler
        self._answering: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        application = web.Application()
        application.router.add_post("/score", self._count)
        self._runner = web.AppRunner(application, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/score"

    async def probe(self, _seconds: float) -> bool:
        """Answer at once."""
        return self.well

    async def stop(self) -> None:
        """Close the port, and drop what is being answered."""
        for task in self._answering:
            task.cancel()
        if self.url:
            await self._runner.cleanup()
        if not self.ended.done():
            self.ended.set_result(0)

    async def _count(self, request: web.Request) -> web.Response:
        task = asyncio.current_task()
        assert task
        self._answering.add(task)
        self.most_busy = max(self.most_busy, len(self._answering))
        try:
            return await self._handler(request)
        finally:
            self._answering.discard(task)
            self.answered += 1


async def ok(_request: web.Request) -> web.Response:
    """Answer at once."""
    return web.json_response([1])


def slow(seconds: float) -> Handler:
    """Answer after a while."""

    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.json_response([1])

    return handler


async def stub_pool(handler: Handler = ok, count: int = 1, **settings: Any) -> tuple[Pool, list[Stub]]:
    """A pool of stubs, and all stubs it ever made. They are probed every 10 ms and restarted after as many."""
    stubs: list[Stub] = []

    def make() -> Stub:
        stubs.append(Stub(handler))
        return stubs[-1]

    return await Pool.start(make, count, Settings(**{"clock": 0.001} | settings)), stubs


async def model_pool(model: Path, log: Path, count: int = 1, **settings: Any) -> tuple[Pool, list[Instance]]:
    """A pool of model processes, and all it ever made. They are probed as soon as they can answer."""
    instances: list[Instance] = []

    def make() -> Instance:
        instances.append(Instance(model, log))
        return instances[-1]

    return await Pool.start(make, count, Settings(**{"clock": 0.02} | settings)), instances


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Return when it holds; fail when it doesn't in a generous while."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        await asyncio.sleep(0.005)


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test to its end."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        asyncio.run(test(*arguments, **fixtures))

    return run


@contextmanager
def background_loop() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """A loop in a thread, for what several tests share: yields what runs a coroutine in it and returns its result."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def statuses(outcomes: list[Answer | BaseException]) -> list[int | str]:
    """The status of each answer, the type's name of each exception."""
    return [outcome.status if isinstance(outcome, Answer) else type(outcome).__name__ for outcome in outcomes]
