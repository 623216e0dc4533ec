"""What is asked of GitHub: each answer, or an Unknown in its place. Nothing is changed there."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TypeVar

from scripts.lib.azure.errors import explain
from scripts.lib.doctor.finding import Unknown
from scripts.lib.github import api, host
from scripts.lib.github.api import GitHub
from scripts.lib.github.environment import LISTED, Document, Environment, Policy
from scripts.lib.setup.azure import AUDIENCE

T = TypeVar("T")


def told(call: Callable[[], T]) -> T | Unknown:
    """What a call answers, or why it doesn't."""
    try:
        return call()
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        return Unknown(message)


class GitHubFacts:
    """One repository at GitHub; what was asked once is not asked again."""

    def __init__(self) -> None:
        self._github = told(GitHub.here)
        self.page = api.page("OWNER/NAME") if isinstance(self._github, Unknown) else self._github.page
        self._environments: dict[str, Environment | Unknown | None] = {}

    def known(self) -> GitHubFacts:
        """By its present name, which nobody knows from a remote: a renamed repository answers to the old one, too."""
        if not isinstance(self._github, Unknown) and not isinstance(self.repository, Unknown):
            self.page = self._github.page
        return self

    def ask(self, call: Callable[[GitHub], T]) -> T | Unknown:
        github = self._github
        return github if isinstance(github, Unknown) else told(lambda: call(github))

    def environment(self, name: str) -> Environment | Unknown | None:
        """None where nobody has made it."""
        if name not in self._environments:
            self._environments[name] = self.ask(lambda github: github.environment(name))
        return self._environments[name]

    def policies(self, name: str) -> list[Policy] | Unknown:
        """The branches and tags that an environment lists; none where it has no such list."""
        environment = self.environment(name)
        if isinstance(environment, Unknown):
            return environment
        has_list = environment and environment.deploying == LISTED
        return self.ask(lambda github: github.branch_policies(name)) if has_list else []

    @cached_property
    def repository(self) -> Document | Unknown:
        return self.ask(lambda github: github.facts())

    @property
    def default_branch(self) -> str | Unknown:
        found = self.repository
        return found if isinstance(found, Unknown) else str(found["default_branch"])

    def is_protected(self, branch: str) -> bool | Unknown:
        """Whether something protects it, as GitHub tells everybody."""
        return self.ask(lambda github: bool((github.branch(branch) or {}).get("protected")))

    @cached_property
    def _claims(self) -> dict[str, str]:
        return _own_claims()

    @property
    def issuer(self) -> str:
        """Who speaks in the repository's OIDC tokens: read from this job's own, where it has one."""
        return self._claims.get("iss") or host.issuer()

    def subjects(self, environments: Collection[str]) -> dict[str, str] | Unknown:
        """What GitHub sends to Azure as the subject of each environment's jobs."""
        prefix = own_prefix(self._claims.get("sub"), environments) or self.ask(lambda github: github.subject_prefix())
        if isinstance(prefix, Unknown):
            return prefix
        return {name: f"{prefix}:environment:{name}" for name in environments}


def own_prefix(subject: str | None, environments: Collection[str]) -> str | Unknown | None:
    """How the subject of this job's own token begins, Unknown for one of another form, None without a token.

    That is the very subject Azure sees; the API that names it needs a right that a job's token may lack
    (docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token).
    """
    if subject is None:
        return None
    found = re.fullmatch(f"(.+):environment:({'|'.join(map(re.escape, environments))})", subject)
    return found[1] if found else Unknown(f"the repository's OIDC subject is a custom one: this job has `{subject}`.")


def _own_claims() -> dict[str, str]:
    import requests

    url, token = (os.environ.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}") for name in ("URL", "TOKEN"))
    if not url or not token:
        return {}
    login = {"Authorization": f"Bearer {token}"}
    try:
        answer = requests.get(url, params={"audience": AUDIENCE}, headers=login, timeout=api.TIMEOUT)
        claims = answer.json()["value"].split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))))
    except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError):
        return {}
