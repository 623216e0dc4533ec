"""The set-up at GitHub, judged: pure decisions about what its API answered. Unknown stands for an answer not given.

A copy of a template brings files, but neither environments nor variables: what is missing shows nowhere until it hurts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, ok, wrong
from scripts.lib.github import required_reviewers
from scripts.lib.github.environment import EVERY, PROTECTED, Environment
from scripts.lib.github.repository_variables import PREFIX, VARIABLES, collides, missing, odd, staged

OPEN_BRANCH = "doctor/any-branch", "any-branch"  # names that only a pattern for everything matches


def variables(found: Mapping[str, str] | Unknown, endpoint: str, page: str) -> Finding:
    """The repository's variables, for production and, where it is on, for staging. `endpoint` is the YAML's name."""
    if isinstance(found, Unknown):
        return cannot_tell("variables", found, f"Look at {page}.")
    if lacking := {*missing(found), *(missing(found, staging=True) if staged(found) else ())}:
        say = f"{', '.join(sorted(lacking))} are not set: no job could log in."
        return wrong("variables", say, f"Set them at {page}.")
    if spaced := odd({name: value for name, value in found.items() if name.removeprefix(PREFIX) in VARIABLES}):
        say = f"there is white space in {', '.join(sorted(spaced))}."
        return wrong("variables", say, f"Set them again at {page}.")
    if collides(found, endpoint):
        say = "staging is the production endpoint itself: it would be promoted without approval."
        return wrong("variables", say, f"Give STAGING_AZURE_ML_WORKSPACE another workspace at {page}.")
    return ok("variables", f"all are set{', for staging too' if staged(found) else ''}.")


def reviewers(name: str, environment: Environment | Unknown | None, page: str) -> Finding:
    """Whether an environment has at least one required reviewer. `page` is the repository's."""
    check = f"reviewers {name}"
    if isinstance(environment, Unknown):
        return cannot_tell(check, environment, required_reviewers.LET_READ)
    if environment is None or not environment.reviewers:
        return wrong(check, required_reviewers.lacking(name, environment), required_reviewers.mend(name, page))
    return ok(check, f"{environment.names} must approve: one of them is enough.")


def self_review(name: str, environment: Environment | Unknown | None, page: str) -> Finding:
    """Whether whoever started a rollout may approve it."""
    check = f"self-review {name}"
    if isinstance(environment, Unknown):
        return cannot_tell(check, environment)
    if environment is None or not environment.reviewers:
        return cannot_tell(check, f"there are no reviewers (see reviewers {name}).")
    if not environment.prevent_self_review:
        return wrong(check, "whoever starts a rollout may approve it.", f"Tick “Prevent self-review” at {page}.")
    return ok(check, "nobody approves a rollout of their own.")


def admin_bypass(name: str, environment: Environment | Unknown | None, page: str) -> Finding:
    """Whether administrators may go past the reviewers."""
    check = f"admin bypass {name}"
    if isinstance(environment, Unknown):
        return cannot_tell(check, environment)
    bypass = environment and environment.admins_bypass
    if bypass is None:
        return cannot_tell(check, f"GitHub doesn't say whether administrators may go past the rules of {name}.")
    if bypass:
        mend = f"Untick “Allow administrators to bypass configured protection rules” at {page}."
        return wrong(check, "administrators may go past the reviewers, without a trace in the rollout.", mend)
    return ok(check, "the rules hold for administrators, too.")


def branches(
    name: str,
    environment: Environment | Unknown | None,
    patterns: Sequence[str] | Unknown,
    default: tuple[str, bool] | Unknown,
    page: str,
) -> Finding:
    """Whether the default branch alone may use an environment, and with it the environment's login to Azure.

    `patterns` are its custom branch policies, `default` the default branch's name and whether it is protected.
    """
    check = f"branches {name}"
    mend = f"Let only the default branch deploy to {name} at {page}."
    if isinstance(environment, Unknown):
        return cannot_tell(check, environment)
    if environment is None:
        return wrong(check, f"nobody has made {name}: GitHub makes it open to every branch.", mend)
    if environment.deploying == EVERY:
        return wrong(check, f"every branch may use {name}, and so its login to Azure.", mend)
    if isinstance(default, Unknown):
        return cannot_tell(check, default)
    if environment.deploying == PROTECTED:
        return _protected(check, default, mend)
    return cannot_tell(check, patterns) if isinstance(patterns, Unknown) else _listed(check, patterns, default, mend)


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


def no_wait(name: str, environment: Environment | Unknown | None, page: str) -> Finding:
    """Whether an environment lets its jobs start at once, as a rollback must."""
    check = f"no wait {name}"
    if isinstance(environment, Unknown):
        return cannot_tell(check, environment)
    if environment and (environment.reviewers or environment.wait_timer):
        waits = f"for {environment.names}" if environment.reviewers else f"{environment.wait_timer} minutes"
        return wrong(check, f"a rollback waits {waits}.", f"Take reviewers and wait timer from {name} at {page}.")
    return ok(check, "a rollback waits for nobody.")
