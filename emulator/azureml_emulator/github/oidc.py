"""What a job shows to log in elsewhere: GitHub's word for who it is, signed. No part of the REST API.

The real one is at an address of its own and signs with a key that it publishes; this one with a secret that whoever is
to trust it knows, the identity header of the local Azure ML.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import jwt

from azureml_emulator.resources.tokens import ALGORITHM

PATH = "/oidc/token"
ISSUER = "https://token.actions.githubusercontent.com"


@dataclass
class JobIdentity:
    """One job's: `subject` is who it is, `key` what its tokens are signed with; they are good for so many `seconds`."""

    subject: str
    key: str
    issuer: str = ISSUER
    seconds: int = 300
    token: str = field(default_factory=lambda: secrets.token_hex(18))

    def environ(self, url: str) -> dict[str, str]:
        """The variables by which the job's steps ask GitHub at `url`."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}{PATH}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.token,
        }

    def answer(self, authorization: str, audience: str) -> tuple[int, Any]:
        """Status and document for one request."""
        if authorization.partition(" ")[2] != self.token:
            return 401, {"message": "Unauthorized"}
        claims = {"iss": self.issuer, "sub": self.subject, "aud": audience, "jti": secrets.token_hex(16)}
        return 200, {"value": jwt.encode({**claims, "exp": time.time() + self.seconds}, self.key, ALGORITHM)}
