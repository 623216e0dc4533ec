"""Ask one deployment, past the split and patiently: it is well, it is found bad, or it could not be asked.

The last two are never taken for one another: what was found bad is taken back, what couldn't be asked is left alone.
What may pass is asked again for PATIENCE seconds; what is still so then means:

| answer                                   | then         | because                                               |
|------------------------------------------|--------------|-------------------------------------------------------|
| none: refused, lost, cut off, no host    | couldn't ask | nobody knows what it would have answered              |
| 401, 404                                 | couldn't ask | the gateway doesn't know the key, or the route (yet)  |
| 429                                      | couldn't ask | busy with what others ask                             |
| 200 or 5xx without the deployment's name | couldn't ask | another one answered, or the gateway itself failed    |
| 5xx with its name                        | bad          | the gateway knows it, and none of its instances answers |
| 408                                      | bad          | it never answers within its own request_timeout_ms    |
| 424                                      | bad          | its container refuses or dies                         |

(The statuses: how-to-troubleshoot-online-endpoints.)

403 and redirects are no answer of it, either, but waiting cures neither. Any other status is its answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import passes
from scripts.lib.azure.scoring_client import (
    ROWS,
    SAMPLE,
    Answer,
    Body,
    Unanswered,
    alone,
    load_request,
    primary_key,
    score,
)
from scripts.lib.azure.waiting import Deadline
from scripts.lib.decisions.state import EndpointState, Refused

PATIENCE = 60.0  # seconds, for all requests to a deployment together
PASSES = frozenset({0, 401, 404, 408, 424, 429})  # and 5xx; 0 is Asker's own for no answer at all
NOT_ITS_OWN = frozenset({0, 401, 403, 404, 429})  # and redirects
Ask = Callable[[Body], Answer]


class CouldNotAsk(Refused):
    """Nobody knows what the deployment would have answered."""


class FoundBad(Refused):
    """The deployment answers wrongly, or never. `failures` has a line for each of them."""

    def __init__(self, name: str, failures: list[str]):
        super().__init__("\n  ".join([f"{name} fails the smoke test; the traffic is as it was:", *failures]))
        self.failures = failures


class Asker:
    """Sends requests to one deployment. `patience` is for all of them together: what passes in vain uses it up."""

    def __init__(self, endpoint: OnlineEndpoint, state: EndpointState, name: str, patience: float = PATIENCE):
        self.name = name
        self._endpoint, self._uri = endpoint, state.scoring_uri
        self._key = ""
        self._given, self._left = patience, patience

    def __call__(self, body: Body, final: int = 200) -> Answer:
        """Its answer; the status `final` is taken as it is, whatever it may mean. Raises CouldNotAsk."""
        deadline = Deadline(self._left)
        while (answer := self._once(body)) and self._may_pass(answer, final) and not deadline.passed:
            deadline.pause(f"{self.name}: {brief(answer)}; asking again for up to {self._given:.0f} s")
            self._left = deadline.left
        if not self._its_own(answer):
            raise CouldNotAsk(
                f"{self.name} could not be asked: {brief(answer)}. So nothing is known of its answers, and the traffic "
                "is as it was. Run this again later; show_endpoint tells how the endpoint is."
            )
        return answer

    def _once(self, body: Body) -> Answer:
        try:
            self._key = self._key or primary_key(self._endpoint)
            answer = score(self._uri, self._key, body, self.name)
        except Exception as error:
            why = str(error) if isinstance(error, Unanswered) else passes(error)
            if not why:
                raise
            return Answer(0, {}, why, 0)
        if answer.status == 401:
            self._key = ""  # somebody may have made a new one
        return answer

    def _its_own(self, answer: Answer) -> bool:
        if answer.status in NOT_ITS_OWN or 300 <= answer.status < 400:
            return False
        return answer.deployment == self.name or 400 <= answer.status < 500

    def _may_pass(self, answer: Answer, final: int) -> bool:
        if answer.status == 200 or answer.status == final:
            return not self._its_own(answer)
        return answer.status in PASSES or answer.status >= 500


def brief(answer: Answer) -> str:
    """An answer in a few words, for people."""
    if not answer.status:
        return answer.body
    by = f" by {answer.deployment}" if answer.deployment else ""
    return " ".join(f"HTTP {answer.status}{by} {answer.body[:200]}".split())


def ask(endpoint: OnlineEndpoint, state: EndpointState, name: str, patience: float = PATIENCE) -> None:
    """Ask the deployment `name` what clients ask. Raises FoundBad and CouldNotAsk, or nothing: then it is well.

    Without a tag that tells its labels an answer is right if it has one prediction for each row.
    """
    bodies = right_requests()
    failures, _ = right_input(Asker(endpoint, state, name, patience), bodies, name, labels(state, name))
    if failures:
        raise FoundBad(name, failures)


def right_requests(rows: Path = ROWS) -> list[Body]:
    """The sample request, and each row of a file alone. Ends with exit code 2 where a file is wrong."""
    sample = load_request(SAMPLE)
    alone(sample)  # of the same form
    return [sample, *alone(load_request(rows))]


def right_input(ask: Ask, bodies: list[Body], name: str, labels: list[Any] | None) -> tuple[list[str], list[float]]:
    """What is wrong with the answers to right requests, one line each, and how many seconds each answer took.

    Raises CouldNotAsk where nothing was wrong so far: what was found is found.
    """
    failures: list[str] = []
    seconds: list[float] = []
    for number, body in enumerate(bodies):
        try:
            answer = ask(body)
        except CouldNotAsk as error:
            if not failures:
                raise
            return [*failures, f"request {number}: {error}"], seconds
        found = problems(answer, len(body["input_data"]["data"]), name, labels)
        failures += [f"request {number}: {problem}" for problem in found]
        seconds.append(answer.seconds)
    return failures, seconds


def problems(answer: Answer, rows: int, name: str, labels: list[Any] | None) -> Iterator[str]:
    """What is wrong with an answer to a right request of so many rows, sent to the deployment `name`."""
    if answer.deployment != name:
        yield f"answered by {answer.deployment or 'nobody'}, not by {name}"
    if answer.status != 200:
        yield f"HTTP {answer.status}: {answer.body.strip()[:500]}"
        return
    try:
        predictions = json.loads(answer.body)
    except (ValueError, RecursionError):
        predictions = None
    if not isinstance(predictions, list) or len(predictions) != rows:
        yield f"not a list of {rows} predictions: {answer.body[:500]}"
        return
    unknown = [value for value in predictions if not any(value == x and type(value) is type(x) for x in labels or ())]
    if labels is not None and unknown:
        yield f"{json.dumps(unknown)} are none of the labels {json.dumps(labels)}"


def labels(state: EndpointState, name: str, given: str | None = None) -> list[Any] | None:
    """What a deployment may predict: what is given as JSON, else what its tag says; None without either."""
    if name not in state.deployments:
        raise Refused(f"{state.name} has no deployment {name}; it has: {', '.join(state.deployments) or 'none'}.")
    text = given or state.deployments[name].tags.get("labels")
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not found:
        raise Refused(f"{text!r} is not a JSON list of labels. Say it: smoke_test {name} --labels '[0, 1]'")
    return found
