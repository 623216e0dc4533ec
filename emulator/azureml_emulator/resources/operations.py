"""Long-running operations: accepted now, done in the background, one at a time per endpoint."""

import asyncio
import hashlib
import hmac
import logging
import sqlite3
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from azureml_emulator.arm.documents import Document, Scope, now
from azureml_emulator.arm.errors import ApiError, BadRequest, Conflict, NotFound
from azureml_emulator.arm.names import LOCATION, PROVIDER
from azureml_emulator.arm.store import Store

log = logging.getLogger(__name__)
#: The principal whose call is being answered: whoever starts an operation may read it.
CALLER: ContextVar[str] = ContextVar("CALLER", default="")
KEPT = 1000  # operations that have ended, of which one can still ask
RETRY_SECONDS = 1.0  # until an outcome that could not be written, on a full disk, is tried again


@dataclass(frozen=True)
class Work:
    """What an operation does: `accept` writes at once that it was begun, `prepare` takes its time, and then `commit`,
    or `abort` if anything failed, writes the outcome: `abort` is given the state to leave, Failed or Canceled.

    What each of them writes and the operation's own status are one transaction. `after` publishes the outcome. With an
    error to be `told`, the operation says that it ended so although all went well. What `removes` a deployment doesn't
    keep the endpoint itself from being removed.
    """

    accept: Callable[[], None] = lambda: None
    commit: Callable[[], None] = lambda: None
    abort: Callable[[str], None] = lambda state: None
    after: Callable[[], None] = lambda: None
    prepare: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)
    told: ApiError | None = None
    removes: bool = False


class Running(NamedTuple):
    task: "asyncio.Task[None]"
    removes: bool


def new_name(scope: Scope, kind: str) -> str:
    """As the service names operations: of an endpoint (kind `oeidp`) or a deployment (`odidp`)."""
    return f"{kind}:{uuid.uuid5(uuid.NAMESPACE_URL, scope.key)}:{uuid.uuid4()}"


