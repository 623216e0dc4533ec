"""The set-up at GitHub, judged: pure decisions about what its API answered. CannotTell stands for an answer not given.

A copy of a template brings files, but neither environments nor variables: what is missing shows nowhere until it hurts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scripts.lib.doctor.finding import Finding, cannot_tell, ok, wrong
from scripts.lib.github import repository_variables, required_reviewers
from scripts.lib.github.api import CannotTell
from scripts.lib.github.required_reviewers import Document

OPEN_BRANCH = "doctor/any-branch", "any-branch"  # names that only a pattern for everything matches


def variables(found: Mapping[str, str] | CannotTell, endpoint: str, page: str) -> Finding:
    """The repository's variables, for production and, where it is on, for staging. `endpoint` is the YAML's name."""
    if isinstance(found, CannotTell):
        return cannot_tell("variables", found, f"Look at {page}.")
    stages = repository_variables.STAGES if repository_variables.staged(found) else ("",)
    missing = sorted({name for stage in stages for name in repository_variables.missing(found, stage)})
    if missing:
        return wrong("variables", f"{', '.join(missing)} are not set: no job could log in.", f"Set them at {page}.")
    odd = [
        name
        for name in {*repository_variables.VARIABLES, *map(_staging, repository_variables.VARIABLES)}
        if _spaced(found.get(name))
    ]
    if odd:
        return wrong("variables", f"there is white space in {', '.join(sorted(odd))}.", f"Set them again at {page}.")
    if repository_variables.collides(found, endpoint):
        say = "staging is the production endpoint itself: it would be promoted without approval."
        return wrong("variables", say, f"Give STAGING_AZURE_ML_WORKSPACE another workspace at {page}.")
    return ok("variables", f"all are set{', for staging too' if len(stages) > 1 else ''}.")


def _staging(name: str) -> str:
    return repository_variables.PREFIX + name


def _spaced(value: str | None) -> bool:
    return bool(re.search(r"\s", value or ""))


def self_review(name: str, environment: Document | CannotTell | None, page: str) -> Finding:
    """Whether whoever started a rollout may approve it."""
    check = f"self-review {name}"
    if isinstance(environment, CannotTell):
        return cannot_tell(check, environment)
    reviewers = required_reviewers.rule(environment or {}, "required_reviewers")
    if not required_reviewers.names(reviewers):
        return cannot_tell(check, f"there are no reviewers (see gate {name}).")
    if not reviewers.get("prevent_self_review"):
        return wrong(check, "whoever starts a rollout may approve it.", f"Tick “Prevent self-review” at {page}.")
    return ok(check, "nobody approves a rollout of their own.")


def admin_bypass(name: str, environment: Document | CannotTell | None, page: str) -> Finding:
    """Whether administrators may go past the reviewers."""
    check = f"admin bypass {name}"
    if isinstance(environment, CannotTell):
        return cannot_tell(check, environment)
    bypass = (environment or {}).get("can_admins_bypass")
    if bypass is None:
        return cannot_tell(check, f"GitHub doesn't say whether administrators may go past the rules of {name}.")
    if bypass:
        mend = f"Untick “Allow administrators to bypass configured protection rules” at {page}."
        return wrong(check, "administrators may go past the reviewers, without a trace in the rollout.", mend)
    return ok(check, "the rules hold for administrators, too.")


def branches(
    name: str,
    environment: Document | CannotTell | None,
    patterns: Sequence[str] | CannotTell,
    default: tuple[str, bool] | CannotTell,
    page: str,
) -> Finding:
    """Whether the default branch alone may use an environment, and with it the environment's login to Azure.

    `patterns` are its custom branch policies, `default` the default branch's name and whether it is protected.
    """
    check = f"branches {name}"
    mend = f"Let only the default branch deploy to {name} at {page}."
    if isinstance(environment, CannotTell):
        return cannot_tell(check, environment)
    if environment is None:
        return wrong(check, f"nobody has made {name}: GitHub makes it open to every branch.", mend)
    policy = environment.get("deployment_branch_policy")
    if not policy:
        return wrong(check, f"every branch may use {name}, and so its login to Azure.", mend)
    if isinstance(default, CannotTell):
        return cannot_tell(check, default)
    if policy.get("protected_branches"):
        return _protected(check, default, mend)
    return cannot_tell(check, patterns) if isinstance(patterns, CannotTell) else _listed(check, patterns, default, mend)


def _protected(check: str, default: tuple[str, bool], mend: str) -> Finding:
    name, is_protected = default
    if not is_protected:
        return wrong(check, f"only protected branches may, but {name} is not protected: nothing can deploy.", mend)
    return ok(check, f"only protected branches, {name} among them.")


def _listed(check: str, patterns: Sequence[str], default: tuple[str, bool], mend: str) -> Finding:
    listed = ", ".join(patterns) or "no branch"
    if any(_matches(pattern, branch) for pattern in patterns for branch in OPEN_BRANCH):
        return wrong(check, f"{listed}: every branch may, and so use the login to Azure.", mend)
    if not any(_matches(pattern, default[0]) for pattern in patterns):
        return wrong(check, f"{listed}, but not {default[0]}: no rollout can deploy.", mend)
    return ok(check, f"only {listed}.")


def _matches(pattern: str, branch: str) -> bool:
    """As GitHub does it: `*` stops at a slash, `**/` goes over them (Ruby's File.fnmatch)."""
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    wild = {"**/": "(.*/)?", "*": "[^/]*", "?": "[^/]"}
    return bool(re.fullmatch("".join(wild.get(part, re.escape(part)) for part in parts), branch))


def no_wait(name: str, environment: Document | CannotTell | None, page: str) -> Finding:
    """Whether an environment lets its jobs start at once, as a rollback must."""
    check = f"no wait {name}"
    if isinstance(environment, CannotTell):
        return cannot_tell(check, environment)
    reviewers = required_reviewers.names(required_reviewers.rule(environment or {}, "required_reviewers"))
    minutes = required_reviewers.rule(environment or {}, "wait_timer").get("wait_timer")
    if reviewers or minutes:
        waits = f"for {', '.join(reviewers)}" if reviewers else f"{minutes} minutes"
        return wrong(check, f"a rollback waits {waits}.", f"Take reviewers and wait timer from {name} at {page}.")
    return ok(check, "a rollback waits for nobody.")
