"""A small local GitHub: one repository's REST API on loopback, for tests and the demo. Its state is open to both.

It answers by openapi.yml. What GitHub checks and this does not: permissions one by one, secondary rate limits (`add`
lets it speak of them), who may review. Approvals and runs don't happen by themselves: whoever uses it says what does.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Container, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from azureml_emulator.faults.fault import Injected
from azureml_emulator.github.asked import Asked, Refusal
from azureml_emulator.github.faults import ANSWERS, KINDS, Disturbance, Drop, Refuse
from azureml_emulator.github.oidc import PATH, JobIdentity
from azureml_emulator.github.rate import RateLimit
from azureml_emulator.github.routes import ROUTES
from azureml_emulator.github.schema import DESCRIPTION
from azureml_emulator.github.state import Environment, State, WorkflowRun, number
from azureml_emulator.openapi import Operation

DOCS = "https://docs.github.com/rest"
WRITES = ("actions/cancel-workflow-run", "actions/create-workflow-dispatch")  # what takes no admin's right


class LocalGitHub(State):
    """`with LocalGitHub("local/rollout") as github`: listens at `github.url`, knows only the token `github.token`.

    `forbidden` holds operationIds that answer 403, `failing` those that answer another status, `faults` what was added
    to meet so many calls, `rate` how many are answered an hour; `calls` what was asked, as (method, path), and
    `answers` what was answered, as (operation, status, body), the faults' aside.
    """

    def __init__(self, repository: str = "local/rollout", **state: Any):
        super().__init__(repository, **state)
        self.token = f"ghs_{secrets.token_hex(18)}"
        self.forbidden: set[str] = set()
        self.failing: dict[str, int] = {}
        self.faults = Injected()
        self.rate = RateLimit()
        self.calls: list[tuple[str, str]] = []
        self.answers: list[tuple[Operation, int, Any]] = []
        self.lock = threading.RLock()
        self.job: JobIdentity | None = None
        self.url = ""

    def __enter__(self) -> LocalGitHub:
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.github = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environ(self) -> dict[str, str]:
        """The variables with which a script (or act) talks to it."""
        return {"GITHUB_API_URL": self.url, "GITHUB_TOKEN": self.token, "GITHUB_REPOSITORY": self.repository}

    def identify(self, subject: str, key: str, **more: Any) -> dict[str, str]:
        """Let the job with these variables ask for tokens of its own: it is `subject` from now on (JobIdentity)."""
        self.job = JobIdentity(subject, key, **more)
        return self.job.environ(self.url)

    def add_environment(
        self,
        name: str,
        reviewers: Iterable[str] = ("someone",),
        prevent_self_review: bool = True,
        admins_bypass: bool = False,
        branches: Iterable[str] | None = ("main",),
    ) -> Environment:
        """Reviewers are logins and `ORG/SLUG`s, which are made known; `branches=None` lets every branch deploy."""
        limits = None if branches is None else list(branches)
        made = Environment(list(reviewers), prevent_self_review, admins_bypass, limits)
        for reviewer in made.reviewers:
            self.know(reviewer)
        self.environments[name] = made
        return made

    def set_up(self, *reviewers: str) -> None:
        """The environments that a rollout needs, as setup_github makes them."""
        self.add_environment("production", reviewers=reviewers)
        for name in ("deploy", "rollback"):
            self.add_environment(name, reviewers=(), prevent_self_review=False)

    def add(self, kind: str, **fields: Any) -> Disturbance:
        """Add a fault, `refuse` or `drop`: `add("refuse", path="*/runs/*", like="SecondaryLimit", times=2)`."""
        fault = KINDS[kind](**fields)
        self.faults.add(fault)
        return fault

    def due(self, method: str, path: str) -> Disturbance | None:
        """The fault that meets a call."""
        with self.lock:
            return next(self.faults.due(Disturbance, method, path), None)

    def add_commit(
        self,
        sha: str,
        author: str | None = None,
        committer: str | None = "web-flow",
        message: str = "A change",
        files: Iterable[str] = ("model/train.py",),
        pulls: Iterable[int] = (),
        parents: int = 1,
    ) -> None:
        """Accounts, or None where GitHub knows none for the address in the commit; `pulls` are numbers (`add_pull`)."""
        names = [{"filename": name, "status": "modified"} for name in files]
        self.commits[sha] = {**self.commit_document(sha, author, committer, message, parents), "files": names}
        self.brought[sha] = list(pulls)

    def add_pull(self, number: int, user: str, merged_by: str | None = "somebody") -> None:
        """A pull request that `user` opened; `merged_by=None`: it is open."""
        self.pulls[number] = self.pull_document(number, user, merged_by)

    def add_run(
        self,
        workflow: str = "rollout.yml",
        run_id: int = 1,
        status: str = "in_progress",
        on_cancel: Callable[[], object] | None = None,
        **more: Any,
    ) -> WorkflowRun:
        """`on_cancel` is called, in a thread, when the run is cancelled, and calls `finish`; without one it ends."""
        self.runs[run_id] = WorkflowRun(run_id, workflow, status, on_cancel=on_cancel, **more)
        return self.runs[run_id]

    def review(self, run_id: int, who: str, environment: str = "production", state: str = "approved") -> None:
        """Somebody approves, or rejects, what waits in a run. An administrator's by-pass leaves nothing here."""
        with self.lock:
            self.runs[run_id].approvals.append(self.approval_document(who, state, environment))

    def approving(self, run_id: int, who: str, jobs: Container[str]) -> Callable[[str, object], None]:
        """GitHub's part in a run that act makes, to be called with each job's name: `who` approves each of the jobs.

        As on GitHub nobody is asked where `production` has no reviewers. Jobs are named without the call they are in.
        """
        asked: set[str] = set()

        def approve(name: str, job: object) -> None:
            if name.split("/")[-1] in jobs and name not in asked and self.environments["production"].reviewers:
                asked.add(name)
                self.review(run_id, who)

        return approve

    def finish(self, run_id: int, conclusion: str = "success") -> None:
        with self.lock:
            self.runs[run_id].status, self.runs[run_id].conclusion = "completed", conclusion

    def answer(self, method: str, target: str, authorization: str, body: bytes) -> tuple[int, Any]:
        """Status and document for one request."""
        url = urlsplit(target)
        if url.path == PATH and self.job:
            return self.job.answer(authorization, dict(parse_qsl(url.query)).get("audience", ""))
        if self.former and f"{url.path}/".lower().startswith(f"/repos/{self.former}/".lower()):
            status = 301 if method == "GET" else 307
            return status, {**_error(Refusal(status, "Moved Permanently")), "url": self._moved(target)}
        url = url._replace(
            path=url.path.replace(f"/repositories/{number(self.repository)}", f"/repos/{self.repository}")
        )
        matches = [(row, found) for row in DESCRIPTION.table if (found := row.path.fullmatch(url.path))]
        row, found = next(((row, found) for row, found in matches if row.method == method), (None, None))
        with self.lock:
            try:
                self._check(authorization)
                if not self.rate.take():
                    raise Refusal(ANSWERS["RateLimit"]["status"], ANSWERS["RateLimit"]["message"])
                if row is None or found is None:
                    raise Refusal(404)
                names = {name: unquote(part) for name, part in found.groupdict().items()}
                status, document = self._do(row, names, dict(parse_qsl(url.query)), body)
            except Refusal as refusal:
                status, document = refusal.status, _error(refusal)
        if row is not None:
            self.answers.append((row, status, document))
        return status, document

    def _moved(self, target: str) -> str:
        """Where a renamed repository is: by its id."""
        return f"{self.url}/repositories/{number(self.repository)}{target[len(f'/repos/{self.former}') :]}"

    def _check(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in {"bearer", "token"} or token != self.token:
            raise Refusal(401, "Bad credentials")

    def _do(self, row: Operation, names: dict[str, str], query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if row.name in self.failing:
            raise Refusal(self.failing[row.name], "It fails as it was told to")
        if row.name in self.forbidden:
            raise Refusal(403, "Resource not accessible by integration")
        if "repo" in names and f"{names['owner']}/{names['repo']}".lower() != self.repository.lower():
            raise Refusal(404)
        if row.method != "GET" and not self.admin and row.name not in WRITES:
            raise Refusal(403, "Must have admin rights to Repository.")
        return ROUTES[row.name](self, Asked(names, query, _json(row, body)))


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    github: LocalGitHub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        github, path = self.server.github, urlsplit(self.path).path
        github.calls.append((self.command, unquote(path)))
        fault = github.due(self.command, path)
        if fault is None or fault.when == "after":
            status, document = github.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
        if isinstance(fault, Drop):
            self.close_connection = True
        elif isinstance(fault, Refuse):
            wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            self._send(fault.status, _error(Refusal(fault.status, fault.message)), {**fault.headers, **wait})
        else:
            self._send(status, document, {"Location": document["url"]} if status in (301, 307) else {})

    def _send(self, status: int, document: Any, headers: dict[str, str]) -> None:
        sent = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**self.server.github.rate.headers(), **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if status != 204:
            self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_PUT = do_POST = do_PATCH = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: `calls` has it."""


def _json(row: Operation, body: bytes) -> Any:
    try:
        sent = json.loads(body) if body else None
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if problems := DESCRIPTION.wrong_request(row, sent):
        raise Refusal(422, "Invalid request.\n\n" + "\n".join(problems))
    return sent


def _error(refusal: Refusal) -> dict[str, str]:
    return {"message": str(refusal), "documentation_url": DOCS, "status": str(refusal.status)}
