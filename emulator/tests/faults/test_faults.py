"""Faults: that they are met as described, by plain HTTP and by the SDK, and that nobody else can add one."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from azureml_emulator.__main__ import main
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.faults.client import Faults
from azureml_emulator.faults.fault import Injected, OnCalls
from azureml_emulator.faults.kinds import KINDS, parse
from azureml_emulator.faults.on_calls import Disturbance
from azureml_emulator.process import running, start, stop, variables
from azureml_emulator.testing import Arm, endpoint
from tests.support.faulty import MODEL, NAME, PATH, traffic
from tests.support.models import in_loop, order
from tests.support.raw_bytes import connected
from tests.support.served import eventually, score

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

WAIT = 30  # seconds at most, for what takes a fraction of one
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def faults(azure: dict[str, str]) -> Iterator[Faults]:
    """The faults of the session's emulator: none before, none after. Here some are there to meet nothing."""
    found = Faults(state(azure))
    yield found
    found.clear()


def state(variables: dict[str, str]) -> Path:
    return Path(variables["REQUESTS_CA_BUNDLE"]).parent


def ask(arm: Arm, text: str = "show HOME", **headers: str) -> requests.Response:
    """A scoring request."""
    return score(arm, NAME, body=json.loads(order(text)), **headers)


# What a fault is


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({}, "kind must be one of"),
        ({"kind": "explode"}, "kind must be one of"),
        ({"kind": ["hold"]}, "kind must be one of"),
        ({"kind": "hold", "until": "tomorrow"}, "until"),
        ({"kind": "hold", "when": "later"}, "when"),
        ({"kind": "refuse", "status": 200}, "status"),
        ({"kind": "delay", "seconds": -1}, "seconds"),
        ({"kind": "drop", "times": "often"}, "times"),
        ({"kind": "overwrite"}, "traffic"),
        ({"kind": "overwrite", "traffic": {"blue": 101}}, "traffic.blue"),
        ({"kind": "overwrite", "traffic": "blue"}, "traffic.blue"),
        ({"kind": "misbehave", "rate": 2}, "rate: Input should be less than or equal to 1"),
        ({"kind": "refuse", "like": "Nothing"}, "like: .*must be one of ParentResourceNotFound"),
        ({"kind": "turn", "endpoint": "e", "state": "Broken"}, "state"),
    ],
)
def test_wrong_description(document: dict[str, Any], why: str) -> None:
    """A fault that isn't described well is refused, and the field is named."""
    with pytest.raises(BadRequest, match=why):
        parse(document)


def test_the_readme_names_what_each_kind_takes() -> None:
    """Its table has a row for each kind, with the fields that are the kind's own."""
    lines = README.read_text(encoding="utf-8").splitlines()
    rows = [line.split("|") for line in lines if re.match(r"\| `\w+` \|.+\|.+\|", line)]
    told = {row[1].strip(" `"): set(re.findall(r"`(\w+)`", row[3])) for row in rows}

    assert told == {name: set(kind.model_fields) - set(OnCalls.model_fields) for name, kind in KINDS.items()}


@given(skip=st.integers(0, 5), times=st.integers(1, 5), calls=st.integers(0, 12))
def test_skip_and_times(skip: int, times: int, calls: int) -> None:
    """A fault lets `skip` calls pass and meets the next `times`."""
    faults = Injected()
    faults.add(parse({"kind": "drop", "skip": skip, "times": times}))

    met = [bool([*faults.due(Disturbance, "GET", "/")]) for _ in range(calls)]

    assert met == [skip <= number < skip + times for number in range(calls)]


def test_no_end() -> None:
    """A fault with 0 times ends when it is cleared."""
    faults = Injected()
    number = faults.add(parse({"kind": "drop", "times": 0}))

    before = [bool([*faults.due(Disturbance, "GET", "/")]) for _ in range(100)]
    faults.clear(number)

    assert all(before)
    assert not faults


def test_one_of_a_kind_at_a_time() -> None:
    """A call meets the faults in their order, at most one of a kind."""
    faults = Injected()
    first, second, third = added = [parse({"kind": kind}) for kind in ("delay", "drop", "delay")]
    for fault in added:
        faults.add(fault)

    met = [[*map(id, faults.due(Disturbance, "GET", "/"))] for _ in range(3)]

    assert met == [[id(first), id(second)], [id(third)], []]


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"method": "put", "path": "*/onlineendpoints/*"}, True),
        ({"method": "PUT", "path": "*/onlineEndpoints/e"}, True),
        ({"method": "GET", "path": "*"}, False),
        ({"path": "*/onlineEndpoints"}, False),
    ],
)
def test_matching(pattern: dict[str, str], matches: bool) -> None:
    """Method and path are compared without regard to case, the path as a whole; * stands for any text."""
    fault = parse({"kind": "hold", **pattern})

    assert isinstance(fault, OnCalls)
    assert fault.matches("PUT", "/subscriptions/s/onlineEndpoints/e") is matches


