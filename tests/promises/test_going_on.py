"""What passes is gone on with until --timeout, what stays is said at once, and nothing hangs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts.lib.azure import endpoint, waiting
from tests.support.scripts import GREEN, Live, pair_endpoint

BEFORE, AFTER = {"default": 100}, {"rollback": {"default": 100}, "promote": {GREEN: 100}}
VERBS: dict[str, tuple[object, ...]] = {"rollback": (), "promote": ("--percent", 100)}
ENDPOINT, OPERATION = "*/onlineEndpoints/toy-going", "*/mfeOperationsStatus/*"


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An endpoint with blue, `default`, and green, `xgboost-model-2`; version 3 is not deployed."""
    toys = [{"answer": number} for number in range(3)]
    with pair_endpoint(tmp_path_factory.mktemp("going"), "toy-going", *toys) as live:
        yield live


#: Each call that a shift makes.
CALLS = {
    "token": ("GET", "*/token*"),
    "metadata": ("GET", "*/metadata/endpoints*"),
    "workspace": ("GET", "*/workspaces/local"),
    "endpoint": ("GET", ENDPOINT),
    "list": ("GET", f"{ENDPOINT}/deployments"),
    "write": ("PUT", ENDPOINT),
    "operation": ("GET", OPERATION),
}
PASSING: dict[str, tuple[str, dict[str, Any]]] = {
    "404": ("refuse", {"status": 404}),
    "503": ("refuse", {"status": 503}),
}
MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "429": ("refuse", {"like": "TooManyRequests"}),
    "500": ("refuse", {"status": 500}),
    "401": ("refuse", {"like": "ExpiredAuthenticationToken"}),
    "drop": ("drop", {}),
}
SOAK = bool(os.environ.get("SOAK"))
PASSING |= MORE if SOAK else {}


@pytest.mark.parametrize("times", [1, 3] if SOAK else [3])
@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("script", ["rollback", "promote"] if SOAK else ["rollback"])
def test_what_passes_is_gone_on_with(
    half: Live, faults: Faults, script: str, call: str, fault: str, times: int
) -> None:
    """Whichever call it meets, the split is in the end as asked for; a login that is refused twice is no exception."""
    method, path = CALLS[call]
    kind, fields = PASSING[fault]
    faults.add(kind, method=method, path=path, times=1 if fault == "401" else times, **fields)

    half.do(script, *VERBS[script])

    assert half.traffic == AFTER[script]


def test_an_operation_that_is_canceled_is_begun_again(half: Live, faults: Faults) -> None:
    """By going forward and by going back."""
    faults.add("fail", method="PUT", path=ENDPOINT, code="OperationCanceled", times=2)

    half.do("promote", "--percent", 100)
    faults.add("fail", method="PUT", path=ENDPOINT, code="OperationCanceled", times=2)
    half.do("rollback")

    assert half.traffic == BEFORE


def test_a_canceled_creation_or_deletion_is_begun_again(pair: Live, faults: Faults) -> None:
    """What reads Canceled makes room for the next try, and what is left over is deleted in the end."""
    faults.add("fail", method="PUT", path=f"{ENDPOINT}/deployments/*", code="OperationCanceled")
    faults.add("fail", method="DELETE", path=f"{ENDPOINT}/deployments/{GREEN}", code="OperationCanceled")

    printed = pair.do("deploy", "--version", 3)
    states = {name: found["state"] for name, found in pair.deployments.items()}
    pair.do("deploy", "--version", 2)

    assert (printed, states) == ("xgboost-model-3", {"default": "Succeeded", "xgboost-model-3": "Succeeded"})


def test_only_a_rollback_goes_on_after_a_failure(half: Live, faults: Faults) -> None:
    """An operation that ends Failed ends a promotion; a rollback begins it again until it is done."""
    faults.add("fail", method="PUT", path=ENDPOINT, code="Boom", message="no capacity")
    promotion = half.run("promote", "--percent", 100)
    faults.add("fail", method="PUT", path=ENDPOINT, code="Boom", message="no capacity", times=3)

    half.do("rollback")

    assert promotion.exit_code == 1
    assert "failed: Boom: no capacity" in promotion.stderr
    assert half.traffic == BEFORE


@pytest.mark.parametrize("like", ["ScopeLocked", "AuthorizationFailed", "RequestDisallowedByPolicy", "PrivateLink"])
@pytest.mark.parametrize("script", ["rollback", "promote"])
def test_what_waiting_cannot_cure_is_not_waited_for(half: Live, faults: Faults, script: str, like: str) -> None:
    """It is said after one try, with how the endpoint is left."""
    fault = faults.add("refuse", method="PUT", path=ENDPOINT, like=like, times=0)

    result = half.run(script, *VERBS[script])

    hits = faults.get(fault["id"])["hit"]
    faults.clear()
    assert (result.exit_code, hits) == (1, 1)
    assert "is left with default 50 %" in result.stderr


