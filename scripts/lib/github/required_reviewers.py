"""Whether somebody must approve, did so, or may stand in for that: pure decisions about GitHub's answers.

An environment that a workflow names but nobody made is created by GitHub without any rule: it looks like one with
reviewers. So what is not known counts as none here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.lib.decisions.authors import Authors, person
from scripts.lib.decisions.state import Refused
from scripts.lib.github.environment import EVERY, UNATTENDED, Environment

REVIEWERS, PERSON, NONE = "reviewers", "person", "none"
"""What a promotion can rely on: reviewers of the environment, another person than who wrote it, nothing (staging)."""
LET_READ = "Let GITHUB_TOKEN read it: in a job by `actions` and `pull-requests: read`, by hand by $(gh auth token)."
UNTOUCHED = "Nothing is changed."


def lacking(name: str, environment: Environment | None) -> str:
    """Why nobody would have to approve in an environment, None being one that nobody has made; "" if somebody must."""
    if environment is None:
        return f"nobody has made the environment {name}; GitHub would make it without any rule."
    return "" if environment.reviewers else f"the environment {name} has no required reviewers: nobody would be asked."


def approvers(environment: str, approvals: Sequence[Mapping[str, Any]]) -> list[str]:
    """The persons who approved jobs of an environment in a run, one for each approval; its name ignores case."""
    return [
        who
        for approval in approvals
        if approval["state"] == "approved" and (who := person(approval.get("user")))
        for found in approval["environments"]
        if str(found.get("name")).lower() == environment.lower()
    ]


def enough(seen: int, found: Sequence[str], alone: bool) -> bool:
    """Whether there are more approvals than the job before saw: one doesn't say for which job it is.

    `alone`: the first of the run is for this job, too, and what was seen must still be there.
    """
    return len(found) >= (max(seen, 1) if alone else seen + 1)


def refuse_unapproved(environment: str, seen: int, found: Sequence[str], alone: bool = False) -> None:
    """Raises Refused where there are not enough."""
    if enough(seen, found, alone):
        return
    raise Refused(
        f"nobody approved this job: this run has {len(found)} approvals of {environment}, and {seen} were for earlier "
        f"jobs. An administrator's by-pass is no approval. {UNTOUCHED} Press “Re-run failed jobs” and let a reviewer "
        f"approve. If GitHub asks nobody, it ignores reviewers here, as it does in a private repository "
        f"without Enterprise: take them away from {environment}, and promote.yml asks for another person instead."
    )


def refuse_open(unattended: Environment | None) -> None:
    """Raises Refused where the environment that asks nobody is open to every branch, as GitHub itself makes it."""
    if unattended is None or unattended.deploying == EVERY:
        raise Refused(
            f"every branch may use the environment {UNATTENDED}, and so production's login, which nobody is asked "
            f"for there. {UNTOUCHED} Run `python -m scripts.setup_github`, then press “Re-run failed jobs”."
        )


def mend(name: str, page: str) -> str:
    """How an environment gets reviewers. `page` is the repository's."""
    return (
        f"Add required reviewers to {name} at {page}/settings/environments, or run `python -m scripts.setup_github`. "
        "Where GitHub offers none (a private repository without Enterprise): somebody else than who wrote the change "
        "starts promote.yml."
    )


def refuse_programs(login: str, run: Mapping[str, Any]) -> None:
    """Raises Refused where a program started this run, at first or again: a token that starts one starts them all."""
    accounts = ({"login": login}, run.get("actor"), run.get("triggering_actor"))
    if programs := [str((who or {}).get("login")) for who in accounts if not person(who)]:
        raise Refused(
            f"{programs[0]} is a program. It may start a rollout, but neither promote by hand nor delete. {UNTOUCHED} "
            "Let a person press *Run workflow*."
        )


def refuse_author(login: str, wrote: Authors) -> None:
    """Raises Refused unless it is somebody other than the only one who is known to have written what is decided on."""
    who = "without reviewers, somebody other than who wrote all of it has to decide"
    if not wrote.wrote:
        raise Refused(f"{who}, but nobody knows who did: {wrote.told}. {UNTOUCHED} Roll it out by rollout.yml.")
    if login.lower() == wrote.sole.lower():
        raise Refused(f"{who}, and that is {login}: {wrote.told}. {UNTOUCHED} Ask somebody else to start it.")
