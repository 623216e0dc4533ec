"""The scripts' client of GitHub's API, and the local GitHub that it talks to in tests, by GitHub's description."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import ANY

import pytest
import requests

from azureml_emulator.github.routes import ROUTES
from azureml_emulator.github.schema import DESCRIPTION
from azureml_emulator.github.server import LocalGitHub
from scripts.lib.github import host
from scripts.lib.github.api import CannotTell, Denied, GitHub
from scripts.lib.github.environment import LISTED, Environment, Policy
from scripts.lib.setup.guard import RULESET, ruleset

SHA = "a" * 40
BODY = {
    "wait_timer": 0,
    "prevent_self_review": True,
    "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
}


class Silent(SimpleHTTPRequestHandler):
    """A web server that doesn't log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


class Once(dict[str, int]):
    """Failures of which each happens once."""

    def __getitem__(self, name: str) -> int:
        return self.pop(name)


class Moved(Silent):
    """Sends changes elsewhere, where something answers."""

    def do_POST(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/")
        self.end_headers()


@contextmanager
def serving(handler: Any) -> Iterator[str]:
    """The address of something that answers on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Busy(BaseHTTPRequestHandler):
    """Answers the first request with a status and with when to ask again."""

    status = 429
    asked: ClassVar[list[float]] = []

    def do_GET(self) -> None:
        self.asked.append(time.monotonic())
        self.send_response(200 if len(self.asked) > 1 else self.status)
        self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(b'{"name": "rollout"}')

    def log_message(self, format: str, *args: object) -> None:
        pass


def client(github: LocalGitHub, **more: str) -> GitHub:
    return GitHub(**{"repository": github.repository, "token": github.token, "url": github.url, **more})


def reviewers(*names: str, github: LocalGitHub) -> list[dict[str, Any]]:
    """Reviewers as a PUT names them."""
    for name in names:
        github.know(name)
    return [
        {"type": "Team", "id": github.teams[name]} if "/" in name else {"type": "User", "id": github.users[name]}
        for name in names
    ]


class TestReading:
    def test_facts(self, github: LocalGitHub) -> None:
        """The repository says its default branch, whether it is private, and what the token may."""
        facts = client(github).facts()

        assert facts["default_branch"] == "main"
        assert facts["private"] is False
        assert facts["permissions"]["admin"] is True

    def test_missing(self, github: LocalGitHub) -> None:
        """What isn't there is None: an environment, a branch, a commit, a user, a team."""
        api = client(github)

        found = [api.environment("e"), api.branch("b"), api.commit("c"), api.user("u"), api.team("o", "t")]

        assert found == [None] * 5

    def test_environment(self, github: LocalGitHub) -> None:
        """An environment tells its reviewers, users and teams, who may not review, and which branches deploy."""
        github.add_environment("production", ["alice", "local/ml"], branches=["main", "release/*"]).tags = ["v*"]

        found = client(github).environment("production")

        assert found and found.prevent_self_review is True
        assert [(who.kind, who.name) for who in found.reviewers] == [("User", "alice"), ("Team", "ml")]
        assert (found.deploying, found.admins_bypass, found.policies) == (LISTED, False, ())
        assert client(github).branch_policies("production") == [
            Policy("main"),
            Policy("release/*"),
            Policy("v*", "tag"),
        ]

    def test_names_with_slashes(self, github: LocalGitHub) -> None:
        """A slash in a name is part of the name, not of the path."""
        github.add_environment("eu/production", ["alice"])
        github.branches["feature/x"] = SHA

        assert client(github).environment("eu/production")
        assert (client(github).branch("feature/x") or {})["commit"]["sha"] == SHA

    def test_what_hides_behind_an_environment(self, github: LocalGitHub) -> None:
        """Variables of its own and apps that decide; nothing of either where there is none."""
        there = github.add_environment("production")
        found = client(github).environment_variables("production"), client(github).apps("production")
        there.variables, there.apps = {"ENDPOINT_NAME": "other"}, ["gate"]

        assert found == ({}, [])
        assert client(github).environment_variables("production") == {"ENDPOINT_NAME": "other"}
        assert client(github).apps("production") == ["gate"]

    def test_rules(self, github: LocalGitHub) -> None:
        """What active rulesets demand of a branch is told, with the rulesets' ids by name; of others nothing."""
        client(github).add_ruleset(ruleset("main"))

        assert [rule["type"] for rule in client(github).rules("main")] == [
            "pull_request",
            "deletion",
            "non_fast_forward",
        ]
        assert client(github).rules("other") == []
        assert list(client(github).rulesets()) == [RULESET]

    def test_renamed(self, github: LocalGitHub) -> None:
        """A repository that was renamed goes by its present name once it was asked: changes arrive, too."""
        github.former = "local/before"
        api = client(github, repository="local/before")

        assert api.facts()["full_name"] == "local/rollout"
        api.set_variable("NAME", "one")
        assert (api.repository, github.variables) == ("local/rollout", {"NAME": "one"})

    @pytest.mark.parametrize("immutable", [True, False])
    def test_subject(self, github: LocalGitHub, immutable: bool) -> None:
        """The prefix of the OIDC subject is what GitHub says it is, with ids or without."""
        github.immutable = immutable

        prefix = client(github).subject_prefix()

        assert re.fullmatch(r"repo:local@\d+/rollout@\d+" if immutable else "repo:local/rollout", prefix)

    def test_custom_subject(self, github: LocalGitHub) -> None:
        """A repository with a subject of its own making has no prefix to build on."""
        github.claim_keys = ["repository_owner", "job_workflow_ref"]

        with pytest.raises(CannotTell, match="repository_owner, job_workflow_ref"):
            client(github).subject_prefix()

    def test_commit(self, github: LocalGitHub) -> None:
        """A commit has GitHub's accounts, None where GitHub knows none for the address."""
        github.add_commit(SHA, author=None, committer="web-flow")

        found = client(github).commit(SHA) or {}

        assert found["author"] is None
        assert found["committer"]["login"] == "web-flow"

    def test_comparison(self, github: LocalGitHub) -> None:
        """The commits after one up to another, over as many pages as there are; none backwards, and of unknown ones."""
        for number in range(70):
            github.add_commit(f"{number:040}", message=f"Change {number}")

        def compare(base: int, head: int) -> list[str]:
            return [found["commit"]["message"] for found in client(github).compare(f"{base:040}", f"{head:040}")]

        assert compare(1, 66) == [f"Change {number}" for number in range(2, 67)]
        assert compare(66, 1) == compare(5, 5) == []
        with pytest.raises(CannotTell, match="has no local/rollout/compare"):
            compare(1, 99)

    def test_runs(self, github: LocalGitHub) -> None:
        """Only the runs of the workflow in the status are found, over as many pages as there are."""
        for run_id in range(1, 66):
            github.add_run(run_id=run_id, status="waiting")
        github.add_run(run_id=100, status="in_progress")
        github.add_run("promote.yml", run_id=101, status="waiting")

        found = client(github).runs("rollout.yml", "waiting")

        assert [run["id"] for run in found] == list(range(1, 66))

    def test_variables(self, github: LocalGitHub) -> None:
        """All variables are read, over as many pages as there are."""
        github.variables = {f"NAME_{number:02}": str(number) for number in range(30)} | {"LAST": "1"}

        assert client(github).variables() == github.variables

    def test_the_organisation_s_variables(self, github: LocalGitHub) -> None:
        """What it shares is there for jobs, too, where the repository has none of that name."""
        github.shared_variables = {"AZURE_TENANT_ID": "all", "ENDPOINT_NAME": "theirs"}
        github.variables = {"ENDPOINT_NAME": "ours"}

        assert client(github).variables() == {"AZURE_TENANT_ID": "all", "ENDPOINT_NAME": "ours"}

    def test_a_person_s_repository_has_no_organisation(self, github: LocalGitHub) -> None:
        """That none can be asked for takes nothing away."""
        github.variables = {"NAME": "one"}
        github.failing["actions/list-repo-organization-variables"] = 404

        assert client(github).variables() == {"NAME": "one"}


class TestWriting:
    def test_variable(self, github: LocalGitHub) -> None:
        """A variable is created, and changed when it is there."""
        client(github).set_variable("NAME", "one")
        client(github).set_variable("NAME", "two")

        assert github.variables == {"NAME": "two"}

    def test_environment(self, github: LocalGitHub) -> None:
        """An environment is replaced: what the body leaves out is gone."""
        who = reviewers("alice", "local/ml", github=github)
        client(github).put_environment("production", {**BODY, "reviewers": who})
        client(github).add_branch_policy("production", "main")
        before = github.environments["production"]

        client(github).put_environment("production", {"wait_timer": 5})

        assert (before.reviewers, before.branches) == (["alice", "local/ml"], ["main"])
        after = github.environments["production"]
        assert (after.reviewers, after.branches, after.wait_timer) == ([], None, 5)

    def test_branch_policy_twice(self, github: LocalGitHub) -> None:
        """A branch that may deploy already is no error."""
        github.add_environment("production", branches=["main"])

        client(github).add_branch_policy("production", "main")

        assert github.environments["production"].branches == ["main"]

    def test_cancel(self, github: LocalGitHub) -> None:
        """A run is asked to end; one that has ended, or can't be cancelled yet, is 409."""
        github.add_run(run_id=7)

        client(github).cancel(7)
        with pytest.raises(Denied) as denied:
            client(github).cancel(7)

        assert denied.value.status == 409

        assert client(github).run(7)["conclusion"] == "cancelled"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"reviewers": [{"type": "User", "id": 4}]}, "Validation Failed"),
            ({"reviewers": [{"type": "Robot", "id": 4}]}, "Robot"),
            ({"prevent_self_review": True}, "at least one reviewer"),
            ({"can_admins_bypass": False}, "can_admins_bypass"),
            ({"deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": True}}, "the same"),
        ],
    )
    def test_refused(self, github: LocalGitHub, body: dict[str, Any], words: str) -> None:
        """A body that GitHub doesn't accept is refused with GitHub's words and status."""
        with pytest.raises(Denied, match=words) as refusal:
            client(github).put_environment("production", body)

        assert refusal.value.status == 422

    def test_private(self, github: LocalGitHub) -> None:
        """A private repository without Enterprise is refused reviewers, and yet has the environment then: open."""
        github.private = True
        who = reviewers("alice", github=github)

        with pytest.raises(Denied, match="billing plan supports the required reviewers"):
            client(github).put_environment("production", {**BODY, "reviewers": who})

        assert client(github).environment("production") == Environment(admins_bypass=ANY, id=ANY)

    def test_no_admin(self, github: LocalGitHub) -> None:
        """Settings are an admin's: others are refused."""
        github.admin = False

        with pytest.raises(Denied, match="admin rights"):
            client(github).set_variable("NAME", "one")

    def test_may_have_happened(self, github: LocalGitHub) -> None:
        """After a server error nobody knows whether it was done: that is no refusal."""
        github.failing = {"actions/create-repo-variable": 502}

        with pytest.raises(CannotTell, match="may or may not"):
            client(github).set_variable("NAME", "one")

    def test_elsewhere(self) -> None:
        """A change that GitHub sends elsewhere is not taken for made: what is found there is only read."""
        with serving(Moved) as url, pytest.raises(Denied, match="HTTP 302"):
            GitHub("local/rollout", "token", url).set_variable("NAME", "one")


