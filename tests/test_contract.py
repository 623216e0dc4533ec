"""Every answer of a whole rollout held to Microsoft's descriptions (contract.yml) and to the SDK's own models.

The rollout is recorded by `python -m emulator --trace`, so what is checked is what went over the wire.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from emulator import routes
from emulator.process import ROOT, running
from tests.arm import Arm, deployment, endpoint
from tests.contract import CONTRACT, complaints, problems, route
from tests.scripting import Live, repository, toy_model
from tests.witness import MODELS, objections

Call = dict[str, Any]
GREEN = "xgboost-model-2"
SMOKE = ROOT / "endpoints" / "smoke-requests.json"


class Recording(NamedTuple):
    """What an emulator wrote down, and secrets that it told meanwhile."""

    path: Path
    secrets: list[str]


@pytest.fixture(scope="module")
def recording(outside: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """What an emulator of its own recorded while the scripts, and then plain HTTP, asked it for everything it has."""
    folder = tmp_path_factory.mktemp("contract")
    path = folder / "trace.jsonl"
    with running(folder / "state", "--trace", str(path)) as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        with repository(folder / "repository", model="toy-contract"):
            roll_out(Live("contract"), folder)
        secrets = ask_for_the_rest(Arm(variables))
    return Recording(path, [*secrets, variables["IDENTITY_HEADER"]])


@pytest.fixture(scope="module")
def calls(recording: Recording) -> list[Call]:
    return [json.loads(line) for line in recording.path.read_text().splitlines()]


def roll_out(live: Live, folder: Path) -> None:
    """Two versions, a rollback half-way, the promotion to the end, a version that breaks, the end of the endpoint."""
    live.do("register_model", toy_model(folder / "first", answer=0))
    live.do("create_endpoint")
    live.do("deploy", "--version", 1)
    live.do("smoke_test", "default", "--requests", SMOKE)
    live.do("register_model", toy_model(folder / "second", answer=1))
    live.do("deploy", "--version", 2, "--with-package")
    live.do("smoke_test", GREEN, "--requests", SMOKE)
    live.do("shift_traffic", "--to", GREEN, "--percent", 10)
    live.do("rollback")
    live.do("deploy", "--version", 2)
    for percent in (10, 50, 100):
        live.do("shift_traffic", "--to", GREEN, "--percent", percent)
    live.do("delete_blue", "default")
    live.do("register_model", toy_model(folder / "broken", answer=1, broken=True))
    assert live.run("deploy", "--version", 3).exit_code == 1
    live.do("show_endpoint")
    live.do("invoke", "--request", ROOT / "endpoints" / "sample-request.json")
    live.do("delete_endpoint", "--yes")


def ask_for_the_rest(arm: Arm) -> list[str]:
    """What the scripts don't call, and refusals of every kind. Returns the secrets in the answers."""
    for path in ("datastores", "models", "onlineEndpoints", "models/none", "onlineEndpoints/none"):
        arm("GET", path)
    archived = arm("GET", "models/toy-contract/versions/1").json()
    archived["properties"]["isArchived"] = True
    arm("PUT", "models/toy-contract/versions/1", archived)
    arm("GET", "models/toy-contract/versions?listViewType=All&$top=1")
    arm("PUT", "models/toy-contract/versions/9", {"properties": {"modelUri": "nowhere"}})
    started = arm("PUT", "onlineEndpoints/tokens", endpoint(authMode="AMLToken"))
    arm("PUT", "onlineEndpoints/tokens", endpoint(authMode="AMLToken"))  # 409, while the first runs
    arm.settle(started)
    arm("GET", started.headers["Location"])
    token = arm("POST", "onlineEndpoints/tokens/token").json()["accessToken"]
    arm("POST", "onlineEndpoints/tokens/listKeys")
    arm.endpoint("keys")
    keys = arm("POST", "onlineEndpoints/keys/listKeys").json()
    arm.settle(
        arm("POST", "onlineEndpoints/keys/regenerateKeys", {"keyType": "Primary", "keyValue": keys["primaryKey"]})
    )
    arm("PUT", "onlineEndpoints/keys", endpoint(traffic={"none": 100}))
    arm("PUT", "onlineEndpoints/keys/deployments/default", deployment("models/none/versions/1"))
    for path in ("deployments", "deployments/none"):
        arm("GET", f"onlineEndpoints/keys/{path}")
    arm("POST", "onlineEndpoints/keys/deployments/none/getLogs", {"tail": 1})
    arm("DELETE", "onlineEndpoints/keys/deployments/none")
    arm("DELETE", "onlineEndpoints/none")
    arm("GET", "models", headers={"Authorization": "Bearer none"})
    about_the_subscription(arm)
    return [arm.token, token, *keys.values(), blobs(arm).partition("sig=")[2]]


def about_the_subscription(arm: Arm) -> None:
    """Asks what may be done and used, and for identities; sets one up, and again."""
    arm("GET", "providers/Microsoft.Authorization/permissions")
    for path in ("usages", "vmSizes"):
        arm("GET", f"{arm.base}{routes.L.format(subscription=arm.workspace.split('/')[2])}/{path}")
    identities = f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers/{routes.IDENTITIES}"
    trusted = {"issuer": "https://token.actions.githubusercontent.com", "subject": "repo:a/b", "audiences": ["api://a"]}
    for _ in range(2):
        arm("PUT", f"{identities}/rollout", {"location": "local"})
        arm("PUT", f"{identities}/rollout/federatedIdentityCredentials/deploy", {"properties": trusted})
    arm("PUT", f"{identities}/rollout/federatedIdentityCredentials/deploy", {"properties": {"issuer": "a"}})
    for path in ("", "/rollout/federatedIdentityCredentials", "/none/federatedIdentityCredentials"):
        arm("GET", identities + path)


