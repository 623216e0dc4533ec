"""Logins with another's token: an identity's federated credentials say whose. Knows no HTTP.

Entra checks the signature with the issuer's public keys; here whoever signs knows the emulator's identity header.
"""

import time
from collections.abc import Mapping

import jwt

from azureml_emulator.arm.documents import Document
from azureml_emulator.resources.identities import Identities
from azureml_emulator.resources.tokens import ALGORITHM, Tokens, known

CLAIMS = ["aud", "exp", "iss", "sub"]


class Refused(Exception):
    """A login that failed: OAuth's name for it, Entra's number and words."""

    def __init__(self, error: str, number: int, words: str):
        description = f"AADSTS{number}: {words}"
        super().__init__(description)
        self.document = {"error": error, "error_description": description, "error_codes": [number]}


class Federation:
    """What Entra does for the identities of a resource group."""

    def __init__(self, identities: Identities, tokens: Tokens, group: str):
        self._identities = identities
        self._tokens = tokens
        self._group = group

    def login(self, form: Mapping[str, str]) -> Document:
        """The answer to a client that shows a token instead of a secret. Raises Refused."""
        claims = self._claims(form.get("client_assertion", ""))
        client = form.get("client_id", "")
        if not any(_fits(claims, credential["properties"]) for credential in self._trusted(client)):
            subject = f"No matching federated identity record found for presented assertion subject '{claims['sub']}'."
            raise Refused("invalid_client", 700213, f"{subject} Check your federated identity credential.")
        audience = form.get("scope", "").partition(" ")[0]
        token, expires = self._tokens.issue(known(audience), principal=self._identities.principal(client) or "")
        return {"token_type": "Bearer", "expires_in": expires - int(time.time()), "access_token": token}

    def _claims(self, assertion: str) -> Document:
        key = self._tokens.identity
        try:
            return dict(jwt.decode(assertion, key, [ALGORITHM], options={"verify_aud": False, "require": CLAIMS}))
        except jwt.ExpiredSignatureError:
            raise Refused("invalid_client", 700024, "Client assertion is not within its valid time range.") from None
        except (jwt.InvalidTokenError, UnicodeEncodeError):
            raise Refused("invalid_client", 50027, "JWT token is invalid or malformed.") from None

    def _trusted(self, client: str) -> list[Document]:
        """The credentials of the identity with this client id."""
        for identity in self._identities.all(self._group):
            if identity["properties"]["clientId"].lower() == client.lower():
                return self._identities.credentials(self._group, identity["name"])
        words = f"Application with identifier '{client}' was not found in the directory."
        raise Refused("unauthorized_client", 700016, words)


def _fits(claims: Document, credential: Document) -> bool:
    """Entra tells upper from lower case in all three."""
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    same = (claims["iss"], claims["sub"]) == (credential["issuer"], credential["subject"])
    return same and not set(audiences).isdisjoint(credential["audiences"])
