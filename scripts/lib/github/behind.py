"""What was merged since what serves, and whether any rollout started for it: GitHub is asked, nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.lib.decisions.words import counted
from scripts.lib.github import triggers
from scripts.lib.github.api import CannotTell, GitHub
from scripts.lib.github.commits import MANY, SHA


@dataclass(frozen=True)
class Behind:
    """`commits` since the serving one; `left_out` are their files that a rollout is made of, and none started for.

    `run` is the newest rollout since then, "" where there was none, in words.
    """

    branch: str
    commits: int
    left_out: Sequence[str] = ()
    run: str = ""

    def __str__(self) -> str:
        if not self.commits:
            return f"{self.branch} is what serves."
        since = f"{self.branch} is {counted(self.commits, 'commit')} ahead of what serves"
        if self.left_out:
            few = ", ".join(self.left_out[:3]) + ", …" * (len(self.left_out) > 3)
            return f"{since}, and no rollout started for what changed in {few} ([skip ci]? a push by GITHUB_TOKEN?)."
        return f"{since}; {self.run}." if self.run else f"{since}, none of which a rollout is made of."


def behind(github: GitHub, commit: str) -> Behind:
    """How far the default branch is ahead of the commit that serves. Raises CannotTell, Refused."""
    if not SHA.fullmatch(commit):
        raise CannotTell("what serves doesn't tell its commit: whether it is what was merged last can't be told.")
    branch = str(github.facts()["default_branch"])
    commits = [str(one["sha"]) for one in github.compare(commit, branch)]
    if not commits:
        return Behind(branch, 0)
    runs = {str(run["head_sha"]): run for run in reversed(github.newest_runs(triggers.ROLLOUT.name, branch))}
    started = [sha for sha in commits if sha in runs]
    changed = github.changed(started[-1] if started else commit, branch) if commits[-1:] != started[-1:] else []
    paths = (triggers.push(triggers.ROLLOUT) or {}).get("paths")
    left_out = changed if len(changed) >= MANY else triggers.touched(changed, paths)
    newest = runs[started[-1]] if started else None
    said = f"its rollout: {newest['conclusion'] or newest['status']}, {newest['html_url']}" if newest else ""
    return Behind(branch, len(commits), left_out, said)
