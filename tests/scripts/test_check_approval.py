"""Who must have agreed to a promotion: a reviewer in this run, or another person than its author; else nobody."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.github.state import WorkflowRun
from scripts import check_approval
from scripts.lib.decisions.approval import FACTS
from scripts.lib.decisions.authors import Authors
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor import checks, finding
from scripts.lib.doctor.finding import Unknown
from scripts.lib.github.environment import Environment
from scripts.lib.github.required_reviewers import refuse_author, refuse_programs
from tests.support.scripts import run

SHA = "a" * 40
REPOSITORY = "https://github.com/local/rollout"
PAGE = f"{REPOSITORY}/settings/environments"
REVIEWER = {"type": "User", "reviewer": {"login": "ada"}}


def with_rules(*rules: dict[str, Any]) -> Environment:
    return Environment.parse({"name": "production", "protection_rules": list(rules)})


def reviewers(*who: dict[str, Any]) -> dict[str, Any]:
    return {"type": "required_reviewers", "prevent_self_review": True, "reviewers": list(who)}


def expect(sha: str = SHA) -> str:
    return json.dumps({**dict.fromkeys(FACTS, ""), "traffic": {"default": 100}, "green_commit": sha})


def check(github: LocalGitHub, *arguments: str, **environ: str) -> Result:
    """In run 7, whose list of approvals is the test's."""
    github.runs.setdefault(7, WorkflowRun(7, "promote.yml", "in_progress"))
    return run("check_approval", *arguments, **{**github.environ(), "GITHUB_RUN_ID": "7", **environ})


@pytest.fixture
def guarded(github: LocalGitHub, monkeypatch: pytest.MonkeyPatch) -> LocalGitHub:
    """With reviewers, and nothing approved yet in run 7; a second look comes at once."""
    monkeypatch.setattr(check_approval, "LAG", 0)
    github.add_environment("production", reviewers=["grace", "org/ml-leads"])
    github.add_run(run_id=7)
    return github


@pytest.mark.parametrize(
    ("environment", "verdict", "says"),
    [
        (with_rules(reviewers(REVIEWER)), "ok", "ada must approve"),
        (with_rules(reviewers({"type": "Team", "reviewer": {"slug": "ml-leads"}}, REVIEWER)), "ok", "ml-leads, ada"),
        (with_rules({"type": "wait_timer", "wait_timer": 30}, reviewers(REVIEWER)), "ok", "ada"),
        (with_rules(reviewers()), "wrong", "no required reviewers"),
        (with_rules({"type": "branch_policy"}), "wrong", "no required reviewers"),
        (with_rules({"type": "wait_timer", "wait_timer": 30}), "wrong", "no required reviewers"),
        (with_rules(), "wrong", "no required reviewers"),
        (Environment.parse({"name": "production"}), "wrong", "no required reviewers"),
        (None, "wrong", "nobody has made the environment production"),
        (Unknown("HTTP 403"), "cannot tell", "HTTP 403"),
    ],
)
def test_somebody_must_approve(environment: Any, verdict: str, says: str) -> None:
    """Only required reviewers count: no other rule, no empty list, no environment that nobody made."""
    found = checks.reviewers("production", environment, REPOSITORY)

    assert found.verdict == verdict
    assert says in found.say


@pytest.mark.parametrize("environment", [None, with_rules()])
def test_missing_reviewers_can_be_mended(environment: Any) -> None:
    """The page with the setting is named, the script that sets it up, and what to do where GitHub offers none."""
    mend = checks.reviewers("production", environment, REPOSITORY).mend

    assert PAGE in mend and "setup_github" in mend and "promote.yml" in mend


@pytest.mark.parametrize("wrote", [("ada",), ("ada", "grace"), ("linus", "ada")], ids=str)
def test_another_person_stands_in(wrote: tuple[str, ...]) -> None:
    """Without reviewers it takes somebody who didn't write all of it; one of several may."""
    refuse_author("grace", Authors(wrote))


