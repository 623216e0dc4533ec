"""The protocol as a machine: whatever people do, in whatever order, and whenever they are killed."""

from __future__ import annotations

import pytest

from tests.protocol.run import machine

SEQUENCES = 250  # of 80 steps


def test_whatever_people_do_the_rules_hold() -> None:
    """20,000 steps: who serves was tested and approved, the way back stays, and nobody is taken for another."""
    done = machine(1, SEQUENCES)

    assert done.returncode == 0, done.stderr


@pytest.mark.drill
@pytest.mark.parametrize("number", range(100, 150))
def test_whatever_people_do_a_million_times(number: int) -> None:
    """A million steps, of other sequences."""
    done = machine(number, SEQUENCES)

    assert done.returncode == 0, done.stderr
