"""The page about models that are trained elsewhere: its lines get a token as Key Vault and GitHub give one."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from tests.support import ROOT

[PAGE] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/TRAINED_ELSEWHERE.md").read_text(), re.DOTALL)


class VaultAndGitHub(BaseHTTPRequestHandler):
    """Key Vault signs a digest for who has a token of its; GitHub gives one for what the app's key has signed."""

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    asked: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        bearer = self.headers["Authorization"].removeprefix("Bearer ")
        if self.path == "/keys/app/1/sign?api-version=7.4" and bearer == "vault's" and body["alg"] == "RS256":
            signed = self.key.sign(
                base64.urlsafe_b64decode(body["value"] + "="), padding.PKCS1v15(), Prehashed(SHA256())
            )
            answer = {"value": base64.urlsafe_b64encode(signed).rstrip(b"=").decode()}
        else:
            claims = jwt.decode(
                bearer, self.key.public_key(), algorithms=["RS256"], options={"require": ["exp", "iat"]}
            )
            self.asked.append((self.path, claims | body))
            answer = {"token": "ghs_app"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


class Login:
    """The identity of the compute."""

    def get_token(self, scope: str) -> Any:
        assert scope == "https://vault.azure.net/.default"
        return type("Token", (), {"token": "vault's"})


def test_the_token_of_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed in the vault, for an hour, for this repository's workflows and nothing else."""
    with ThreadingHTTPServer(("127.0.0.1", 0), VaultAndGitHub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("GITHUB_API_URL", address)
        lines: dict[str, Any] = {}
        exec(PAGE.replace("\nroll_out(register())", ""), lines)  # noqa: S102
        lines |= {"KEY": f"{address}/keys/app/1", "azure": Login()}
        given = lines["token"]()
        server.shutdown()
        thread.join()

    [(path, asked)] = VaultAndGitHub.asked
    assert (given, path) == ("ghs_app", "/app/installations/12345678/access_tokens")
    assert (asked["iss"], asked["repositories"], asked["permissions"]) == (
        "CLIENT_ID",
        ["REPOSITORY"],
        {"actions": "write"},
    )
    assert asked["exp"] - time.time() < 600  # GitHub refuses longer ones
