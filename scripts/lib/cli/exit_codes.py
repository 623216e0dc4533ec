"""How every command ends: the number tells a workflow whether to look, to wait, or to try again."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lib.azure import causes
from scripts.lib.azure.errors import azures, cause
from scripts.lib.decisions.ends import FAILED, LATE, UNREACHED

EPILOG = (
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not ended in time, 4 Azure, GitHub or the deployment "
    "can't be reached."
)
OUT_OF_REACH = (causes.UNREACHED, causes.BUSY, causes.BROKEN, causes.LATE_TOKEN)


def exit_code(error: BaseException) -> int:
    """By what is behind an error that is told to people: the first of its causes that says more than `refused`."""
    return next((code for behind in _causes(error) if (code := _code(behind))), FAILED)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__


def _code(error: BaseException) -> int | None:
    if known := getattr(error, "exit_code", None):
        return int(known)
    if type(error).__module__.startswith("requests."):  # nobody else than GitHub is called by it from here
        return UNREACHED
    if (azure := azures(error) if isinstance(error, Exception) else None) is None:
        return None
    known = cause(azure)
    return UNREACHED if known in OUT_OF_REACH else LATE if known is causes.RUNNING else FAILED
