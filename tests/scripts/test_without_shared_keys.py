"""A workspace whose storage account allows no shared keys, from the model's folder to the traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_emulator.process import running
from tests.support.scripts import GREEN, pair_endpoint


def test_a_rollout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered, deployed, tested and promoted by whom the roles let at the blobs; no script does otherwise for it."""
    with running(tmp_path / "state", "--datastore-auth=identity") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pair_endpoint(tmp_path / "keyless", "toy-keyless", {"answer": 0}, {"answer": 1}) as live:
            live.do("check_contract")
            live.do("promote", "--percent", 100)

            assert live.traffic == {GREEN: 100}
