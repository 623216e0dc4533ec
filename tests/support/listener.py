"""What a webhook leads to: a server with HTTPS that keeps what it hears."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from azureml_emulator.emulator import issue_certificate


@dataclass
class Listener:
    """`environ` leads a script to it, one that trusts the local Azure, too; it answers with `status`."""

    environ: dict[str, str]
    heard: list[Any] = field(default_factory=list)
    status: int = 200


@contextmanager
def listener(folder: Path, trusted: str) -> Iterator[Listener]:
    """`trusted` is the file of certificates that scripts trust besides."""
    found = Listener({})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(found.status)
            self.send_header("Location", "https://elsewhere.example/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    context, bundle = issue_certificate(folder / "listener.pem"), folder / "bundle.pem"
    bundle.write_bytes((folder / "listener.pem").read_bytes() + Path(trusted).read_bytes())
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://localhost:{server.server_port}/secret-path"
        trusting = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(bundle))
        found.environ |= {"ROLLBACK_WEBHOOK": address, **trusting}
        yield found
        server.shutdown()