@in_loop
async def test_waiting_ends_with_the_fault() -> None:
    """Who waits for a fault to meet something waits no longer than until it is cleared."""
    fault = parse({"kind": "drop"})
    waiting = asyncio.create_task(fault.until_met(WAIT))
    await asyncio.sleep(0)

    fault.clear()

    await asyncio.wait_for(waiting, WAIT / 2)


# Who may add one


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["faults", "faults/1", "calls", "nothing"])
@pytest.mark.parametrize("key", ["", "Bearer ", "Bearer wrong", "Bearer \xe9"])
def test_control_needs_the_key(azure: dict[str, str], method: str, path: str, key: str) -> None:
    """Without this run's key the control route answers 401 to everything."""
    base = Arm(azure).base

    answer = requests.request(
        method, f"{base}/emulator/{path}", headers={"Authorization": key.encode("latin-1")}, timeout=WAIT
    )

    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["faults/0", "faults/x", "faults/1/1", "calls/1", "nothing"])
def test_nothing_there(azure: dict[str, str], faults: Faults, path: str) -> None:
    """What the control route doesn't have is answered 404, and nothing is cleared by it."""
    faults.add("drop", path="/nowhere")
    control = json.loads((state(azure) / "control.json").read_text())

    answer = requests.delete(
        f"{control['url']}/{path}", headers={"Authorization": f"Bearer {control['key']}"}, timeout=WAIT
    )

    assert answer.status_code == 404
    assert len(faults.all()) == 1


@pytest.mark.parametrize("wait", ["soon", "-1", "61", "nan"])
def test_wrong_wait(faults: Faults, wait: str) -> None:
    """Nobody waits for a fault longer than a minute, or for a time that is none."""
    fault = faults.add("drop", path="/nowhere")

    with pytest.raises(ValueError, match="wait: Input should be"):
        faults.get(fault["id"], wait=wait)  # type: ignore[arg-type]


def test_control_refuses_tokens(arm: Arm) -> None:
    """A token for the resource manager doesn't open the control route."""
    assert arm("GET", f"{arm.base}/emulator/faults").status_code == 401


def test_key_of_one_run(azure: dict[str, str], tmp_path: Path) -> None:
    """The key is made anew at each start, and only the owner may read it; faults end with the emulator."""
    with running(tmp_path):
        first = json.loads((tmp_path / "control.json").read_text())["key"]
        Faults(tmp_path).add("drop", times=0)
    (tmp_path / "control.json").chmod(0o644)
    with running(tmp_path):
        second = json.loads((tmp_path / "control.json").read_text())["key"]
        left = Faults(tmp_path).all()

    assert first != second
    assert stat.S_IMODE((tmp_path / "control.json").stat().st_mode) == 0o600
    assert left == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 10_000, b" " * 100_000])
def test_malformed_fault(azure: dict[str, str], body: bytes) -> None:
    """What is no JSON object, or too large, is refused."""
    control = json.loads((state(azure) / "control.json").read_text())

    answer = requests.post(
        f"{control['url']}/faults", data=body, headers={"Authorization": f"Bearer {control['key']}"}, timeout=WAIT
    )

    assert answer.status_code in (400, 413)


# Calls


@pytest.mark.parametrize("retry_after", [None, 7])
def test_refusal(arm: Arm, faults: Faults, retry_after: int | None) -> None:
    """The next call gets the status, in Azure's envelope, with Retry-After or without; the one after it doesn't."""
    faults.add("refuse", path=f"*{PATH}", status=429, code="TooManyRequests", retry_after=retry_after)

    refused, later = arm("GET", PATH), arm("GET", PATH)

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "TooManyRequests"
    assert refused.headers.get("Retry-After") == (retry_after and str(retry_after))
    assert later.status_code == 200


def test_refusal_after_the_effect(arm: Arm, faults: Faults) -> None:
    """A call may have had its effect although the answer says otherwise."""
    faults.add("refuse", method="PUT", when="after")

    refused = arm("PUT", "onlineEndpoints/refused", endpoint())

    assert refused.status_code == 503
    assert arm("GET", "onlineEndpoints/refused").status_code == 200


