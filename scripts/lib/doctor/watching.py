"""What is seen of live traffic, judged: at once, while a rollout waits, and afterwards. Pure, and nothing is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.lib.decisions.canary import outlook
from scripts.lib.decisions.canary.points import Usual
from scripts.lib.decisions.canary.policy import RolloutPolicy
from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, listed, ok
from scripts.lib.setup.rights import MONITORING
from scripts.lib.setup.watching import TRAFFIC_LOG

Documents = Sequence[Mapping[str, Any]]
WATCHED = {"failures": "RequestsPerMinute", "latency": "RequestLatency"}
"""How the metric begins that tells of it."""
BOTH = re.compile(r"allLogs|audit", re.IGNORECASE)  # groups of logs that the traffic log is in


def evidence(policy: RolloutPolicy, shares: Sequence[int], usual: Usual | Unknown) -> Iterator[Finding]:
    """What each stage of a rollout can notice, and how soon, at as much traffic as there was in the last hour."""
    if isinstance(usual, Unknown):
        yield cannot_tell("evidence", f"how much traffic there is: {usual}")
    elif not usual.requests:
        yield ok("evidence", "nobody asked in the last hour: at no traffic nothing is noticed, the reviewer decides.")
    else:
        rate = float(f"{usual.requests:.3g}")
        for number, percent in enumerate(shares, 1):
            yield ok(f"evidence at {percent} %", f"{outlook.sentence(policy, shares[:number], rate)}.")


def source(found: str | Unknown) -> Finding:
    """Who tells this login of it; a rollout's own may have other rights."""
    return cannot_tell("live traffic", found) if isinstance(found, Unknown) else ok("live traffic", f"told by {found}")


def alerts(found: Documents | Unknown, endpoint: str, policy: RolloutPolicy, usual: Usual | Unknown) -> Finding:
    """Whether alerts tell somebody once nobody looks at the endpoint (its id) any more; `found` are the group's."""
    if isinstance(found, Unknown):
        return cannot_tell("alerts", f"{found}", f"Who is {MONITORING} of the resource group may look.")
    budget = policy.at(100).latency_budget
    watched = {what: list(_on(found, endpoint, metric)) for what, metric in WATCHED.items()}
    say = [f"{what}: {', '.join(names)}" for what, names in watched.items() if names]
    lacking = [what for what, names in watched.items() if not names and (what == "failures" or budget)]
    if lacking:
        say += [f"no alert tells of {' or '.join(lacking)} after a rollout"]
    return ok("alerts", f"{'; '.join(say)}.", f"Run what `{_command(policy, usual, budget)}` prints." * bool(lacking))


def logs(found: Documents | Unknown) -> Finding:
    """Whether a setting of the endpoint sends the log of its requests to a workspace."""
    if isinstance(found, Unknown):
        return cannot_tell("traffic log", found)
    if sending := sent_to(found):
        return ok("traffic log", f"{listed(sending)} sends it to a workspace.")
    mend = "Run what `python -m scripts.setup_github --watch --log-workspace ID` prints."
    return ok("traffic log", "it is sent nowhere: what a request was answered is told in metrics alone.", mend)


def sent_to(found: Documents | Unknown) -> dict[str, str]:
    """The ids of the workspaces that get the log of requests, by the settings' names; none where it isn't told."""
    known = () if isinstance(found, Unknown) else found
    sent = {one["name"]: one["properties"].get("workspaceId") for one in known if any(_sends(one["properties"]))}
    return {name: id for name, id in sent.items() if id}


def _on(found: Documents, endpoint: str, metric: str) -> Iterator[str]:
    """The names of the alerts that are on."""
    for one in found:
        its = one["properties"]
        criteria = (its.get("criteria") or {}).get("allOf") or []
        about = {str(name).lower() for name in its.get("scopes") or []}
        names = [str(criterion.get("metricName", "")) for criterion in criteria]
        if its.get("enabled") and endpoint.lower() in about and any(name.startswith(metric) for name in names):
            yield one["name"]


def _sends(setting: Mapping[str, Any]) -> Iterator[bool]:
    for log in setting.get("logs") or []:
        in_a_group = BOTH.fullmatch(log.get("categoryGroup") or "")
        yield bool(log.get("enabled") and (log.get("category") == TRAFFIC_LOG or in_a_group))


def _command(policy: RolloutPolicy, usual: Usual | Unknown, budget: float | None) -> str:
    """With thresholds that are above what the endpoint is like now by as much as the policy bears."""
    options = ["python -m scripts.setup_github --watch"]
    if not isinstance(usual, Unknown) and usual.requests:
        options += [f"--failing {usual.failures + policy.at(100).tolerated_rise * usual.requests:.2f}"]
        options += [f"--latency {budget * usual.p90:.0f}"] if budget and usual.p90 else []
    return " ".join(options)
