"""When an endpoint or a deployment was made: what tells it from another one of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_emulator.arm import documents
from azureml_emulator.arm.documents import Document
from azureml_emulator.process import running
from azureml_emulator.testing import Arm, deployment, endpoint, toy_model
from tests.support.local import ENDPOINT, MODEL, Local, local
from tests.support.models import in_loop
from tests.support.served import register

SHARED = "times"
PATH = f"onlineEndpoints/{SHARED}"


def times(here: Local) -> list[str]:
    """When the endpoint and its deployment were made: as the lists, then as GETs say it."""
    scope, azure = here.scope, here.azure
    read = [*azure.endpoints.all(scope), *azure.deployments.all(scope, ENDPOINT)]
    read += [azure.endpoints.get(scope, ENDPOINT), azure.deployments.get(scope, ENDPOINT, "default")]
    return [document["systemData"]["createdAt"] for document in read]


@in_loop
async def test_it_survives(tmp_path: Path) -> None:
    """Updates, scaling, a PUT over what failed and a restart of the emulator leave it as it is."""
    async with local(tmp_path) as here:
        await here.deployment("default")
        first = times(here)
        await here.endpoint(traffic={"default": 100}, description="changed")
        await here.deployment("default", instances=2)
        here.azure.deployments.turn(here.scope, ENDPOINT, "default", "Failed")
        here.azure.deployments.turn(here.scope, ENDPOINT, "", "Failed")
        await here.deployment("default", environmentVariables={"A": "b"})
        await here.endpoint(traffic={"default": 100})
        later = times(here)
    async with local(tmp_path) as again:
        restarted = times(again)

    assert first[:2] == first[2:]
    assert (later, restarted) == (first, first)


@in_loop
async def test_a_new_one_has_its_own(tmp_path: Path) -> None:
    """What was deleted and made again is another one, although its name is the same."""
    async with local(tmp_path) as here:
        await here.deployment("default")
        first = times(here)
        await here.end(here.azure.deployments.delete(here.scope, ENDPOINT, "default") or "")
        await here.deployment("default")
        second = times(here)
        await here.end(here.azure.endpoints.delete(here.scope, ENDPOINT) or "")
        await here.endpoint()
        await here.deployment("default")
        third = times(here)

    assert first[0] == second[0] < third[0]
    assert first[1] < second[1] < third[1]


def test_always_with_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at a full second."""

    class Clock(documents.datetime):
        @classmethod
        def now(cls, tz: object = None) -> Clock:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=documents.timezone.utc)

    monkeypatch.setattr(documents, "datetime", Clock)

    assert documents.now() == "2026-01-02T03:04:05.000000+00:00"


@in_loop
async def test_the_answer_to_an_update_does_not_say_it(tmp_path: Path) -> None:
    """The first PUT's answer has it, an updating one's only the time of the change."""
    async with local(tmp_path) as here:
        first, operation = here.azure.deployments.put(here.scope, ENDPOINT, "default", deployment(MODEL))
        await here.end(operation)
        answers: list[Document] = []
        for put, names, body in (
            (here.azure.deployments.put, (ENDPOINT, "default"), deployment(MODEL)),
            (here.azure.endpoints.put, (ENDPOINT,), endpoint()),
        ):
            answer, operation = put(here.scope, *names, body)  # type: ignore[operator]
            await here.end(operation)
            answers.append(answer)

    assert "createdAt" in first["systemData"]
    assert [set(answer["systemData"]) for answer in answers] == [{"lastModifiedAt"}] * 2


def test_the_sdk_reads_it(outside: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK updates an endpoint and a deployment without trouble, and its entities say when they were made."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    with running(tmp_path / "state") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        arm = Arm(variables)
        arm.endpoint(SHARED)
        arm.deployment(SHARED, "default", register(arm, "times", toy_model(tmp_path / "model")))
        place = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
        client = MLClient(DefaultAzureCredential(), *(variables[name] for name in place))
        made = [arm("GET", path).json()["systemData"]["createdAt"] for path in (PATH, f"{PATH}/deployments/default")]

        found = client.online_endpoints.get(SHARED)
        found.traffic = {"default": 100}
        updated = client.online_endpoints.begin_create_or_update(found).result()
        default = client.online_deployments.get("default", SHARED)
        default.tags = {"replaces": "nobody"}
        scaled = client.online_deployments.begin_create_or_update(default).result()

    assert scaled.creation_context.created_at.isoformat() == made[1]
    assert updated.traffic == {"default": 100}
