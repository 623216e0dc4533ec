"""The fixtures for pytest, in a session of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TEST = """from pathlib import Path


def test_azure(azure: dict[str, str]) -> None:
    with (Path(azure["SSL_CERT_FILE"]).parent / "emulator.log").open("a") as log:
        log.write({said!r})
"""


@pytest.mark.parametrize(("said", "exit_code"), [("All is well.", 0), ("Traceback (most recent call last):", 1)])
def test_a_traceback_in_the_log_fails_the_session(tmp_path: Path, said: str, exit_code: int) -> None:
    """An error that the emulator only logs fails the session that it served, whatever its tests say."""
    (tmp_path / "test_it.py").write_text(TEST.format(said=said))
    command = [sys.executable, "-m", "pytest", "-p", "azureml_emulator.fixtures", "--rootdir", tmp_path, tmp_path]

    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert result.returncode == exit_code, result.stdout
    assert "1 passed" in result.stdout
    assert ("1 error" in result.stdout) == bool(exit_code)
