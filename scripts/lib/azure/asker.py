"""Sends requests to one deployment, past the split, or by it, and patiently: it answers, or it could not be asked.

The two are never taken for one another: what was found bad is taken back, what couldn't be asked is left alone.
What may pass is asked again for PATIENCE seconds, by smoke_test and invoke for longer where it is minutes old
(ARRIVAL); what is still so then means:

| answer                                   | then         | because                                               |
|------------------------------------------|--------------|-------------------------------------------------------|
| none: refused, lost, cut off, no host    | couldn't ask | nobody knows what it would have answered              |
| 401, 404                                 | couldn't ask | the gateway doesn't know the login, or the route (yet) |
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

from datetime import datetime, timedelta, timezone

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import passes
from scripts.lib.azure.scoring_client import LONGEST, Answer, Unanswered, bearer, score
from scripts.lib.azure.waiting import Deadline
from scripts.lib.decisions import ends
from scripts.lib.decisions.requests import Body
from scripts.lib.decisions.state import EndpointState, Refused

LOG = "Its log says why: python -m scripts.logs {}"  # of a 424: what its container said
PATIENCE = 60.0  # seconds, for all requests to a deployment together
ARRIVAL = 5  # times that, where it is new: until gateway and name service know it
NEW = timedelta(minutes=30)
ON_THE_WAY = frozenset({0, 401, 404})  # what those say of one that they don't know yet
PASSES = frozenset({0, 401, 404, 408, 424, 429})  # and 5xx; 0 is Asker's own for no answer at all
ITS_OWN = frozenset({400, 408, 413, 415, 422, 424})  # also where nobody is named: only a container says so
NOT_ITS_OWN = frozenset({0, 401, 403, 404, 429})  # and redirects


class CouldNotAsk(Refused):
    """Nobody knows what the deployment would have answered."""

    exit_code = ends.UNREACHED


class Asker:
    """Sends requests to one deployment, or, without a name, to whoever has traffic.

    `patience` is for all of them together: what passes in vain uses it up. `arrives`: it may be on its way still.
    """

    def __init__(
        self,
        endpoint: OnlineEndpoint,
        state: EndpointState,
        name: str | None,
        patience: float = PATIENCE,
        arrives: bool = False,
    ):
        self.name, self._called = name, name or state.name
        self._endpoint, self._uri = endpoint, state.scoring_uri
        self._token = ""
        self._limit = _limit(state, name)
        longer = ARRIVAL if arrives and _new(state, name) else 1
        self._left = {False: patience, True: patience * longer}  # by whether what is said is ON_THE_WAY
        self._given = dict(self._left)

    def __call__(self, body: Body, final: int = 200) -> Answer:
        """Its answer; the status `final` is taken as it is, whatever it may mean. Raises CouldNotAsk."""
        deadlines = {on_the_way: Deadline(seconds) for on_the_way, seconds in self._left.items()}
        while self._may_pass(answer := self._once(body), final):
            kind = answer.status in ON_THE_WAY
            if deadlines[kind].passed:
                break
            deadlines[kind].pause(f"{self._called}: {brief(answer)}; asking again for up to {self._given[kind]:.0f} s")
            self._left[kind] = deadlines[kind].left
        if not self._its_own(answer):
            right = " The login needs the right onlineEndpoints/score/action." * (answer.status == 403)
            raise CouldNotAsk(
                f"{self._called} could not be asked: {brief(answer)}.{right} So nothing is known of its answers, and "
                "the traffic is as it was. Run this again later; show_endpoint tells how the endpoint is."
            )
        return answer

    def _once(self, body: Body) -> Answer:
        try:
            self._token = self._token or bearer(self._endpoint)
            answer = score(self._uri, self._token, body, self.name, self._limit)
        except Exception as error:
            why = str(error) if isinstance(error, Unanswered) else passes(error)
            if not why:
                raise
            return Answer(0, {}, why, 0)
        if answer.status == 401:
            self._token = ""  # it may have expired, or somebody has made a new key
        return answer

    def _its_own(self, answer: Answer) -> bool:
        if answer.status in NOT_ITS_OWN or 300 <= answer.status < 400:
            return False
        named = answer.deployment == self.name if self.name else answer.deployment or answer.status == 200
        return bool(named) or answer.status in ITS_OWN

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


def _new(state: EndpointState, name: str | None) -> bool:
    """Whether a deployment, or where none is named any of them, was made within NEW."""
    made = [d.created for d in state.deployments.values() if d.created and name in (None, d.name)]
    return any(datetime.now(timezone.utc) - datetime.fromisoformat(created) < NEW for created in made)


def _limit(state: EndpointState, name: str | None) -> float:
    """Within how many seconds a deployment answers, by its settings."""
    fields = state.deployments[name].fields if name and name in state.deployments else {}
    milliseconds = str(fields.get("request_settings.request_timeout_ms", ""))
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else LONGEST
