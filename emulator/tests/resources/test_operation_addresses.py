"""Where a client finds out about an operation, how often it asks, and what that says of one that has ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from isodate import parse_datetime

from azureml_emulator.process import running
from azureml_emulator.testing import Arm, endpoint

NAME = "addresses"
PATH = f"onlineEndpoints/{NAME}"
VERSION = "2022-02-01-preview"


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def place(arm: Arm) -> str:
    """The address of an operation that has ended."""
    started = arm("PUT", f"{PATH}?api-version={VERSION}", endpoint())
    arm.settle(started)
    return started.headers["Azure-AsyncOperation"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("", "", ""),
        ("", "&api-version=2023-04-01-preview", "InvalidApiVersionParameter"),
        ("", "?api-version=2023-04-01-preview", "InvalidAsyncOperationUri"),
        (f"api-version={VERSION}", "api-version=2023-04-01-preview", "InvalidAsyncOperationUri"),
        (f"api-version={VERSION}&", "", "MissingApiVersionParameter"),
    ],
)
@pytest.mark.parametrize("kind", ["mfeOperationsStatus", "mfeOperationResults"])
def test_an_address_has_its_own_version(arm: Arm, place: str, old: str, new: str, code: str, kind: str) -> None:
    """It is signed: used as it is, it works; with another version, a second one or none, it is refused."""
    address = place.replace("mfeOperationsStatus", kind)

    answer = arm("GET", address.replace(old, new) if old else address + new)

    assert (answer.status_code, answer.json()["error"]["code"] if code else "") == (400 if code else 200, code)


def test_the_address_in_the_properties(arm: Arm, place: str) -> None:
    """Whoever reads the endpoint finds its last operation, without a signature, and may ask for it."""
    uri = arm("GET", PATH).json()["properties"]["properties"]["AzureAsyncOperationUri"]

    assert place.startswith(f"{uri}&t=")
    assert arm("GET", uri).json()["name"].startswith("oeidp:")


def test_the_location_of_a_put_is_the_resource(arm: Arm) -> None:
    """Of a deletion it is the operation's result: there is none before the end."""
    put = arm("PUT", f"onlineEndpoints/located?api-version={VERSION}", endpoint())
    arm.settle(put)
    deleted = arm("DELETE", "onlineEndpoints/located")
    early = arm("GET", deleted.headers["Location"]).status_code
    arm.settle(deleted)

    assert put.headers["Location"] == f"{arm.base}{arm.workspace}/onlineEndpoints/located?api-version={VERSION}"
    assert (early, arm("GET", deleted.headers["Location"]).status_code) == (202, 200)


def test_an_operation_says_when_it_ended(arm: Arm) -> None:
    """Before that it says nothing of it."""
    started = arm("PUT", PATH, endpoint())
    early = arm("GET", started.headers["Azure-AsyncOperation"]).json()
    late = arm.settle(started)

    assert ("endTime" in early, early["percentComplete"]) == (False, 0.0)
    assert parse_datetime(late["startTime"]) < parse_datetime(late["endTime"])
    assert late["percentComplete"] == 100.0


def test_polling_as_azure_has_it(arm: Arm, tmp_path: Path) -> None:
    """Clients are asked to poll often, unless they are to do as with Azure."""
    with running(tmp_path / "state", "--azure-polling") as variables:
        slow = Arm(variables)
        answers = [slow("PUT", PATH, endpoint()), slow("GET", slow("PUT", f"{PATH}2", endpoint()).headers["Location"])]
        answers.append(slow("GET", answers[0].headers["Azure-AsyncOperation"]))

    assert not [answer for answer in answers if "x-ms-retry-after-ms" in answer.headers]
    assert arm("PUT", PATH, endpoint()).headers["x-ms-retry-after-ms"] == "100"
