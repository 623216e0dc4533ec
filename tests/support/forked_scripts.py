"""Runs scripts in processes of their own that can be killed, each forked from one that has imported the SDK already.

`python -m tests.support.forked_scripts` reads a job a line, `{script, arguments, environ, folder, output}`; `output` is
two files, for what it prints and for its errors. It answers with two lines: the process it runs in, and the exit code
(negative: the signal that ended it).
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

from tests.support import ROOT

SDK = [
    "azure.ai.ml",
    "azure.ai.ml.entities",
    "azure.ai.ml.constants",
    "azure.identity",
    "azure.storage.blob",
    "requests",
]


class ForkServer:
    """One script at a time."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process

    def launch(
        self,
        script: str,
        *arguments: object,
        output: Path,
        errors: Path | None = None,
        folder: Path | None = None,
        **environ: str,
    ) -> int:
        """Starts a script in `folder`, or the present one, and this environment; gives its process id.

        `output` gets what it prints, standard error included unless that goes to `errors`.
        """
        job = {
            "script": script,
            "arguments": [str(argument) for argument in arguments],
            "environ": os.environ | environ,
            "folder": str(folder or Path.cwd()),
            "output": [str(output), str(errors or output)],
        }
        print(json.dumps(job, default=dict), file=self._process.stdin, flush=True)
        return self._answer()

    def wait(self) -> int:
        """The exit code of what was launched."""
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    command = [sys.executable, "-m", "tests.support.forked_scripts"]
    with subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as process:
        yield ForkServer(process)
        assert process.stdin
        process.stdin.close()


def main() -> None:
    for name in SDK:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            run(json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run(job: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(job["environ"])
    os.chdir(job["folder"])
    for path in job["output"]:
        Path(path).unlink(missing_ok=True)
    for stream, path in zip((sys.stdout, sys.stderr), job["output"], strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), stream.fileno())
    importlib.import_module(f"scripts.{job['script']}").main(job["arguments"])


if __name__ == "__main__":
    main()