def blobs(arm: Arm) -> str:
    """Asks every blob route once. Returns the signature that opens them."""
    sas = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
    container = f"{arm.base}/{routes.ACCOUNT}.blob.{routes.SUFFIX}/azureml-blobstore-local"
    arm.session.put(f"{container}/a.json{sas}", data=b"{}", headers={"x-ms-blob-type": "BlockBlob"})
    for path in ("", "/a.json"):
        arm.session.get(f"{container}{path}{sas}")
        arm.session.head(f"{container}{path}{sas}")
        arm.session.delete(f"{container}{path}{sas}")
        arm.session.put(f"{container}{path}{sas}")
    return str(sas)


def test_names_types_enumerations_and_required_fields(calls: list[Call]) -> None:
    """Each answer, errors and operations included, is on a known route, in its api-version, and as described there."""
    found = [complaint for call in calls for complaint in complaints(call)]

    assert found == []


def test_every_route_was_answered(calls: list[Call]) -> None:
    """Each row of the emulator's table was asked for, and answered as it should be: none escapes the check above."""
    answered = {(call["method"], route(call["method"], call["path"])) for call in calls if call["status"] < 400}
    rows = [(method, row) for method, row, _ in (*routes.LOGIN, *routes.MANAGER)]

    missing = [row for row in rows if (row[0], route(row[0], re.sub(r"{\w+}", "any", row[1]))) not in answered]

    assert missing == []


def test_whole_rollout(calls: list[Call]) -> None:
    """The recording holds a rollout: both versions, the split's stages, a failed operation and a deleted blue."""
    puts = [call for call in calls if call["method"] == "PUT" and "/onlineEndpoints/contract" in call["path"]]
    splits = [call["sent"]["properties"].get("traffic") for call in puts]
    states = {call["body"]["status"] for call in calls if "mfeOperationsStatus" in call["path"]}

    assert {GREEN: 10, "default": 90} in splits
    assert {GREEN: 100} in splits
    assert states == {"Updating", "Succeeded", "Failed"}
    assert any(call["method"] == "DELETE" and call["path"].endswith("deployments/default") for call in calls)


def test_sdk_models(calls: list[Call]) -> None:
    """The SDK's own models know every field of each answer, miss none they require, and can read every value."""
    found = [objection for name, body in bodies(calls) for objection in objections(name, body)]

    assert found == []


def test_sdk_models_object() -> None:
    """The second witness notices an unknown field, a missing one, a foreign state and a time that is none."""
    body = {
        "location": "local",
        "systemData": {"createdAt": "yesterday"},
        "properties": {"provisioningState": "creating", "colour": "blue"},
    }

    assert set(objections("OnlineEndpoint", body)) == {
        "OnlineEndpoint.systemData.createdAt is 'yesterday'",
        "OnlineEndpoint.properties.authMode is missing",
        "OnlineEndpoint.properties.colour is not known",
        "OnlineEndpoint.properties.provisioningState is 'creating'",
    }


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("Error", {"error": {"code": "Conflict"}}),
        ("EndpointKeys", {"primaryKey": "a", "secondaryKey": "b", "tertiaryKey": "c"}),
        ("OperationStatus", {"id": "a", "name": "a", "status": "Succeeded", "startTime": "soon"}),
        ("OperationStatus", {"id": "a", "name": "a", "status": "Failed", "startTime": "2026-01-01T00:00:00Z"}),
        ("Sku", {"name": "Default", "capacity": 1.5}),
        ("Probe", {"period": "10 s"}),
    ],
)
def test_contract_refuses(schema: str, body: Call) -> None:
    """A missing field, one too many, a wrong type, time or duration is a breach of the contract."""
    assert list(problems(schema, body)) != []


def test_unknown_route() -> None:
    """A call that no row of the contract covers fails the check."""
    call = {"method": "GET", "path": "/subscriptions/a/anything", "status": 200, "query": {}, "headers": {}, "body": {}}

    assert list(complaints(call)) == ["GET /subscriptions/a/anything is in no row of the contract"]


def test_recorded_without_secrets(recording: Recording, calls: list[Call]) -> None:
    """The recording holds no key, token or signature, and only its owner can read it."""
    text = recording.path.read_text()
    kept = [secret for secret in recording.secrets if secret in text]

    assert len(recording.secrets) == 6 and all(recording.secrets)
    assert kept == []
    assert not re.search(r"sig=[^*]|eyJ", text)
    assert any(call["query"].get("sig") == "***" for call in calls)
    assert stat.S_IMODE(recording.path.stat().st_mode) == 0o600


def bodies(calls: list[Call]) -> Iterator[tuple[str, Call]]:
    """Each document that has a model, with its schema's name; those of a page one by one."""
    for call in calls:
        row = route(call["method"], call["path"])
        if row is None or row.split()[1][:3] not in ("{W}", "{L}", "{G}"):
            continue
        schema = CONTRACT["routes"][row].get(call["status"], "Error")
        name, documents = (schema[0], call["body"]["value"]) if isinstance(schema, list) else (schema, [call["body"]])
        if name in MODELS:
            yield from ((name, document) for document in documents)