class Operations:
    """`seconds` is how long any operation takes at least, so that a second one can meet it. `base` is the server's
    address, and `secret` what the operations' own addresses are signed with.
    """

    def __init__(self, store: Store, seconds: float, base: str = "", secret: str = ""):
        self._store = store
        self._seconds = seconds
        self._base = base
        self._secret = secret
        self._running: dict[str, Running] = {}
        self._ended: deque[str] = deque(maxlen=KEPT)
        self.disturb: Callable[[Work], Work] = lambda work: work

    def get(self, name: str) -> Document:
        found = self._store.get(f"operations/{name}")
        if found is None:
            raise NotFound(f"The operation {name} was not found.")
        return found

    def address(self, scope: Scope, name: str, version: str, kind: str = "mfeOperationsStatus") -> str:
        """Where a client finds out about an operation: with its own API version."""
        path = f"/subscriptions/{scope.subscription}/providers/{PROVIDER}/locations/{LOCATION}/{kind}/{name}"
        return f"{self._base}{path}?api-version={version}"

    def signed(self, scope: Scope, name: str, version: str, kind: str = "mfeOperationsStatus") -> str:
        """The same as the resource manager gives it in a header: with time, certificate, signature and hash."""
        return f"{self.address(scope, name, version, kind)}&{urlencode(self._seal(name, version))}"

    def check(self, name: str, query: Mapping[str, str]) -> None:
        """Raises BadRequest where the API version is missing, or is not what the address had when it was signed."""
        versions = [value for key, value in query.items() if key == "api-version"]  # of a MultiMapping: all of them
        if not versions:
            said = "The api-version query parameter (?api-version=) is required for all requests."
            raise BadRequest(said, "MissingApiVersionParameter")
        if len(versions) > 1:
            raise BadRequest(f"The api-version '{','.join(versions)}' is invalid.", "InvalidApiVersionParameter")
        seal = self._seal(name, versions[0])
        if seal.keys() & query.keys() and not seal.items() <= query.items():
            # A guess: that such an address is refused is known, not the words.
            raise BadRequest("The signature of the operation's address is not valid.", "InvalidAsyncOperationUri")

    def is_of(self, caller: str, path: str) -> bool:
        """Whether this is the address of an operation that the caller started: then it may be read, though it is the
        subscription's.
        """
        found = self._store.get(f"operations/{path.rpartition('/')[2]}") if "/mfeOperation" in path else None
        return found is not None and found.get("startedBy") == caller

    def refuse_if_busy(self, endpoint: str, what: str) -> None:
        """Raises Conflict while an operation on the endpoint or one of its deployments runs.

        That Azure answers 409 is known (azure-sdk-for-net#36961), its exact words only for creating a deployment.
        """
        if endpoint in self._running:
            raise Conflict(f"Cannot {what} in endpoint {endpoint} because it is in Updating provisioning state.")

    def removal(self, endpoint: str, what: str) -> "asyncio.Task[None] | None":
        """The operation that removes one of the endpoint's deployments, if it is that which runs. Raises Conflict."""
        if (running := self._running.get(endpoint)) and running.removes:
            return running.task
        self.refuse_if_busy(endpoint, what)
        return None

    def begin(self, endpoint: str, work: Work, name: str = "") -> str:
        """Starts the work under that name, a `new_name`, and returns it. The caller has called `refuse_if_busy`."""
        name = name or str(uuid.uuid4())
        with self._store.transaction():
            work.accept()
            self._record({"name": name, "startTime": now(), "startedBy": CALLER.get()}, "Updating")
            work = self.disturb(work)
        self._running[endpoint] = Running(asyncio.create_task(self._run(endpoint, name, work)), work.removes)
        return name

    def recover(self) -> None:
        """Ends as Failed what was in flight when the emulator stopped."""
        for operation in self._store.children("operations"):
            if operation["status"] == "Updating":
                interrupted = Conflict("The local Azure ML was stopped while this operation ran.", "Interrupted")
                self._record(operation, interrupted.outcome, interrupted)
            self._make_room()
            self._ended.append(operation["name"])

    async def close(self) -> None:
        """Cancels what runs; `recover` ends it at the next start."""
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, endpoint: str, name: str, work: Work) -> None:
        try:
            try:
                await asyncio.gather(asyncio.sleep(self._seconds), work.prepare())
                self._end(name, work.commit, work.told)
            except Exception as failure:
                await self._fail(name, work, failure)
        finally:
            if self._running[endpoint].task is asyncio.current_task():
                del self._running[endpoint]
        work.after()

    async def _fail(self, name: str, work: Work, failure: Exception) -> None:
        error = failure if isinstance(failure, ApiError) else ApiError(f"{type(failure).__name__}: {failure}")
        log.warning("operation %s failed: %s", name, error)
        while True:
            try:
                return self._end(name, lambda: work.abort(error.outcome), error)
            except sqlite3.Error as unwritten:
                log.error("operation %s cannot be ended: %s", name, unwritten)
                await asyncio.sleep(RETRY_SECONDS)

    def _end(self, name: str, write: Callable[[], None], error: ApiError | None) -> None:
        with self._store.transaction():
            write()
            self._record(self.get(name), error.outcome if error else "Succeeded", error)
            self._make_room()
        self._ended.append(name)

    def _seal(self, name: str, version: str) -> dict[str, str]:
        signature = hmac.new(self._secret.encode(), f"{name} {version}".encode(), hashlib.sha256).hexdigest()
        return {"t": "0", "c": "local", "s": signature, "h": signature[:16]}

    def _make_room(self) -> None:
        if len(self._ended) == KEPT:
            self._store.delete(f"operations/{self._ended[0]}")

    def _record(self, begun: Document, status: str, error: ApiError | None = None) -> None:
        document = {**begun, "status": status, "percentComplete": 100.0 if status == "Succeeded" else 0.0}
        if status != "Updating":
            document["endTime"] = now()
        if error:
            document["error"] = error.body
        self._store.put(f"operations/{begun['name']}", document)
