"""Stub model servers of benchmarks.router, in a process of their own: `[1]` for every request, at once.

`python -m benchmarks.stubs COUNT` prints their ports, on one line, and serves until standard input ends.
"""

import asyncio
import re
import sys

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One connection, kept alive."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with nothing received."""
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n") + 4) > 3:
            length = LENGTH.search(self.received, 0, end)
            end += int(length[1]) if length else 0
            if len(self.received) < end:
                return
            self.received = self.received[end:]
            self.transport.write(ANSWER)  # type: ignore[attr-defined]  # it is a stream's


async def serve(count: int) -> None:
    """Listen on `count` free ports of the loopback interface."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    servers = [await loop.create_server(Connection, "127.0.0.1", 0) for _ in range(count)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