@pytest.mark.parametrize(("when", "status"), [("before", 404), ("after", 200)])
def test_dropped_connection(arm: Arm, faults: Faults, when: str, status: int) -> None:
    """The answer is never sent, before or after the effect."""
    faults.add("drop", method="PUT", when=when)

    with pytest.raises(requests.ConnectionError):
        arm("PUT", f"onlineEndpoints/dropped-{when}", endpoint())

    assert arm("GET", f"onlineEndpoints/dropped-{when}").status_code == status


def test_delay(arm: Arm, faults: Faults) -> None:
    """A delayed call is answered later than its client waits, while others are answered."""
    fault = faults.add("delay", method="PUT", seconds=60)

    with ThreadPoolExecutor() as pool:
        put = f"{arm.base}{arm.workspace}/onlineEndpoints/delayed"
        late = pool.submit(requests.put, put, json=endpoint(), timeout=2)
        faults.get(fault["id"], wait=WAIT)
        meanwhile = arm("GET", PATH)

    assert meanwhile.status_code == 200
    assert isinstance(late.exception(), requests.Timeout)


@pytest.mark.parametrize(("when", "meanwhile"), [("before", 404), ("after", 200)])
def test_hold_until_released(arm: Arm, faults: Faults, when: str, meanwhile: int) -> None:
    """A held call is shown, waits before or after its effect, and goes on when the fault is cleared."""
    path = f"onlineEndpoints/held-{when}"
    fault = faults.add("hold", method="PUT", when=when)

    with ThreadPoolExecutor() as pool:
        put = pool.submit(arm, "PUT", path, endpoint())
        held = faults.get(fault["id"], wait=WAIT)["held"]
        status = arm("GET", path).status_code
        faults.clear(fault["id"])

    assert held == [f"PUT {arm.workspace}/{path}"]
    assert status == meanwhile
    assert put.result().status_code == 201


@pytest.mark.parametrize("kilobytes", [0, 3000])
@pytest.mark.parametrize(("when", "status"), [("before", 404), ("after", 200)])
def test_hold_until_client_is_gone(arm: Arm, faults: Faults, when: str, status: int, kilobytes: int) -> None:
    """A held call whose client goes away takes no effect it hasn't had, however much the client sent."""
    name = f"gone-{when}-{kilobytes}"
    fault = faults.add("hold", method="PUT", path=f"*/{name}", when=when)

    body = json.dumps(endpoint(description="x" * kilobytes * 1024))
    head = f"PUT {arm.workspace}/onlineEndpoints/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {arm.token}\r\n"
    head += "Content-Type: application/json\r\n"

    with connected(arm, WAIT) as going:
        going.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        held = faults.get(fault["id"], wait=WAIT)["held"]
    eventually(lambda: not faults.get(fault["id"])["held"])

    assert len(held) == 1

    assert faults.get(fault["id"])["hit"] == 1
    assert arm("GET", f"onlineEndpoints/{name}").status_code == status


def test_hold_at_the_end(tmp_path: Path) -> None:
    """A held call doesn't keep the emulator from stopping by itself."""
    emulator = start(tmp_path)
    arm, faults = Arm(variables(tmp_path)), Faults(tmp_path)
    fault = faults.add("hold")
    with ThreadPoolExecutor() as pool:
        pool.submit(arm, "GET", "models")
        faults.get(fault["id"], wait=WAIT)
        stop(emulator)

    assert emulator.returncode == 0  # it would be killed if it waited


def test_record_of_calls(arm: Arm, faults: Faults) -> None:
    """The calls since the last reset are recorded in order, scoring too, without queries; the control's aren't."""
    faults.forget()

    arm("GET", f"{PATH}?sig=secret")
    ask(arm)

    calls = faults.calls()
    assert [(call["method"], call["path"].rpartition("/")[2]) for call in calls] == [
        ("GET", NAME),
        ("POST", "listKeys"),
        ("POST", "score"),
    ]
    assert calls[0]["time"] <= calls[-1]["time"] <= time.time()
    assert "secret" not in json.dumps(calls)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("drop", {"method": "GET", "times": 1}),
        ("hang", {}),
        ("stale", {}),
        ("overwrite", {"method": "GET", "traffic": {"blue": 100}}),
        ("misbehave", {"times": 1, "status": 500}),
    ],
)
def test_waiting_for_a_fault(arm: Arm, faults: Faults, kind: str, given: dict[str, Any]) -> None:
    """Who waits for a fault to meet something is told at once when it has, whatever it meets."""
    fault = faults.add(kind, **given)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(faults.get, fault["id"], WAIT)
        put, _, _ = arm("PUT", PATH, endpoint(traffic={"blue": 100})), ask(arm), pool.submit(arm, "GET", PATH)
        told = waiting.result(WAIT / 2)
    faults.clear()
    arm.settle(put)

    assert told["hit"] == 1


