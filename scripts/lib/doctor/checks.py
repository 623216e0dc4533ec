"""The set-up at GitHub, judged: pure decisions about what its API answered. Unknown stands for an answer not given.

A copy of a template brings files, but neither environments nor variables: what is missing shows nowhere until it hurts.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lib.doctor.finding import Finding, Unknown, cannot_tell, ok, wrong
from scripts.lib.github import required_reviewers, triggers
from scripts.lib.github.behind import Behind
from scripts.lib.github.environment import EVERY, PROTECTED, ROLLBACK, Environment, Policy
from scripts.lib.github.repository_variables import (
    APPROVALS,
    FIRST,
    PLACE,
    PREFIX,
    VARIABLES,
    collides,
    missing,
    odd,
    once,
    staged,
)


def variables(found: Mapping[str, str] | Unknown, endpoint: str, page: str) -> Finding:
    """The repository's variables, for production and, where it is on, for staging. `endpoint` is the YAML's name."""
    if isinstance(found, Unknown):
        return cannot_tell("variables", found, f"Look at {page}.")
    ours = VARIABLES.keys() - {APPROVALS}  # odd or not, it fails no rollout
    if lacking := {*missing(found), *(missing(found, staging=True) if staged(found) else ())}:
        say = f"{', '.join(sorted(lacking))} are not set: no job could log in."
        return wrong("variables", say, f"Set them at {page}.")
    if spoilt := odd({name: value for name, value in found.items() if name.removeprefix(PREFIX) in ours}):
        return wrong("variables", f"there is {'; '.join(spoilt)}.", f"Set them again at {page}.")
    if collides(found, endpoint):
        say = "staging is the production endpoint itself: it would be promoted without approval."
        return wrong("variables", say, f"Give STAGING_AZURE_ML_WORKSPACE another workspace at {page}.")
    return ok("variables", f"all are set{', for staging too' if staged(found) else ''}.")


def approvals(found: Mapping[str, str] | Unknown) -> Finding:
    """Whether each stage of a rollout asks for an approval, or the first alone."""
    if isinstance(found, Unknown):
        return cannot_tell("approvals", found)
    if once(found):
        say = "the first of a rollout is for its later stages, too, as long as live traffic calls green healthy."
        return ok("approvals", say)
    if value := found.get(APPROVALS):
        mend = f"gh variable set {APPROVALS} --body {FIRST}\nor gh variable delete {APPROVALS}"
        return wrong("approvals", f"{APPROVALS} is {value!r}, which means nothing: each stage asks for one.", mend)
    return ok("approvals", "each stage of a rollout asks for one.")


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
    name: str, environment: Environment | Unknown | None, policies: Sequence[Policy] | Unknown, default: str | Unknown
) -> Finding:
    """Whether the default branch alone may use an environment, and with it the environment's login to Azure.

    `policies` are its custom branch policies. "Protected branches only" lets all in while none is protected.
    """
    check = f"branches {name}"
    mend = "Run `python -m scripts.setup_github`: it lets the default branch alone deploy."
    if isinstance(environment, Unknown):
        return cannot_tell(check, environment)
    if environment is None:
        return wrong(check, f"nobody has made {name}: GitHub makes it open to every branch.", mend)
    if environment.deploying == EVERY:
        return wrong(check, f"every branch may use {name}, and so its login to Azure.", mend)
    if environment.deploying == PROTECTED:
        say = "“protected branches only” lets every branch in as long as none is protected, and rulesets don't count."
        return wrong(check, say, mend)
    for unknown in (default, policies):
        if isinstance(unknown, Unknown):
            return cannot_tell(check, unknown)
    return _listed(name, policies, default)  # type: ignore[arg-type]


def _listed(name: str, policies: Sequence[Policy], default: str) -> Finding:
    check, others = f"branches {name}", [policy for policy in policies if policy != Policy(default)]
    if others:
        say = f"{', '.join(f'{policy.kind} {policy.name}' for policy in others)} may use {name} and its login, too."
        return wrong(check, say, "\n".join(policy.removal(name) for policy in others))
    if not policies:
        mend = "Run `python -m scripts.setup_github`: it lets the default branch alone deploy."
        return wrong(check, f"no branch may use {name}, not even {default}: no rollout can deploy.", mend)
    return ok(check, f"only {default}.")


def app_rules(name: str, apps: Sequence[str] | Unknown, page: str) -> Iterator[Finding]:
    """Apps that decide, beside or in place of reviewers, when an environment's jobs begin; nothing where none does."""
    check = f"app rules {name}"
    if isinstance(apps, Unknown):
        yield cannot_tell(check, apps)
    elif apps:
        say = f"the app {', '.join(apps)} must let each job into {name}: a deployment rule of its own, not a reviewer."
        waits = wrong(check, f"{say} A rollback waits for it.", f"Untick it for {name} at {page}.")
        yield waits if name == ROLLBACK else ok(check, say)


