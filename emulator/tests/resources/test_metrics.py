"""What Azure Monitor tells of an endpoint's traffic, as the SDK reads it, and when."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.arm.names import ROLLOUT, SUBSCRIPTION
from azureml_emulator.faults.client import Faults
from azureml_emulator.process import running
from azureml_emulator.resources.roles import IDS
from azureml_emulator.serving.traffic import KEPT, Report, Traffic
from azureml_emulator.testing import Arm, toy_model
from tests.support.served import register, serve
from tests.support.watched import MINUTE, now, send, wait

KIND = "Microsoft.Insights/metrics"
ENDPOINT = f"onlineEndpoints/watched/providers/{KIND}"
STATUSES = "deployment eq '*' and statusCode eq '*' and modelStatusCode eq '*'"


def told(arm: Arm, minutes: int = 30, names: str = "RequestsPerMinute", **more: Any) -> Any:
    """What the SDK makes of the answer."""
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.monitor import MonitorManagementClient

    client = MonitorManagementClient(
        DefaultAzureCredential(), SUBSCRIPTION, arm.base, credential_scopes=["https://management.local/.default"]
    )
    end = now(arm)
    timespan = "/".join(at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (end - timedelta(minutes=minutes), end))
    return client.metrics.list(
        f"{arm.workspace}/onlineEndpoints/watched".lstrip("/"),
        **{"timespan": timespan, "interval": "PT1M", "metricnames": names, "aggregation": "Average", **more},
    )


def sums(answer: Any) -> dict[tuple[str, ...], float]:
    """All points of each series, by the values of its dimensions."""
    return {
        tuple(pair.value for pair in series.metadatavalues): sum(point.average for point in series.data)
        for series in answer.value[0].timeseries
    }


def test_a_request_is_told_of_by_deployment_and_statuses(fast: Arm) -> None:
    """Two minutes after its minute every request has been counted; a combination that never was has no series."""
    before = sums(told(fast, filter=STATUSES))
    send(fast, "blue", 7)
    send(fast, "green", 5)
    bad = send(fast, "green", 2, {"input_data": "no table"})
    wait(4)

    found = sums(told(fast, filter=STATUSES))

    assert [answer.status_code for answer in bad] == [424, 424]
    more = {key: value - before.get(key, 0) for key, value in found.items()}
    refused = bad[0].headers["ms-azureml-model-error-statuscode"]
    assert {key: value for key, value in more.items() if value} == {
        ("blue", "200", "200"): 7, ("green", "200", "200"): 5, ("green", "424", refused): 2,
    }  # fmt: skip
    assert not [key for key in found if key[0] == "blue" and key[1] != "200"]


def test_newest_minutes_grow(fast: Arm) -> None:
    """A minute's requests are told of bit by bit, the last of them two minutes after it has ended."""
    before = sum(sums(told(fast)).values())
    send(fast, "blue", 9)
    seen = []
    for _ in range(40):
        seen.append(sum(sums(told(fast)).values()) - before)
        time.sleep(MINUTE / 8)

    assert seen[0] == 0
    assert seen[-1] == 9
    assert sorted(seen) == seen
    assert any(0 < some < 9 for some in seen), seen


def test_form_is_azures(fast: Arm) -> None:
    """Dimensions come back in lower case, each minute of the timespan has a point; a latency's unit is spelt so."""
    send(fast, "blue", 3)
    wait(4)
    answer = told(fast, 20, "RequestLatency_P50,RequestLatency_P99,RequestLatency", filter="Deployment eq 'BLUE'")

    assert [metric.name.value for metric in answer.value] == [
        "RequestLatency_P50", "RequestLatency_P99", "RequestLatency",
    ]  # fmt: skip
    assert {metric.unit for metric in answer.value} == {"MilliSeconds"}
    series = answer.value[0].timeseries[0]
    assert [(pair.name.value, pair.value) for pair in series.metadatavalues] == [("deployment", "blue")]
    assert len(series.data) in (20, 21)
    assert {point.time_stamp.second for point in series.data} == {0}
    assert max(point.average for point in series.data) > 0
    assert min(point.average for point in series.data) == 0
    assert (answer.interval, answer.namespace) == (
        "PT1M", "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
    )  # fmt: skip
    assert answer.cost


