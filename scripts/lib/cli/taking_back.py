"""A green that live traffic found bad: what is done, and what people are told of it."""

from __future__ import annotations

from typing import NoReturn

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.judging import log, undo
from scripts.lib.azure.waiting import say
from scripts.lib.decisions.canary.subject import canary
from scripts.lib.decisions.canary.verdict import Verdict
from scripts.lib.decisions.state import EndpointState, Refused
from scripts.lib.github import step_output


class Unhealthy(Refused):
    """Live traffic shows that green is worse than blue. `result` is what the command prints all the same."""

    def __init__(self, message: str, result: str = ""):
        super().__init__(message)
        self.result = result


def take_back(endpoint: OnlineEndpoint, state: EndpointState, verdict: Verdict, result: str = "") -> NoReturn:
    """Give blue all traffic at once; then show green's log. Raises Unhealthy, which says what became of it."""
    found = canary(state)
    say(f"{found.green} is unhealthy at {found.percent} %: {verdict.reason}")
    shift = undo(endpoint, found, verdict)
    say(shift.say)
    lines = log(endpoint, found.green)
    step_output.summary(f"**Taken back**: {shift.say}. The log of {found.green} says:", "    " + "\n    ".join(lines))
    say("\n".join([f"the log of {found.green}:", *lines]))
    more = f"Look with logs {found.green}; then merge a better one, which makes another deployment."
    raise Unhealthy(f"{found.green} is unhealthy at {found.percent} %: {verdict.reason}.\n{shift.say}. {more}", result)
