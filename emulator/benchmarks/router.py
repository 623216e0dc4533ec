"""What the way through HTTPS, router and pool carries, and that nothing is lost on it while deployments change.

`python -m benchmarks.router` sends 20,000 requests over 8 connections for the rate, three times, then 100,000 over 16
while the weights change 24 times and two of three deployments are drained and deleted. `--soak` sends a million and
follows the memory. Client and stub model servers run on the same machine, each in a process of its own.
"""

import asyncio
import itertools
import json
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import psutil
import uvloop

from azureml_emulator.api.server import Server, listen
from azureml_emulator.emulator import issue_certificate, listening
from azureml_emulator.resources.azure import Azure, Options
from azureml_emulator.serving.pool import Pool, Settings
from azureml_emulator.serving.router import Route, any_of

KEY = "the-endpoint-key"
NAMES = ("blue", "green", "red")
CHANGES = 24
LEAST_RATE = 2000  # requests a second over 8 connections
MOST_GROWTH = 1.05  # of the memory, from the first to the last hundred thousand of a million requests


class Remote:
    """A stub model server that runs elsewhere."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/score"
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """It runs."""

    async def probe(self, _seconds: float) -> bool:
        """It is well."""
        return True

    async def stop(self) -> None:
        """It runs on, but nobody asks it."""


class Front:
    """The emulator's HTTPS front over three deployments of the endpoint `e`."""

    def __init__(self, azure: Azure, port: int, ca: Path, pools: dict[str, Pool]) -> None:
        self._azure, self._port, self._ca, self._pools = azure, port, ca, pools
        self._chance = random.Random(1)  # noqa: S311  # repeatable weights
        self.split({"blue": 100})

    def split(self, traffic: dict[str, int]) -> None:
        """Publish a route, as Endpoints.publish does."""
        self._azure.router.routes["e"] = Route(any_of([KEY]), traffic, pools=dict(self._pools))

    def shuffle(self) -> None:
        """Change the weights."""
        cuts = sorted(self._chance.randint(0, 100) for _ in range(len(self._pools) - 1))
        shares = [after - before for before, after in itertools.pairwise([0, *cuts, 100])]
        self.split(dict(zip(self._pools, shares, strict=True)))

    async def delete_one(self) -> None:
        """Take a deployment out of the route, let it answer what it has, and end it."""
        _, pool = self._pools.popitem()
        self.shuffle()
        await pool.stop()

    async def until_answered(self, requests: int) -> None:
        """Return when that many requests have been answered."""
        while sum(self._azure.router.counts.values()) < requests:
            await asyncio.sleep(0.01)

    async def load(self, connections: int, requests: int) -> dict[str, Any]:
        """The client's tally."""
        client = await _python("benchmarks.load", self._port, self._ca, connections, requests)
        out, _ = await client.communicate(KEY.encode())
        tally: dict[str, Any] = json.loads(out)
        return tally


@asynccontextmanager
async def front() -> AsyncIterator[Front]:
    """A front with its stubs, in a temporary folder."""
    stubs = await _python("benchmarks.stubs", len(NAMES))
    assert stubs.stdin and stubs.stdout  # noqa: S101  # for the type checker
    ports = [int(port) for port in (await stubs.stdout.readline()).split()]
    settings = Settings(max_concurrent_requests_per_instance=1000, clock=0.01)
    pools = {
        name: await Pool.start(lambda port=port: Remote(port), 1, settings)  # type: ignore[misc]
        for name, port in zip(NAMES, ports, strict=True)
    }
    with tempfile.TemporaryDirectory() as temporary, listening(0) as listener:
        folder, port = Path(temporary), listener.getsockname()[1]
        base = f"https://127.0.0.1:{port}"
        azure = Azure(folder, base, Options())
        runner = await listen(Server(azure, base), listener, issue_certificate(folder / "ca.pem"))
        yield Front(azure, port, folder / "ca.pem", pools)
        await runner.cleanup()
        await azure.close()
        await asyncio.gather(*(pool.stop() for pool in pools.values()))
    stubs.stdin.close()
    await stubs.wait()


async def _python(module: str, *arguments: object) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *map(str, arguments), stdin=pipe, stdout=pipe
    )


async def rate(requests: int) -> bool:
    """Whether 8 connections get LEAST_RATE, in the best of three runs: the others say what else the machine did."""
    async with front() as emulator:
        tallies = [await emulator.load(8, requests) for _ in range(3)]
    rates = sorted(requests / tally["seconds"] for tally in tallies)
    best = min(tallies, key=lambda tally: tally["seconds"])
    return verdict(
        rates[-1] >= LEAST_RATE and all(tally["outcomes"] == {"200": requests} for tally in tallies),
        f"{rates[-1]:,.0f} requests/s over 8 connections, p50 {best['p50_ms']:.1f} ms, p99 {best['p99_ms']:.1f} ms, "
        f"the best of {', '.join(f'{each:,.0f}' for each in rates)}; at least {LEAST_RATE:,}",
    )


async def lossless(requests: int) -> bool:
    """Whether all of many requests over 16 connections are answered while the deployments change."""
    async with front() as emulator:
        load = asyncio.ensure_future(emulator.load(16, requests))
        for change in range(1, CHANGES + 1):
            await emulator.until_answered(requests * change // (CHANGES + 1))
            emulator.shuffle()
            if change in (CHANGES // 3, 2 * CHANGES // 3):
                await emulator.delete_one()
        tally = await load
    failed = requests - tally["outcomes"].get("200", 0)
    return verdict(
        failed == 0,
        f"{failed} of {requests:,} requests over 16 connections failed, over {CHANGES} changes of weights and two "
        f"deleted deployments: {tally['outcomes']}",
    )


async def soak(requests: int) -> bool:
    """Whether the memory stays what it is after the first tenth of many requests."""
    async with front() as emulator:
        sizes = []
        for part in range(1, 11):
            tally = await emulator.load(8, requests // 10)
            sizes.append(psutil.Process().memory_info().rss / 2**20)
            click.echo(f"{part * requests // 10:>9,} requests: {sizes[-1]:.1f} MiB, {tally['outcomes']}", err=True)
    growth = max(sizes) / sizes[0]
    return verdict(
        growth <= MOST_GROWTH,
        f"memory grew to {growth:.3f} of what it was after {requests // 10:,} requests; at most {MOST_GROWTH}",
    )


def verdict(good: bool, text: str) -> bool:
    """Print what was found."""
    click.echo(f"{'passed' if good else 'FAILED'}: {text}")
    return good


@click.command()
@click.option("--requests", type=int, help="Instead of 20,000 and 100,000, or of a million.")
@click.option("--soak", "long", is_flag=True, help="Follow the memory over a million requests instead.")
def main(requests: int | None, long: bool) -> None:
    """Measure the way through HTTPS, router and pool. Exit code 1 says that it falls short."""
    if long:
        passed = [uvloop.run(soak(requests or 1_000_000))]
    else:
        passed = [uvloop.run(rate(requests or 20_000)), uvloop.run(lossless(requests or 100_000))]
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
