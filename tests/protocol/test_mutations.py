"""The machine notices each rule of the protocol that is broken."""

from __future__ import annotations

import pytest

from tests.protocol.mutations import MUTATIONS, Mutation, source
from tests.protocol.run import VIOLATED, machine

FAST = ("blue replaces nobody", "who is rolled back is marked", "a takeover changes the owner")
QUICK = [mutation for mutation in MUTATIONS if mutation.rule.startswith(FAST)]


@pytest.mark.parametrize("mutation", QUICK, ids=lambda mutation: mutation.rule)
def test_a_broken_rule_is_noticed(mutation: Mutation) -> None:
    """Some of them at each run, within 20,000 steps that find nothing in what is whole."""
    assert machine(1, 250, mutation.rule).returncode == VIOLATED


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_each_mutation_still_breaks_something(mutation: Mutation) -> None:
    """The piece that it replaces is there, once."""
    assert mutation.put in source(mutation)


@pytest.mark.drill
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_every_broken_rule_is_noticed(mutation: Mutation) -> None:
    """Whichever of the protocol's rules is broken, within 360,000 steps."""
    assert any(machine(number, 1500, mutation.rule).returncode == VIOLATED for number in (1, 2, 3))
