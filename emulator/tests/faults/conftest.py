"""One endpoint for all tests of faults."""

from __future__ import annotations

import pytest

from azureml_emulator.testing import Arm
from tests.support.faulty import NAME, SETTINGS
from tests.support.models import puppet_model
from tests.support.served import register, serve


@pytest.fixture(scope="session")
def arm(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Arm:
    """An endpoint with the healthy deployments blue (all the traffic at first) and green."""
    arm = Arm(azure)
    model = register(arm, "faults", puppet_model(tmp_path_factory.mktemp("faults") / "model"))
    serve(arm, NAME, model, "blue", "green", requestSettings=SETTINGS)
    return arm