# What the SDK makes of it


def test_sdk_repeats_a_put(arm: Arm, client: MLClient, faults: Faults) -> None:
    """The SDK repeats a PUT that was answered 503, and all is well."""
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    fault = faults.add("refuse", method="PUT", path="*/onlineEndpoints/repeated", status=503)

    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="repeated")).result()

    assert faults.get(fault["id"])["spent"]
    assert arm("GET", "onlineEndpoints/repeated").status_code == 200


def test_sdk_repeats_a_dropped_put(client: MLClient, faults: Faults) -> None:
    """The SDK repeats a PUT whose connection was lost after it took effect, and finds its own operation in the way."""
    from azure.ai.ml.entities import ManagedOnlineEndpoint
    from azure.core.exceptions import ResourceExistsError

    faults.forget()
    faults.add("drop", method="PUT", path="*/onlineEndpoints/lost", when="after")
    faults.add("hang", path="*/onlineEndpoints/lost")

    with pytest.raises(ResourceExistsError):
        client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="lost")).result()

    assert [call["method"] for call in faults.calls()].count("PUT") == 2


@pytest.mark.parametrize(("retry_after", "hits"), [(None, 1), (0, 2)])
def test_sdk_and_429_on_post(arm: Arm, client: MLClient, faults: Faults, retry_after: int | None, hits: int) -> None:
    """The SDK repeats a POST that was answered 429 only if the answer says when."""
    from azure.core.exceptions import HttpResponseError

    fault = faults.add("refuse", method="POST", path="*/listKeys", status=429, retry_after=retry_after, times=2)
    faults.add("refuse", method="POST", path="*/listKeys", status=400)

    with pytest.raises(HttpResponseError):
        client.online_endpoints.get_keys(NAME)

    assert faults.get(fault["id"])["hit"] == hits


# Operations


def test_failing_operation(arm: Arm, faults: Faults) -> None:
    """An operation fails with the given error and leaves the endpoint as it was, Failed."""
    arm.endpoint(NAME, traffic={"blue": 100})
    faults.add("fail", code="QuotaExceeded", message="No more.")

    outcome = arm.endpoint(NAME, traffic={"green": 100})

    assert outcome["status"] == "Failed"
    assert outcome["error"] == {"code": "QuotaExceeded", "message": "No more."}
    assert arm("GET", PATH).json()["properties"]["provisioningState"] == "Failed"
    assert traffic(arm) == {"blue": 100}


def test_hanging_operation(arm: Arm, faults: Faults) -> None:
    """An operation that hangs keeps others out; when the fault is cleared it goes on."""
    fault = faults.add("hang", path=f"*{PATH}")

    started = arm("PUT", PATH, endpoint(traffic={"blue": 100}))
    other = arm("PUT", PATH, endpoint(traffic={"green": 100}))
    faults.clear(fault["id"])

    assert other.status_code == 409
    assert arm.settle(started)["status"] == "Succeeded"


def test_hanging_then_failing(arm: Arm, faults: Faults) -> None:
    """Faults of one operation are met in their order: it hangs until that is cleared, then it fails."""
    arm.endpoint(NAME, traffic={"blue": 100})
    fault = faults.add("hang", path=f"*{PATH}")
    faults.add("fail", path=f"*{PATH}")

    started = arm("PUT", PATH, endpoint(traffic={"green": 100}))
    time.sleep(1)  # an operation that doesn't hang has ended by then
    meanwhile = arm("GET", started.headers["Azure-AsyncOperation"]).json()["status"]
    faults.clear(fault["id"])

    assert meanwhile == "Updating"
    assert arm.settle(started)["status"] == "Failed"
    assert traffic(arm) == {"blue": 100}


def test_call_without_operation(arm: Arm, faults: Faults) -> None:
    """A fault of operations isn't used up by calls that start none."""
    fault = faults.add("fail")

    arm("GET", PATH)
    arm("POST", f"{PATH}/listKeys")

    assert faults.get(fault["id"])["seen"] == 0


