"""`python -m tools.memory`: the most memory that the verbs around a model take, for a tiny one and for a large one.

Each verb runs in a process of its own against a local Azure ML, as in a job. What the large one costs more is the
model's doing; it has 180 MiB unless another number is given.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from azureml_emulator.process import running, without_azure
from azureml_emulator.testing import toy_model

MIB = 1 << 20


def peak(script: str, *arguments: object, environ: Mapping[str, str]) -> int:
    """The most memory, in MiB, that a script had resident. Ends where it fails."""
    command = [sys.executable, "-m", f"scripts.{script}", *map(str, arguments)]
    process = subprocess.Popen(
        command, env={**without_azure(os.environ), **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{script} {' '.join(command[3:])} failed: {process.returncode}")
    return used.ru_maxrss // (MIB if sys.platform == "darwin" else 1024)


def peaks(size: int) -> dict[str, int]:
    """Of each verb, for a model with so many MiB of weights."""
    with tempfile.TemporaryDirectory() as temporary, running(Path(temporary, "state")) as environ:
        folder = toy_model(Path(temporary, "model"))
        with (folder / "weights.bin").open("wb") as file:
            for _ in range(size):
                file.write(os.urandom(MIB))
        return {
            "digest_model": peak("digest_model", folder, environ=environ),
            "register_model": peak("register_model", folder, environ=environ),
            "create_endpoint": peak("create_endpoint", environ=environ),
            "deploy": peak("deploy", "--version", 1, environ=environ),
        }


def main(size: int) -> None:
    tiny, large = peaks(0), peaks(size)
    print(f"{'':16}{'tiny':>8}{f'{size} MiB':>10}{'more':>8}")
    for script, found in large.items():
        print(f"{script:16}{tiny[script]:8}{found:10}{found - tiny[script]:8}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 180)