@pytest.mark.parametrize(
    ("person", "wrote", "says"),
    [
        ("ada", ("ada",), "that is ada"),
        ("Ada", ("aDA",), "that is Ada"),
        ("grace", (), "nobody knows who did"),
    ],
)
def test_nobody_stands_in(person: str, wrote: tuple[str, ...], says: str) -> None:
    """The only author, and anybody where no author is known: refused."""
    with pytest.raises(Refused) as refused:
        refuse_author(person, Authors(wrote, others=("grace",), unknown=("somebody",)))

    assert says in str(refused.value)


TRAINER = {"login": "trainer[bot]", "type": "Bot"}
COPILOT = {"login": "Copilot", "type": "Bot"}  # a program whose name doesn't say so
GRACE = {"login": "grace", "type": "User"}


@pytest.mark.parametrize(
    ("person", "run", "program"),
    [
        ("trainer[bot]", {"actor": TRAINER, "triggering_actor": TRAINER}, "trainer[bot]"),
        ("grace", {"actor": TRAINER, "triggering_actor": GRACE}, "trainer[bot]"),
        ("Copilot", {"actor": COPILOT, "triggering_actor": COPILOT}, "Copilot"),
        ("grace", {"actor": GRACE, "triggering_actor": COPILOT}, "Copilot"),
        ("grace", {"actor": GRACE}, "None"),
        ("web-flow", {"actor": GRACE, "triggering_actor": GRACE}, "web-flow"),
    ],
    ids=[
        "a program",
        "a person runs again what one started",
        "named like a person",
        "again by one",
        "untold",
        "GitHub",
    ],
)
def test_programs_start_rollouts_alone(person: str, run: dict[str, Any], program: str) -> None:
    """Who can start one workflow can start all: what promotes by hand or deletes a person starts, and starts again."""
    with pytest.raises(Refused, match=f"{re.escape(program)} is a program.*neither promote by hand nor delete"):
        refuse_programs(person, run)
    refuse_programs("grace", {"actor": GRACE, "triggering_actor": GRACE})


APPROVED = [("grace", "production", "approved")]
LISTS: dict[str, tuple[list[tuple[str, str, str]], int, bool]] = {
    "approved": (APPROVED, 0, True),
    "the environment's name in another case": ([("grace", "Production", "approved")], 0, True),
    "one for each job": (APPROVED * 3, 2, True),
    "nobody: a by-pass, or rules that are ignored": ([], 0, False),
    "only the job before": (APPROVED, 1, False),
    "all of an earlier attempt": (APPROVED * 4, 4, False),
    "an approval that is gone": (APPROVED, 2, False),
    "another environment's": ([("grace", "staging", "approved")], 0, False),
    "rejected": ([("grace", "production", "rejected")], 0, False),
    "a comment": ([("grace", "production", "pending")], 0, False),
    "a program": ([("app[bot]", "production", "approved")], 0, False),
}


@pytest.mark.parametrize("name", LISTS)
def test_somebody_approved_this_job(guarded: LocalGitHub, name: str, tmp_path: Path) -> None:
    """There is one approval of this environment, in this very run, more than the job before saw."""
    approvals, seen, enough = LISTS[name]
    for approval in approvals:
        guarded.review(7, *approval)
    output = tmp_path / "output"
    output.touch()

    result = check(guarded, "production", "--seen", str(seen), "--expect", expect(), GITHUB_OUTPUT=str(output))

    assert (result.exit_code, result.stdout) == ((0, "reviewers\n") if enough else (1, ""))
    assert output.read_text() == (f"approvals={len(approvals)}\n" if enough else "")
    assert ("by-pass is no approval" in result.stderr) != enough


