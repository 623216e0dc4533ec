"""What the tests of two of the promises share: an endpoint of each module's own, put back before each test."""

from __future__ import annotations

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from tests.support.scripts import Live, restore


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture
def pair(rollout: Live, arm: Arm, faults: Faults) -> Live:
    """The module's endpoint with blue and green, all traffic on blue."""
    restore(arm, rollout)
    return rollout


@pytest.fixture
def half(pair: Live) -> Live:
    """The endpoint in the middle of a promotion."""
    pair.do("promote", "--percent", 50)
    return pair