class TestCannotTell:
    @pytest.mark.parametrize("status", [401, 403, 429, 500])
    def test_status(self, github: LocalGitHub, status: int) -> None:
        """An answer that says nothing of the question is never taken for "there is none"."""
        github.failing = {"repos/get-environment": status}

        with pytest.raises(CannotTell, match=str(status)):
            client(github).environment("production")

    def test_forbidden(self, github: LocalGitHub) -> None:
        """A token without the permission is told so."""
        github.forbidden = {"actions/list-repo-variables"}

        with pytest.raises(CannotTell, match="lacks a permission"):
            client(github).variables()

    def test_hiccup(self, github: LocalGitHub) -> None:
        """A question that fails once is asked again."""
        github.failing = Once({"repos/get": 503})

        assert client(github).facts()["name"] == "rollout"
        assert len(github.calls) == 2

    def test_twice(self, github: LocalGitHub) -> None:
        """Not for ever, and each time a little later."""
        github.failing = {"repos/get": 503}
        started = time.monotonic()

        with pytest.raises(CannotTell, match="503"):
            client(github).facts()

        assert len(github.calls) == 4
        assert 0.6 < time.monotonic() - started < 5

    def test_change(self, github: LocalGitHub) -> None:
        """A change is asked for once: it may have happened."""
        github.failing = {"actions/create-repo-variable": 503}

        with pytest.raises(CannotTell):
            client(github).set_variable("NAME", "one")

        assert len(github.calls) == 1

    @pytest.mark.parametrize("status", [429, 503])
    def test_later(self, status: int) -> None:
        """When GitHub says how long to wait, it waits that long."""
        Busy.status, Busy.asked = status, []

        with serving(Busy) as url:
            facts = GitHub("local/rollout", "token", url).facts()

        first, second = Busy.asked
        assert facts == {"name": "rollout"}
        assert second - first > 0.9

    def test_wrong_token(self, github: LocalGitHub) -> None:
        """A wrong token is named as such."""
        with pytest.raises(CannotTell, match="token is wrong"):
            client(github, token="other").facts()  # noqa: S106

    def test_other_repository(self, github: LocalGitHub) -> None:
        """A repository that isn't there can't be told from one that the token may not see."""
        with pytest.raises(CannotTell, match="may not see it"):
            client(github, repository="local/other").facts()

    def test_unknown_workflow(self, github: LocalGitHub) -> None:
        """No such workflow is not the same as no runs of it."""
        with pytest.raises(CannotTell):
            client(github).runs("other.yml", "waiting")

    def test_unreachable(self) -> None:
        """A GitHub that nobody reaches says nothing."""
        with pytest.raises(CannotTell, match="can't be reached"):
            GitHub("local/rollout", "token", "http://127.0.0.1:9").facts()

    def test_not_github(self, tmp_path: Path) -> None:
        """Something else that answers is not taken for GitHub."""
        (tmp_path / "repos" / "local").mkdir(parents=True)
        (tmp_path / "repos" / "local" / "rollout").write_text("<html>Sign in</html>")
        handler = partial(Silent, directory=str(tmp_path))

        with serving(handler) as url, pytest.raises(CannotTell, match="is not GitHub's API"):
            GitHub("local/rollout", "token", url).facts()


