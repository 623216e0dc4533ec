"""create_endpoint before an endpoint that is there, failed, is somebody else's, or differs from endpoint.yml."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import MLClient

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts.lib.azure.workspace import ENDPOINT
from scripts.lib.decisions.creating import Described, plan_endpoint
from scripts.lib.decisions.state import FIRST_ROLLOUT, Deployment, EndpointState, Model, Refused
from tests.support.scripts import Live, change, repository, run, toy_model

NUMBERS = itertools.count()
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/rollout"
OURS = Described(tags={"model": "heart"})


@pytest.fixture
def live(azure: dict[str, str], tmp_path: Path) -> Iterator[Live]:
    """The name of an endpoint that isn't there yet."""
    with repository(tmp_path / "copy", model="toy-create"):
        yield (made := Live(f"toy-create-{next(NUMBERS)}"))
        Arm(azure)("DELETE", f"onlineEndpoints/{made.name}")


@pytest.fixture
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


def test_description_and_tags_are_applied(live: Live, client: MLClient) -> None:
    """A change of them alone reaches an endpoint that exists, and nothing of it but that changes."""
    live.do("create_endpoint")
    change(ENDPOINT, description="New words", tags={"model": "toy-create", "team": "care"})

    live.do("create_endpoint")

    endpoint: Any = client.online_endpoints.get(live.name)
    assert endpoint.description == "New words"
    assert endpoint.tags == {"model": "toy-create", "team": "care", **FIRST_ROLLOUT}


def test_what_others_wrote_stays(live: Live, client: MLClient) -> None:
    """The rollout's tags and foreign ones are written back as they were."""
    live.do("create_endpoint")
    endpoint: Any = client.online_endpoints.get(live.name)
    endpoint.tags |= {"rollout": "o/h/actions/runs/1/attempts/1", "mark-green": "t bad", "cost": "7"}
    client.online_endpoints.begin_create_or_update(endpoint).result()
    change(ENDPOINT, tags={"model": "toy-create", "team": "care"})

    live.do("create_endpoint")

    assert client.online_endpoints.get(live.name).tags == {**endpoint.tags, "team": "care"}


def test_what_is_there_is_not_written(live: Live, arm: Arm) -> None:
    """An endpoint that is as the file says stays as it was written last."""
    live.do("create_endpoint")
    before = arm("GET", f"onlineEndpoints/{live.name}").json()

    result = live.run("create_endpoint")

    assert "is there already" in result.stderr
    assert arm("GET", f"onlineEndpoints/{live.name}").json() == before


@pytest.mark.parametrize(
    ("key", "value", "now"), [("auth_mode", "aml_token", "key"), ("public_network_access", "disabled", "enabled")]
)
def test_what_would_cut_off_callers_is_refused(live: Live, client: MLClient, key: str, value: str, now: str) -> None:
    """With the command by which somebody does it on purpose; nothing is changed."""
    live.do("create_endpoint")
    before = vars(client.online_endpoints.get(live.name))["auth_mode"]
    change(ENDPOINT, description="New words", **{key: value})

    result = live.run("create_endpoint")

    endpoint: Any = client.online_endpoints.get(live.name)
    assert result.exit_code == 1
    assert f"`{key}` is {value}, but {live.name} has {now}" in result.stderr
    assert (
        f"az ml online-endpoint update --name {live.name} " in result.stderr and f"--set {key}={value}" in result.stderr
    )
    assert (endpoint.auth_mode, endpoint.description != "New words") == (before, True)


def test_what_the_file_is_silent_about_is_no_change(live: Live) -> None:
    """The SDK's defaults aren't what somebody asks for."""
    before = ENDPOINT.read_text()
    change(ENDPOINT, auth_mode="aml_token")
    live.do("create_endpoint")
    ENDPOINT.write_text("\n".join(line for line in before.splitlines() if "auth_mode" not in line))

    assert "is there already" in live.run("create_endpoint").stderr


@pytest.mark.parametrize("spelt", ["Key", "KEY", "key"])
def test_another_spelling_is_no_change(live: Live, spelt: str) -> None:
    """Azure reads its words in any case."""
    live.do("create_endpoint")
    change(ENDPOINT, auth_mode=spelt)

    assert "is there already" in live.run("create_endpoint").stderr


def test_a_creation_that_failed_is_done_anew(live: Live, client: MLClient, faults: Faults) -> None:
    """What it left is taken over: no dead end on the first day."""
    faults.add("fail", method="PUT", path=f"*/onlineEndpoints/{live.name}", code="SubscriptionNotRegistered")
    assert live.run("create_endpoint").exit_code == 1

    result = live.run("create_endpoint")

    endpoint: Any = client.online_endpoints.get(live.name)
    assert result.exit_code == 0 and "created anew" in result.stderr
    assert (endpoint.provisioning_state, endpoint.tags) == ("Succeeded", {"model": "toy-create", **FIRST_ROLLOUT})


