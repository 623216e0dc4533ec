"""The protocol as a machine: whatever people do, in whatever order, and whenever they are killed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.protocol.machine import Machine

STEPS = 80  # of one sequence
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example]


def sequences(count: int, phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink)) -> settings:
    """The same ones each time."""
    return settings(
        max_examples=count,
        stateful_step_count=STEPS,
        derandomize=False,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=QUIET,
        report_multiple_bugs=False,
    )


def test_whatever_people_do_the_rules_hold() -> None:
    """20,000 steps: who serves was tested and approved, the way back stays, and nobody is taken for another."""
    run_state_machine_as_test(seed(1)(Machine), settings=sequences(250))


@pytest.mark.drill
@pytest.mark.parametrize("number", range(12))
def test_whatever_people_do_a_million_times(number: int) -> None:
    """A million steps, of other sequences."""
    run_state_machine_as_test(seed(100 + number)(Machine), settings=sequences(1050))
