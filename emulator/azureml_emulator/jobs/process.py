"""A job's command as a local process: started, waited for, stopped."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

STOP_SECONDS = 5  # between SIGTERM and SIGKILL
#: Ends the whole group as soon as the emulator, which holds the other end of its standard input, is gone.
SCRIPT = '{ cat; kill -KILL 0; } <&0 >/dev/null 2>&1 & exec bash -c "$1" </dev/null'


class Process:
    """Runs `command` in `folder`, as the leader of a process group; what it prints is appended to `log`."""

    def __init__(self, process: asyncio.subprocess.Process, held: int):
        self._process, self._held = process, held
        self.preempted = False
        self._code: int | None = None

    @classmethod
    async def start(cls, command: str, folder: Path, log: Path, variables: Mapping[str, str]) -> "Process":
        read, held = os.pipe()
        with log.open("ab") as out, os.fdopen(read) as stdin:
            argv = ("bash", "-c", SCRIPT, "job", command)
            started = await asyncio.create_subprocess_exec(
                *argv, cwd=folder, env=dict(variables), stdin=stdin, stdout=out, stderr=out, start_new_session=True
            )
        return cls(started, held)

    async def wait(self) -> int:
        """The exit code, once the command has ended; whatever it left behind is ended, too."""
        code = await self._process.wait()
        self._kill()
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
        return code if self._code is None else self._code

    def end(self, code: int, preempted: bool = False) -> None:
        """Ends it at once; `code` is what it is said to have ended with."""
        self._code, self.preempted = code, preempted
        self._kill()

    async def stop(self) -> None:
        """Lets it end by itself for STOP_SECONDS."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        ended = asyncio.ensure_future(self.wait())
        await asyncio.wait({ended}, timeout=STOP_SECONDS)
        self._kill()
        await ended

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in it, or, on macOS, the dead
            os.killpg(self._process.pid, signal.SIGKILL)
