"""GitHub's REST API: what it says of one repository, and the little that is changed there.

Pages: https://docs.github.com/rest, version 2022-11-28. What is used: azureml_emulator/github/openapi.yml.
"""

from __future__ import annotations

import os
import re
import time
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from scripts.lib.decisions import ends
from scripts.lib.decisions.state import Refused
from scripts.lib.github import again, host
from scripts.lib.github.environment import Document, Environment, Policy

if TYPE_CHECKING:
    import requests

VERSION = "2022-11-28"
TIMEOUT = (10, 30)  # seconds to connect, to answer
PAGE = 30  # entries; no list allows fewer than 30 at most (variables do not allow more)
Found = TypeVar("Found")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class CannotTell(Refused):
    """GitHub did not say: not allowed, not reachable, not asked. The message says which."""


class Missing(CannotTell):
    """It is not there, or the token may not see it."""


class Denied(Refused):
    """GitHub did not do what it was asked to, and said so. `status` is the HTTP status, `reason` GitHub's words."""

    def __init__(self, what: str, status: int, reason: str):
        super().__init__(f"GitHub refused to {what} (HTTP {status}): {reason}")
        self.status = status
        self.reason = reason

    @property
    def for_lack_of_plan(self) -> bool:
        """Whether it is something that this repository's owner has not paid for, by the words that GitHub uses."""
        return "billing plan" in self.reason or "Upgrade to GitHub" in self.reason


class Unreached(CannotTell):
    """GitHub is out of order, or asked too much: later it may tell."""

    exit_code = ends.UNREACHED


