"""The client of benchmarks.router, in a process of its own: keep-alive connections that ask one URL, and a tally.

`python -m benchmarks.load PORT CA CONNECTIONS REQUESTS`, with the endpoint's key on standard input, prints one JSON
object: `seconds`, `outcomes` (how often each status or exception came) and `p50_ms`, `p99_ms`.
"""

import asyncio
import json
import ssl
import sys
import time
from collections import Counter
from typing import Any

import uvloop

BODY = b'{"input_data": [[1]]}'


def request(key: str) -> bytes:
    """A scoring request as a client sends it."""
    lines = [
        "POST /endpoints/e/score HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + BODY


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> str:
    """The status of one answer, which is read to its end."""
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return head[9:12].decode()


async def connection(
    port: int, context: ssl.SSLContext, message: bytes, left: list[int], outcomes: Counter[str], took: list[float]
) -> None:
    """Ask again and again on one connection, anew after a failure, until all requests have been sent."""
    streams = None
    while left[0] > 0:
        left[0] -= 1
        began = time.perf_counter()
        try:
            streams = streams or await asyncio.open_connection("127.0.0.1", port, ssl=context)
            outcomes[await exchange(*streams, message)] += 1
        except (OSError, EOFError) as failure:
            outcomes[type(failure).__name__] += 1
            streams = None
        took.append(time.perf_counter() - began)


async def load(port: int, ca: str, connections: int, requests: int, key: str) -> dict[str, Any]:
    """Send that many requests over that many connections."""
    context = ssl.create_default_context(cafile=ca)
    outcomes: Counter[str] = Counter()
    left, took = [requests], list[float]()
    began = time.perf_counter()
    workers = [connection(port, context, request(key), left, outcomes, took) for _ in range(connections)]
    await asyncio.gather(*workers)
    seconds, took = time.perf_counter() - began, sorted(took)
    quantiles = {f"p{percent}_ms": took[len(took) * percent // 100] * 1000 for percent in (50, 99)}
    return {"seconds": seconds, "outcomes": outcomes, **quantiles}


if __name__ == "__main__":
    port, ca, connections, requests = sys.argv[1:]
    print(json.dumps(uvloop.run(load(int(port), ca, int(connections), int(requests), sys.stdin.read()))))
