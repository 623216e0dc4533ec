"""Names without case, the names that a repository had, who may deploy, variables, and how much may be asked."""

from __future__ import annotations

import time

import pytest

from azureml_emulator.github.server import LocalGitHub
from tests.github.test_github_faults import ask
from tests.github.test_github_reviews import told


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/environments/PRODUCTION", "production"),
        ("/../../../users/Ada", "ada"),
        ("/../../../orgs/Local/teams/ML", "ml"),
        ("/../../../repos/LOCAL/Rollout", "rollout"),
    ],
)
def test_names_have_no_case(github: LocalGitHub, path: str, name: str) -> None:
    """Environments, people, teams and repositories are found however they are written, and told as they were made."""
    github.add_environment("production", ["ada", "local/ml"])

    found = told(github, path)

    assert found.get("login", found.get("name")) == name


def test_an_environment_is_not_made_twice(github: LocalGitHub) -> None:
    """Whoever writes another case changes the one that there is."""
    github.add_environment("production", ["ada"])

    assert ask(github, "PUT", "/environments/Production", json={"wait_timer": 5}).json()["name"] == "production"
    assert (list(github.environments), github.environments["production"].wait_timer) == (["production"], 5)


def test_policies_of_branches_and_tags(github: LocalGitHub) -> None:
    """A tag and a branch of one name are two policies; each is there once, and without a list there is none."""
    policies = "/environments/production/deployment-branch-policies"
    github.add_environment("production", branches=[])
    github.add_environment("open", branches=None)

    made = [ask(github, "POST", policies, json={"name": "v*", "type": kind}) for kind in ("tag", "branch", "tag")]
    nowhere = ask(github, "POST", policies.replace("production", "open"), json={"name": "v*", "type": "tag"})

    assert [answer.status_code for answer in (*made, nowhere)] == [200, 200, 303, 404]
    found = told(github, policies)["branch_policies"]
    assert [(one["name"], one["type"]) for one in found] == [("v*", "branch"), ("v*", "tag")]


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 307)])
def test_renamed(github: LocalGitHub, method: str, status: int) -> None:
    """The name that a repository had leads to its id: 301 for what is read, 307 for what is changed."""
    github.former = "local/before"

    body = {"name": "A", "value": "b"} if method == "POST" else None
    answer = ask(github, method, "/../../local/BEFORE/actions/variables", json=body)

    assert [(one.status_code, one.json()["url"]) for one in answer.history] == [(status, answer.url)]
    assert answer.status_code == (200 if method == "GET" else 201)
    assert "/repositories/" in answer.url


def test_variables_of_three_places(github: LocalGitHub) -> None:
    """A repository's, an environment's, whatever its name's case, and its organisation's are told apart."""
    github.add_environment("production").variables["WHERE"] = "environment"
    github.variables["WHERE"], github.shared_variables["WHERE"] = "repository", "organisation"

    paths = ("/actions/variables", "/environments/Production/variables", "/actions/organization-variables")
    found = [told(github, path)["variables"][0]["value"] for path in paths]

    assert found == ["repository", "environment", "organisation"]


def test_how_much_is_left(github: LocalGitHub) -> None:
    """Each answer tells it; one request too many is refused in GitHub's words until the hour is over."""
    github.rate.limit = 2

    answers = [ask(github) for _ in range(3)]
    left = [[answer.headers[f"x-ratelimit-{name}"] for name in ("remaining", "used")] for answer in answers]
    github.rate.reset = time.time()

    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert left == [["1", "1"], ["0", "2"], ["0", "2"]]
    assert answers[2].json()["message"].startswith("API rate limit exceeded")
    assert int(answers[2].headers["x-ratelimit-reset"]) > time.time() + 3000
    assert ask(github).headers["x-ratelimit-remaining"] == "1"
