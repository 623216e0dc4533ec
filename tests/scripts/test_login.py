"""Who the scripts are to Azure: in a job the identity that trusts it, as long as the job takes; else `az`'s login."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.github.oidc import PATH
from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.process import running, without_azure
from azureml_emulator.testing import Arm
from azureml_emulator.workflows import az
from tests.support import ROOT

SUBJECT = "repo:local/rollout:environment:deploy"
ISSUER, AUDIENCE = "https://token.actions.githubusercontent.com", "api://AzureADTokenExchange"
IDENTITY = "/subscriptions/{AZURE_SUBSCRIPTION_ID}/resourceGroups/{AZURE_RESOURCE_GROUP}/providers/{kind}/rollout"
KIND = "Microsoft.ManagedIdentity/userAssignedIdentities"
PLACE = {"AZURE_TENANT_ID": "00000000-0000-0000-0000-000000000001", "ENDPOINT_NAME": "login"}


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An Azure whose tokens are over before an operation is."""
    with running(tmp_path_factory.mktemp("login"), "--token-seconds=2", "--operation-seconds=5") as found:
        yield found


@pytest.fixture(scope="module")
def client(azure: dict[str, str]) -> str:
    """The client id of the identity `rollout`, which trusts the jobs in `deploy`."""
    arm = Arm(azure)
    path = arm.base + IDENTITY.format(**azure, kind=KIND)
    made = arm("PUT", path, {"location": "local"}).json()
    trust = {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
    arm("PUT", f"{path}/federatedIdentityCredentials/deploy", {"properties": trust})
    return str(made["properties"]["clientId"])


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    with LocalGitHub() as made:
        yield made


def job(script: str, azure: dict[str, str], **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a step does on a machine that has no identity of its own, unless `environ` names one."""
    machine = {"IDENTITY_ENDPOINT": "", "IDENTITY_HEADER": "", "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}
    env = {**without_azure(os.environ), **azure, **machine, **PLACE, **environ}
    command = [sys.executable, "-m", f"scripts.{script}"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_a_job_outlives_its_tokens(azure: dict[str, str], client: str, github: LocalGitHub) -> None:
    """Azure's tokens and GitHub's are over before the operation is: the job asks GitHub anew for each of Azure's."""
    token = github.identify(SUBJECT, azure["IDENTITY_HEADER"], seconds=1)

    done = job("create_endpoint", azure, AZURE_CLIENT_ID=client, **token)

    assert done.returncode == 0, done.stderr
    assert github.calls.count(("GET", PATH)) > 2


def test_a_hiccup_of_github_s(azure: dict[str, str], client: str, github: LocalGitHub) -> None:
    """A token that doesn't come at once is asked for again."""
    token = github.identify(SUBJECT, azure["IDENTITY_HEADER"])
    fault = github.add("refuse", path=PATH, times=2)

    done = job("show_endpoint", azure, AZURE_CLIENT_ID=client, **token)

    assert done.returncode == 0, done.stderr
    assert fault.document["hit"] == 2


@pytest.mark.parametrize(
    ("subject", "request_token", "says"),
    [
        (SUBJECT.replace("deploy", "production"), None, "AADSTS700213"),
        (SUBJECT, "another", "GitHub gave this job no token"),
    ],
)
def test_a_job_that_nobody_trusts(
    azure: dict[str, str], client: str, github: LocalGitHub, subject: str, request_token: str | None, says: str
) -> None:
    """It ends with who refused it, and logs in as nobody else: not as the machine, which has an identity here."""
    token = github.identify(subject, azure["IDENTITY_HEADER"])
    token |= {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": request_token} if request_token else {}
    machine = {name: azure[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}

    done = job("show_endpoint", azure, AZURE_CLIENT_ID=client, **token, **machine)

    assert done.returncode == 1
    assert says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("credential", "code"), [("AzureCliCredential", 1), ("ManagedIdentityCredential", 0)])
def test_without_a_token_of_the_job_s(azure: dict[str, str], tmp_path: Path, credential: str, code: int) -> None:
    """AZURE_TOKEN_CREDENTIALS names the one login to take: where `az` has none, the machine's is none instead."""
    az.install(tmp_path / "bin")
    folder = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "AZURE_CONFIG_DIR": str(tmp_path)}
    machine = {name: azure[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}

    done = job("show_endpoint", azure, **machine, **folder, AZURE_TOKEN_CREDENTIALS=credential)

    assert done.returncode == code, done.stderr
