"""What a reviewer reads on the page of a job, in Markdown: green against blue, and what an approval will do."""

from __future__ import annotations

import re

from scripts.lib.decisions.approval import Proposal
from scripts.lib.decisions.metrics import comparison, metrics, table
from scripts.lib.decisions.state import Deployment, EndpointState
from scripts.lib.github import provenance


def consequence(proposal: Proposal, job: str, percent: int | None, bake: int | None = None) -> str:
    """What approving a job will do, in a sentence; in a second one what follows `bake` minutes later."""
    blue, green = proposal["blue"], proposal["green"]
    then = f" {bake} min later **delete-blue** asks to delete blue." if bake is not None else ""
    if percent == 100:
        return f"Approving **{job}** gives {green} all traffic; {blue} stays, without any, as the way back.{then}"
    if percent:
        now = proposal["traffic"].get(green, 0)
        return f"Approving **{job}** gives {green} {percent} % (now {now} %), and {blue} keeps {100 - percent} %."
    if proposal["traffic"] == {green: 100}:
        return f"Approving **{job}** deletes {blue}: from then on, going back means rolling out its version again."
    return f"**{job}** comes next; it changes no traffic."


def comparison_table(state: EndpointState, proposal: Proposal) -> str:
    """Version, digest, metrics with their change, commits with their difference, runs."""
    pair = blue, green = state.deployments[proposal["blue"]], state.deployments[proposal["green"]]
    commits = proposal["blue_commit"], proposal["green_commit"]
    rows = [
        ("model", *(f"{deployment.model.name} {deployment.model.version}" for deployment in pair), ""),
        ("digest", *(_short(deployment.model.digest) for deployment in pair), ""),
        *comparison(metrics(blue.tags), metrics(green.tags)),
        ("commit", *map(_commit, commits), _difference(*commits)),
        ("run", _run(blue), _run(green), ""),
    ]
    return table(("", f"{blue.name} (blue)", f"{green.name} (green)", "change"), rows)


def _commit(commit: str) -> str:
    address = provenance.address()
    return f"[`{commit[:12]}`]({address}/commit/{commit})" if address and _is_commit(commit) else _short(commit)


def _difference(old: str, new: str) -> str:
    address = provenance.address()
    told = address and old != new and _is_commit(old) and _is_commit(new)
    return f"[diff]({address}/compare/{old}...{new})" if told else ""


def _run(deployment: Deployment) -> str:
    run = deployment.tags.get("run", "")
    return f"[run]({run})" if re.fullmatch(r"https?://[\w./:-]+", run) else "–"


def _is_commit(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{6,64}", text))


def _short(text: str) -> str:
    plain = re.sub(r"\W", "", text)[:12]
    return f"`{plain}`" if plain else "–"
