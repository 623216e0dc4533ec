"""How many calls each verb makes at Azure: a new one is noticed, and has to prove something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azureml_emulator.faults.client import Faults
from tests.support.scripts import GREEN, Live, repository, run, toy_model

# What is one call more than it seems, since the SDK makes it so (azure-ai-ml 1.35): getting the endpoint lists its
# deployments, too, by an old API and for their names alone; getting its keys gets the endpoint; a write gets the
# workspace before, a deployment's the endpoint, too, and what was written after.
LOOK = 3  # the endpoint, its deployments
WRITE = 2 + 3  # the endpoint right before, the call itself
CREATE = 1 + 4  # the deployment right before, the call itself
KEYS = 2
EVIDENCE = 2  # requests, latencies
FILES = 3  # of one model: its version, the place of its files, the key to that
VERBS = {  # in this order, on one endpoint
    "create_endpoint": 2 * 3 + 3,  # twice: endpoint, workspace, all endpoints
    "create_endpoint again": LOOK,
    "deploy --version 1": FILES + LOOK + CREATE + LOOK,
    "promote --first default": LOOK + KEYS + LOOK + WRITE + LOOK,
    "deploy --version 2": FILES + LOOK + CREATE + LOOK,
    f"smoke_test {GREEN}": FILES + LOOK + KEYS,  # its signature says what is right
    f"check_contract {GREEN}": LOOK + 2 * (FILES + KEYS),
    "show_endpoint": LOOK,
    "review --next promote-10 --percent 10": LOOK,
    "promote --percent 10": LOOK + KEYS + LOOK + WRITE + LOOK,
    "promote --percent 10 again": LOOK,
    "rollback": LOOK + WRITE + LOOK,
    "promote --percent 100 --next delete-blue": LOOK + KEYS + LOOK + WRITE + LOOK + EVIDENCE,  # what its reviewer reads
    "delete_blue default": LOOK + 1,
    "delete_endpoint --yes": LOOK + 3 + LOOK + 1,  # its record names `default`, which is looked for twice
}


@pytest.fixture(scope="module")
def live(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """No endpoint yet, and two versions of a model."""
    folder = tmp_path_factory.mktemp("calls")
    with repository(folder / "repository", model="toy-calls"):
        for number in range(2):
            run("register_model", toy_model(folder / str(number), answer=number))
        yield Live("toy-calls")


def test_each_verb_makes_only_these_calls(live: Live, faults: Faults) -> None:
    """Those at the workspace: neither an operation that is waited for, nor blobs, requests to a model, or a login."""
    made: dict[str, int] = {}
    for verb in VERBS:
        faults.forget()
        live.do(*verb.removesuffix(" again").split())
        paths = [call["path"] for call in faults.calls()]
        made[verb] = len([path for path in paths if "/workspaces/" in path and "Operations" not in path])

    assert made == VERBS
