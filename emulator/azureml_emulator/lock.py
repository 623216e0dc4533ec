"""One emulator a state folder: while it lives it holds a lock there, in which its process id stands."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import click

PATIENCE = 60  # seconds that an emulator may take to end: what deployments are answering ends first


@contextlib.contextmanager
def locked(state: Path) -> Iterator[Path]:
    """The state folder, made if missing, for this process alone. Raises ClickException when another one has it."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"{state} is in use by another emulator; name another --state.") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield state


def end(state: Path) -> None:
    """Stops the emulator that has the folder, and returns once it has ended. Raises ClickException when none has it."""
    if (pid := holder(state)) is None:
        raise click.ClickException(f"no emulator runs on {state}; name its folder with --state.")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while holder(state) == pid:
        if time.monotonic() > deadline:
            raise click.ClickException(f"the emulator on {state} (process {pid}) has not ended within {PATIENCE} s.")
        time.sleep(0.05)


def holder(state: Path) -> int | None:
    """The process that has the folder; None also while one is only about to say that it has."""
    with contextlib.suppress(FileNotFoundError), (state / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read() or 0) or None
    return None
