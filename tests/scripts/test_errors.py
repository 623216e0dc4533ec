"""Azure's errors, told to people: one message, the exit code of what it is, no traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from azureml_emulator.faults.command import Faults
from azureml_emulator.process import running
from scripts.lib.azure import endpoint
from scripts.lib.azure.errors import explain, redact
from tests.support import ROOT
from tests.support.scripts import repository, run, toy_model

BUSY = {"TooManyRequests", "ResourceRequestsThrottled", "ServiceError", "GatewayTimeout"}


def told(result: Result, code: int = 1) -> str:
    """The message of a command that failed as it should."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    return result.stderr


def nobody() -> str:
    """An address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"https://127.0.0.1:{listener.getsockname()[1]}"


def test_a_missing_endpoint(azure: dict[str, str]) -> None:
    """The next step is to create it."""
    assert "Run create_endpoint" in told(run("show_endpoint", ENDPOINT_NAME="no-such-endpoint"))


@pytest.mark.parametrize("script", ["show_endpoint", "create_endpoint", "rollback"])
def test_a_missing_workspace(azure: dict[str, str], script: str) -> None:
    """It is not taken for a missing endpoint; the variables to check are named."""
    assert "AZURE_ML_WORKSPACE" in told(run(script, AZURE_ML_WORKSPACE="nowhere"))


def test_a_missing_workspace_when_registering(azure: dict[str, str], model_folder: Path) -> None:
    """It is not taken for a model without versions."""
    assert "AZURE_ML_WORKSPACE" in told(run("register_model", model_folder, AZURE_ML_WORKSPACE="nowhere"))


def test_a_login_that_fails(azure: dict[str, str]) -> None:
    """Whoever is not signed in is told how to."""
    assert "az login" in told(run("show_endpoint", IDENTITY_HEADER="wrong"))


def test_a_login_that_has_expired(tmp_path: Path) -> None:
    """A job that waited too long for its approval is told to run again."""
    with running(tmp_path / "state", "--token-seconds=0") as variables:
        message = told(run("show_endpoint", **variables))

    assert "re-run the job" in message


def test_a_local_azure_that_is_not_running(azure: dict[str, str]) -> None:
    """The real Azure is not asked instead."""
    message = told(run("show_endpoint", ARM_CLOUD_METADATA_URL=f"{nobody()}/metadata/endpoints"))

    assert "is it running?" in message


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes is not looked at for long, since here it never does."""
    monkeypatch.setattr(endpoint, "LOOKING", 1.0)


