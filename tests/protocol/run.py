"""`python -m tests.protocol.run SEED SEQUENCES [RULE]`: the machine, perhaps with a rule broken; 3 tells a violation.

In a process of its own, whose hashes are told, the same sequences come each time: nothing that others import counts.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import traceback
from datetime import datetime, tzinfo
from types import ModuleType
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.protocol.mutations import MUTATIONS, ROOT, Mutation, source

STEPS = 80  # of one sequence
VIOLATED = 3


class Noon(datetime):
    """What is written in one second and read in the next would differ, and no sequence could be met again."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Noon:
        return cls(2026, 11, 26, 12, tzinfo=tz)


def machine(number: int, sequences: int, rule: str = "") -> subprocess.CompletedProcess[str]:
    """Runs so many sequences; the exit code is 0, or VIOLATED, and the text then tells by which."""
    command = [sys.executable, "-m", "tests.protocol.run", str(number), str(sequences), rule]
    told = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=told, check=False)


def put_in_place(mutation: Mutation) -> None:
    """Makes the broken module the one that whoever imports it gets."""
    name = f"scripts.lib.decisions.{mutation.module}"
    importlib.import_module("scripts.lib.decisions")
    broken = sys.modules[name] = ModuleType(name)
    exec(compile(source(mutation), name, "exec"), broken.__dict__)  # noqa: S102  # that is the point


def main(number: str, sequences: str, rule: str = "") -> None:
    for mutation in MUTATIONS:
        if mutation.rule == rule:
            put_in_place(mutation)
    record = importlib.import_module("scripts.lib.decisions.record")
    invariants = importlib.import_module("tests.protocol.invariants")
    found = importlib.import_module("tests.protocol.machine").Machine
    how = settings(
        max_examples=int(sequences),
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        phases=[Phase.generate] if rule else [Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        with patch.object(record, "datetime", Noon):
            run_state_machine_as_test(seed(int(number))(found), settings=how)  # type: ignore[no-untyped-call]
    except invariants.Broken:
        traceback.print_exc()
        sys.exit(VIOLATED)


if __name__ == "__main__":
    main(*sys.argv[1:])
