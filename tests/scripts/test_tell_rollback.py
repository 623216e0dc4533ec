"""tell_rollback: who wrote what was taken back, and who owns it, hear of it once, with what was found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.testing import Arm
from scripts.lib.github.webhook import post
from tests.support.listener import Listener, listener
from tests.support.scripts import GREEN, Live, repository, restore, run, toy_model

RUN, OTHER = (f"local/rollout/actions/runs/{number}/attempts/1" for number in (1, 2))
COMMITS = ["a" * 40, "e" * 40]


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Green is of a commit of its own."""
    folder = tmp_path_factory.mktemp("told")
    with repository(folder / "repository", model="toy-told") as place:
        (place / ".github").mkdir()
        (place / ".github/CODEOWNERS").write_text("# @nobody\n/model/ @owner @octo/team\n* @your-org/your-team\n")
        live = Live("toy-told")
        live.do("create_endpoint")
        for number, commit in enumerate(COMMITS):
            run("register_model", toy_model(folder / str(number), answer=number), GITHUB_SHA=commit)
        live.serve(1)
        live.do("deploy", "--version", 2, "--rollout", RUN)
        yield live


@pytest.fixture
def pair(rollout: Live) -> Live:
    """Green was rolled back from 10 % by its own rollout."""
    restore(Arm(os.environ), rollout)
    rollout.do("promote", "--percent", 10, "--rollout", RUN)
    rollout.do("rollback", "--own", "--rollout", RUN)
    return rollout


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    with LocalGitHub("local/rollout") as found:
        for name in ("author", "owner"):
            found.know(name)
        found.add_pull(7, "author")
        for commit in COMMITS:
            found.add_commit(commit, author="author", pulls=[7])
        yield found


def test_a_rollback_is_told_once(pair: Live, github: LocalGitHub) -> None:
    """An issue, for author and owners, changed in place when it is told again; a comment on the pull request."""
    first, second = (pair.do("tell_rollback", "--rollout", RUN, **github.environ()) for _ in range(2))

    [issue] = github.issues.values()
    [comment] = github.comments[7]
    assert first == second == issue["html_url"]
    assert [who["login"] for who in issue["assignees"]] == ["author", "owner"]
    assert f"Version 2 ({GREEN}) is rolled back" in issue["body"] and "rolled back from 10 % on" in issue["body"]
    assert "@octo/team" in issue["body"] and "nobody" not in issue["body"] and "your-team" not in issue["body"]
    assert first in comment["body"]


def test_who_may_not_be_assigned_is_named(pair: Live, github: LocalGitHub) -> None:
    """GitHub refuses an issue for somebody without rights."""
    del github.users["owner"]

    pair.do("tell_rollback", "--rollout", RUN, **github.environ())

    [issue] = github.issues.values()
    assert issue["assignees"] == [] and "@owner" in issue["body"]


@pytest.mark.parametrize("whose", [("--rollout", OTHER), ("--rollout", "by hand"), ()])
def test_what_another_run_took_back_is_not_told(pair: Live, github: LocalGitHub, whose: tuple[str, ...]) -> None:
    """Nobody is alarmed for a rollback that somebody else made, that was none, or that nothing was found for."""
    told = pair.do("tell_rollback", *whose, **github.environ())

    assert "nothing is to be told" in told and github.issues == {}


def test_another_rollout_has_another_issue(pair: Live, github: LocalGitHub) -> None:
    """One for each."""
    pair.do("tell_rollback", "--rollout", RUN, **github.environ())
    pair.do("deploy", "--version", 2, "--rollout", OTHER)
    pair.do("promote", "--percent", 10, "--rollout", OTHER)
    pair.do("rollback", "--own", "--rollout", OTHER)

    pair.do("tell_rollback", "--rollout", OTHER, **github.environ())

    assert len(github.issues) == 2


@pytest.fixture
def webhook(azure: dict[str, str], tmp_path: Path) -> Iterator[Listener]:
    with listener(tmp_path, azure["REQUESTS_CA_BUNDLE"]) as found:
        yield found


