"""A repository's environments: which there must be, what GitHub says of one, and what it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

ENVIRONMENTS = {
    "deploy": False,
    "production": True,
    "rollback": False,
    "staging": False,
    "train": False,
    "unattended": False,
}
"""Those that the workflows name, and whether somebody must approve; tests/workflows/approval_rules.py compares."""
PRODUCTION, ROLLBACK, STAGING, TRAIN, UNATTENDED = "production", "rollback", "staging", "train", "unattended"
LOGINS = {UNATTENDED: PRODUCTION}  # whose identity the jobs in an environment log in as, if not its own
EVERY, PROTECTED, LISTED = "every branch", "protected branches only", "listed branches only"
Document = dict[str, Any]


@dataclass(frozen=True)
class Reviewer:
    """A `User` or a `Team` by GitHub's id; its name, a login or a team's slug, is for people."""

    kind: str
    id: int
    name: str = field(compare=False)

    @classmethod
    def parse(cls, entry: Document) -> Reviewer:
        who = entry.get("reviewer") or {}
        name = who.get("login") or who.get("slug") or who.get("id") or "somebody"
        return cls(str(entry.get("type")), int(who.get("id") or 0), str(name))


@dataclass(frozen=True)
class Policy:
    """What may deploy to an environment: branches, or tags (`kind`), of a pattern. By `id` it is deleted."""

    name: str
    kind: str = "branch"
    id: int = field(default=0, compare=False)

    def removal(self, environment: str) -> str:
        """The line that takes it away; `gh` puts the repository in."""
        path = f"environments/{quote(environment, safe='')}/deployment-branch-policies/{self.id}"
        return f"gh api --method DELETE 'repos/{{owner}}/{{repo}}/{path}'"


@dataclass(frozen=True)
class Environment:
    """The rules of an environment. `deploying` is one of the three above, `policies` the list for the last."""

    reviewers: tuple[Reviewer, ...] = ()
    prevent_self_review: bool = False
    wait_timer: int = 0  # minutes
    deploying: str = EVERY
    policies: tuple[Policy, ...] = ()
    admins_bypass: bool | None = None  # None where GitHub doesn't say
    id: int | None = None

    @classmethod
    def parse(cls, document: Document, policies: Iterable[Policy] = ()) -> Environment:
        """As GitHub tells it (docs.github.com/rest/deployments/environments), with its branch policies."""
        rules: dict[str, Document] = {rule.get("type"): rule for rule in document.get("protection_rules") or ()}
        required, policy = rules.get("required_reviewers", {}), document.get("deployment_branch_policy") or {}
        listed = LISTED if policy.get("custom_branch_policies") else EVERY
        return cls(
            reviewers=tuple(Reviewer.parse(entry) for entry in required.get("reviewers") or ()),
            prevent_self_review=bool(required.get("prevent_self_review")),
            wait_timer=int(rules.get("wait_timer", {}).get("wait_timer") or 0),
            deploying=PROTECTED if policy.get("protected_branches") else listed,
            policies=tuple(policies),
            admins_bypass=document.get("can_admins_bypass"),
            id=document.get("id"),
        )

    def body(self) -> Document:
        """The body of the PUT that sets all this, but for the list of branches."""
        rule = {"protected_branches": self.deploying == PROTECTED, "custom_branch_policies": self.deploying == LISTED}
        return {
            "wait_timer": self.wait_timer,
            "prevent_self_review": self.prevent_self_review,
            "reviewers": [{"type": reviewer.kind, "id": reviewer.id} for reviewer in self.reviewers] or None,
            "deployment_branch_policy": None if self.deploying == EVERY else rule,
        }

    @property
    def names(self) -> str:
        """Who may approve, for people."""
        return ", ".join(reviewer.name for reviewer in self.reviewers)
