"""Where things come from: the repository's page, its commit, the workflow's run."""

import os
import shutil
import subprocess

from scripts.lib.decisions.record import BY_HAND

LONGEST = 80  # characters of OWNER/NAME: a claim has the id beside two times and a name, and Azure's tags take 256


def tags() -> dict[str, str]:
    """What leads back from a resource to its origin: the git commit and, in a workflow, the run's address."""
    run, page = os.environ.get("GITHUB_RUN_ID"), address()
    found = {"commit": os.environ.get("GITHUB_SHA") or git("rev-parse", "HEAD")}
    found["run"] = f"{page}/actions/runs/{run}" if run and page else ""
    return {name: value for name, value in found.items() if value}


def rollout_id() -> str:
    """What tells this rollout from all others: in a workflow where its run stands on GitHub, else `by hand`.

    Of a long repository's name that is its beginning: the run's number alone is its own. rollback.sh cuts likewise.
    """
    repository, run = os.environ.get("GITHUB_REPOSITORY"), os.environ.get("GITHUB_RUN_ID")
    attempt = os.environ.get("GITHUB_RUN_ATTEMPT") or "1"
    return f"{repository[:LONGEST]}/actions/runs/{run}/attempts/{attempt}" if repository and run else BY_HAND


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
