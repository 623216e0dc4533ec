"""The stand-in for `az`, as steps of a workflow and azure-identity call it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from azureml_emulator.testing import WORKSPACE, Arm
from azureml_emulator.workflows import az

ENDPOINTS = WORKSPACE + "/onlineEndpoints"


@pytest.fixture
def path(tmp_path: Path) -> str:
    az.install(tmp_path / "bin")
    return f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"


def run(path: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": path, **environ}
    return subprocess.run(["az", *arguments], env=env, text=True, capture_output=True, check=False)


def test_rest(azure: dict[str, str], path: str) -> None:
    """An address without a host is asked of the resource manager, with a token; a body is sent as JSON."""
    url = ENDPOINTS.format(**azure) + "/by-az?api-version=2024-04-01"

    put = run(
        path, "rest", "--method", "put", "--url", url, "--body", '{"location": "l", "properties": {"authMode": "Key"}}'
    )

    assert (put.returncode, json.loads(put.stdout)["name"]) == (0, "by-az")
    assert json.loads(run(path, "rest", "-m", "get", "-u", url).stdout)["properties"]["authMode"] == "Key"
    assert Arm(azure)("DELETE", "onlineEndpoints/by-az").status_code in (202, 409)


def test_refused(azure: dict[str, str], path: str) -> None:
    """What Azure refuses is an ERROR with its words and exit code 1, and nothing on stdout."""
    refused = run(path, "rest", "--url", ENDPOINTS.format(**azure) + "/nobody?api-version=2024-04-01")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("ERROR: Not Found(") and "ResourceNotFound" in refused.stderr


def test_a_body_that_is_no_json(azure: dict[str, str], path: str) -> None:
    """It isn't said to be JSON, so the resource manager doesn't read it (Azure/azure-cli#32972)."""
    url = ENDPOINTS.format(**azure) + "/by-az?api-version=2024-04-01"

    refused = run(path, "rest", "--method", "put", "--url", url, "--body", "{location: l}")

    assert (refused.returncode, "UnsupportedMediaType" in refused.stderr) == (1, True)


def test_signed_out(azure: dict[str, str], path: str) -> None:
    """Without the managed identity nobody is signed in."""
    assert "az login" in run(path, "rest", "--url", "/subscriptions", IDENTITY_ENDPOINT="").stderr


def test_a_job_s_login(azure: dict[str, str], path: str, tmp_path: Path) -> None:
    """Where azure/login has a folder for it, only a login in that folder counts."""
    there, token = {"AZURE_CONFIG_DIR": str(tmp_path)}, ("account", "get-access-token")
    before = run(path, *token, **there)

    (tmp_path / "client").write_text("00000000-0000-0000-0000-000000000001\n")

    assert "az login" in before.stderr
    assert run(path, *token, **there).returncode == 0


def test_token(azure: dict[str, str], path: str) -> None:
    """azure-identity takes its tokens."""
    from azure.identity import AzureCliCredential

    before, os.environ["PATH"] = os.environ["PATH"], path
    try:
        token = AzureCliCredential(process_timeout=60).get_token("https://management.local/.default")
    finally:
        os.environ["PATH"] = before

    assert token.token.count(".") == 2
