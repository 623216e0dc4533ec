"""Bytes over TLS to the local Azure ML, for what no HTTP library would send."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple

from azureml_emulator.testing import Arm


class Received(NamedTuple):
    """An answer; status 0 when the connection was closed without one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012  # never written


@contextmanager
def connected(arm: Arm, seconds: float) -> Iterator[ssl.SSLSocket]:
    """A connection to the emulator."""
    host, _, port = arm.base.removeprefix("https://").partition(":")
    context = ssl.create_default_context(cafile=str(arm.session.verify))
    plain = socket.create_connection((host, int(port)), timeout=seconds)
    with plain, context.wrap_socket(plain, server_hostname=host) as encrypted:
        yield encrypted


def exchange(arm: Arm, request: bytes, seconds: float = 20) -> Received:
    """Send a request on a connection of its own and read the answer. Raises TimeoutError."""
    with connected(arm, seconds) as encrypted:
        try:
            encrypted.sendall(request)
            answer = HTTPResponse(encrypted, method=request.partition(b" ")[0].decode("latin-1"))
            answer.begin()
            return Received(answer.status, answer.read(), dict(answer.getheaders()))
        except (HTTPException, ConnectionError, ssl.SSLEOFError):
            return Received(0)
