"""Say on one GitHub issue for each rollout that it was taken back without anybody having asked for it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import say
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options, rollout_option
from scripts.lib.decisions.approval import Proposal, propose
from scripts.lib.decisions.record import marks, record
from scripts.lib.github import host, step_output, webhook
from scripts.lib.github.api import CannotTell, Denied, GitHub
from scripts.lib.github.authors import authors

LABEL = "rollback"
OWNERS = Path(".github/CODEOWNERS")
PLACEHOLDER = "@your-org/your-team"
TEXT = """Version {green_version} ({green}) is rolled back: all traffic of {endpoint} is on {blue} (version \
{blue_version}) again. Nobody had asked for it.

> {why}

{green} has no traffic, and can be looked at: `logs {green}`. Whatever is merged next makes another deployment; close \
this issue then. It is about [this rollout]({run}).

{people}"""


@command()
@endpoint_options
@rollout_option
def main(endpoint: OnlineEndpoint, rollout: str) -> str:
    """Open an issue about the rollout, or change it in place, and comment on the pull requests that brought it.

    Assigned to who wrote it and to the code owners, with what was found. The address in ROLLBACK_WEBHOOK, a secret,
    hears of a new one. Prints the issue's address, or that this rollout was not taken back.
    """
    state, run = endpoint.read(), rollout.partition("/attempts/")[0]
    last, proposal = record(state), None
    if last and last.back and (green := state.standing(last.green)) and last.rollout.partition("/attempts/")[0] == run:
        proposal = propose(state, green.name)
    if proposal is None:
        return f"{rollout} did not take {state.name} back: nothing is to be told"
    github = GitHub.here()
    title = f"{state.name}: version {proposal['green_version']} was rolled back"
    why = marks(state).get(proposal["green"], "it is not marked")
    address, is_new = _issue(github, proposal, title, why, f"{host.server()}/{run}")
    listener = os.environ.get(webhook.VARIABLE, "").strip() if is_new else ""
    if listener and (failed := webhook.post(listener, f"{title}: {why}\n{address}")):
        step_output.notice("The webhook was not told", f"{failed}. What it missed: {address}", "warning")
    for number in _pulls(github, proposal["green_commit"]):
        if not any(address in comment["body"] for comment in github.comments(number)):
            github.comment(number, f"Rolled back, without anybody having asked for it: {address}")
    step_output.summary(f"Told in {address}")
    return address


def _issue(github: GitHub, proposal: Proposal, title: str, why: str, run: str) -> tuple[str, bool]:
    """The address of the rollout's one issue, and whether it is new."""
    wrote, owners = _wrote(github, proposal), _owners()
    people = dict.fromkeys([*(f"@{login}" for login in wrote), *owners])
    text = TEXT.format(**proposal, why=why, run=run, people=" ".join(people))
    body = {"title": title, "body": text}
    for found in github.issues(LABEL):
        if f"({run})" in (found["body"] or ""):
            return str(github.change_issue(found["number"], body)["html_url"]), False
    assigned = [name[1:] for name in people if "/" not in name]
    try:
        return str(github.open_issue({**body, "labels": [LABEL], "assignees": assigned})["html_url"]), True
    except Denied as denied:
        if denied.status != 422:
            raise
        say(f"nobody is assigned: {denied}")  # who wrote it may have no right to the repository any more
        return str(github.open_issue({**body, "labels": [LABEL]})["html_url"]), True


def _wrote(github: GitHub, proposal: Proposal) -> tuple[str, ...]:
    try:
        return authors(github, proposal).wrote
    except CannotTell as why:
        say(f"who wrote it can't be told: {why}")
        return ()


def _pulls(github: GitHub, commit: str) -> list[int]:
    """The merged pull requests that have the commit; none where nobody knows it."""
    try:
        return [pull["number"] for pull in github.pulls_of(commit) if pull.get("merged_at")] if commit else []
    except CannotTell as why:
        say(f"which pull request brought it can't be told: {why}")
        return []


def _owners() -> list[str]:
    """All who own something, people and teams, once."""
    lines = OWNERS.read_text(encoding="utf-8").splitlines() if OWNERS.exists() else []
    names = [name for line in lines for name in re.findall(r"(?<!\S)@[\w/.-]+", line.partition("#")[0])]
    return [name for name in dict.fromkeys(names) if name != PLACEHOLDER]


if __name__ == "__main__":
    main()