TWICE = APPROVED * 2
UNASKED: dict[str, tuple[list[tuple[str, str, str]], int, str, bool]] = {
    "the first is for it, too": (APPROVED, 1, "unattended", True),
    "a person was asked in between": (TWICE, 2, "unattended", True),
    "that of an earlier attempt, and this one's": (TWICE, 1, "unattended", True),
    "the environment in another case": (APPROVED, 1, "Unattended", True),
    "nobody approved anything": ([], 0, "unattended", False),
    "an approval that is gone": (APPROVED, 2, "unattended", False),
    "another environment's": ([("grace", "unattended", "approved")], 0, "unattended", False),
    "rejected": ([("grace", "production", "rejected")], 0, "unattended", False),
    "a program": ([("app[bot]", "production", "approved")], 0, "unattended", False),
    "live traffic wasn't healthy: a job in production": (APPROVED, 1, "production", False),
    "the variable is gone since": (APPROVED, 1, "", False),
    "an environment that got lost": (APPROVED, 1, "deploy", False),
}


@pytest.mark.parametrize("name", UNASKED)
def test_the_first_approval_is_for_later_jobs_too(guarded: LocalGitHub, name: str, tmp_path: Path) -> None:
    """In `unattended`, and nowhere else, the approvals that the job before saw are enough, of which there is one."""
    approvals, seen, place, enough = UNASKED[name]
    guarded.add_environment("unattended", reviewers=[], prevent_self_review=False)
    for approval in approvals:
        guarded.review(7, *approval)
    output = tmp_path / "output"
    output.touch()

    result = check(guarded, "production", "--seen", str(seen), "--job-in", place, GITHUB_OUTPUT=str(output))

    assert (result.exit_code, result.stdout) == ((0, "reviewers\n") if enough else (1, "")), result.stderr
    assert output.read_text() == (f"approvals={len(approvals)}\n" if enough else "")
    assert ("for what follows, too" in result.stderr) == enough


@pytest.mark.parametrize("half", ["reviewers", "unattended", "branches"])
def test_what_asks_nobody_is_no_open_door(guarded: LocalGitHub, half: str) -> None:
    """Refused where production lost its reviewers since, and where any branch may take its login unasked."""
    guarded.add_environment("unattended", reviewers=[], prevent_self_review=False)
    guarded.review(7, "grace")
    if half == "reviewers":
        guarded.environments["production"].reviewers.clear()
    elif half == "branches":
        guarded.environments["unattended"].branches = None
    else:
        del guarded.environments["unattended"]

    result = check(guarded, "production", "--seen", "1", "--job-in", "unattended")

    assert (result.exit_code, result.stdout) == (1, "")
    assert ("no required reviewers" if half == "reviewers" else "every branch may use") in result.stderr
    assert "setup_github" in result.stderr


def test_an_approval_of_another_run(guarded: LocalGitHub) -> None:
    """Counts for nothing."""
    guarded.add_run(run_id=8)
    guarded.review(8, "grace")

    assert check(guarded, "production", "--seen", "0", "--expect", expect()).exit_code == 1


