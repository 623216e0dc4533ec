"""Who wrote what a rollout brings, by what GitHub says of its commits: pure decisions.

The author of a merge commit is whoever pressed Merge, and into a commit anybody can write any name. So who opened the
pull request counts before the commit's author.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Document = Mapping[str, Any]
PATHS = (
    "model/**",
    "endpoints/**",
    "scripts/**",
    ".github/actions/**",
    ".github/workflows/rollout.yml",
    ".github/workflows/stages.yml",
)
"""What a rollout is made of: rollout.yml's `paths`, with which tests/workflows/approval_rules.py compares them."""
MOST_FILES = 300  # of a commit that GitHub tells at once
NOBODY = ("web-flow", "ghost")  # GitHub itself, and who deleted the account
NOREPLY = re.compile(r"(?:(\d+)\+)?([\w-]+)@users\.noreply\.github\.com", re.IGNORECASE)
TRAILER = re.compile(r"^co-authored-by:[ \t]*(.*?)[ \t]*<([^<>\n]*)>[ \t\r]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """A commit, the merged pull requests that brought it, and who else is named: an account, None if there is none.

    A pull request that a program opened has `merged_by`.
    """

    commit: Document
    pulls: Sequence[Document] = ()
    co_authors: Mapping[str, Document | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Authors:
    """Logins of who `wrote` it; `others` are named by commits alone, `unknown` are names without a person."""

    wrote: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    hint: str = ""  # what could not be looked at

    @property
    def sole(self) -> str:
        """Who wrote all of it, as far as is known; "" where several did, or nobody is known."""
        return self.wrote[0] if len(self.wrote) == 1 else ""

    @property
    def told(self) -> str:
        """A sentence for people."""
        names = ", ".join(re.sub(r"[^\w .@'[\]-]", "", name) for name in self.unknown)  # anybody can write them
        more = [
            f"commits also name {', '.join(self.others)}" if self.others else "",
            f"not counted, since no person's account: {names}" if names else "",
            self.hint,
        ]
        return "; ".join([f"written by {', '.join(self.wrote) or 'nobody who is known'}", *filter(None, more)])


def touches(commit: Document) -> bool:
    """Whether a commit changes what a rollout is made of; one of more files than GitHub tells does."""
    files = commit.get("files") or ()
    names = [str(file.get(key) or "") for file in files for key in ("filename", "previous_filename")]
    return len(files) >= MOST_FILES or any(fnmatchcase(name, path) for name in names for path in PATHS)


def person(account: Document | None) -> str:
    """The login of a person; "" for a program, a deleted account, or none."""
    login = str((account or {}).get("login") or "")
    program = (account or {}).get("type", "User") != "User" or login.lower().endswith("[bot]")
    return "" if program or login.lower() in NOBODY else login


def trailers(message: str) -> dict[str, tuple[str, str]]:
    """The co-authors in a commit's message: each name with the login and the id in the address, "" where it has none.

    Only the addresses that GitHub gives out name an account.
    """
    found = {}
    for name, address in TRAILER.findall(message):
        account = NOREPLY.fullmatch(address.strip())
        found[name or address] = (account[2], account[1] or "") if account else ("", "")
    return found


def credit(changes: Iterable[Change], hint: str = "") -> Authors:
    """Who wrote the changes: openers of pull requests, else authors of commits, and co-authors with an account.

    For a program's pull request whoever merged it counts, and who committed to it. A merge commit is nobody's work.
    """
    wrote: dict[str, None] = {}
    others: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for change in changes:
        merge = len(change.commit.get("parents") or ()) > 1
        author = "" if merge else person(change.commit.get("author"))
        opened = [who for pull in change.pulls if (who := person(pull.get("user")))]
        mergers = [who for pull in change.pulls if (who := person(pull.get("merged_by")))]
        named = [who for account in change.co_authors.values() if (who := person(account))]
        wrote |= dict.fromkeys([*(opened or [*mergers, *filter(None, [author])]), *named])
        others |= dict.fromkeys(filter(None, [author]))
        if not (merge or author):
            unknown |= dict.fromkeys([_name(change.commit)])
        unknown |= dict.fromkeys(name for name, account in change.co_authors.items() if not person(account))
        openers = [pull.get("user") or {"login": "ghost"} for pull in change.pulls]
        unknown |= dict.fromkeys(str(who["login"]) for who in openers if not person(who))
    return Authors(tuple(wrote), tuple(who for who in others if who not in wrote), tuple(unknown), hint)


def _name(commit: Document) -> str:
    """Whom a commit names that has no person's account."""
    account, written = commit.get("author") or {}, (commit.get("commit") or {}).get("author") or {}
    return str(account.get("login") or written.get("name") or "somebody")
