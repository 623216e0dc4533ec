"""Who must agree to a promotion: required reviewers, or another person than the author; what is unknown is nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from azureml_emulator.github.server import LocalGitHub
from scripts.lib.decisions.approval import FACTS
from scripts.lib.decisions.state import Refused
from scripts.lib.doctor import checks, finding
from scripts.lib.doctor.finding import Unknown
from scripts.lib.github.environment import Environment
from scripts.lib.github.required_reviewers import refuse_author
from tests.support.scripts import run

SHA = "a" * 40
REPOSITORY = "https://github.com/local/rollout"
PAGE = f"{REPOSITORY}/settings/environments"
REVIEWER = {"type": "User", "reviewer": {"login": "ada"}}


def with_rules(*rules: dict[str, Any]) -> Environment:
    return Environment.parse({"name": "production", "protection_rules": list(rules)})


def reviewers(*who: dict[str, Any]) -> dict[str, Any]:
    return {"type": "required_reviewers", "prevent_self_review": True, "reviewers": list(who)}


def commit(author: str | None, committer: str | None = "web-flow") -> dict[str, Any]:
    accounts = {"author": author, "committer": committer}
    return {"sha": SHA, **{role: {"login": login} if login else None for role, login in accounts.items()}}


def expect(sha: str = SHA) -> str:
    return json.dumps({**dict.fromkeys(FACTS, ""), "traffic": {"default": 100}, "green_commit": sha})


def check(github: LocalGitHub, *arguments: str, **environ: str) -> Result:
    return run("check_reviewers", *arguments, **{**github.environ(), **environ})


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


@pytest.mark.parametrize(
    ("author", "committer"), [("ada", "web-flow"), ("ada", "ada"), ("ada", "linus"), ("dependabot[bot]", "web-flow")]
)
def test_another_person_stands_in(author: str, committer: str) -> None:
    """Without reviewers it takes somebody who neither wrote nor committed green's commit."""
    refuse_author("grace", SHA, commit(author, committer))


@pytest.mark.parametrize(
    ("person", "sha", "found", "says"),
    [
        ("ada", SHA, commit("ada"), "ada is the author"),
        ("Ada", SHA, commit("aDA"), "Ada is the author"),
        ("linus", SHA, commit("ada", "linus"), "linus is the author"),
        ("grace", SHA, commit(None), "no account of the author"),
        ("grace", SHA, commit("ada", None), "no account of the committer"),
        ("grace", SHA, commit(None, None), "no account of the author and the committer"),
        ("grace", SHA, {}, "no account"),
        ("grace", SHA, None, "has no commit"),
        ("grace", "", None, "no tag `commit`"),
        ("grace", "main", commit("ada"), "no tag `commit`"),
        ("grace", SHA[:7], commit("ada"), "no tag `commit`"),
        ("github-actions[bot]", SHA, commit("ada"), "it is a program"),
    ],
)
def test_nobody_stands_in(person: str, sha: str, found: dict[str, Any] | None, says: str) -> None:
    """The author, a program, and all of whom GitHub doesn't tell who they are: refused."""
    with pytest.raises(Refused) as refused:
        refuse_author(person, sha, found)

    assert says in str(refused.value)


def test_with_reviewers_a_promotion_goes_on(github: LocalGitHub, tmp_path: Path) -> None:
    """The environment has reviewers: exit code 0, the word for it on stdout, a line in the summary."""
    github.add_environment("production", reviewers=["ada", "org/ml-leads"])
    summary = tmp_path / "summary.md"

    result = check(github, "production", "--expect", expect(), GITHUB_STEP_SUMMARY=str(summary))

    assert (result.exit_code, result.stdout) == (0, "reviewers\n")
    assert "production has required reviewers" in summary.read_text()


@pytest.mark.parametrize("person", ["", "grace", "ada"])
def test_with_reviewers_nobody_is_looked_up(github: LocalGitHub, person: str) -> None:
    """Whoever promotes, GitHub is asked for the environment alone: the reviewers see to it."""
    github.add_environment("production")

    result = check(github, "production", "--expect", expect(), "--person", person)

    assert result.stdout == "reviewers\n"
    assert github.calls == [("GET", "/repos/local/rollout/environments/production")]


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


def test_another_person_promotes(github: LocalGitHub) -> None:
    """Without reviewers, somebody who isn't the author may: their word stands for the approval."""
    github.add_commit(SHA, author="ada")

    result = check(github, "production", "--expect", expect(), "--person", "grace")

    assert (result.exit_code, result.stdout) == (0, "person\n")
    assert "grace is not the author" in result.stderr


@pytest.mark.parametrize(
    ("author", "person"), [("ada", "ada"), (None, "grace"), ("ada", "github-actions[bot]")], ids=str
)
def test_the_author_does_not_promote(github: LocalGitHub, author: str | None, person: str) -> None:
    """Nor somebody for a commit whose author isn't known, nor a program."""
    github.add_commit(SHA, author=author)

    result = check(github, "production", "--expect", expect(), "--person", person)

    assert result.exit_code == 1
    assert "somebody other than the commit's author" in result.stderr


@pytest.mark.parametrize("sha", ["b" * 40, "", "main"])
def test_a_commit_that_is_not_there(github: LocalGitHub, sha: str) -> None:
    """A green whose deployment names no commit of this repository was not rolled out from it: refused."""
    github.add_commit(SHA, author="ada")

    result = check(github, "production", "--expect", expect(sha), "--person", "grace")

    assert result.exit_code == 1


def test_without_what_was_reviewed(github: LocalGitHub) -> None:
    """Without --expect no commit is known, so nobody can stand in for reviewers."""
    result = check(github, "production", "--person", "grace")

    assert result.exit_code == 1
    assert "no tag `commit`" in result.stderr


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        *(("repos/get-environment", status) for status in (401, 403, 429, 503)),
        *(("repos/get-commit", status) for status in (403, 500)),
    ],
)
def test_github_that_does_not_tell(github: LocalGitHub, operation: str, status: int) -> None:
    """Whatever keeps GitHub from answering, the promotion stops, and no token is shown."""
    github.add_commit(SHA, author="ada")
    github.failing[operation] = status

    result = check(github, "production", "--expect", expect(), "--person", "grace")

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"HTTP {status}" in result.stderr and "Nothing is promoted" in result.stderr
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

    assert (result.exit_code, result.stdout) == (1, "")
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