class TestHere:
    def test_in_a_workflow(self, github: LocalGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a job the repository, the token and the address come from GitHub's variables."""
        for name, value in github.environ().items():
            monkeypatch.setenv(name, value)

        assert GitHub.here().facts()["full_name"] == "local/rollout"

    @pytest.mark.parametrize("url", ["https://github.com/local/rollout.git", "git@github.com:local/rollout.git"])
    def test_on_a_laptop(self, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Elsewhere it is the repository that `origin` names, with the token of gh."""
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", url], check=True)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GH_TOKEN", "token")

        assert GitHub.here().repository == "local/rollout"

    @pytest.mark.parametrize(
        ("environ", "named"),
        [
            ({"GH_TOKEN": "right", "GITHUB_TOKEN": "wrong"}, ""),
            ({"GH_TOKEN": "wrong", "GITHUB_TOKEN": "right"}, "GH_TOKEN"),
            ({"GH_TOKEN": "", "GITHUB_TOKEN": "right"}, ""),
            ({"GITHUB_TOKEN": "wrong"}, "GITHUB_TOKEN"),
        ],
    )
    def test_two_tokens(
        self, github: LocalGitHub, environ: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """GH_TOKEN comes first, as with gh: Codespaces set the other by themselves. A refused one is named."""
        for name, value in {**github.environ(), **environ}.items():
            monkeypatch.setenv(name, github.token if value == "right" else value)

        if named:
            with pytest.raises(CannotTell, match=rf"it is {named}'s"):
                GitHub.here().facts()
        else:
            assert GitHub.here().facts()["name"] == "rollout"

    @pytest.mark.parametrize(
        ("remote", "environ", "api"),
        [
            ("https://github.com/a/b", {}, "https://api.github.com"),
            ("https://x:secret@github.com/a/b.git", {}, "https://api.github.com"),
            ("ssh://git@ssh.github.com:443/a/b.git", {}, "https://api.github.com"),
            ("https://acme.ghe.com/a/b", {}, "https://api.acme.ghe.com"),
            ("git@github.acme.example:a/b.git", {}, "https://github.acme.example/api/v3"),
            ("../a/b", {}, "https://api.github.com"),  # no host: a folder
            ("git@work:a/b.git", {}, ""),  # only ssh knows whose that is
            ("git@work:a/b.git", {"GH_HOST": "github.com"}, "https://api.github.com"),
            ("https://github.com/a/b", {"GITHUB_SERVER_URL": "https://acme.ghe.com"}, "https://api.acme.ghe.com"),
            ("https://github.com/a/b", {"GITHUB_API_URL": "https://elsewhere"}, "https://elsewhere"),
        ],
    )
    def test_which_github(
        self, remote: str, environ: dict[str, str], api: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A token goes to the GitHub that the repository is on, and to none where that can't be told."""
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
        monkeypatch.chdir(tmp_path)
        for name, value in {"GH_TOKEN": "token", **environ}.items():
            monkeypatch.setenv(name, value)

        assert host.api() == api
        if not api:
            with pytest.raises(CannotTell, match=r"which GitHub is https://work\? Set GITHUB_API_URL"):
                GitHub.here("a/b")

    @pytest.mark.parametrize(
        ("environ", "issuer"),
        [
            ({}, "https://token.actions.githubusercontent.com"),
            ({"GH_HOST": "acme.ghe.com"}, "https://token.actions.acme.ghe.com"),
            ({"OIDC_ISSUER": "https://its.own"}, "https://its.own"),
        ],
    )
    def test_who_speaks_in_its_tokens(
        self, environ: dict[str, str], issuer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """It follows from the host, unless an enterprise has made it another."""
        monkeypatch.chdir(tmp_path)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

        assert host.issuer() == issuer

    @pytest.mark.parametrize(
        ("environ", "words"),
        [({}, "GITHUB_REPOSITORY"), ({"GITHUB_REPOSITORY": "local/rollout"}, "GITHUB_TOKEN")],
    )
    def test_missing(
        self, environ: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """What is missing is named."""
        monkeypatch.chdir(tmp_path)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)

        with pytest.raises(CannotTell, match=words):
            GitHub.here()

    @pytest.mark.parametrize(
        ("repository", "token"), [("rollout", "t"), ("a/b/c", "t"), ("a/b", "two words"), ("a/b", "")]
    )
    def test_nonsense(self, repository: str, token: str) -> None:
        """What is no repository and what is no token is refused before anything is sent."""
        with pytest.raises(CannotTell):
            GitHub(repository, token)

    def test_netrc(self, github: LocalGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The token given is the one sent, whatever ~/.netrc has for the host."""
        (tmp_path / "netrc").write_text("default login somebody password else\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

        assert client(github).facts()["name"] == "rollout"


class TestDescription:
    def test_routes(self) -> None:
        """Every operation that is described is there, and none else."""
        assert {operation.name for operation in DESCRIPTION.table} == set(ROUTES)

    def test_every_answer_is_checked(self, github: LocalGitHub) -> None:
        """An answer with a field too few is found wrong: the checks of the other tests can fail."""
        client(github).facts()
        operation, status, document = github.answers[-1]

        assert DESCRIPTION.wrong_answer(operation, status, document) == []
        assert DESCRIPTION.wrong_answer(operation, status, {**document, "name": None})
        assert DESCRIPTION.wrong_answer(operation, status, {})
        assert DESCRIPTION.wrong_answer(operation, 201, document)

    def test_bodies_are_checked(self) -> None:
        """A body with a field of the wrong type is found wrong."""
        put = next(
            operation for operation in DESCRIPTION.table if operation.name == "repos/create-or-update-environment"
        )

        assert DESCRIPTION.wrong_request(put, {"wait_timer": 1}) == []
        assert DESCRIPTION.wrong_request(put, {"wait_timer": "1"})

    def test_unreadable_body(self, github: LocalGitHub) -> None:
        """A body that is no JSON is answered 400."""
        headers = {"Authorization": f"Bearer {github.token}"}

        answer = requests.post(
            f"{github.url}/repos/local/rollout/actions/variables", data="{", headers=headers, timeout=10
        )

        assert answer.status_code == 400
