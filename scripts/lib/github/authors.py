"""Who wrote what a rollout brings: what GitHub is asked for it."""

from __future__ import annotations

import re
from dataclasses import replace

from scripts.lib.decisions.approval import Proposal
from scripts.lib.decisions.authors import Authors, Change, Document, credit, person, touches, trailers
from scripts.lib.github.api import GitHub, Missing

SHA = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
MOST = 100  # commits that are looked at, the newest: each takes two questions, of a thousand in an hour

NOTHING_NEW = "no commit of a person brought it, so whoever started its rollout counts"


def authors(github: GitHub, proposal: Proposal) -> Authors:
    """Who wrote what green brings beyond blue; where no person is known, whoever started green's rollout.

    Nothing new (a model trained elsewhere, the same commit, an older one) is whoever's it was to roll that out.
    Raises CannotTell.
    """
    blue, green = (_run(github, proposal[f"{role}_rollout"]) for role in ("blue", "green"))
    shas, hint = _between(github, _commit(blue, proposal["blue_commit"]), _commit(green, proposal["green_commit"]))
    changes = [_change(github, commit) for sha in shas if (commit := github.commit(sha)) and touches(commit)]
    found = credit(changes, hint)
    starter = person(green.get("triggering_actor")) or person(green.get("actor"))
    return found if found.wrote or not starter else replace(found, wrote=(starter,), hint=NOTHING_NEW)


def _run(github: GitHub, rollout: str) -> Document:
    """The run whose id a rollout has; empty by hand, and where it is gone."""
    found = re.search(r"/actions/runs/(\d+)/", rollout)
    try:
        return github.run(int(found[1])) if found else {}
    except Missing:
        return {}


def _commit(run: Document, commit: str) -> str:
    """What a merge rolled out is its own commit, although the model may be an older one's; else the model's."""
    return str(run["head_sha"]) if run.get("event") == "push" else commit


def _between(github: GitHub, blue: str, green: str) -> tuple[list[str], str]:
    """The newest commits that green has and blue doesn't, and what could not be looked at."""
    if not SHA.fullmatch(green):
        return [], "green has no tag `commit` that names one"
    if github.commit(green) is None:
        return [], f"this repository has no commit {green}"
    try:
        found = github.compare(blue, green) if SHA.fullmatch(blue) else None
    except Missing:  # force-pushed, or another repository's
        found = None
    if found is None:
        return [green], "only green's own commit was looked at, since blue's is not known here"
    hint = f"only the newest {MOST} of {len(found)} commits were looked at" if len(found) > MOST else ""
    return [commit["sha"] for commit in reversed(found)][:MOST], hint


def _change(github: GitHub, commit: Document) -> Change:
    merged = [pull for pull in github.pulls_of(commit["sha"]) if pull.get("merged_at")]
    pulls = [pull if person(pull.get("user")) else github.pull(pull["number"]) for pull in merged]
    named = {name: _account(github, login, id) for name, (login, id) in trailers(commit["commit"]["message"]).items()}
    return Change(commit, pulls, named)


def _account(github: GitHub, login: str, id: str) -> Document | None:
    """None for a name that is somebody else's by now."""
    found = github.user(login) if login else None
    return found if found and id in ("", str(found["id"])) else None
