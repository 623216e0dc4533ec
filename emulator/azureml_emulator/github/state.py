"""What the local GitHub knows of its one repository, and how GitHub writes it down in answers."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from azureml_emulator.arm.documents import Document

WEB = "https://github.com"
STAMP = "2026-08-01T00:00:00Z"
WORKFLOWS = ("ci.yml", "compare.yml", "promote.yml", "rollback.yml", "rollout.yml", "teardown.yml")


@dataclass
class Environment:
    """`reviewers` are logins and `ORG/SLUG`s; `branches` the patterns that may deploy, None: every branch may.

    `protected_branches_only` is GitHub's other rule, "protected branches only"; `branches` is None then.
    """

    reviewers: list[str] = field(default_factory=list)
    prevent_self_review: bool = False
    admins_bypass: bool = True
    branches: list[str] | None = None
    protected_branches_only: bool = False
    wait_timer: int = 0  # minutes
    tags: list[str] = field(default_factory=list)  # patterns that may deploy, too
    variables: dict[str, str] = field(default_factory=dict)
    apps: list[str] = field(default_factory=list)  # apps that decide, too


@dataclass
class WorkflowRun:
    """A run of a workflow, which `actor` started. `on_cancel` is called when somebody cancels it, else it ends at once.

    `approvals` are as GitHub tells them: who decided what on which environments, in all attempts.
    """

    id: int
    workflow: str
    status: str
    conclusion: str | None = None
    on_cancel: Callable[[], object] | None = None
    actor: str = "someone"
    event: str = "push"
    head_sha: str = "0" * 40
    approvals: list[Document] = field(default_factory=list)


@dataclass
class State:
    """All of it, to be read and changed by tests. `users`, `teams` (`ORG/SLUG`) and `branches` have ids and commits."""

    repository: str
    former: str = ""  # the name that it had
    default_branch: str = "main"
    private: bool = False
    is_template: bool = False
    plan: str = "team"  # of a private repository: "free", "team" or "enterprise"; public ones have everything
    admin: bool = True  # whether the token may change settings
    immutable: bool = True  # OIDC subjects with ids, as in repositories made since 15 July 2026
    claim_keys: list[str] | None = None  # a custom OIDC subject
    environments: dict[str, Environment] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": "0" * 40})
    protected: set[str] = field(default_factory=set)  # branches with classic protection, whose rules only admins read
    rulesets: dict[str, Document] = field(default_factory=dict)  # by name
    commits: dict[str, Document] = field(default_factory=dict)
    pulls: dict[int, Document] = field(default_factory=dict)
    brought: dict[str, list[int]] = field(default_factory=dict)  # the numbers of the pull requests that have a commit
    changed: dict[str, list[str]] = field(default_factory=dict)  # files, by commit
    issues: dict[int, Document] = field(default_factory=dict)
    comments: dict[int, list[Document]] = field(default_factory=dict)  # of issues and pull requests
    workflows: set[str] = field(default_factory=lambda: set(WORKFLOWS))
    dispatched: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # workflows with their inputs
    runs: dict[int, WorkflowRun] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    shared_variables: dict[str, str] = field(default_factory=dict)  # the organisation's, which this repository may use
    users: dict[str, int] = field(default_factory=dict)
    apps: set[str] = field(default_factory=set)  # users that are programs, though their names don't end in [bot]
    teams: dict[str, int] = field(default_factory=dict)

    @property
    def page(self) -> str:
        return f"{WEB}/{self.repository}"

    @property
    def owner(self) -> str:
        return self.repository.split("/")[0]

    @property
    def has_reviewers(self) -> bool:
        """Whether required reviewers can be had (docs.github.com/actions/reference/deployments-and-environments)."""
        return not self.private or self.plan == "enterprise"

    @property
    def has_branch_policies(self) -> bool:
        return not self.private or self.plan != "free"

    def know(self, reviewer: str) -> None:
        """Make a user, or a team if there is a slash in the name."""
        (self.teams if "/" in reviewer else self.users).setdefault(reviewer, number(reviewer))

    def repository_document(self) -> Document:
        rights = {"admin": self.admin, "maintain": self.admin, "push": True, "triage": True, "pull": True}
        return {
            "id": number(self.repository),
            "name": self.repository.split("/")[1],
            "full_name": self.repository,
            "owner": {**user(self.owner, number(self.owner)), "type": "Organization"},
            "private": self.private,
            "is_template": self.is_template,
            "visibility": "private" if self.private else "public",
            "default_branch": self.default_branch,
            "html_url": self.page,
            "permissions": rights,
        }

    def environment_document(self, name: str) -> Document:
        """As GitHub shows an environment: a rule for each thing that is set, none for what is not."""
        found = self.environments[name]
        has_list = found.branches is not None
        restricted = has_list or found.protected_branches_only
        rules = {
            "wait_timer": {"wait_timer": found.wait_timer} if found.wait_timer else None,
            "required_reviewers": self._reviewers(found) if found.reviewers else None,
            "branch_policy": {} if restricted else None,
        }
        return {
            "id": number(name),
            "name": name,
            "html_url": f"{self.page}/deployments/activity_log?environments_filter={name}",
            "can_admins_bypass": found.admins_bypass,
            "protection_rules": [
                {"id": number(f"{name} {kind}"), "type": kind, **rule}
                for kind, rule in rules.items()
                if rule is not None
            ],
            "deployment_branch_policy": (
                {"protected_branches": not has_list, "custom_branch_policies": has_list} if restricted else None
            ),
        }

    def _reviewers(self, found: Environment) -> Document:
        reviewers = [
            {"type": "Team", "reviewer": team(name, self.teams[name])}
            if "/" in name
            else {"type": "User", "reviewer": user(name, self.users[name])}
            for name in found.reviewers
        ]
        return {"prevent_self_review": found.prevent_self_review, "reviewers": reviewers}

    def subject_document(self) -> Document:
        owner, name = self.repository.split("/")
        ids = f"repo:{owner}@{number(owner)}/{name}@{number(self.repository)}"
        document: Document = {
            "use_default": self.claim_keys is None,
            "use_immutable_subject": False,  # it says so although the prefix has the ids
            "sub_claim_prefix": ids if self.immutable else f"repo:{self.repository}",
        }
        return document if self.claim_keys is None else {**document, "include_claim_keys": self.claim_keys}

    def run_document(self, run: WorkflowRun) -> Document:
        return {
            "id": run.id,
            "name": run.workflow.removesuffix(".yml"),
            "path": f".github/workflows/{run.workflow}",
            "event": run.event,
            "head_sha": run.head_sha,
            "status": run.status,
            "conclusion": run.conclusion,
            "html_url": f"{self.page}/actions/runs/{run.id}",
            "actor": account(run.actor),
            "triggering_actor": account(run.actor),
            "head_branch": self.default_branch,
        }

    def approval_document(self, who: str, state: str, *environments: str) -> Document:
        known = [
            {"id": number(name), "name": name, "html_url": f"{self.page}/deployments/activity_log"}
            for name in environments
        ]
        return {"environments": known, "state": state, "user": account(who), "comment": ""}

    def pull_document(self, id: int, who: str, merged_by: str | None) -> Document:
        """With `merged_by`, which the list of a commit's pull requests leaves out."""
        return {
            "number": id,
            "html_url": f"{self.page}/pull/{id}",
            "state": "closed" if merged_by else "open",
            "user": account(who),
            "merged_at": STAMP if merged_by else None,
            "merged_by": account(merged_by) if merged_by else None,
        }

    def commit_document(
        self, sha: str, author: str | None, committer: str | None, message: str, parents: int = 1
    ) -> Document:
        return {
            "sha": sha,
            "html_url": f"{self.page}/commit/{sha}",
            "commit": {"message": message, "author": person(author), "committer": person(committer)},
            "author": account(author) if author else None,
            "committer": account(committer) if committer else None,
            "parents": [{"sha": f"{number(f'{sha} {parent}'):040x}"} for parent in range(parents)],
        }


def number(name: str) -> int:
    """An id for a name, always the same one."""
    return zlib.crc32(name.encode()) + 1


def spelled(name: str, known: Iterable[str]) -> str | None:
    """The known name that this is. Those of environments, users and teams have no case on GitHub."""
    return next((one for one in known if one.lower() == name.lower()), None)


def user(login: str, id: int) -> Document:
    return {"login": login, "id": id, "type": "User", "html_url": f"{WEB}/{login}"}


def account(login: str) -> Document:
    """A user, or by the end of its name an app's."""
    return {**user(login, number(login)), "type": "Bot" if login.endswith("[bot]") else "User"}


def team(name: str, id: int) -> Document:
    org, slug = name.split("/")
    return {"id": id, "name": slug, "slug": slug, "html_url": f"{WEB}/orgs/{org}/teams/{slug}"}


def person(login: str | None) -> Document:
    """Whom git names; GitHub finds the account by the address."""
    name = login or "somebody"
    return {"name": name, "email": f"{name}@example.org", "date": STAMP}