def test_broken_container(arm: Arm, faults: Faults) -> None:
    """A deployment whose container breaks ends as Failed, with its log; another one's PUT doesn't use the fault up."""
    faults.add("break", log="ImportError: no module named heart")

    update = arm.endpoint(NAME, traffic={"blue": 100})
    outcome = arm.deployment(NAME, "broken", MODEL)
    log = arm("POST", f"{PATH}/deployments/broken/getLogs", {}).json()["content"]
    arm.settle(arm("DELETE", f"{PATH}/deployments/broken"))

    assert update["status"] == "Succeeded"
    assert outcome["status"] == "Failed"
    assert outcome["error"]["code"] == "ResourceNotReady"
    assert log.endswith("ImportError: no module named heart")


# Documents


def test_overwritten_after_an_update(arm: Arm, faults: Faults) -> None:
    """Somebody else's write follows an update that succeeded: whoever reads back finds another split, no more."""
    faults.add("overwrite", path=f"*{PATH}", traffic={"blue": 60, "green": 40})

    outcome = arm.endpoint(NAME, traffic={"blue": 90, "green": 10}, description="written before")

    assert outcome["status"] == "Succeeded"
    assert traffic(arm) == {"blue": 60, "green": 40}
    assert arm("GET", PATH).json()["properties"]["description"] == "written before"


def test_overwritten_between_get_and_put(arm: Arm, faults: Faults) -> None:
    """Somebody else's write comes between a GET and a PUT, which overwrites it in its turn."""
    arm.endpoint(NAME, traffic={"blue": 100})
    faults.add("overwrite", method="GET", path=f"*{PATH}", traffic={"green": 100})

    read, between = traffic(arm), traffic(arm)
    arm.endpoint(NAME, traffic={"blue": 50, "green": 50})

    assert read == {"blue": 100}
    assert between == {"green": 100}
    assert traffic(arm) == {"blue": 50, "green": 50}


def test_overwritten_split_is_served(arm: Arm, faults: Faults) -> None:
    """What somebody else wrote is what the router does."""
    faults.add("overwrite", path=f"*{PATH}", traffic={"green": 100})

    arm.endpoint(NAME, traffic={"blue": 100})

    assert ask(arm).headers["azureml-model-deployment"] == "green"


def test_no_overwrite_of_a_failed_update(arm: Arm, faults: Faults) -> None:
    """An update that failed is followed by no write of somebody else."""
    arm.endpoint(NAME, traffic={"blue": 100})
    faults.add("overwrite", path=f"*{PATH}", traffic={"green": 100})
    faults.add("fail", path=f"*{PATH}")

    arm.endpoint(NAME, traffic={"blue": 90, "green": 10})

    assert traffic(arm) == {"blue": 100}


def test_stale_reads(arm: Arm, faults: Faults) -> None:
    """After an update the old document is read so many times; what is served is new at once."""
    arm.endpoint(NAME, traffic={"blue": 100})
    faults.add("stale", path=f"*{PATH}", reads=2)

    arm.endpoint(NAME, traffic={"green": 100})

    assert ask(arm).headers["azureml-model-deployment"] == "green"
    assert [traffic(arm) for _ in range(3)] == [{"blue": 100}, {"blue": 100}, {"green": 100}]


def test_stale_for_a_time(arm: Arm, faults: Faults) -> None:
    """After an update the old document is read for a time, however often."""
    arm.endpoint(NAME, traffic={"blue": 100})
    faults.add("stale", path=f"*{PATH}", seconds=3600)
    arm.endpoint(NAME, traffic={"green": 100})
    meanwhile = [traffic(arm) for _ in range(3)]
    faults.clear()

    faults.add("stale", path=f"*{PATH}", seconds=0.01)
    arm.endpoint(NAME, traffic={"blue": 50, "green": 50})

    assert meanwhile == [{"blue": 100}] * 3
    eventually(lambda: traffic(arm) == {"blue": 50, "green": 50})


def test_stale_until_cleared(arm: Arm, faults: Faults) -> None:
    """Stale reads end when the fault is cleared, and creating an endpoint doesn't count as an update."""
    arm.endpoint(NAME, traffic={"blue": 100})
    fault = faults.add("stale", reads=1000)

    arm.endpoint("not-stale")
    arm.endpoint(NAME, traffic={"green": 100})
    stale = traffic(arm)
    faults.clear(fault["id"])

    assert stale == {"blue": 100}
    assert traffic(arm) == {"green": 100}


