"""What a script tells the workflow it runs in; outside of one, nothing."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path


def output(**values: str) -> None:
    """Set the step's outputs."""
    _append("GITHUB_OUTPUT", "".join(_assignment(name, value) for name, value in values.items()))


def summary(*lines: str) -> None:
    """Add paragraphs to the job's summary page (Markdown)."""
    _append("GITHUB_STEP_SUMMARY", "".join(f"{line}\n\n" for line in lines))


def provenance() -> dict[str, str]:
    """Tags that lead back from a resource to its origin: the git commit and, in a workflow, the run's address."""
    commit = os.environ.get("GITHUB_SHA") or git("rev-parse", "HEAD")
    return {name: value for name, value in {"commit": commit, "run": _run()}.items() if value}


def address() -> str:
    """The repository's page; empty outside of a workflow."""
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{repository}" if server and repository else ""


def git(*arguments: str) -> str:
    """What git says of the folder we are in; empty where there is no git, or no answer."""
    command = shutil.which("git")
    if command is None:
        return ""
    found = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


def _run() -> str:
    run = os.environ.get("GITHUB_RUN_ID")
    return f"{address()}/actions/runs/{run}" if run and address() else ""


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
