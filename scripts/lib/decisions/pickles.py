"""What libraries write into a pickle anew each time: bytes that nothing reads, in whose place others may stand."""

from __future__ import annotations

import hashlib
import mmap
import pickletools
import re
from collections.abc import Iterator
from pathlib import Path

MAKERS = ("_make_skeleton_class", "_make_skeleton_enum")  # cloudpickle's, for a class of the training script
ADDRESS = "_stop_words_id"  # of an object in the memory of the training (scikit-learn's text vectorizers)
DIGITS = 32  # by so many in hex cloudpickle's maker tells one class from another, within one process
STRINGS = {"SHORT_BINUNICODE": 2, "BINUNICODE": 5}  # bytes of the opcode and the length


def contains(path: Path, *parts: str) -> bool:
    """Whether one of these is in a file, which may be large."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(part.encode()) >= 0 for part in parts)


def stamped(path: Path) -> bool:
    """Whether a file is a pickle that may hold stamps."""
    return path.suffix in (".pkl", ".pickle") and contains(path, *MAKERS, ADDRESS)


def without_stamps(content: bytes) -> bytes:
    """The same bytes for the same model: addresses are 0, and classes are told apart by what is in the pickle."""
    try:
        spans = list(_spans(content))
    except (ValueError, IndexError, KeyError):  # no pickle, or one of a kind that isn't known here
        return content
    found = bytearray(content)
    for start, end, _ in spans:
        found[start:end] = bytes(end - start)
    total = hashlib.sha256(found)
    for start, end, is_class in spans:
        if is_class:
            total.update(b"next")
            found[start:end] = total.hexdigest()[:DIGITS].encode()
    return bytes(found)


def _spans(content: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where stamps begin and end, and whether one tells a class. `value`: what was pushed last, where that matters."""
    memo: dict[int, str] = {}
    makes: list[bool] = []  # for each open mark, whether a maker's arguments follow it
    value, digits = "", 0
    for code, argument, place in pickletools.genops(content):
        at = place or 0
        if code.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if code.name == "MEMOIZE" else int(str(argument))] = value
            continue
        if code.name in ("LONG1", "BININT") and value == ADDRESS:
            start = at + (2 if code.name == "LONG1" else 1)
            yield start, start + (content[at + 1] if code.name == "LONG1" else 4), False
        if code.name == "MARK":
            makes.append(value in MAKERS)
            digits = 0 if makes[-1] else digits
        elif pickletools.markobject in code.stack_before and makes.pop() and digits:
            yield digits, digits + DIGITS, True
            digits = 0
        if code.name in STRINGS and re.fullmatch(f"[0-9a-f]{{{DIGITS}}}", str(argument)):
            digits = at + STRINGS[code.name]
        if code.name in ("BINGET", "LONG_BINGET"):
            value = memo[int(str(argument))]
        elif code.name != "STACK_GLOBAL":  # that takes the name that was pushed last
            value = str(argument).rpartition(" ")[2] if code.name in (*STRINGS, "GLOBAL") else ""
