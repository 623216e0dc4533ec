"""What a trace of somebody's Azure may say, held by planted secrets of every kind in every place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azureml_emulator.api.trace import line
from azureml_emulator.compare.masks import Masks

SUBSCRIPTION, PRINCIPAL = "6f1c2a30-9b5e-4f0e-8b7e-0d6f3a2b1c4d", "0A1B2C3D-9b5e-4f0e-8b7e-0d6f3a2b1c4d"
KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCrze8SNFZ4kA=="
#: What gives itself away by its form.
FORMS = [
    *(SUBSCRIPTION, PRINCIPAL, KEY, "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIxIn0.c2lnbmF0dXJl"),
    *(
        "0123456789abcdef0123456789abcdef",
        "ghp_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX",
        KEY.rstrip("=").replace("/", "+"),
    ),
    *("jane.doe@contoso.com", "jane.doe_contoso.com#EXT#@contoso.onmicrosoft.com"),
    *(
        "contoso-ep.westeurope.inference.ml.azure.com",
        "contosostore.blob.core.windows.net",
        "prod-db.corp",
        "Vault7.local",
    ),
    *("10.20.30.40", "fe80:0:0:0:1ff:fe23:4567:890a", "fd00::1234"),
]
#: What is known from other fields, or stands in quotes.
NAMES = [
    "contoso-rg",
    "contosoml",
    "contosostore",
    "Jane Doe",
    "Contoso Health",
    "CostCenter4711",
    "CORP\\jane",
    "Jörg",
    "vm7",
]
KNOWN = {SUBSCRIPTION: "subscription", "contoso-rg": "group", "contosoml": "workspace"}
PROVIDER = "Microsoft.MachineLearningServices"
WORKSPACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/contoso-rg/providers/{PROVIDER}/workspaces/contosoml"
SENTENCES = ["The client {} has no right over it.", "see https://{}/a?sig={} there", "host={};AccountKey=hunter2;x=y"]


def body(secret: str) -> dict[str, Any]:
    """One value in every place that a body has."""
    return {
        "id": f"{WORKSPACE}/onlineEndpoints/{secret}",
        "name": secret,
        "location": secret,
        "identity": {"principalId": secret, "tenantId": secret, "userAssignedIdentities": {f"/a/{secret}": {}}},
        "systemData": {"createdBy": secret, "createdByType": "User", "createdAt": "2026-01-02T03:04:05.678Z"},
        "tags": {secret: secret, "owner": secret},
        "properties": {
            "description": f"run by {secret}",
            "scoringUri": f"https://{secret}/score",
            "connectionString": f"AccountName=contosostore;AccountKey={secret}",
            "nested": json.dumps({"password": secret, "list": [secret]}),
            "list": [secret, {"unheardOf": [[secret]]}],
            "properties": {secret: secret},
            "adminPassword": secret,
            "sasToken": f"?sv=2024&sig={secret}",
            "provisioningState": "Succeeded",
        },
    }


@pytest.mark.parametrize("secret", [*FORMS, *NAMES, "hunter2", "westeurope"])
def test_planted(secret: str) -> None:
    """A secret is in no path, query, header, body, key or nested text, wherever it stands."""
    shown = masked(secret, body(secret))

    assert secret.lower() not in text(shown).lower()
    assert shown["body"]["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("secret", FORMS)
def test_told_by_its_form(secret: str, sentence: str) -> None:
    """Keys, tokens, ids and addresses are in no error's text."""
    assert secret.lower() not in said(sentence.replace("{}", secret)).lower()


@pytest.mark.parametrize("sentence", [*SENTENCES, "The storage account{}1234 isn't there.", 'it says "{}"', "no '{}'."])
@pytest.mark.parametrize("secret", NAMES[:6])
def test_told_by_another_field(secret: str, sentence: str) -> None:
    """A name that a field has is in no error's text of the same call, though that comes first."""
    assert secret.lower() not in said(sentence.replace("{}", secret), who=secret).lower()


