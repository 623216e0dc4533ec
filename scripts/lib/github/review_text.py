"""What a reviewer reads on the page of a job, in Markdown: green against blue, and what an approval will do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from scripts.lib.decisions.approval import Proposal, plan_promotion
from scripts.lib.decisions.canary.verdict import Verdict
from scripts.lib.decisions.metrics import comparison, data, table
from scripts.lib.decisions.model_folder import short
from scripts.lib.decisions.record import marks
from scripts.lib.decisions.state import Deployment, EndpointState, Model, Refused
from scripts.lib.decisions.way_back import superfluous
from scripts.lib.github import provenance

OWN_POLICY = "⚠ It brings **a rollout-policy.yml of its own**, by which live traffic judges it."
AS_LONG = "as long as live traffic calls green healthy at each stage"
NOBODY = Deployment("nobody", Model("–", ""), instances=0)  # what an endpoint's first deployment replaces


def learnt(state: EndpointState) -> list[str]:
    """What earlier rollouts learnt of what stands there: the first thing to read."""
    return [f"⚠ **{name}**: {_plain(text)}" for name, text in marks(state).items()]


def age(proposal: Proposal, lost: int) -> list[str]:
    """That green is made of an older commit: `lost` is how many commits blue's has and green's lacks."""
    blue, green = proposal["blue"], proposal["green"]
    return [f"⚠ The commit of {green} is **older**: it lacks {lost} that are in {blue}'s."] if lost else []


def question(proposal: Proposal, job: str, percent: int | None, verdict: Verdict | None) -> str:
    """What is asked, or where nobody is asked what there is, with what live traffic says of it: the first line."""
    has, version = proposal["traffic"].get(proposal["green"], 0), proposal["green_version"]
    asks = f"Version {version} at {has} %:"
    if job and percent:
        asks = f"Promote version {version} from {has} % to {percent} %?"
    elif job:
        asks = f"Delete version {proposal['blue_version']}, now that version {version} has {has} %?"
    said = (
        f"**{verdict.word}**: {verdict.reason}; {verdict.noticeable}." if verdict else "No live traffic judged it yet."
    )
    return f"{asks} {said}"


def only_one(covered: Sequence[str]) -> str:
    """That the approval which is asked for now is for later jobs, too; "" where it is for none."""
    names = ", ".join(f"**{job}**" for job in covered)
    return (
        f" **This approval is the only one**: it is for {names}, too, {AS_LONG}. Else one asks again." if names else ""
    )


def going_on(job: str, healthy: bool) -> str:
    """Whether a later job asks for an approval, where the first was for it, too."""
    if healthy:
        return f" **{job}** goes on by itself: the first approval was for it, too, {AS_LONG}."
    return f" **{job}** asks for another approval: the first was for it only {AS_LONG}."


def consequence(
    proposal: Proposal, job: str, percent: int | None, then: bool = False, at_least: bool = False, asks: bool = True
) -> str:
    """What a job will do, in a sentence; in a second one that blue's deletion is asked for `then`.

    `at_least`: a stage of a rollout, which never lowers green's share; `asks`: once somebody approves.
    """
    blue, green = proposal["blue"], proposal["green"]
    it = f"Approving **{job}**" if asks else f"**{job}**"
    after = " Once that is judged, **delete-blue** asks to delete blue." if then else ""
    now = proposal["traffic"].get(green, 0)
    if at_least and percent and now >= percent:
        return f"{it} changes nothing: {green} has {now} % already."
    if not blue:
        return f"{it} gives {green}, the endpoint's first deployment, all traffic."
    if percent == 100:
        return f"{it} gives {green} all traffic; {blue} stays, without any, as the way back.{after}"
    if percent:
        return f"{it} gives {green} {percent} % (now {now} %), and {blue} keeps {100 - percent} %."
    if proposal["traffic"] == {green: 100}:
        return (
            f"{it} deletes {blue}: from then on, going back means rolling out its version again, and "
            f"clients that name {blue} by the header `azureml-model-deployment` get 404."
        )
    return f"**{job}** comes next; it changes no traffic."


def side_effects(state: EndpointState, proposal: Proposal, percent: int, at_least: bool = False) -> list[str]:
    """What the promotion does besides, a sentence each: who else loses traffic, what is deleted; or why it can't be."""
    try:
        shift = plan_promotion(state, percent, proposal["owner"], proposal, at_least)
    except Refused as why:
        return [f"As things are the promotion will be refused, and write nothing: {why}"]
    pair = proposal["blue"], proposal["green"]
    others = {name: had for name, had in state.traffic.items() if name not in (*pair, *shift.split)}
    tags = {name: value for name, value in {**state.tags, **shift.tags}.items() if value is not None}
    then = replace(state, traffic=shift.split, tags=tags)
    gone = [f"{name} (version {state.deployments[name].model.version or 'unknown'})" for name in superfluous(then)]
    return [
        *(f"**{name} loses its {had} %**: it is neither blue nor green." for name, had in others.items()),
        *([f"It also deletes {', '.join(gone)}: without traffic, and not the way back."] if gone else []),
    ]


def comparison_table(state: EndpointState, proposal: Proposal, same_code: bool = False) -> str:
    """Version, digest, data, metrics with their change, what answers how many requests, commits and difference, runs.

    `same_code`: both were trained by the same.
    """
    pair = blue, green = state.deployments.get(proposal["blue"], NOBODY), state.deployments[proposal["green"]]
    commits = proposal["blue_commit"], proposal["green_commit"]
    rows = [
        ("model", *(f"{deployment.model.name} {deployment.model.version}" for deployment in pair), ""),
        ("digest", *(_short(short(deployment.model.digest)) for deployment in pair), ""),
        *data(blue.tags, green.tags, same_code),
        *comparison(blue.tags, green.tags),
        ("requests at once", *map(_capacity, pair), f"{green.capacity - blue.capacity:+}"),
        ("machine", *(_plain(deployment.machine) or "–" for deployment in pair), ""),
        ("commit", *map(_commit, commits), _difference(*commits)),
        ("run", _run(blue), _run(green), ""),
    ]
    return table(("", f"{blue.name} (blue)", f"{green.name} (green)", "change"), rows)


def _capacity(deployment: Deployment) -> str:
    return f"{deployment.capacity} ({deployment.instances} × {deployment.concurrency})"


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


def _plain(text: str) -> str:
    """Tags are data: what would be a link or other Markdown is left out."""
    return " ".join(re.sub(r"[^\w\s.,:;%()/'-]", "", text).split())