def test_a_failed_creation_of_somebody_else_s_is_left(live: Live, client: MLClient, faults: Faults) -> None:
    """Its tag `model` names whose it is."""
    faults.add("fail", method="PUT", path=f"*/onlineEndpoints/{live.name}")
    live.run("create_endpoint")
    change(ENDPOINT, tags={"model": "lungs"})

    result = live.run("create_endpoint")

    assert result.exit_code == 1
    assert "its tag `model` is toy-create, not lungs" in result.stderr and "ENDPOINT_NAME" in result.stderr
    assert client.online_endpoints.get(live.name).provisioning_state == "Failed"


def test_another_model_s_endpoint_is_said(live: Live, client: MLClient) -> None:
    """It may be somebody else's; its tag stays until a person changes it."""
    live.do("create_endpoint")
    change(ENDPOINT, tags={"model": "lungs"})

    result = live.run("create_endpoint")

    assert result.exit_code == 0
    assert "its tag `model` is toy-create, not lungs" in result.stderr and "--set tags.model=lungs" in result.stderr
    assert client.online_endpoints.get(live.name).tags["model"] == "toy-create"


@pytest.mark.parametrize(
    "words",
    [
        "There is already an endpoint with this name, Endpoint name needs to be unique within a region.",
        "The specified endpoint name 'heart' is not available. Endpoint names must be unique within the region.",
        "The endpoint name heart is already taken in this region.",
    ],
)
@pytest.mark.parametrize("kind", ["refuse", "fail"])
def test_a_name_that_is_taken_in_the_region(live: Live, faults: Faults, kind: str, words: str) -> None:
    """A sentence that names the variable to set."""
    status = {"status": 400} if kind == "refuse" else {}
    faults.add(kind, method="PUT", path=f"*/onlineEndpoints/{live.name}", code="BadRequest", message=words, **status)

    result = live.run("create_endpoint")

    assert result.exit_code == 1
    assert "the endpoint's name is taken in this region" in result.stderr
    assert "Take another: ENDPOINT_NAME" in result.stderr


def test_a_split_in_the_file_is_said_and_dropped(live: Live, client: MLClient) -> None:
    """A new endpoint has no traffic whatever the file says."""
    change(ENDPOINT, traffic={"default": 100})

    result = live.run("create_endpoint")

    assert result.exit_code == 0 and "`traffic` is ignored" in result.stderr
    assert client.online_endpoints.get(live.name).traffic == {}


def test_an_update_meets_a_promotion(live: Live, faults: Faults, client: MLClient, tmp_path: Path) -> None:
    """A split that somebody writes between look and write isn't written over: all is planned anew."""
    live.do("create_endpoint")
    version = run("register_model", toy_model(tmp_path / "toy")).stdout.strip()
    live.do("deploy", "--version", version)
    change(ENDPOINT, description="New words")
    faults.add("overwrite", method="GET", path=f"*/onlineEndpoints/{live.name}", traffic={"default": 100})

    result = live.run("create_endpoint")

    endpoint: Any = client.online_endpoints.get(live.name)
    assert f"once more: somebody changed {live.name} meanwhile" in result.stderr
    assert (endpoint.description, endpoint.traffic) == ("New words", {"default": 100})


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
def test_one_that_has_deployments_is_never_created_anew(state: str) -> None:
    """Azure calls it so after a failed change, too."""
    serving = Deployment("default", Model("heart", "1"))

    assert plan_endpoint(EndpointState("heart", deployments={"default": serving}, state=state), OURS, OURS, "").done
    assert plan_endpoint(EndpointState("heart", state=state), OURS, OURS, "").create


def test_an_identity_can_t_be_changed() -> None:
    """Azure doesn't: there is no command to name, but another endpoint."""
    live = Described(tags=OURS.tags, fixed={"identity": "system_assigned"})
    wanted = Described(tags=OURS.tags, fixed={"identity": "user_assigned /subscriptions/s/i"})

    with pytest.raises(Refused, match="can't change an endpoint's identity"):
        plan_endpoint(EndpointState("heart"), live, wanted, "")


def test_what_the_file_doesn_t_say_is_left() -> None:
    """Only its lines are compared."""
    live = Described("Words", {"model": "heart", "a": "b"}, {"auth_mode": "aad_token", "identity": "system_assigned"})

    assert plan_endpoint(EndpointState("heart"), live, OURS, "").done


@pytest.mark.parametrize(
    "identity",
    [
        {"type": "system_assigned"},
        {"type": "SystemAssigned"},
        {"type": "user_assigned", "user_assigned_identities": [{"resource_id": IDENTITY}]},
    ],
    ids=str,
)
def test_an_identity_that_stays_is_no_change(live: Live, identity: dict[str, Any]) -> None:
    """However it is spelt, and whichever it is."""
    change(ENDPOINT, identity=identity)
    live.do("create_endpoint")

    assert "is there already" in live.run("create_endpoint").stderr