def test_an_approval_that_shows_late(guarded: LocalGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't seen once is looked for again."""
    monkeypatch.setattr(check_approval, "LAG", 0.5)
    approve = threading.Timer(0.3, guarded.review, [7, "grace"])
    approve.start()

    result = check(guarded, "production", "--seen", "0")

    approve.join()
    assert result.exit_code == 0


def test_before_anybody_is_asked(guarded: LocalGitHub, tmp_path: Path) -> None:
    """Reviewers are enough then; what earlier attempts of the run left in its list is handed on."""
    guarded.review(7, "grace")
    guarded.review(7, "grace")
    output = tmp_path / "output"

    result = check(guarded, "production", GITHUB_OUTPUT=str(output))

    assert (result.exit_code, result.stdout, output.read_text()) == (0, "reviewers\n", "approvals=2\n")


@pytest.mark.parametrize("seen", ["", " ", "-1", "one"])
def test_a_count_that_got_lost(guarded: LocalGitHub, seen: str) -> None:
    """An output that got lost is a wrong call, not a first approval."""
    guarded.review(7, "grace")

    assert check(guarded, "production", "--seen", seen, "--expect", expect()).exit_code == 2


@pytest.mark.parametrize("run_id", ["", "x", "9"])
def test_a_run_that_is_not_known(guarded: LocalGitHub, run_id: str) -> None:
    """Nobody can have approved it."""
    result = check(guarded, "production", "--seen", "0", GITHUB_RUN_ID=run_id)

    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize(("author", "told"), [("grace", True), ("Grace", True), ("ada", False)])
def test_the_author_approves(guarded: LocalGitHub, author: str, told: bool, tmp_path: Path) -> None:
    """Told on the job's page, not refused: somebody has chosen the reviewers."""
    guarded.add_commit(SHA, author=author)
    guarded.review(7, "grace")
    summary = tmp_path / "summary.md"

    result = check(guarded, "production", "--seen", "0", "--expect", expect(), GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 0
    assert "approved in this run by grace" in summary.read_text()
    assert (f"⚠ **{author} wrote all of it**" in summary.read_text()) == told


def test_whose_work_it_is_cannot_be_told(guarded: LocalGitHub) -> None:
    """A reviewer's approval counts all the same."""
    guarded.add_commit(SHA, author="ada")
    guarded.forbidden = {"repos/get-commit"}
    guarded.review(7, "grace")

    result = check(guarded, "production", "--seen", "0", "--expect", expect())

    assert result.exit_code == 0
    assert "Who wrote it can't be told" in result.stderr


@pytest.mark.parametrize("person", ["", "grace", "ada"])
def test_a_person_is_no_approval(guarded: LocalGitHub, person: str) -> None:
    """Where there are reviewers, nobody stands in for them: an administrator who went past them neither."""
    guarded.add_commit(SHA, author="ada")

    result = check(guarded, "production", "--seen", "0", "--expect", expect(), "--person", person)

    assert result.exit_code == 1
    assert "nobody approved this job" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--person", ""]])
def test_without_reviewers_a_promotion_stops(github: LocalGitHub, arguments: list[str]) -> None:
    """An environment without reviewers, and nobody in their place: exit code 1, and where to mend it."""
    github.add_environment("production", reviewers=[], prevent_self_review=False)

    result = check(github, "production", "--expect", expect(), *arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "no required reviewers" in result.stderr and PAGE in result.stderr


def test_an_environment_that_nobody_made(github: LocalGitHub) -> None:
    """Refused as well, though GitHub would let the job run."""
    result = check(github, "production", "--expect", expect())

    assert result.exit_code == 1
    assert "nobody has made the environment production" in result.stderr


@pytest.mark.parametrize("seen", [[], ["--seen", "0"]])
def test_another_person_promotes(github: LocalGitHub, seen: list[str]) -> None:
    """Without reviewers, somebody who isn't the author may: their word stands for the approval."""
    github.add_commit(SHA, author="ada")

    result = check(github, "production", *seen, "--expect", expect(), "--person", "grace")

    assert (result.exit_code, result.stdout) == (0, "person\n")
    assert "grace stands in. written by ada" in result.stderr


@pytest.mark.parametrize("seen", [(), ("--seen", "0")], ids=str)
def test_an_approval_is_for_no_program(guarded: LocalGitHub, seen: tuple[str, ...]) -> None:
    """Nor with reviewers, before anybody is asked and after; a stage of a rollout, without --person, goes on."""
    guarded.runs[7].actor = "trainer[bot]"
    guarded.review(7, "grace")

    by_hand, stage = (check(guarded, "production", *seen, *person) for person in (("--person", "grace"), ()))

    assert (by_hand.exit_code, stage.exit_code) == (1, 0)
    assert "trainer[bot] is a program" in by_hand.stderr


@pytest.mark.parametrize(("author", "person"), [("ada", "ada"), (None, "grace")], ids=str)
def test_the_author_does_not_promote(github: LocalGitHub, author: str | None, person: str) -> None:
    """Nor somebody for a commit whose author isn't known."""
    github.add_commit(SHA, author=author)

    result = check(github, "production", "--expect", expect(), "--person", person)

    assert result.exit_code == 1
    assert "somebody other than who wrote all of it" in result.stderr


@pytest.mark.parametrize("sha", ["b" * 40, "", "main"])
def test_a_commit_that_is_not_there(github: LocalGitHub, sha: str) -> None:
    """A green whose deployment names no commit of this repository was not rolled out from it: refused."""
    github.add_commit(SHA, author="ada")

    result = check(github, "production", "--expect", expect(sha), "--person", "grace")

    assert result.exit_code == 1


def test_without_what_was_reviewed(github: LocalGitHub) -> None:
    """Without --expect nobody knows whose work it is, so nobody can stand in for reviewers."""
    result = check(github, "production", "--person", "grace")

    assert result.exit_code == 1
    assert "--expect" in result.stderr


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        *(("repos/get-environment", status) for status in (401, 403, 429, 503)),
        *(("repos/get-commit", status) for status in (403, 500)),
        ("repos/list-pull-requests-associated-with-commit", 403),
    ],
)
def test_github_that_does_not_tell(github: LocalGitHub, operation: str, status: int) -> None:
    """Whatever keeps GitHub from answering, the promotion stops, and no token is shown."""
    github.add_commit(SHA, author="ada")
    github.failing[operation] = status

    result = check(github, "production", "--expect", expect(), "--person", "grace")

    may_pass = status == 429 or status >= 500
    assert (result.exit_code, result.stdout) == (4 if may_pass else 1, "")
    assert f"HTTP {status}" in result.stderr and "Nothing is changed" in result.stderr
    assert "has no commit" not in result.stderr and "nobody has made" not in result.stderr
    assert github.token not in result.output and "Traceback" not in result.output


@pytest.mark.parametrize(
    "wrong",
    [
        {"GITHUB_TOKEN": "none"},
        {"GITHUB_TOKEN": ""},
        {"GITHUB_API_URL": "http://127.0.0.1:9"},
        {"GITHUB_REPOSITORY": "x"},
    ],
    ids=str,
)
def test_github_that_cannot_be_asked(github: LocalGitHub, wrong: dict[str, str]) -> None:
    """No token, a wrong one, nobody at the address: reviewers can't be told, so there are none."""
    github.add_environment("production")

    result = check(github, "production", "--expect", expect(), "--person", "grace", **wrong)

    assert (result.exit_code, result.stdout) == (4 if "GITHUB_API_URL" in wrong else 1, "")
    assert "Traceback" not in result.output


def test_staging_has_no_reviewers(github: LocalGitHub) -> None:
    """`none` is a target without approvals: said, and nobody is asked."""
    result = check(github, "none", "--expect", expect())

    assert (result.exit_code, result.stdout) == (0, "none\n")
    assert github.calls == []


@pytest.mark.parametrize("environment", ["", " ", "\n"])
def test_an_empty_name_opens_nothing(github: LocalGitHub, environment: str) -> None:
    """A line of YAML that got lost is a wrong call, not a target without approvals."""
    github.add_environment("production", reviewers=[], prevent_self_review=False)

    result = check(github, environment, "--expect", expect(), "--person", "grace")

    assert (result.exit_code, result.stdout, github.calls) == (2, "", [])
    assert "it is empty: name the environment whose reviewers must approve" in result.stderr


@pytest.mark.parametrize("text", ["", "{}", "no JSON", json.dumps({"green_commit": SHA})])
def test_an_expectation_that_is_none(github: LocalGitHub, text: str) -> None:
    """What `review` did not print is a wrong call: exit code 2."""
    github.add_environment("production")

    assert check(github, "production", "--expect", text).exit_code == 2


def test_a_table_keeps_its_cells() -> None:
    """A finding with pipes and several lines stays one row of five cells."""
    table = finding.as_table([finding.wrong("a", "one|two\nthree", "mend")])

    assert table.splitlines()[-1] == "| ❌ | a | wrong | one\\|two<br>three | mend |"