def test_a_lock_on_a_deployment_is_said_at_once(pair: Live, faults: Faults) -> None:
    """A deletion that a lock forbids isn't waited for."""
    pair.do("promote", "--percent", 100)
    faults.add("refuse", method="DELETE", path=f"{ENDPOINT}/deployments/*", like="ScopeLocked", times=0)

    result = pair.run("delete_blue", "default")

    faults.clear()
    assert result.exit_code == 1
    assert "a lock forbids it: ScopeLocked" in result.stderr and "once more" not in result.stderr


@pytest.mark.parametrize("kind", ["refuse", "fail"])
def test_a_left_over_that_can_t_be_deleted_stops_no_deployment(pair: Live, faults: Faults, kind: str) -> None:
    """A lock keeps the green that nobody promoted: that is told, and the new one is green."""
    faults.add(kind, method="DELETE", path=f"{ENDPOINT}/deployments/*", like="ScopeLocked", times=0)

    result = pair.run("deploy", "--version", 3)

    faults.clear()
    assert (result.exit_code, result.stdout.strip()) == (0, "xgboost-model-3"), result.output
    assert f"{GREEN} stays for now: deleting {GREEN}" in result.stderr and "a lock forbids it" in result.stderr
    assert GREEN in pair.deployments
    pair.do("delete_blue", "xgboost-model-3")
    pair.do("deploy", "--version", 2)  # anew, where its deletion has left it Failed


@pytest.mark.parametrize("kind", ["refuse", "fail"])
def test_a_missing_quota_is_said_with_what_makes_room(pair: Live, faults: Faults, kind: str) -> None:
    """Whether Azure refuses the creation or ends it so: what serves stays, and the command is named."""
    faults.add(kind, method="PUT", path=f"{ENDPOINT}/deployments/*", like="OutOfQuota")

    result = pair.run("deploy", "--version", 3)

    assert result.exit_code == 1
    assert "no quota left for it: " in result.stderr and "Not enough quota available" in result.stderr
    assert f"delete_blue {GREEN}" in result.stderr or "ask for more quota" in result.stderr
    assert pair.traffic == BEFORE


def test_a_second_refused_login_in_a_row_stays(half: Live, faults: Faults) -> None:
    """The first gets a new token; then whoever runs it is told to sign in."""
    fault = faults.add("refuse", method="PUT", path=ENDPOINT, like="ExpiredAuthenticationToken", times=0)

    result = half.run("rollback")

    hits = faults.get(fault["id"])["hit"]
    faults.clear()
    assert (result.exit_code, hits) == (1, 2)
    assert "az login" in result.stderr


@pytest.mark.parametrize("call", ["metadata", "token", "endpoint", "list", "workspace", "write", "operation"])
def test_a_call_that_hangs_ends_in_time(half: Live, faults: Faults, call: str) -> None:
    """Whichever it is, a rollback that may take four seconds is over within some more."""
    method, path = CALLS[call]
    faults.add("hold", method=method, path=path, times=0)
    began = time.monotonic()

    result = half.run("rollback", "--timeout", 4)

    took = time.monotonic() - began
    faults.clear()
    assert result.exit_code == (3 if call == "operation" else 4)
    assert took < 4 + 2 * waiting.GRACE + endpoint.LEFT


@pytest.mark.parametrize("call", ["metadata", "token", "endpoint", "list"])
def test_a_held_call_is_given_up_and_made_again(
    half: Live, faults: Faults, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """After a while, of which a long --timeout has many."""
    monkeypatch.setattr(waiting, "ANSWER", 2.0)
    method, path = CALLS[call]
    faults.add("hold", method=method, path=path)

    half.do("rollback")

    faults.clear()
    assert half.traffic == BEFORE


@pytest.mark.skipif(not SOAK, reason="an az that takes eleven seconds: make soak")
def test_a_slow_az_is_waited_for(
    half: Live, azure: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that takes longer than the ten seconds that the SDK gives it is no lost login."""
    token = tmp_path / "token.json"
    headers = {"X-IDENTITY-HEADER": azure["IDENTITY_HEADER"]}
    query = {"api-version": "2019-08-01", "resource": azure["ARM_CLOUD_METADATA_URL"].partition("/metadata")[0]}
    answer = requests.get(azure["IDENTITY_ENDPOINT"], query, headers=headers, verify=azure["SSL_CERT_FILE"], timeout=9)
    found = answer.json()
    token.write_text(json.dumps({"accessToken": found["access_token"], "expires_on": int(found["expires_on"])}))
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\nsleep 11\ncat {token}\n")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.delenv(name)

    half.do("rollback")

    monkeypatch.undo()
    assert half.traffic == BEFORE


def test_a_promotion_waits_for_its_green(half: Live, arm: Arm, faults: Faults) -> None:
    """While green is scaled it waits; a rollback waits for the endpoint alone."""
    faults.add("turn", endpoint="toy-going", deployment=GREEN, state="Scaling", path=f"{ENDPOINT}/deployments")
    rolled_back = half.run("rollback", "--timeout", 20)
    promotion = half.run("promote", "--to", GREEN, "--percent", 50, "--timeout", 3)

    assert rolled_back.exit_code == 0, rolled_back.output
    assert promotion.exit_code == 1
    assert f"waiting for an operation on {GREEN} to end" in promotion.stderr
