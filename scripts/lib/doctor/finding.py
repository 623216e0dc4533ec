"""What one check of the set-up found, and how people and machines read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from scripts.lib.decisions.metrics import table

OK = "ok"
WRONG = "wrong"
CANNOT_TELL = "cannot tell"
MARKS = {OK: "✅", WRONG: "❌", CANNOT_TELL: "❔"}


@dataclass(frozen=True)
class Unknown:
    """Stands for an answer that was not given, and says why."""

    why: str

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True)
class Finding:
    """One check's answer. `verdict` is one of the three above; `mend` says what to do, "" where there is nothing."""

    name: str
    verdict: str
    say: str
    mend: str = ""

    def __str__(self) -> str:
        """For the log."""
        return f"{self.name}: {self.verdict}. {self.say}" + (f" → {self.mend}" if self.mend else "")


def ok(name: str, say: str, mend: str = "") -> Finding:
    """`mend`: what could be better still."""
    return Finding(name, OK, say, mend)


def wrong(name: str, say: str, mend: str) -> Finding:
    return Finding(name, WRONG, say, mend)


def cannot_tell(name: str, why: object, mend: str = "") -> Finding:
    return Finding(name, CANNOT_TELL, str(why), mend)


def as_json(findings: Iterable[Finding]) -> str:
    """A JSON list of objects with the fields of a finding."""
    return json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False)


def as_table(findings: Iterable[Finding]) -> str:
    """A Markdown table."""
    rows = [(MARKS[found.verdict], found.name, found.verdict, found.say, found.mend) for found in findings]
    return table(("", "check", "", "", "to mend"), [[cell.replace("\n", "<br>") for cell in row] for row in rows])


def listed(texts: Iterable[str]) -> str:
    """Several texts in one sentence, each set apart."""
    return ", ".join(f"`{text}`" for text in texts)


def shorten(text: str, length: int = 300) -> str:
    """Azure's words on one line; of a long list of failed logins the part with the code."""
    line = " ".join(text.split())
    line = line[code.start() :] if (code := re.search(r"AADSTS\d+", line)) else line
    return line if len(line) <= length else f"{line[:length]}…"