@pytest.mark.parametrize("secret", NAMES)
@pytest.mark.parametrize(
    "sentence",
    [
        "The user \"{}\" isn't there, nor can't it be.",
        "no '{}'.",
        "at https://here/{}/a",
        "/subscriptions/a/b/{} is gone",
    ],
)
def test_told_by_its_place(secret: str, sentence: str) -> None:
    """What a sentence puts into quotes, into an address or an id, is a name."""
    there = secret.replace(" ", "-")
    assert there.lower() not in said(sentence.replace("{}", there)).lower()


@pytest.mark.parametrize(
    "sentence",
    [
        *(
            "AccountKey=hunter2;EndpointSuffix=x",
            "password: hunter2",
            'with {"password": "hunter2"}',
            "?sv=1&sig=hunter2",
        ),
        *("Authorization: Bearer hunter2", "Basic hunter2", "https://jane:hunter2@here/", "client_secret=hunter2"),
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
    ],
)
def test_told_by_what_stands_before(sentence: str) -> None:
    """Nor is a password that looks like any word."""
    assert "hunter2" not in said(sentence)


@pytest.mark.parametrize(
    "hidden", [{"pin": 4711}, {"adminPassword": {"value": ["4711"]}}, {"code": "a4711a4711a4711a4711"}]
)
def test_told_by_its_field(hidden: dict[str, Any]) -> None:
    """Nor is a number that is a password, or a key where a word is expected."""
    assert "4711" not in text(masked("none", hidden))


def text(shown: Any) -> str:
    return json.dumps(shown, ensure_ascii=False).replace("\\\\", "\\")


def said(message: str, **fields: str) -> str:
    """The error's text in a trace, with the rest of the call."""
    error = {"code": "UserError", "message": message, "details": [{"message": message}]}
    shown = masked("none", {"error": error, **fields})
    assert shown["body"]["error"]["code"] == "UserError"
    return text(shown)


def masked(secret: str, body: Any) -> dict[str, Any]:
    asked = {
        "method": "PUT",
        "path": f"{WORKSPACE}/onlineEndpoints/{secret}",
        "query": {"api-version": "2024-04-01", "sig": secret, "skoid": secret, "prefix": secret},
    }
    headers = {
        "Azure-AsyncOperation": f"https://{secret}/subscriptions/{SUBSCRIPTION}/providers/{secret}?t={secret}&api-version=1",
        **dict.fromkeys(
            ["Set-Cookie", "Authorization", "x-ms-client-principal-name", "WWW-Authenticate", "Location"], secret
        ),
    }
    content = json.dumps(body).encode()
    return Masks(KNOWN).call(line(asked, content, {"status": 400, "headers": headers}, content))


def test_the_same_value_has_the_same_mask() -> None:
    """In all calls of a trace, whatever its case, and another value has another one."""
    masks = Masks(KNOWN)
    calls = [
        line(
            {"method": "GET", "path": f"/subscriptions/{id}/x", "query": {}}, b"", {"status": 200, "headers": {}}, said
        )
        for id, said in ((SUBSCRIPTION, b'{"name": "one"}'), (SUBSCRIPTION.upper(), b'{"owner": "ONE", "name": "two"}'))
    ]

    first, second = (masks.call(call) for call in calls)

    assert first["path"] == second["path"]
    assert first["body"]["name"] == second["body"]["owner"] != second["body"]["name"]


def test_what_stays() -> None:
    """What Azure itself says stays readable: words, sentences, states, api-versions, numbers, types."""
    message = f"The Resource '{PROVIDER}/workspaces/contosoml' under resource group 'contoso-rg' wasn't found."
    said = {"error": {"code": "ResourceNotFound", "message": message, "target": None, "count": 3, "flag": True}}

    shown = masked("mine", said)

    assert shown["path"].endswith(
        "/<group>/providers/Microsoft.MachineLearningServices/workspaces/<workspace>/onlineEndpoints/<host-1>"
    )
    assert shown["query"]["api-version"] == "2024-04-01"
    assert shown["body"] == {
        "error": {
            **said["error"],
            "message": message.replace("contosoml", "<workspace>").replace("contoso-rg", "<group>"),
        }
    }