def environment_variables(name: str, found: Mapping[str, str] | Unknown, repository: Mapping[str, str]) -> Finding:
    """Whether an environment hides the repository's variables by others: its jobs would work elsewhere."""
    check = f"variables {name}"
    if isinstance(found, Unknown):
        return cannot_tell(check, found)
    ours = [key for key in found if key.removeprefix(PREFIX) in VARIABLES and found[key] != repository.get(key)]
    if ours:
        say = f"the environment {name} has its own {', '.join(sorted(ours))}: its jobs work elsewhere than the others."
        lines = [f"gh variable delete {key} --env {name}" for key in sorted(ours)]
        return wrong(check, say, "\n".join([*lines, "Set it for the repository, with the prefix that README names."]))
    return ok(check, f"the jobs of {name} have the repository's.")


def guard(branch: str, rules: Sequence[Mapping[str, Any]] | Unknown, is_protected: bool, page: str) -> Finding:
    """Whether the branch that rollouts come from takes changes by pull request alone.

    Without, whoever may push gets what deploy's identity may do. Classic protection tells its rules to admins only.
    """
    check = f"guard {branch}"
    if isinstance(rules, Unknown):
        return cannot_tell(check, rules)
    if any(rule.get("type") == "pull_request" for rule in rules):
        return ok(check, f"a ruleset demands a pull request for {branch}.")
    if is_protected:
        say = f"{branch} is protected by a rule that can't be read here: whether it demands a pull request isn't told."
        return cannot_tell(check, say, f"Look at {page}/settings/branches.")
    say = f"nothing demands a pull request: whoever may write to the repository rolls out by a push to {branch}."
    mend = f"Run `python -m scripts.setup_github --ruleset`, or add a rule at {page}/settings/rules."
    return wrong(check, say, mend)


def starts(
    default: str | Unknown, triggered: Mapping[Path, Mapping[str, Any] | None], lines: Mapping[Path, int]
) -> Finding:
    """Whether a merge to the default branch starts anything; `triggered` has each workflow's trigger `push`."""
    check = "default branch"
    if isinstance(default, Unknown):
        return cannot_tell(check, default)
    if triggers.ROLLOUT not in triggered:
        return cannot_tell(check, f"it is {default}; what starts a rollout can't be read in {triggers.ROLLOUT}.")
    deaf = {
        path: push["branches"]
        for path, push in triggered.items()
        if push is not None and not triggers.matches(default, push.get("branches"))
    }
    if deaf:
        say = f"it is {default}, and a merge to it starts nothing: {', '.join(map(str, deaf))} wait for others."
        change = [
            f"{path}, line {lines[path]}: `branches: [{default}]` instead of {names}" for path, names in deaf.items()
        ]
        return wrong(check, say, "\n".join(change))
    return ok(check, f"a merge to {default} starts a rollout.")


def serving(found: Behind | Unknown) -> Finding:
    """Whether what was merged last was rolled out, or a rollout started for it at least."""
    check = "what serves"
    if isinstance(found, Unknown):
        return cannot_tell(check, found)
    mend = f"Start it: `gh workflow run {triggers.ROLLOUT.name} --ref {found.branch}`."
    return wrong(check, str(found), mend) if found.left_out else ok(check, str(found))


def place(shell: Mapping[str, str], repository: Mapping[str, str]) -> Finding:
    """Whose workspace and endpoint the doctor looks at, by hand: the shell's variables come before the repository's."""
    check = "place"
    looked = {**repository, **shell}
    at = "/".join(looked[name] for name in PLACE if looked.get(name)) or "nothing"
    others = [name for name in PLACE if shell.get(name, "").lower() not in ("", repository.get(name, "").lower())]
    others = others if repository else []  # nobody told
    if not others:
        return ok(check, f"this looks at {at}, {'as the shell says' if shell else 'as the repository says'}.")
    say = f"this looks at {at}: the shell's {', '.join(others)} is another than the repository's."
    lines = [f"export {name}={shlex.quote(repository.get(name, ''))}" for name in others]
    return wrong(check, say, "\n".join(lines))


def no_wait(name: str, environment: Environment | Unknown | None, page: str) -> Finding:
    """Whether an environment lets its jobs start at once, as a rollback must."""
    check, what = f"no wait {name}", "a rollback" if name == ROLLBACK else "a stage that needs no approval of its own"
    if isinstance(environment, Unknown):
        return cannot_tell(check, environment)
    if environment and (environment.reviewers or environment.wait_timer):
        waits = f"for {environment.names}" if environment.reviewers else f"{environment.wait_timer} minutes"
        return wrong(check, f"{what} waits {waits}.", f"Take reviewers and wait timer from {name} at {page}.")
    return ok(check, f"{what} waits for nobody.")