def test_stale_needs_a_token(arm: Arm, faults: Faults) -> None:
    """A stale document isn't shown to those who may not read the present one."""
    faults.add("stale", path=f"*{PATH}", reads=1000)
    arm.endpoint(NAME, traffic={"blue": 100})

    assert arm("GET", PATH, headers={"Authorization": "Bearer wrong"}).status_code == 401


# Containers


def test_failing_container(arm: Arm, faults: Faults) -> None:
    """The container of one deployment answers with an error, which is a 424; the other deployment doesn't."""
    faults.add("misbehave", endpoint=NAME, deployment="green", status=500)

    green = ask(arm, **{"azureml-model-deployment": "green"})
    blue = ask(arm, **{"azureml-model-deployment": "blue"})

    assert green.status_code == 424
    assert green.headers["ms-azureml-model-error-statuscode"] == "500"
    assert blue.status_code == 200


def test_error_rate(arm: Arm, faults: Faults) -> None:
    """A share of the requests is answered with an error."""
    faults.add("misbehave", endpoint=NAME, rate=0.5, status=500)

    statuses = [ask(arm).status_code for _ in range(40)]

    assert set(statuses) == {200, 424}


def test_slow_container(arm: Arm, faults: Faults) -> None:
    """A container that takes longer than its request_timeout_ms is a 408, and answers later requests."""
    faults.add("misbehave", endpoint=NAME, seconds=1.5, times=1)

    slow = ask(arm)

    assert slow.status_code == 408
    eventually(lambda: ask(arm).status_code == 200)


def test_crashing_container(arm: Arm, faults: Faults) -> None:
    """The process dies of a request, which is a 502, and is replaced."""
    arm.endpoint(NAME, traffic={"green": 100})
    faults.add("misbehave", endpoint=NAME, deployment="green", crash=True, times=1)

    crash = ask(arm)

    assert crash.status_code == 502
    eventually(lambda: ask(arm).status_code == 200)


def test_only_the_emulator_lets_containers_misbehave(arm: Arm) -> None:
    """A client can't hand the container a fault."""
    answer = ask(arm, **{"x-emulator-fault": '{"crash": true}', "X_Emulator_Fault": '{"crash": true}'})

    assert answer.status_code == 200


# For people


def command(variables: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, ["fault", "--state", str(state(variables)), *arguments])


def test_command_adds_and_lists(azure: dict[str, str], faults: Faults) -> None:
    """A fault that was added by hand is printed, listed and met."""
    options = ["--method", "GET", "--path", "*/models", "--status", "429", "--retry-after", "3", "--times", "2"]

    added = command(azure, "add", "refuse", *options)
    listed = command(azure, "list")

    assert json.loads(added.stdout) == json.loads(listed.stdout)
    assert json.loads(listed.stdout)["status"] == 429
    assert Arm(azure)("GET", "models").headers["Retry-After"] == "3"


def test_command_takes_a_split(azure: dict[str, str], faults: Faults) -> None:
    """A split is written as the scripts write it."""
    added = command(azure, "add", "overwrite", "--traffic", "blue=90,green=10")

    assert json.loads(added.stdout)["traffic"] == {"blue": 90, "green": 10}


def test_command_clears(azure: dict[str, str], faults: Faults) -> None:
    """One fault or all are cleared."""
    first, _, _ = (faults.add("drop", path="/nowhere") for _ in range(3))

    command(azure, "clear", str(first["id"]))
    left = len(faults.all())
    command(azure, "clear")

    assert left == 2
    assert faults.all() == []


def test_command_shows_calls(azure: dict[str, str], faults: Faults) -> None:
    """The record of calls is printed, one a line, and started anew."""
    faults.forget()
    Arm(azure)

    shown = command(azure, "calls", "--forget")

    assert shown.stdout == "GET /msi/token\n"
    assert faults.calls() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "hold", "--when", "never"], "when"),
        (["add", "explode"], "explode"),
        (["clear", "999999"], "no fault 999999"),
    ],
)
def test_command_with_wrong_usage(azure: dict[str, str], arguments: list[str], says: str) -> None:
    """What can't be done is told, with exit code 2 and without a traceback."""
    result = command(azure, *arguments)

    assert result.exit_code == 2
    assert says in result.stderr


def test_command_without_emulator(tmp_path: Path) -> None:
    """Where no emulator runs, the error says so."""
    result = CliRunner().invoke(main, ["fault", "--state", str(tmp_path), "list"])

    assert result.exit_code == 1
    assert "no emulator runs" in result.stderr
