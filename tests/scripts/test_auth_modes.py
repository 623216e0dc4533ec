"""Endpoints that take tokens instead of keys: all that asks one works alike; against the local Azure ML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts.lib.azure.asker import Asker
from scripts.lib.azure.scoring_client import bearer, score
from scripts.lib.azure.workspace import ENDPOINT
from tests.support.scripts import GREEN, SAMPLE, Live, change, opened, own_identity, repository, run, toy_model


@pytest.fixture(scope="module", params=["aml_token", "aad_token"])
def live(
    azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Live]:
    """An endpoint that takes such tokens, `default` with all traffic and green at 0 %."""
    folder, name = tmp_path_factory.mktemp("modes"), f"toy-{request.param.replace('_', '-')}"
    with repository(folder / "repository", model=name):
        change(ENDPOINT, auth_mode=request.param)
        for answer in range(2):
            run("register_model", toy_model(folder / str(answer), answer=answer))
        made = Live(name)
        made.do("create_endpoint")
        made.serve(1)
        made.do("deploy", "--version", 2)
        yield made


@pytest.mark.parametrize("script", ["invoke", "smoke_test", "check_contract"])
def test_a_verb_asks_with_a_token(live: Live, script: str) -> None:
    """Whoever asks gets the token that the endpoint's mode wants."""
    assert live.run(script).exit_code == 0


def test_promote_asks_with_a_token(azure: dict[str, str], live: Live) -> None:
    """Green answers before it gets a share, also to an identity that has just the rights of production's."""
    production = own_identity(Arm(azure), "production")

    assert json.loads(live.do("promote", "--percent", 10, **production)) == {"default": 90, GREEN: 10}


def test_a_token_that_has_expired_is_replaced(azure: dict[str, str], live: Live, faults: Faults) -> None:
    """The gateway says 401, and another one is asked for."""
    endpoint = opened(azure, live)
    asker = Asker(endpoint, endpoint.read(), GREEN, patience=10)
    asker(SAMPLE)
    faults.add("refuse", method="POST", path="*/score", status=401)

    assert asker(SAMPLE).status == 200


def test_a_token_of_another_kind_opens_nothing(azure: dict[str, str], live: Live) -> None:
    """The resource manager's own is none for endpoints, and one endpoint's isn't another's."""
    from azure.identity import DefaultAzureCredential

    endpoint = opened(azure, live)
    uri = endpoint.read().scoring_uri
    tokens = [DefaultAzureCredential().get_token("https://management.azure.com/.default").token, bearer(endpoint)]

    assert [score(uri, token, SAMPLE, GREEN).status for token in tokens] == [401, 200]


def test_a_token_shows_nowhere(live: Live, tmp_path: Path) -> None:
    """Neither in what is printed nor in the summary."""
    result = live.run("smoke_test", GREEN, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))

    assert "eyJ" not in result.output + (tmp_path / "summary").read_text()
