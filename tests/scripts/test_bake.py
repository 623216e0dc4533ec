"""bake: a wait that ends in time, tells how long it takes, and can be broken off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from subprocess import PIPE

import pytest

from tests.support import ROOT
from tests.support.scripts import run


@pytest.mark.parametrize("minutes", ["-1", "301", "1.5", "an hour", ""])
def test_a_wrong_time_is_refused(minutes: str) -> None:
    """Whoever asks for six hours would lose the job, and with it the deletion."""
    result = run("bake", "--", minutes)

    assert result.exit_code == 2
    assert "MINUTES" in result.stderr


def test_no_time_is_no_wait() -> None:
    """0 minutes end at once."""
    started = time.monotonic()

    result = run("bake", 0)

    assert (result.exit_code, result.output) == (0, "")
    assert time.monotonic() - started < 5


def test_a_bake_can_be_broken_off() -> None:
    """A cancelled run gets SIGTERM: it ends at once, with a message, although an hour is left."""
    with subprocess.Popen([sys.executable, "-m", "scripts.bake", "60"], cwd=ROOT, stderr=PIPE, text=True) as process:
        assert process.stderr
        first = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=10)

    assert first == "60 min until blue may be deleted\n"
    assert process.returncode == 1
    assert "interrupted" in rest