def test_filter_chooses(fast: Arm) -> None:
    """`eq` takes a value, several with `or`, or any; `ne` leaves one out; more than ten series take `top`."""
    send(fast, "blue")
    send(fast, "green")
    send(fast, "green", 1, {"input_data": "no table"})
    wait(4)

    def keys_of(text: str, **more: Any) -> set[tuple[str, ...]]:
        return set(sums(told(fast, filter=text, **more)))

    both = "deployment eq 'green' or deployment eq 'blue'"
    assert keys_of("deployment eq '*'") == keys_of(both) == {("blue",), ("green",)}
    assert keys_of("deployment eq 'green' and statusCodeClass eq '*'") == {("green", "2xx"), ("green", "4xx")}
    assert keys_of("statusCodeClass ne '2xx'") == {("4xx",)}
    assert keys_of("deployment eq 'nobody'") == set()
    assert len(keys_of(STATUSES, top=2)) == 2
    assert len(told(fast).value[0].timeseries) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("metricnames=Requests", "Failed to find metric configuration for provider: Microsoft.MachineLearningServices"),
        ("$filter=colour eq '*'", "does not support requested dimension combination: colour, supported ones are: depl"),
        ("metricnames=RequestLatency&$filter=statusCode eq '*'", "Metric: RequestLatency does not support"),
        ("$filter=deployment eq 'a' or statusCode eq 'b'", "cannot separate two different metadata names"),
        ("$filter=deployment", "can't be read"),
        ("$filter=deployment eq 'a' and", "can't be read"),
        ("timespan=yesterday", "Failed to parse timespan"),
        ("timespan=2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "must be before"),
        ("interval=PT3M", "Detected invalid time grain input: PT3M"),
        ("top=x", "top"),
        ("metricnames=NetworkBytes", "isn't emulated"),
        ("orderby=average desc", "orderby isn't emulated"),
        ("resultType=metadata", "resultType isn't emulated"),
    ],
)
def test_what_cannot_be_asked_is_refused(fast: Arm, query: str, words: str) -> None:
    """In Azure Monitor's own form, which has no envelope, and where it is known in its words."""
    answer = fast("GET", f"{ENDPOINT}?api-version=2024-02-01&{query}")

    assert answer.status_code == 400
    assert answer.json().keys() == {"code", "message"}
    assert words in answer.json()["message"]
    assert "TraceId: {" in answer.json()["message"]


def test_no_endpoint_has_no_metrics(fast: Arm) -> None:
    """Of an endpoint that isn't there it is a 404."""
    assert fast("GET", f"onlineEndpoints/nobody/providers/{KIND}").status_code == 404


def test_reading_takes_a_monitoring_reader(fast: Arm) -> None:
    """A Data Scientist may not read metrics; the identity `rollout`, which has both roles, may."""
    group, _, _ = fast.workspace.rpartition("/providers/")
    made = fast("PUT", f"{fast.base}{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/blind", {})
    who = {"principalId": made.json()["properties"]["principalId"], "roleDefinitionId": IDS["AzureML Data Scientist"]}
    fast("PUT", "providers/Microsoft.Authorization/roleAssignments/blind", {"properties": who})
    blind = Arm(fast.variables, client=made.json()["properties"]["clientId"])

    refused = blind("GET", ENDPOINT)

    assert blind("GET", "onlineEndpoints/watched").status_code == 200
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert "'Microsoft.Insights/metrics/read'" in refused.json()["error"]["message"]
    assert Arm(fast.variables, client=ROLLOUT)("GET", ENDPOINT).status_code == 200


def test_faults_hide_and_hold_up_metrics(fast: Arm, faulty: Faults) -> None:
    """A deployment can be missing from them, all can be late, and all can be refused."""
    send(fast, "blue")
    send(fast, "green")
    wait(4)
    by_deployment = {"filter": "deployment eq '*'"}
    newest = {name for name, value in sums(told(fast, 5, **by_deployment)).items() if value}

    hidden = faulty.add("hide", path=f"*/{KIND}", name="green", times=0)["id"]
    without = set(sums(told(fast, **by_deployment)))
    faulty.clear(hidden)
    faulty.add("lag", minutes=1000)
    late = told(fast, 5, **by_deployment).value[0].timeseries

    assert newest == {("blue",), ("green",)}
    assert without == {("blue",)}
    assert late == []


def test_dates_go_by_its_minutes(fast: Arm) -> None:
    """The Date header runs as fast as the minutes that are told of."""
    first = now(fast)
    wait(5)

    assert 4 <= (now(fast) - first) / timedelta(minutes=1) < 60


def test_a_restart_keeps_what_was_told(tmp_path: Path) -> None:
    """Minutes that have been counted are there again, and the clock hasn't gone back."""
    options = [f"--minute={MINUTE}"]
    with running(tmp_path, *options) as variables:
        arm = Arm(variables)
        serve(arm, "watched", register(arm, "watched", toy_model(tmp_path / "toy")), "blue")
        send(arm, "blue", 4)
        first = now(arm)
    with running(tmp_path, *options) as variables:
        os.environ.update(variables)
        arm = Arm(variables)
        wait(4)
        assert now(arm) > first
        found = arm(
            "GET", f"{ENDPOINT}?timespan={first - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}/{now(arm):%Y-%m-%dT%H:%M:%SZ}"
        )

    points = found.json()["value"][0]["timeseries"][0]["data"]
    assert sum(point["average"] for point in points) == 4


def test_a_percentile_is_within_a_hundredth() -> None:
    """A report's percentiles are those of what it saw, but for its slices, and survive being written down."""
    report = Report()
    for milliseconds in range(1, 1001):
        report.add(("blue", "200", "200"), milliseconds)
    again = Report.of(report.document())

    for share in (0.5, 0.9, 0.99):
        assert report.percentile("blue", share) == pytest.approx(1000 * share, rel=0.01)
        assert again.percentile("blue", share) == report.percentile("blue", share)
    assert again.mean("blue") == pytest.approx(500.5, rel=0.01)


def test_old_minutes_are_forgotten() -> None:
    """More than a day of minutes is never kept, here or on the disk."""
    clock, kept = [0.0], dict[int, Any]()
    traffic = Traffic(lambda: clock[0], lambda minute, told: kept.update({minute: told}))
    for minute in range(KEPT + 5):
        clock[0] = minute * 60.0
        traffic.count("watched", ("blue", "200", "200"), 1)

    assert len(dict(traffic.minutes("watched"))) == KEPT
    assert [minute for minute, told in kept.items() if told is None] == [0, 1, 2, 3, 4]