class GitHub:
    """One repository, as a token sees it. Every method raises CannotTell; those that change something Denied, too."""

    def __init__(self, repository: str, token: str, url: str = host.API):
        if not REPOSITORY.fullmatch(repository):
            raise CannotTell(f"{repository!r} is no repository: set GITHUB_REPOSITORY to OWNER/NAME.")
        if not re.fullmatch(r"[!-~]+", token.strip()):
            raise CannotTell("what is given as GitHub's token is none: it has spaces or other odd characters.")
        self.repository = repository
        self._token = token.strip()
        self._url = url.rstrip("/")
        self._patience = again.PATIENCE

    @classmethod
    def here(cls, repository: str | None = None) -> GitHub:
        """The repository of the workflow or of the folder we are in, with the token of the environment."""
        name = named(repository)
        if not token_name():
            raise CannotTell("no token for GitHub: set GITHUB_TOKEN (on a laptop: GH_TOKEN=$(gh auth token)).")
        if not (url := host.api()):
            raise CannotTell(f"which GitHub is {host.server()}? Set GITHUB_API_URL.")
        return cls(name, os.environ[token_name()], url)

    def facts(self) -> Document:
        """The repository itself: `default_branch`, `private`, `html_url`, `permissions` of the token.

        From then on it goes by its present name: one that was renamed answers to its old name, but takes no change.
        """
        found = self._get("")
        self.repository = str(found.get("full_name") or self.repository)
        return found

    @property
    def page(self) -> str:
        return page(self.repository)

    def environment(self, name: str) -> Environment | None:
        """None where nobody has made it. `policies` is empty: a list of them is asked for by `branch_policies`."""
        found = self._find(f"/environments/{_part(name)}")
        return Environment.parse(found) if found is not None else None

    def branch_policies(self, environment: str) -> list[Policy]:
        """Patterns of the branches and tags that may deploy, where the environment has such a list."""
        found = self._all(f"/environments/{_part(environment)}/deployment-branch-policies", "branch_policies")
        return [Policy(one["name"], one.get("type") or "branch", one["id"]) for one in found]

    def apps(self, environment: str) -> list[str]:
        """The apps that must let a job into an environment, too (custom deployment protection rules)."""
        found = self._get(f"/environments/{_part(environment)}/deployment_protection_rules")
        return [one["app"]["slug"] for one in found["custom_deployment_protection_rules"] if one.get("enabled", True)]

    def environment_variables(self, environment: str) -> dict[str, str]:
        """The variables that hide the repository's in an environment's jobs. A workflow's token can't read them."""
        found = self._all(f"/environments/{_part(environment)}/variables", "variables")
        return {one["name"]: one["value"] for one in found}

    def branch(self, name: str) -> Document | None:
        return self._find(f"/branches/{_part(name)}")

    def rules(self, branch: str) -> list[Document]:
        """What active rulesets demand of a branch, each with its `type`; classic branch protection is not among it."""
        return self._list(f"/rules/branches/{_part(branch)}", per_page=100)

    def rulesets(self) -> dict[str, int]:
        """The ids of the repository's own rulesets, by name."""
        return {one["name"]: one["id"] for one in self._list("/rulesets", includes_parents="false", per_page=100)}

    def add_ruleset(self, body: Document) -> None:
        self._write("POST", "/rulesets", f"make the ruleset “{body['name']}”", body)

    def commit(self, sha: str) -> Document | None:
        """`author` and `committer` are accounts, None where GitHub knows none for the address in the commit."""
        return self._find(f"/commits/{_part(sha)}", missing=(404, 422))

    def pulls_of(self, sha: str) -> list[Document]:
        """The pull requests that have the commit: `user`, `number`, `merged_at`. `merged_by` is in `pull` alone."""
        return self._list(f"/commits/{_part(sha)}/pulls")

    def pull(self, number: int) -> Document:
        return self._get(f"/pulls/{number}")

    def compare(self, base: str, head: str) -> list[Document]:
        """The commits that `head` has and `base` doesn't, oldest first."""
        return self._all(f"/compare/{_part(base)}...{_part(head)}", "commits")

    def changed(self, base: str, head: str) -> list[str]:
        """The files that differ since `base`, at most 300: GitHub tells no more."""
        return [one["filename"] for one in self._get(f"/compare/{_part(base)}...{_part(head)}").get("files", ())]

    def subject_prefix(self) -> str:
        """What the subject of this repository's OIDC tokens begins with; `:environment:NAME` follows.

        The prefix is authoritative: it may hold ids although `use_immutable_subject` says false
        (actions/oidc#get-the-customization-template-for-an-oidc-subject-claim-for-a-repository).
        """
        found = self._get("/actions/oidc/customization/sub")
        if not found.get("use_default"):
            keys = ", ".join(found.get("include_claim_keys", ()))
            raise CannotTell(f"the repository's OIDC subject is a custom one, made of {keys}: compose it by hand.")
        if not found.get("sub_claim_prefix"):
            raise CannotTell("GitHub names no prefix of the OIDC subject: read it in the log of a failed azure/login.")
        return str(found["sub_claim_prefix"])

    def runs(self, workflow: str, status: str) -> list[Document]:
        """Runs of a workflow file (its name, `rollout.yml`) in a status (`in_progress`, `waiting`, …)."""
        return self._all(f"/actions/workflows/{_part(workflow)}/runs", "workflow_runs", status=status)

    def newest_runs(self, workflow: str, branch: str) -> list[Document]:
        """The newest hundred runs of a workflow file on a branch, the last one first."""
        path = f"/actions/workflows/{_part(workflow)}/runs"
        return list(self._get(path, branch=branch, per_page=100)["workflow_runs"])

    def run(self, run_id: int) -> Document:
        """`status`, `conclusion`, `html_url`, `path`, `actor`, `triggering_actor` of a run."""
        return self._get(f"/actions/runs/{run_id}")

    def approvals(self, run_id: int) -> list[Document]:
        """Who decided what on which `environments` of a run, of its earlier attempts, too: neither job nor time."""
        return self._list(f"/actions/runs/{run_id}/approvals")

    def cancel(self, run_id: int) -> None:
        """Ask a run to end; it takes a while. One that is over, or can't be cancelled yet, is 409."""
        self._write("POST", f"/actions/runs/{run_id}/cancel", f"cancel run {run_id}")

    def issues(self, label: str) -> list[Document]:
        """The open issues with a label; pull requests, which GitHub counts among them, are left out.

        Raises Missing where the repository has issues disabled, too.
        """
        found = self._list("/issues", (404, 410), labels=label, state="open", per_page=PAGE)
        return [one for one in found if "pull_request" not in one]

    def open_issue(self, body: Document) -> Document:
        return self._write("POST", "/issues", f"open the issue “{body['title']}”", body)

    def change_issue(self, number: int, body: Document) -> Document:
        return self._write("PATCH", f"/issues/{number}", f"change issue {number}", body)

    def comments(self, number: int) -> list[Document]:
        """The first hundred of an issue or a pull request, oldest first."""
        return self._list(f"/issues/{number}/comments", per_page=100)

    def comment(self, number: int, text: str) -> None:
        self._write("POST", f"/issues/{number}/comments", f"comment on {number}", {"body": text})

    def variables(self) -> dict[str, str]:
        """What `vars` holds: the organisation's, and the repository's own. A workflow's token may not read them."""
        try:
            shared = self._all("/actions/organization-variables", "variables")
        except Missing:  # it is a person's repository
            shared = []
        return {found["name"]: found["value"] for found in shared + self._all("/actions/variables", "variables")}

    def set_variable(self, name: str, value: str) -> None:
        """Create or change a variable."""
        what, body = f"set the variable {name}", {"name": name, "value": value}
        try:
            self._write("POST", "/actions/variables", what, body)
        except Denied as denied:
            if denied.status != 409:
                raise
            self._write("PATCH", f"/actions/variables/{_part(name)}", what, body)

    def put_environment(self, name: str, body: Document) -> None:
        """Create or replace an environment: what the body leaves out is taken away."""
        self._write("PUT", f"/environments/{_part(name)}", f"set up the environment {name}", body)

    def add_branch_policy(self, environment: str, name: str) -> None:
        """Let branches of this name deploy; one that is there already is no error."""
        path = f"/environments/{_part(environment)}/deployment-branch-policies"
        self._write("POST", path, f"let {name} deploy to {environment}", {"name": name, "type": "branch"}, over=(303,))

    def user(self, login: str) -> Document | None:
        return self._find(f"/users/{_part(login)}", root="")

    def team(self, organisation: str, slug: str) -> Document | None:
        """None as well where the token may not read the organisation's teams."""
        return self._find(f"/orgs/{_part(organisation)}/teams/{_part(slug)}", root="")

    def _get(self, path: str, **query: Any) -> Document:
        return _there(self._find(path, **query), self.repository + path)

    def _list(self, path: str, missing: tuple[int, ...] = (404,), **query: Any) -> list[Document]:
        """A whole list that GitHub gives bare, in one piece."""
        response = _there(self._ask(f"/repos/{self.repository}{path}", missing, **query), self.repository + path)
        return _content(response, list)

    def _find(
        self, path: str, root: str | None = None, missing: tuple[int, ...] = (404,), **query: Any
    ) -> Document | None:
        root = f"/repos/{self.repository}" if root is None else root
        response = self._ask(root + path, missing, **query)
        return None if response is None else _content(response, dict)

    def _ask(self, path: str, missing: tuple[int, ...] = (404,), **query: Any) -> requests.Response | None:
        response = self._send("GET", path, params=query)
        if response.status_code in missing:
            return None
        if not response.ok:
            kind = Unreached if again.limited(response) or response.status_code >= 500 else CannotTell
            raise kind(f"GitHub did not answer (HTTP {response.status_code}, {path}): {_why(response)}")
        return response

    def _all(self, path: str, key: str, **query: Any) -> list[Document]:
        found: list[Document] = []
        for page in range(1, 1000):
            part = self._get(path, **query, per_page=PAGE, page=page)
            found += part[key]
            if len(part[key]) < PAGE:
                break
        return found

    def _write(self, method: str, path: str, what: str, body: Any = None, over: tuple[int, ...] = ()) -> Document:
        response = self._send(method, f"/repos/{self.repository}{path}", json=body, allow_redirects=False)
        status = response.status_code
        if status >= 500:
            raise Unreached(f"GitHub may or may not have done it, {what} (HTTP {status}): {_why(response)}")
        if status >= 300 and status not in over:
            raise Denied(what, status, _why(response))
        return dict(response.json()) if response.content and status < 300 else {}

    def _send(self, method: str, path: str, **more: Any) -> requests.Response:
        """The answer. A question is asked again while that may help: a rollout must not stop for one lost answer."""
        import requests

        lost: Exception | None = None
        response: requests.Response | None
        for tries in count():
            started = time.monotonic()
            try:
                response = self._session.request(method, self._url + path, timeout=TIMEOUT, **more)
            except requests.RequestException as error:
                response, lost = None, error
            wrong = response is None and isinstance(lost, ValueError)  # an address that is none
            pause = again.pause(response, tries) if method == "GET" and not wrong else None
            if pause is None or pause > self._patience:
                break
            self._patience -= pause + time.monotonic() - started
            why = "is not reached" if response is None else f"answers {response.status_code}"
            click.echo(f"GitHub {why}; asking again in {pause:.0f} s", err=True)
            time.sleep(pause)
        if response is None:
            raise CannotTell(f"GitHub's API can't be reached at {self._url} ({type(lost).__name__}).") from lost
        return response

    @cached_property
    def _session(self) -> requests.Session:
        import requests

        session = requests.Session()
        session.auth = self._sign
        session.headers.update({"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION})
        return session

    def _sign(self, request: Any) -> Any:
        """As `auth`, not as a header: requests would put what ~/.netrc says in its place."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def named(repository: str | None = None) -> str:
    """The repository of the workflow or of the folder we are in, unless another is given. Raises CannotTell."""
    if name := repository or os.environ.get("GITHUB_REPOSITORY") or host.origin()[1]:
        return name
    raise CannotTell("which repository? Set GITHUB_REPOSITORY to OWNER/NAME.")


def token_name() -> str:
    """The variable that the token comes from, as `gh` does it: Codespaces set the second by themselves. "" for none."""
    return next((name for name in ("GH_TOKEN", "GITHUB_TOKEN") if os.environ.get(name)), "")


def page(repository: str) -> str:
    """A repository's page."""
    return f"{host.server()}/{repository}"


def _part(text: str) -> str:
    """A name as one part of a path: an environment's or a branch's may have slashes."""
    return quote(text, safe="")


def _there(found: Found | None, what: str) -> Found:
    if found is None:
        raise Missing(f"GitHub has no {what}, or the token may not see it.")
    return found


def _content(response: requests.Response, kind: type[Found]) -> Found:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise CannotTell(f"what answers at {response.url} is not GitHub's API")
    return found


def _why(response: requests.Response) -> str:
    """GitHub's words; what they don't say, in ours."""
    try:
        said = str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        said = response.reason
    if response.status_code == 401:
        return f"{said}. The token is wrong or has expired{_from()}."
    if response.status_code == 403 and not again.limited(response):
        return f"{said}. The token lacks a permission{_from()}."
    return said


def _from() -> str:
    return f" (it is {token_name()}'s)" if token_name() else ""
