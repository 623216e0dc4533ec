"""What a script tells the workflow it runs in; outside of one, nothing."""

import os
import uuid
from pathlib import Path


def output(**values: str) -> None:
    """Set the step's outputs."""
    _append("GITHUB_OUTPUT", "".join(_assignment(name, value) for name, value in values.items()))


def summary(*lines: str) -> None:
    """Add paragraphs to the job's summary page (Markdown)."""
    _append("GITHUB_STEP_SUMMARY", "".join(f"{line}\n\n" for line in lines))


def _assignment(name: str, value: str) -> str:
    """One output in GitHub's form; a value of several lines can't forge another output."""
    if "\n" not in value and "\r" not in value:
        return f"{name}={value}\n"
    end = uuid.uuid4()
    return f"{name}<<{end}\n{value}\n{end}\n"


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
