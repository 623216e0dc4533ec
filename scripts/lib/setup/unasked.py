"""What setup_github plans for where there is no token to ask GitHub with: a repository fresh from the template."""

from __future__ import annotations

from scripts.lib.github.api import CannotTell, GitHub
from scripts.lib.github.environment import Document, Environment


class Unasked(GitHub):
    """Nothing is set up in it yet; its names are as they are given."""

    def facts(self) -> Document:
        return {"full_name": self.repository, "default_branch": "main", "private": False, "html_url": self.page}

    def branch(self, name: str) -> Document | None:
        return {"name": name}

    def environment(self, name: str) -> Environment | None:
        return None

    def rules(self, branch: str) -> list[Document]:
        return []

    def variables(self) -> dict[str, str]:
        return {}

    def user(self, login: str) -> Document | None:
        return {"id": 0}

    def team(self, organisation: str, slug: str) -> Document | None:
        return {"id": 0}

    def subject_prefix(self) -> str:
        raise CannotTell("GitHub isn't asked without a token.")
