"""Say on one GitHub issue for each rollout that it was taken back without anybody having asked for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.azure.waiting import say
from scripts.lib.cli.command import command
from scripts.lib.cli.place import endpoint_options
from scripts.lib.decisions.approval import Proposal, propose
from scripts.lib.decisions.record import Record, marks, record, run_of
from scripts.lib.decisions.state import EndpointState, Refused
from scripts.lib.github import provenance, step_output, webhook
from scripts.lib.github.api import CannotTell, Denied, GitHub, Missing
from scripts.lib.github.authors import authors
from scripts.lib.github.environment import Document

LABEL = "rollback"
DISABLED = (404, 410)  # what GitHub answers to a new issue where its owner wants none
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
@click.option(
    "--rollout",
    metavar="ID",
    help="Tell only what this rollout took back.  [default: what live traffic found bad, whoever gave it its share]",
)
def main(endpoint: OnlineEndpoint, rollout: str | None) -> str:
    """Open an issue about the rollout, or change it in place, and comment on the pull requests that brought it.

    Assigned to who wrote it and to the code owners, with what was found. The address in ROLLBACK_WEBHOOK, a secret,
    hears of a new one. Prints the issue's address, where issues are disabled the run's, or that nothing is to be told.
    """
    state = endpoint.read()
    last, errors = _taken_back(state, rollout), list[Refused]()
    if last is None or (proposal := propose(state, last.green.name if last.green else None)) is None:
        return f"{rollout or 'live traffic'} did not take {state.name} back: nothing is to be told"
    github, why = GitHub.here(), marks(state).get(proposal["green"], "it is not marked")
    own = last.rollout if "/" in last.rollout else provenance.rollout_id()
    address = run = f"{github.page}/actions/{run_of(own).partition('/actions/')[2]}"
    title, is_new = f"{state.name}: version {proposal['green_version']} was rolled back", True
    with _kept(errors):
        address, is_new = _issue(github, proposal, title, why, run)
    for number in _pulls(github, proposal["green_commit"]):
        with _kept(errors):
            if any(link in comment["body"] for comment in github.comments(number) for link in (address, f"({run})")):
                is_new = False
            else:
                text = f"[This rollout]({run}) was taken back, without anybody having asked for it: {address}"
                github.comment(number, text)
    listener = os.environ.get(webhook.VARIABLE, "").strip() if is_new else ""
    if listener and (failed := webhook.post(listener, f"{title}: {why}\n{address}")):
        step_output.notice("The webhook was not told", f"{failed}. What it missed: {address}", "warning")
    if errors:
        said = "\n".join(map(str, errors))
        raise Refused(f"{title}, and not all could be told:\n{said}\nRun the job again: it tells what is missing.")
    step_output.summary(f"Told in {address}")
    return address


def _taken_back(state: EndpointState, rollout: str | None) -> Record | None:
    """The record of the way back that is to be told, with a green that stands."""
    last = record(state)
    if last is None or not last.back or (green := state.standing(last.green)) is None:
        return None
    if rollout:
        return last if run_of(last.rollout) == run_of(rollout) else None
    return last if f", {last.rollout}: " in marks(state).get(green.name, "") else None  # by what was found


@contextmanager
def _kept(errors: list[Refused]) -> Iterator[None]:
    """What fails keeps nobody else from being told."""
    try:
        yield
    except (CannotTell, Denied) as error:
        errors.append(error)


def _issue(github: GitHub, proposal: Proposal, title: str, why: str, run: str) -> tuple[str, bool]:
    """The address of the rollout's one issue, or else of its run, and whether it is new."""
    wrote, owners = _wrote(github, proposal), _owners()
    people = dict.fromkeys([*(f"@{login}" for login in wrote), *owners])
    text = TEXT.format(**proposal, why=why, run=run, people=" ".join(people))
    body = {"title": title, "body": text}
    try:
        for found in github.issues(LABEL):
            if f"({run})" in (found["body"] or ""):
                return str(github.change_issue(found["number"], body)["html_url"]), False
        assigned = [name[1:] for name in people if "/" not in name]
        return _opened(github, {**body, "labels": [LABEL], "assignees": assigned}), True
    except (Missing, Denied) as error:
        if isinstance(error, Denied) and error.status not in DISABLED:
            raise
        step_output.notice("No issue is opened", f"This repository has none: {error}", "warning")
        return run, True


def _opened(github: GitHub, body: Document) -> str:
    try:
        return str(github.open_issue(body)["html_url"])
    except Denied as denied:
        if denied.status != 422:
            raise
        say(f"nobody is assigned: {denied}")  # who wrote it may have no right to the repository any more
        return str(github.open_issue({**body, "assignees": []})["html_url"])


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
