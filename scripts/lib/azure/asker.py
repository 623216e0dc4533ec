"""Sends requests to one deployment, past the split and patiently: it answers, or it could not be asked.

The two are never taken for one another: what was found bad is taken back, what couldn't be asked is left alone.
What may pass is asked again for PATIENCE seconds; what is still so then means:

| answer                                   | then         | because                                               |
|------------------------------------------|--------------|-------------------------------------------------------|
| none: refused, lost, cut off, no host    | couldn't ask | nobody knows what it would have answered              |
| 401, 404                                 | couldn't ask | the gateway doesn't know the key, or the route (yet)  |
| 429                                      | couldn't ask | busy with what others ask                             |
| 200 or 5xx without the deployment's name | couldn't ask | another one answered, or the gateway itself failed    |
| another 4xx without its name             | couldn't ask | only a container refuses what it is sent (ITS_OWN)    |
| 5xx with its name                        | bad          | the gateway knows it, and none of its instances answers |
| 408                                      | bad          | it never answers within its own request_timeout_ms    |
| 424                                      | bad          | its container refuses or dies                         |

(The statuses: how-to-troubleshoot-online-endpoints.)

403, redirects and such a 4xx are no answer of it, either, but waiting cures none. Any other status is its answer.
"""

from __future__ import annotations

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import passes
from scripts.lib.azure.scoring_client import LONGEST, Answer, Body, Unanswered, primary_key, score
from scripts.lib.azure.waiting import Deadline
from scripts.lib.decisions.state import EndpointState, Refused

PATIENCE = 60.0  # seconds, for all requests to a deployment together
PASSES = frozenset({0, 401, 404, 408, 424, 429})  # and 5xx; 0 is Asker's own for no answer at all
ITS_OWN = frozenset({400, 408, 413, 415, 422, 424})  # also where nobody is named: only a container says so
NOT_ITS_OWN = frozenset({0, 401, 403, 404, 429})  # and redirects


class CouldNotAsk(Refused):
    """Nobody knows what the deployment would have answered."""


class Asker:
    """Sends requests to one deployment. `patience` is for all of them together: what passes in vain uses it up."""

    def __init__(self, endpoint: OnlineEndpoint, state: EndpointState, name: str, patience: float = PATIENCE):
        self.name = name
        self._endpoint, self._uri = endpoint, state.scoring_uri
        self._key = ""
        self._limit = _limit(state, name)
        self._given, self._left = patience, patience

    def __call__(self, body: Body, final: int = 200) -> Answer:
        """Its answer; the status `final` is taken as it is, whatever it may mean. Raises CouldNotAsk."""
        deadline = Deadline(self._left)
        while self._may_pass(answer := self._once(body), final) and not deadline.passed:
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
            answer = score(self._uri, self._key, body, self.name, self._limit)
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
        return answer.deployment == self.name or answer.status in ITS_OWN

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


def _limit(state: EndpointState, name: str) -> float:
    """Within how many seconds a deployment answers, by its settings."""
    fields = state.deployments[name].fields if name in state.deployments else {}
    milliseconds = str(fields.get("request_settings.request_timeout_ms", ""))
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else LONGEST
