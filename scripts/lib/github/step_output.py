"""What a script tells the workflow it runs in; outside of one, nothing."""

import os
import sys
import uuid
from pathlib import Path


def output(**values: str) -> None:
    """Set the step's outputs; a value of several lines can't forge another output."""
    for name, value in values.items():
        end = uuid.uuid4()
        several = "\n" in value or "\r" in value
        _append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n" if several else f"{name}={value}\n")


def environment(**values: str) -> None:
    """Set variables of the job's later steps. No value may have line breaks."""
    _append("GITHUB_ENV", "".join(f"{name}={value}\n" for name, value in values.items()))


def summary(*lines: str) -> None:
    """Add paragraphs to the job's summary page (Markdown)."""
    _append("GITHUB_STEP_SUMMARY", "".join(f"{line}\n\n" for line in lines))


def notice(title: str, text: str, kind: str = "notice") -> None:
    """A note, or a warning, on the run's page, and a paragraph of its summary; outside of a workflow a line."""
    summary(f"**{title}.** {text}")
    told = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    in_a_job = os.environ.get("GITHUB_ACTIONS") == "true"
    print(f"::{kind} title={title}::{told}" if in_a_job else f"{title}. {text}", file=sys.stderr)


def error(text: str) -> None:
    """An annotation, which the run's page shows; the runner reads it where it is written, on stderr."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        told = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::error::{told}", file=sys.stderr)


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
