"""Who calls: the tokens of the resource manager and of endpoints, and endpoint keys."""

import hmac
import secrets
import time
from collections.abc import Callable

import jwt

from azureml_emulator.arm.errors import Unauthorized
from azureml_emulator.arm.names import TENANT
from azureml_emulator.arm.store import Store
from azureml_emulator.resources.roles import OWNER

ALGORITHM = "HS256"
ARM = "https://management.local/"
#: The audience of aad_token endpoints (how-to-authenticate-online-endpoint).
ML = "https://ml.azure.com"
#: That of blobs, for whoever shows no signature.
STORAGE = "https://storage.azure.com"
#: That of a job's run: to track it, and what its submitter may do with models.
RUN = "run"
#: That of identity headers.
IDENTITY = "identity"


def known(audience: str) -> str:
    """Which of the three a resource, or an OAuth scope, asks for: the resource manager's unless it names another."""
    return next((one for one in (ML, STORAGE) if f"{audience}/".startswith(f"{one}/")), ARM)


class Tokens:
    """Signs and checks tokens with a secret that stays in the store, so that they outlive a restart."""

    def __init__(self, store: Store, seconds: int):
        self._seconds = seconds
        kept = store.get("secrets/tokens") or {"key": secrets.token_hex(32), "identity": secrets.token_hex(16)}
        store.put("secrets/tokens", kept)
        self._key: str = kept["key"]
        #: What a managed identity shows to get a token (IDENTITY_HEADER).
        self.identity: str = kept["identity"]

    def issue(self, audience: str, seconds: int | None = None, principal: str = OWNER) -> tuple[str, int]:
        """A token for a principal, and the epoch second at which it expires."""
        expires = int(time.time()) + (self._seconds if seconds is None else seconds)
        return jwt.encode(
            {"aud": audience, "exp": expires, "oid": principal, "tid": TENANT}, self._key, ALGORITHM
        ), expires

    def check(self, token: str, audience: str | list[str]) -> str:
        """Whose it is. Raises Unauthorized unless it was issued here, for (one of) these, and is still good."""
        try:
            return str(jwt.decode(token, self._key, [ALGORITHM], audience=audience)["oid"])
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The access token has expired.", "ExpiredAuthenticationToken") from None
        except (jwt.InvalidTokenError, UnicodeEncodeError):  # a header may hold any bytes
            raise Unauthorized("The access token is not valid.", "InvalidAuthenticationToken") from None

    def header(self, principal: str) -> str:
        """An identity header that is good for this principal's tokens alone."""
        return jwt.encode({"aud": IDENTITY, "oid": principal}, self._key, ALGORITHM)

    def shown(self, header: str) -> str:
        """Whose identity header it is: the owner's opens every identity. Raises Unauthorized."""
        if hmac.compare_digest(header.encode("utf-8", "surrogateescape"), self.identity.encode()):
            return OWNER
        try:
            return self.check(header, IDENTITY)
        except Unauthorized:
            raise Unauthorized("The identity header is not valid.") from None

    def managed_identity(self, header: str, audience: str, principal: str = "") -> dict[str, str]:
        """The answer of the managed-identity address to the bearer of IDENTITY_HEADER: a token for the principal."""
        token, expires = self.issue(known(audience), principal=principal or self.shown(header))
        return {"access_token": token, "expires_on": str(expires), "resource": audience, "token_type": "Bearer"}

    def opens(self, audience: str) -> Callable[[str], bool]:
        """Says whether a bearer token is good for this audience."""
        return lambda token: self._opens(token, audience)

    def _opens(self, token: str, audience: str) -> bool:
        try:
            self.check(token, audience)
        except Unauthorized:
            return False
        return True
