"""What scripts read of live traffic from Azure Monitor and from Log Analytics, through the real SDKs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.arm.names import LOGS
from azureml_emulator.faults.client import Faults
from azureml_emulator.process import running
from azureml_emulator.testing import SAMPLE, Arm, blobs, toy_model
from scripts.lib.azure import traffic_log
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.errors import passes
from scripts.lib.azure.live_traffic import evidence
from scripts.lib.azure.metrics import usual
from scripts.lib.azure.waiting import Deadline
from scripts.lib.azure.workspace import Workspace
from scripts.lib.cli.exit_codes import exit_code
from scripts.lib.decisions.canary.minutes import Evidence, NoEvidence
from scripts.lib.decisions.canary.policy import RolloutPolicy
from scripts.lib.decisions.canary.verdict import judge
from scripts.lib.decisions.state import Shift
from scripts.lib.doctor.azure_facts import AzureFacts

MINUTE = 0.5  # seconds of one


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fast")


@pytest.fixture(scope="module")
def arm(state: Path) -> Iterator[Arm]:
    """An Azure with short minutes and an endpoint, 90 % on blue; the SDK is led to it as the identity of rollouts."""
    with running(state, f"--minute={MINUTE}") as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        arm, folder = Arm(variables), toy_model(state / "toy")
        for path in folder.rglob("*.*"):
            blobs(arm).upload_blob(f"toy/{path.relative_to(folder)}", path.read_bytes())
        blobs(arm).upload_blob("toy/MLmodel", (folder / "MLmodel").read_bytes())
        uri = f"azureml:/{arm.workspace}/datastores/workspaceblobstore/paths/toy"
        arm("PUT", "models/toy/versions/1", {"properties": {"modelUri": uri, "modelType": "mlflow_model"}})
        arm.endpoint("watched")
        for name in ("blue", "green"):
            assert arm.deployment("watched", name, "models/toy/versions/1")["status"] == "Succeeded"
        arm.endpoint("watched", traffic={"blue": 90, "green": 10})
        yield arm


@pytest.fixture
def faulty(state: Path, arm: Arm) -> Iterator[Faults]:
    found = Faults(state)
    yield found
    assert all(fault["hit"] for fault in found.all()), "these faults met nothing"
    found.clear()


@pytest.fixture
def endpoint(arm: Arm) -> OnlineEndpoint:
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
    return OnlineEndpoint(Workspace(*(arm.variables[name] for name in names)), "watched")


def send(arm: Arm, deployment: str, number: int) -> None:
    key = arm("POST", "onlineEndpoints/watched/listKeys").json()["primaryKey"]
    headers = {"Authorization": f"Bearer {key}", "azureml-model-deployment": deployment}
    for _ in range(number):
        arm.session.post(f"{arm.base}/endpoints/watched/score", json=SAMPLE, headers=headers, timeout=30)


def look(endpoint: OnlineEndpoint, since: datetime, before: float = 3) -> Evidence:
    found = {"delay": timedelta(minutes=3), "before": timedelta(minutes=before)}
    return evidence(endpoint, "blue", "green", since, **found)


def test_live_traffic_is_counted(arm: Arm, endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """What clients sent to both is told minute by minute, whatever the statuses, and how long it took; in two calls."""
    since = endpoint.workspace.now()
    time.sleep(MINUTE)
    for status in range(500, 512):  # more series than Azure tells of unasked
        faulty.add("misbehave", deployment="green", status=status, times=1)
    send(arm, "blue", 20)
    send(arm, "green", 12)
    time.sleep(6 * MINUTE)
    endpoint.read()
    faulty.forget()

    found = look(endpoint, since)

    assert sum("/onlineEndpoints/" in call["path"] for call in faulty.calls()) == 2
    assert (sum(it.requests for it in found.blue), sum(it.failures for it in found.blue)) == (20, 0)
    assert (sum(it.requests for it in found.green), sum(it.failures for it in found.green)) == (12, 12)
    assert [it.start for it in found.blue] == [it.start for it in found.green]
    assert {tuple(it.latency) for it in found.blue if it.requests} == {("P50", "P90", "P95", "P99")}
    assert all(0 < it.latency["P50"] <= it.latency["P99"] for it in found.blue if it.requests)
    assert found.source == "Azure Monitor"


def test_what_is_usual(arm: Arm, endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """The last hour's requests and failures a minute, of all deployments, and how long they take; in two calls."""
    before = usual(endpoint, delay=timedelta(minutes=3))
    faulty.add("misbehave", deployment="green", status=503, times=6)
    send(arm, "blue", 12)
    send(arm, "green", 6)
    time.sleep(6 * MINUTE)
    endpoint.read()
    faulty.forget()

    after = usual(endpoint, delay=timedelta(minutes=3))

    assert sum("/onlineEndpoints/" in call["path"] for call in faulty.calls()) == 2
    assert 60 * (after.requests - before.requests) == pytest.approx(18)
    assert 60 * (after.failures - before.failures) == pytest.approx(6)
    assert after.p90 and 0 < after.p90 < 30_000


