"""Who gets into the local Azure ML, what it answers to nonsense, and what a restart keeps."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import certifi
import pytest
import requests

from azureml_emulator.process import running
from azureml_emulator.testing import Arm, endpoint, token
from tests.support.served import keys, register, score, serve


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer nonsense", "Basic eDp5", "Bearer a.b.c"])
def test_no_token(arm: Arm, authorization: str) -> None:
    """Without a good token the resource manager answers 401."""
    answer = arm("GET", "models", headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_expired_token(tmp_path: Path) -> None:
    """A token that has expired is answered 401, and says so."""
    with running(tmp_path, "--token-seconds=-1") as variables:
        answer = Arm(variables)("GET", "models")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"


def test_wrong_identity_header(azure: dict[str, str]) -> None:
    """Only who knows the identity header gets a token."""
    assert token(azure, header="wrong").status_code == 401


def test_token_of_another_emulator(arm: Arm, tmp_path: Path) -> None:
    """A token that another emulator issued is not accepted."""
    with running(tmp_path) as variables:
        other = Arm(variables).token

    assert arm("GET", "models", headers={"Authorization": f"Bearer {other}"}).status_code == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000, b"null", b'{"properties": []}', b"{}"])
def test_malformed_body(arm: Arm, body: bytes) -> None:
    """A body that is no JSON object with properties is answered 400."""
    answer = arm("PUT", "onlineEndpoints/malformed", data=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidRequestContent"


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({}, "<null>"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "application/x-www-form-urlencoded"),
        ({"Content-Type": "text/json; charset=utf-8"}, "text/json"),
        ({"Content-Type": "Application/JSON;charset=utf-8"}, ""),
    ],
)
def test_a_body_says_that_it_is_json(arm: Arm, sent: dict[str, str], named: str) -> None:
    """The resource manager reads no other one, whatever is in it (Azure/azure-cli#32972)."""
    answer = arm("PUT", "models/typed/versions/no-number", data=b'{"properties": {}}', headers=sent)

    assert answer.status_code == (415 if named else 400)
    assert not named or f"'{named}' is not supported" in answer.json()["error"]["message"]


def test_large_body(arm: Arm) -> None:
    """A body over ARM's limit is refused before it is read to its end."""
    answer = arm("PUT", "onlineEndpoints/large", data=(b" " * 1024 * 1024 for _ in range(5)))

    assert answer.status_code == 413


def test_payload(tmp_path: Path) -> None:
    """--max-payload is how many bytes a scoring request may have; one more is too large."""
    with running(tmp_path, "--max-payload=1000") as variables:
        url = variables["IDENTITY_ENDPOINT"].replace("/msi/token", "/endpoints/none/score")

        answers = [
            requests.post(url, b"x" * size, verify=variables["REQUESTS_CA_BUNDLE"], timeout=20) for size in (1000, 1001)
        ]

    assert [answer.status_code for answer in answers] == [404, 413]


def test_unknown_path(arm: Arm) -> None:
    """What isn't emulated says so."""
    answer = arm("GET", "schedules")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NotEmulated"


def test_unknown_method(arm: Arm) -> None:
    """A method that a route doesn't have is answered 405."""
    assert arm("PATCH", "models/any-name").status_code == 405


def test_unknown_workspace(arm: Arm) -> None:
    """Another workspace isn't there, in Azure's words."""
    answer = arm("GET", f"{arm.base}{arm.workspace.replace('workspaces/local', 'workspaces/other')}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "ResourceNotFound"
    assert "workspaces/other' under resource group 'local' was not found" in answer.json()["error"]["message"]


def test_paths_ignore_case(arm: Arm) -> None:
    """ARM paths are the same in any case."""
    assert arm("GET", f"{arm.base}{arm.workspace.upper()}").status_code == 200


def test_loopback_only(azure: dict[str, str]) -> None:
    """Nothing listens on another address of this machine."""
    port = int(azure["IDENTITY_ENDPOINT"].split(":")[2].split("/")[0])

    with pytest.raises(OSError), socket.create_connection((other_address(), port), timeout=2):
        pass


def test_certificate_is_required(azure: dict[str, str]) -> None:
    """A client that doesn't trust the emulator's own CA doesn't reach it."""
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(azure["ARM_CLOUD_METADATA_URL"], verify=certifi.where(), timeout=5)


def test_secrets_in_the_state_folder(tmp_path: Path) -> None:
    """Only the owner can read the state folder and the variables in it; no private key is written."""
    folder = tmp_path / "state"

    with running(folder):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        keys = [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes["environment.json"] == modes["environment.sh"] == 0o600
    assert keys == []


def test_restart(model_folder: Path, tmp_path: Path) -> None:
    """Started again on its state folder, the same endpoint serves the same model with the same key."""
    with running(tmp_path) as variables:
        before = Arm(variables)
        serve(before, "kept", register(before, "kept", model_folder), "default")
        key = keys(before, "kept")["primaryKey"]

    with running(tmp_path) as variables:
        answer = score(Arm(variables), "kept", key)

    assert answer.status_code == 200
    assert answer.headers["azureml-model-deployment"] == "default"


def test_restart_ends_operations(tmp_path: Path) -> None:
    """What was in flight when the emulator stopped has ended afterwards, and the endpoint can be used again."""
    with running(tmp_path, "--operation-seconds=60") as variables:
        started = Arm(variables)("PUT", "onlineEndpoints/interrupted", endpoint())

    with running(tmp_path) as variables:
        arm = Arm(variables)
        name = started.headers["Azure-AsyncOperation"].rpartition("/")[2].partition("?")[0]
        status = arm(
            "GET", started.headers["Azure-AsyncOperation"].replace(started.url.split("/sub")[0], arm.base)
        ).json()
        again = arm.endpoint("interrupted")

    assert (status["name"], status["status"]) == (name, "Failed")
    assert again["status"] == "Succeeded"


def other_address() -> str:
    """An address of this machine that is not loopback, or one that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "192.0.2.1"
