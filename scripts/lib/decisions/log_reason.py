"""Why a container did not start, found in its log by what it says, not by where: servers go on writing after it."""

from __future__ import annotations

import re

HEAD = "Traceback (most recent call last):"
CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
WRAPPED = re.compile(r"(HaltServer|SystemExit|KeyboardInterrupt|UserScript\w*Exception)\b")  # a server's own
LOGGED = re.compile(r"^\W*\d{4}[-/]\d\d[-/]\d\d|^\W*(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b|^\s*$")
SAID = re.compile(r"\b\w*(Error|Exception)\b|No such file|not found|[Kk]illed|[Oo]ut of memory|Permission denied")
LONGEST = 60  # lines of a traceback that are shown: its beginning says less than its end
FEW = 20  # lines that are shown of what is no traceback


def reason(log: str) -> list[str]:
    """The lines that say why: the last traceback with those that it followed, else the last error, else the end."""
    lines = log.rstrip().splitlines()
    heads = [at for at, line in enumerate(lines) if HEAD in line]
    blocks: list[list[int]] = []
    for start in heads:
        if not (blocks and any(said in line for line in lines[start - 3 : start] for said in CHAINED)):
            blocks.append([start])
        blocks[-1].append(_end(lines, start))
    telling = [block for block in blocks if _names(lines[block[0] : block[-1]])] or blocks
    if telling:
        return lines[telling[-1][0] : telling[-1][-1]][-LONGEST:]
    errors = [at for at, line in enumerate(lines) if SAID.search(line)]
    return lines[errors[-1] :][:FEW] if errors else lines[-FEW:]


def headline(lines: list[str]) -> str:
    """The line of a reason that names it, "" where there is none."""
    at = -1 if HEAD in "".join(lines) or not SAID.search("".join(lines[:1])) else 0
    return (_names(lines)[-1:] or lines[at:] or [""])[0].strip()


def _names(lines: list[str]) -> list[str]:
    """The lines that name an exception, but for those that only say that there was another."""
    named = [line for at, line in enumerate(lines) if at and lines[at - 1][:1] in (" ", "\t") and line[:1].strip()]
    return [line for line in named if not WRAPPED.search(line.partition(":")[0])]


def _end(lines: list[str], start: int) -> int:
    """The line after a traceback: frames are indented, then comes the exception, with the lines of its message."""
    at = start + 1
    while at < len(lines) and lines[at][:1] in (" ", "\t"):
        at += 1
    at += 1
    while at < len(lines) and not LOGGED.match(lines[at]):
        at += 1
    return min(at, len(lines))