def test_now_is_azures(arm: Arm, endpoint: OnlineEndpoint) -> None:
    """Not the machine's own: the Date of Azure's last answer, and what has passed since."""
    before = endpoint.workspace.now()
    time.sleep(10 * MINUTE)
    endpoint.read()

    assert endpoint.workspace.now() - before > timedelta(minutes=9)


def test_a_split_is_dated_by_azure(endpoint: OnlineEndpoint) -> None:
    """The record's time is that of the metrics, so that the minutes since the split can be found by it."""
    split = {"blue": 50, "green": 50}
    endpoint.shift(lambda _: Shift(split, "half each", tags={"rollout-at": "earlier"}), Deadline(60))

    at = datetime.fromisoformat(endpoint.read().tags["rollout-at"].replace("Z", "+00:00"))
    assert abs(endpoint.workspace.now() - at) < timedelta(minutes=10)
    assert endpoint.workspace.now() - datetime.now(timezone.utc) > timedelta(minutes=10)


def test_missing_rights_are_no_evidence(endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """Who may not read metrics is told so, and which role he lacks: that isn't "no failures", nor "no traffic"."""
    faulty.add("refuse", path="*/Microsoft.Insights/metrics", like="AuthorizationFailed")

    with pytest.raises(NoEvidence, match="Monitoring Reader") as refused:
        look(endpoint, endpoint.workspace.now())

    assert "Microsoft.Insights/metrics/read" in str(refused.value)
    assert exit_code(refused.value) == 1


def test_an_outage_is_no_evidence(endpoint: OnlineEndpoint, faulty: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one, and that ends with another exit code."""
    monkeypatch.setattr("scripts.lib.azure.metrics.LOOKING", 1.0)
    faulty.add("refuse", path="*/Microsoft.Insights/metrics", status=503, times=0)

    with pytest.raises(NoEvidence, match="out of order") as refused:
        look(endpoint, endpoint.workspace.now())

    assert exit_code(refused.value) == 4


def test_what_passes_is_asked_again(endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """One refusal that passes, or an expired login, changes nothing."""
    faulty.add("refuse", path="*/Microsoft.Insights/metrics", like="TooManyRequests")
    faulty.add("refuse", path="*/Microsoft.Insights/metrics", like="ExpiredAuthenticationToken", skip=1)

    assert look(endpoint, endpoint.workspace.now()).source == "Azure Monitor"


def test_an_answer_that_cannot_be_read_is_no_evidence(
    endpoint: OnlineEndpoint, faulty: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for again, since the next one may be whole; where none is, that is said, and that it may pass."""
    faulty.add("part", path="*/Microsoft.Insights/metrics", times=1)
    assert look(endpoint, endpoint.workspace.now()).source == "Azure Monitor"
    monkeypatch.setattr("scripts.lib.azure.metrics.LOOKING", 1.0)
    faulty.add("part", path="*/Microsoft.Insights/metrics", times=0)

    with pytest.raises(NoEvidence, match="answers what can't be read") as found:
        look(endpoint, endpoint.workspace.now())

    assert isinstance(found.value.__cause__, Exception) and passes(found.value.__cause__)


def test_a_refused_login_is_taken_anew(endpoint: OnlineEndpoint) -> None:
    """A token that Azure refused isn't shown again."""
    refused = endpoint.workspace.credential
    endpoint.workspace.sign_in_again()

    assert endpoint.workspace.credential is not refused


def test_late_metrics_are_waited_for(arm: Arm, endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """While nothing of the minutes since has been told, there are none: nobody takes them for no traffic."""
    since = endpoint.workspace.now()
    time.sleep(MINUTE)
    send(arm, "blue", 3)
    faulty.add("lag", minutes=10)
    time.sleep(5 * MINUTE)
    endpoint.read()

    found = look(endpoint, since)

    assert found.blue == found.green == ()


QUERY = "*/query"


@pytest.fixture(scope="module")
def table(arm: Arm) -> None:
    """The log has a row at least."""
    send(arm, "blue", 1)
    time.sleep(4 * MINUTE)


@pytest.fixture
def logged(table: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_ANALYTICS_WORKSPACE_ID", LOGS)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may be: its minutes are no measure for how far the log is behind."""
    monkeypatch.setattr("scripts.lib.azure.traffic_log.LATEST", timedelta(days=1))


def counts(evidence: Evidence) -> dict[datetime, tuple[float, ...]]:
    """Both deployments' of each minute that had requests."""
    pairs = zip(evidence.blue, evidence.green, strict=True)
    found = {
        blue.start: tuple(n for it in (blue, green) for n in (it.requests, it.failures, it.client_errors))
        for blue, green in pairs
    }
    return {start: told for start, told in found.items() if any(told)}


@pytest.mark.usefixtures("slow")
def test_the_log_tells_what_the_metrics_tell(
    arm: Arm, endpoint: OnlineEndpoint, faulty: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same traffic both have the same counts, and the verdict is the same; the log needs one call."""
    send(arm, "blue", 3)
    time.sleep(MINUTE)
    since = endpoint.workspace.now()
    time.sleep(MINUTE)
    for status in (500, 503, 422):
        faulty.add("misbehave", deployment="green", status=status, times=4)
    send(arm, "blue", 20)
    send(arm, "green", 16)
    time.sleep(8 * MINUTE)
    send(arm, "blue", 1)
    time.sleep(4 * MINUTE)
    endpoint.read()

    by_metrics = look(endpoint, since, before=600)
    monkeypatch.setenv("LOG_ANALYTICS_WORKSPACE_ID", LOGS)
    faulty.forget()
    by_log = look(endpoint, since, before=600)

    assert sum(call["path"].endswith("/query") for call in faulty.calls()) == 1
    assert not [call for call in faulty.calls() if call["path"].endswith("/metrics")]
    told = counts(by_log)
    assert told == {start: value for start, value in counts(by_metrics).items() if start < by_log.until}
    assert tuple(map(sum, zip(*told.values(), strict=True))) == (20, 0, 0, 16, 8, 4)
    assert {tuple(it.latency) for it in by_log.blue if it.requests} == {("P50", "P90", "P95", "P99")}
    assert all(0 < it.latency["P50"] <= it.latency["P99"] for it in by_log.blue if it.requests)
    before = [[(it.start, it.requests) for it in found.before if it.requests] for found in (by_metrics, by_log)]
    assert before[0] == before[1] and sum(requests for _, requests in before[1]) >= 3
    stage = RolloutPolicy().at(10)
    verdicts = [judge(found, stage) for found in (by_metrics, by_log)]
    assert len({verdict.word for verdict in verdicts}) == 1
    assert verdicts[1].reason.endswith("(told by Log Analytics)") and "told by" not in verdicts[0].reason


@pytest.mark.usefixtures("slow")
def test_the_doctor_says_who_tells(arm: Arm, endpoint: OnlineEndpoint, table: None) -> None:
    """The log that is named, where it has rows of late; else Azure Monitor, and why."""
    send(arm, "blue", 1)
    time.sleep(5 * MINUTE)
    endpoint.read()
    ids = {"": "Azure Monitor: nobody named a log", LOGS: "Log Analytics", "x": "Azure Monitor, since LOG_ANALYTICS"}

    told = {id: AzureFacts(endpoint.workspace).source(endpoint.name, "blue", id) for id in ids}

    assert all(str(told[id]).startswith(begins) for id, begins in ids.items()), told


@pytest.mark.usefixtures("logged", "slow")
def test_a_minute_that_counts_is_whole(arm: Arm, endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """Of minutes whose rows are still coming in none counts, however late the log is."""
    faulty.add("lag", path=QUERY, minutes=3)
    since, looks = endpoint.workspace.now(), list[Evidence]()
    time.sleep(MINUTE)
    over = time.monotonic() + 20 * MINUTE
    while time.monotonic() < over:
        send(arm, "blue", 6)
        time.sleep(MINUTE / 8)
        looks.append(look(endpoint, since))
    seen = [counts(found) for found in looks if found.source == "Log Analytics"]

    assert len(seen) > 3 and len(seen[-1]) > 1
    assert [told for told in seen if not told.items() <= seen[-1].items()] == []


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (
            {"kind": "refuse", "status": 403, "code": "InsufficientAccessError"},
            "Give the identity Log Analytics Reader",
        ),
        ({"kind": "refuse", "status": 503, "times": 0}, "Azure is out of order"),
        ({"kind": "refuse", "status": 429, "code": "ThrottledError", "times": 0}, "Azure is busy"),
        ({"kind": "drop", "times": 0}, "Azure can't be reached"),
        ({"kind": "part"}, "answers in part only: PartialError: There were some errors"),
        ({"kind": "part", "path": "*/metadata/endpoints", "skip": 1}, "answers what can't be read: KeyError"),
        ({"kind": "lag", "minutes": 100_000}, "the log isn't there (yet)"),
        ({"kind": "hide", "method": "POST", "times": 0}, "tells of no request in the last 15 minutes"),
    ],
)
def test_metrics_stand_in_for_the_log(
    endpoint: OnlineEndpoint, faulty: Faults, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], why: str
) -> None:
    """Where the log isn't there, is empty, late, refused or answers in part, Azure Monitor tells, and that is said."""
    monkeypatch.setattr("scripts.lib.azure.traffic_log.LOOKING", 1.0)
    traffic_log._service.cache_clear()
    endpoint.read()
    faulty.add(**{"path": QUERY, **fault})

    source = look(endpoint, endpoint.workspace.now()).source

    assert source.startswith("Azure Monitor, since Log Analytics ")
    assert why in source and "\n" not in source


@pytest.mark.parametrize(
    ("id", "why"),
    [("/subscriptions/s/resourceGroups/g", "is no customer id"), (LOGS[:-1] + "9", "Check LOG_ANALYTICS_WORKSPACE_ID")],
)
def test_a_wrong_id_is_told(endpoint: OnlineEndpoint, monkeypatch: pytest.MonkeyPatch, id: str, why: str) -> None:
    """An id that is none, or no workspace's, doesn't keep a rollout from being judged."""
    monkeypatch.setenv("LOG_ANALYTICS_WORKSPACE_ID", id)

    assert why in look(endpoint, endpoint.workspace.now()).source


@pytest.mark.usefixtures("logged")
def test_neither_tells(endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """Then both reasons are said."""
    faulty.add("refuse", path=QUERY, status=403, code="InsufficientAccessError")
    faulty.add("refuse", path="*/Microsoft.Insights/metrics", like="AuthorizationFailed")

    with pytest.raises(NoEvidence, match=r"(?s)Monitoring Reader.*Log Analytics Reader"):
        look(endpoint, endpoint.workspace.now())


@pytest.mark.usefixtures("logged", "slow")
def test_a_query_that_passes_is_asked_again(arm: Arm, endpoint: OnlineEndpoint, faulty: Faults) -> None:
    """One refusal that passes, or an expired login, changes nothing."""
    send(arm, "blue", 1)
    time.sleep(4 * MINUTE)
    endpoint.read()
    faulty.add("refuse", path=QUERY, status=429, code="ThrottledError", retry_after=0)
    faulty.add("refuse", path=QUERY, like="ExpiredAuthenticationToken")

    assert look(endpoint, endpoint.workspace.now(), before=600).source == "Log Analytics"
