"""The files of endpoints/, judged: each is loaded as `deploy` does, without GitHub and Azure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from scripts.lib.azure import loading, policy_file
from scripts.lib.azure.asking import EXPECTATIONS, of_the_file
from scripts.lib.azure.endpoint_files import BLUE, GREEN, read, settings
from scripts.lib.azure.policy_file import POLICY
from scripts.lib.azure.scoring_client import ROWS, SAMPLE, load_request, load_requests
from scripts.lib.azure.workspace import ENDPOINT
from scripts.lib.decisions import file_rules
from scripts.lib.decisions.settings import Settings
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor.finding import Finding, ok, wrong
from scripts.lib.doctor.quota import Shape

FILES = (ENDPOINT, BLUE, GREEN, SAMPLE, ROWS, EXPECTATIONS, POLICY)


def check(version: int | None = None) -> Iterator[Finding]:
    """Whether each file can be used, also with that version, and what follows where the two deployments' differ."""
    problems = {path: loading.problems(path) for path in (ENDPOINT, BLUE, GREEN)}
    comparable = not problems[BLUE] and not problems[GREEN]
    if comparable:
        problems[BLUE] = loading.clash()
        why = file_rules.room(read(GREEN).content["name"], str(version or ""))
        problems[GREEN] = loading.sentences(GREEN, {"name": why} if why else {})
    for path, found in problems.items():
        yield file(str(path), found, [] if found else loading.dropped(path))
    if comparable:
        yield alike(settings(BLUE), settings(GREEN))
    for path in (SAMPLE, ROWS, EXPECTATIONS, POLICY):
        if path not in (EXPECTATIONS, POLICY) or path.exists():
            yield file(str(path), list(_unreadable(path)), [])


def _unreadable(path: Path) -> Iterator[str]:
    """Why the smoke test, or who judges live traffic, can't use a file; a sentence begins with its name."""
    known = {EXPECTATIONS: of_the_file, POLICY: policy_file.of_the_file}
    try:
        known[path]() if path in known else load_requests(path)
        if path == SAMPLE:
            load_request(path)  # one alone, which invoke sends
    except (click.BadParameter, Refused) as error:
        yield str(error)


def shape(path: Path) -> Shape:
    """What a deployment file asks for. Raises Refused where it isn't understood."""
    entity = loading.load(path, endpoint_name="any")
    return Shape(entity.instance_type, entity.instance_count or 1)


def file(path: str, problems: Sequence[str], ignored: Sequence[str]) -> Finding:
    """Whether a file of endpoints/ is understood; `problems` and what is `ignored` are sentences about it."""
    if problems:
        return wrong(path, " ".join(problems), "Change it as said: `doctor --files` checks it again.")
    return ok(path, " ".join(["it is understood.", *ignored]))


def alike(first: Settings, later: Settings) -> Finding:
    """Whether the first deployment gets the settings of the later ones."""
    if first.digest == later.digest:
        return ok("deployment settings", "the first deployment and later ones have the same.")
    keys = sorted({key for key, _ in {*first.fields.items()} ^ {*later.fields.items()}})
    say = f"the two deployment files differ in {', '.join(keys) or 'a value'}: the second rollout changes that."
    return ok("deployment settings", say)