@pytest.mark.parametrize(
    ("like", "says", "then"),
    [
        ("ScopeLocked", "a lock forbids it: ScopeLocked: The scope", "az lock delete"),
        ("MissingSubscriptionRegistration", "is not registered", "az provider register"),
        ("SubscriptionNotRegistered", "is not registered", "az provider register"),
        ("RequestDisallowedByPolicy", "a policy of the subscription forbids it", "exemption"),
        ("AuthorizationFailed", "no right to do this: AuthorizationFailed", "AzureML Data Scientist"),
        ("LinkedAuthorizationFailed", "may not use a resource", "Managed Identity Operator"),
        ("PrivateLink", "from its private network only", "within that network"),
        ("PrivateLinkDenied", "from its private network only", "within that network"),
        (
            "OutOfQuota",
            "no quota left for it: InferencingClientCreateDeploymentFailed: Not enough quota",
            "instance_type",
        ),
        ("EndpointNameTaken", "name is taken in this region", "ENDPOINT_NAME"),
        (
            "OperationInProgress",
            "another operation is running on the endpoint, so Azure refused",
            "Run it again later.",
        ),
        ("TooManyRequests", "Azure is busy: TooManyRequests", "show_endpoint tells how it is left"),
        ("ResourceRequestsThrottled", "Azure is busy: ResourceRequestsThrottled", "show_endpoint tells how it is left"),
        ("ServiceError", "Azure is out of order: InternalServerError", "show_endpoint tells how it is left"),
        ("GatewayTimeout", "Azure is out of order: GatewayTimeout", "show_endpoint tells how it is left"),
        ("ExpiredAuthenticationToken", "Azure does not accept the login: ExpiredAuthenticationToken", "az login"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_what_azure_says_is_explained(azure: dict[str, str], faults: Faults, like: str, says: str, then: str) -> None:
    """Its own words, what they mean, and who mends it how: by the code, whatever the status."""
    faults.add("refuse", path="*/onlineEndpoints/told", like=like, times=0)

    code = 4 if like in BUSY else 3 if like == "OperationInProgress" else 1
    message = told(run("show_endpoint", ENDPOINT_NAME="told"), code)

    assert says in message and then in message
    assert "HTTP" not in message


@pytest.mark.parametrize("status", [400, 403, 409, 418])
@pytest.mark.usefixtures("hasty")
def test_an_unknown_code_is_not_guessed_at(azure: dict[str, str], faults: Faults, status: int) -> None:
    """The deepest words are shown, and no role, no login and no other operation is suspected."""
    deep = {"details": [{"code": "Outer", "message": "asked"}], "innererror": {"code": "Deep", "message": "because"}}
    faults.add(
        "refuse", path="*/onlineEndpoints/told", status=status, code="Somebody", message="asked", times=0, **deep
    )

    message = told(run("show_endpoint", ENDPOINT_NAME="told"))

    assert message.splitlines()[-1] == "Error: Azure refused: Deep: because"


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        ("NotFound/OutOfQuota", "Azure has no quota left for it: OutOfQuota: asked"),
        ("BadArgument/Odd", "Azure can't use what was sent: Odd: asked"),
        ("Odd", "Azure refused: Odd: asked"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_what_is_meant_stands_in_the_inner_error(azure: dict[str, str], faults: Faults, inner: str, says: str) -> None:
    """The outer code is UserError whatever happened; the code inside tells the cause."""
    fault = {"status": 400, "code": "UserError", "message": "asked", "innererror": inner}
    faults.add("refuse", path="*/onlineEndpoints/told", times=0, **fault)

    assert says in told(run("show_endpoint", ENDPOINT_NAME="told"))


def test_one_refused_token_is_no_lost_login(azure: dict[str, str], faults: Faults) -> None:
    """The next call has a new one."""
    faults.add("refuse", path="*/onlineEndpoints/told", like="ExpiredAuthenticationToken")

    message = told(run("show_endpoint", ENDPOINT_NAME="told"))

    assert "there is no endpoint told" in message


@pytest.mark.usefixtures("hasty")
def test_an_azure_that_hangs_up(azure: dict[str, str], faults: Faults) -> None:
    """The network is the next thing to look at."""
    faults.add("drop", path="*/onlineEndpoints/told", times=0)

    assert "Azure can't be reached" in told(run("show_endpoint", ENDPOINT_NAME="told"), 4)


@pytest.mark.parametrize(
    ("like", "says", "then"),
    [
        ("KeyBasedAuthenticationNotPermitted", "allows no account keys", "--system-datastores-auth-mode identity"),
        ("AuthenticationFailed", "a key that was rotated", "az ml workspace sync-keys"),
        ("AuthorizationFailure", "storage account's firewall", "within that network"),
        ("AuthorizationPermissionMismatch", "no right to these blobs", "Storage Blob Data Contributor"),
    ],
)
def test_what_storage_refuses_is_explained(
    azure: dict[str, str], faults: Faults, tmp_path: Path, like: str, says: str, then: str
) -> None:
    """The SDK raises a bare Exception for some: a sentence all the same, which names the role of what refused."""
    with repository(tmp_path / "repository", model="toy-storage"):
        faults.add("refuse", path="*.blob.*", like=like, times=0)

        message = told(run("register_model", toy_model(tmp_path / "model", answer=like)))

    assert says in message and then in message and like in message
    assert "AzureML Data Scientist" not in message


def test_an_endpoint_that_is_not_named(azure: dict[str, str]) -> None:
    """Its name is the one in endpoints/endpoint.yml."""
    name = yaml.safe_load((ROOT / "endpoints" / "endpoint.yml").read_text())["name"]

    assert f"there is no endpoint {name} in workspace" in told(run("show_endpoint", ENDPOINT_NAME=""))


def test_an_error_of_the_scripts_keeps_its_traceback() -> None:
    """A bug is not dressed up as the user's mistake."""
    assert explain(ValueError("bug")) is None


def test_secrets_in_addresses_are_not_repeated() -> None:
    """A shared access signature in an error's text stays out of the log."""
    assert redact("PUT https://a/b?sv=1&sig=s%2Fecret%3D&se=2 failed\n\x1b[31mred\x1b[0m") == (
        "PUT https://a/b?sv=1&sig=…&se=2 failed red"
    )


def test_a_script_in_a_process_of_its_own(azure: dict[str, str]) -> None:
    """As a job runs it: one line of error, nothing else of the SDK's, no traceback."""
    command = [sys.executable, "-m", "scripts.show_endpoint", "--endpoint", "no-such-endpoint"]

    shown = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.splitlines() == [
        "Error: there is no endpoint no-such-endpoint in workspace local. Run create_endpoint."
    ]


def test_a_script_outside_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without endpoints/ the error says where to be."""
    monkeypatch.chdir(tmp_path)

    result = run("show_endpoint", AZURE_SUBSCRIPTION_ID="s", AZURE_RESOURCE_GROUP="g", AZURE_ML_WORKSPACE="w")

    assert "repository's root" in told(result)
