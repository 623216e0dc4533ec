"""The protocol as a machine: whatever people do, in whatever order, and whenever they are killed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.protocol.machine import Machine

STEPS = 80  # of one sequence
SEQUENCES = 250


def run(number: int, sequences: int, shrink: bool = True) -> None:
    """So many sequences, the same ones each time. Raises what they meet, shrunk to what it takes."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    how = settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(seed(number)(Machine), settings=how)  # type: ignore[no-untyped-call]


def test_whatever_people_do_the_rules_hold() -> None:
    """20,000 steps: who serves was tested and approved, the way back stays, and nobody is taken for another."""
    run(1, SEQUENCES)


@pytest.mark.drill
@pytest.mark.parametrize("number", range(100, 150))
def test_whatever_people_do_a_million_times(number: int) -> None:
    """A million steps, of other sequences."""
    run(number, SEQUENCES)