@pytest.mark.parametrize(
    ("method", "path", "status", "exit_code", "said"),
    [
        ("GET", "issues", 410, 0, "No issue is opened"),
        ("GET", "issues", 404, 0, "No issue is opened"),
        ("POST", "issues", 410, 0, "No issue is opened"),
        ("POST", "issues", 403, 1, "refused to open the issue"),
        ("POST", "issues", 502, 1, "may or may not have done it, open the issue"),
        ("POST", "issues/7/comments", 403, 1, "refused to comment on 7"),
    ],
)
def test_what_fails_keeps_nobody_else_from_being_told(
    pair: Live, github: LocalGitHub, webhook: Listener, method: str, path: str, status: int, exit_code: int, said: str
) -> None:
    """Once each, also by a run once more. Who has no issues wanted none: that fails nothing; all else does, at last."""
    fault = github.add("refuse", method=method, path=f"*/local/rollout/{path}", status=status)
    environ = {**github.environ(), **webhook.environ, "GITHUB_SERVER_URL": "https://github.example"}

    first, again = (pair.run("tell_rollback", "--rollout", RUN, **environ) for _ in range(2))

    assert (first.exit_code, again.exit_code) == (exit_code, 0), first.output + again.output
    assert said in first.stderr and fault.document["hit"]
    [comment], [message] = github.comments[7], webhook.heard
    assert "(https://github.example/local/rollout/actions/runs/1)" in comment["body"]
    assert message["text"].endswith("/issues/8" if "comments" in path else "/local/rollout/actions/runs/1")


def test_a_webhook_hears_of_it_once(pair: Live, github: LocalGitHub, webhook: Listener) -> None:
    """What was rolled back, why, and the issue's address, which is all it has to say; not again by a run once more."""
    address = [pair.do("tell_rollback", "--rollout", RUN, **github.environ(), **webhook.environ) for _ in range(2)][1]

    [message] = webhook.heard
    assert message.keys() == {"text"}
    assert message["text"].startswith(f"{pair.name}: version 2 was rolled back: ") and address in message["text"]
    assert "from 10 % on" in message["text"]


def test_a_webhook_that_fails_fails_nothing(pair: Live, github: LocalGitHub, webhook: Listener, tmp_path: Path) -> None:
    """It is a warning; the issue is there, the pull request told; and nothing of the address is said anywhere."""
    webhook.status, summary = 500, tmp_path / "summary.md"
    copied = {"ROLLBACK_WEBHOOK": f" {webhook.environ['ROLLBACK_WEBHOOK']}\n"}
    job = {**github.environ(), **webhook.environ, **copied, "GITHUB_STEP_SUMMARY": str(summary)}

    told = pair.run("tell_rollback", "--rollout", RUN, GITHUB_ACTIONS="true", **job)

    [issue] = github.issues.values()
    assert (told.exit_code, len(webhook.heard)) == (0, 1), told.output
    assert "::warning title=The webhook was not told::HTTP 500" in told.stderr
    assert issue["html_url"] in github.comments[7][0]["body"] and issue["html_url"] in told.stdout
    said = told.output + summary.read_text() + repr(github.issues) + repr(github.comments)
    assert "secret-path" not in said and "localhost" not in said


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://localhost:9/secret", "no answer (ConnectionError)"),
        ("https://secret.invalid", "no answer (ConnectionError)"),
        ("https://[secret", "no answer (InvalidURL)"),
        ("https://" + "secret" * 20 + ".example", "no answer (LocationParseError)"),
        ("http://localhost/secret", "ROLLBACK_WEBHOOK is no address that begins with https://"),
        ("secret", "ROLLBACK_WEBHOOK is no address that begins with https://"),
    ],
)
def test_an_address_that_leads_nowhere_is_not_told(address: str, why: str) -> None:
    """Neither of the one that is wrong, nor of its host."""
    assert post(address, "a") == why


def test_a_redirection_is_not_followed(webhook: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds the address has it sent to nobody else; and what an answer held calls nobody."""
    webhook.status = 307
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", webhook.environ["REQUESTS_CA_BUNDLE"])

    assert post(webhook.environ["ROLLBACK_WEBHOOK"], "<!channel> & all") == "HTTP 307"
    assert webhook.heard == [{"text": "&lt;!channel&gt; &amp; all"}]


def test_without_a_webhook_nobody_is_called(pair: Live, github: LocalGitHub, webhook: Listener) -> None:
    """A secret that isn't set is empty."""
    told = pair.run("tell_rollback", "--rollout", RUN, **github.environ(), ROLLBACK_WEBHOOK="")

    assert told.exit_code == 0 and "webhook" not in told.output and webhook.heard == []
