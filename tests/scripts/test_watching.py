"""What the doctor says of live traffic: what a stage can notice, and who watches once the rollout is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from azureml_emulator.testing import alert, traffic_log
from scripts.lib.decisions.canary.outlook import sentence
from scripts.lib.decisions.canary.points import Point, Usual, usual
from scripts.lib.decisions.canary.policy import RolloutPolicy
from scripts.lib.doctor.finding import CANNOT_TELL, OK, Unknown
from scripts.lib.doctor.watching import alerts, evidence, logs
from scripts.lib.github.triggers import shares

POLICY = RolloutPolicy()
UNJUDGED = replace(POLICY, stages={100: replace(POLICY.at(100), latency_budget=None)})
ENDPOINT = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e"
)
BUSY = Usual(600.0, 1.2, 120.4)
UNKNOWN = Unknown("no right to read it")
LATENCY = "RequestLatency_P90"
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def named(name: str, document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "name": name}


def test_each_stage_says_what_it_notices() -> None:
    """Each of the rollout's, also one that the policy doesn't list, with what is left of its alpha; at the rate of the
    last hour, which nobody needs to the last digit.
    """
    found = list(evidence(POLICY, [10, 25, 100], replace(BUSY, requests=599.98)))

    assert [(one.name, one.verdict) for one in found] == [(f"evidence at {at} %", OK) for at in (10, 25, 100)]
    assert found[1].say == f"{sentence(POLICY, [10, 25], 600)}." != f"{sentence(POLICY, [25], 600)}."


def test_the_stages_are_the_rollout_s() -> None:
    """Those that rollout.yml offers to stop after, which are stages.yml's."""
    assert shares() == [10, 50, 100]


@pytest.mark.parametrize(
    ("known", "verdict", "say"), [(UNKNOWN, CANNOT_TELL, "no right to read it"), (Usual(), OK, "nobody asked")]
)
def test_no_traffic_is_not_no_metrics(known: Usual | Unknown, verdict: str, say: str) -> None:
    """Both are said, and neither is wrong."""
    [found] = evidence(POLICY, [10], known)

    assert found.verdict == verdict and say in found.say


@pytest.mark.parametrize(
    ("there", "policy", "usual", "say", "mend"),
    [
        ([], POLICY, BUSY, "no alert tells of failures or latency", "--watch --failing 7.20 --latency 181`"),
        ([], POLICY, Usual(), "no alert tells of failures or latency", "--watch`"),
        ([], POLICY, UNKNOWN, "no alert tells of failures or latency", "--watch`"),
        ([], UNJUDGED, BUSY, "no alert tells of failures after", "--watch --failing 7.20`"),
        ([alert(ENDPOINT)], UNJUDGED, BUSY, "failures: a0.", ""),
        ([alert(ENDPOINT)], POLICY, BUSY, "failures: a0; no alert tells of latency", "--latency 181`"),
        ([alert(ENDPOINT, LATENCY)], POLICY, BUSY, "latency: a0; no alert tells of failures", "--failing 7.20"),
        ([*[alert(ENDPOINT)] * 2, alert(ENDPOINT, LATENCY)], POLICY, BUSY, "failures: a0, a1; latency: a2.", ""),
        ([alert(ENDPOINT.upper())], UNJUDGED, BUSY, "failures: a0.", ""),
        ([alert(f"{ENDPOINT}-2")], UNJUDGED, BUSY, "no alert", "--watch"),
        ([alert(ENDPOINT.rpartition("/onlineEndpoints")[0])], UNJUDGED, BUSY, "no alert", "--watch"),
        ([alert(ENDPOINT, enabled=False)], UNJUDGED, BUSY, "no alert", "--watch"),
        ([alert(ENDPOINT, "ConnectionsActive")], UNJUDGED, BUSY, "no alert", "--watch"),
        ([alert(ENDPOINT, criteria={"webTestId": "w"})], UNJUDGED, BUSY, "no alert", "--watch"),
    ],
)  # fmt: skip
def test_who_is_alerted(
    there: list[dict[str, Any]], policy: RolloutPolicy, usual: Usual | Unknown, say: str, mend: str
) -> None:
    """Alerts that are on, on this very endpoint, whoever made them; else the command, with thresholds as measured."""
    found = alerts([named(f"a{number}", one) for number, one in enumerate(there)], ENDPOINT, policy, usual)

    assert found.verdict == OK
    assert say in found.say
    assert mend in found.mend and bool(mend) == bool(found.mend)


@pytest.mark.parametrize(
    ("setting", "sent"),
    [
        (traffic_log("w"), True),
        (traffic_log("w", category=None, categoryGroup="allLogs"), True),
        (traffic_log("w", enabled=False), False),
        (traffic_log("w", category="AmlOnlineEndpointConsoleLog"), False),
        (traffic_log(""), False),
        ({"properties": {"workspaceId": "w", "logs": None}}, False),
    ],
)
def test_where_the_traffic_log_goes(setting: dict[str, Any], sent: bool) -> None:
    """A setting counts that sends it, by its name or with all logs, to a workspace."""
    found = logs([named("x", setting)])

    assert (found.verdict, "`x`" in found.say) == (OK, sent)
    assert ("--log-workspace" in found.mend) is not sent


def test_what_may_not_be_read_is_said() -> None:
    """And that of alerts another role tells than that of the workspace."""
    unseen = alerts(UNKNOWN, ENDPOINT, POLICY, BUSY)

    assert {unseen.verdict, logs(UNKNOWN).verdict} == {CANNOT_TELL}
    assert "Monitoring Reader of the resource group" in unseen.mend


def test_usual_is_what_all_deployments_had() -> None:
    """The mean of the minutes, those without a request, too; failures as the judgement counts them; the middle P90."""
    counts = [
        ("blue", 60.0, "200", ""),
        ("green", 6.0, "424", "500"),
        ("green", 6.0, "424", "400"),
        ("blue", 6.0, "503", ""),
    ]
    points = [Point(name, NOON, value, status=status, model_status=model) for name, value, status, model in counts]
    latencies = [Point("blue", NOON, value, "P90") for value in (1.0, 100.0, 120.0)]

    assert usual([*points, *latencies], 60) == Usual(1.3, 0.2, 100.0)
    assert usual([], 60) == Usual()
