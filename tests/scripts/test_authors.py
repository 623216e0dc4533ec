"""Who wrote what a rollout brings: by pull requests first, by commits then, by who started the rollout last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from azureml_emulator.github.server import LocalGitHub
from scripts.lib.decisions.approval import FACTS
from scripts.lib.decisions.authors import Authors, Change, credit, person, touches, trailers
from scripts.lib.github import authors as looked_up
from scripts.lib.github.api import CannotTell, GitHub

BLUE, GREEN = "b" * 40, "e" * 40
RUN = "local/rollout/actions/runs/{}/attempts/1"
CO_AUTHOR = "A change\n\nCo-authored-by: {}"


@dataclass
class Case:
    """Commits from blue's on, oldest first; green's is the last. `pulls` are numbers with who opened and who merged."""

    commits: list[dict[str, Any]] = field(default_factory=list)
    pulls: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    wrote: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def by(author: str | None, *pulls: int, **more: Any) -> dict[str, Any]:
    return {"author": author, "pulls": pulls, **more}


ALICES = {1: ("alice", "bob")}
DEPENDABOT = {1: ("dependabot[bot]", "bob")}
CASES = {
    "bob merges alice's pull request": Case([by("alice", 1), by("bob", 1, parents=2)], ALICES, ("alice",)),
    "squashed": Case([by("alice", 1)], ALICES, ("alice",)),
    "rebased by bob": Case([by("alice", 1, committer="bob")] * 2, ALICES, ("alice",)),
    "her own merge": Case([by("alice", 1), by("alice", 1, parents=2)], {1: ("alice", "alice")}, ("alice",)),
    "alice writes bob's name into her commits": Case([by("bob", 1)], ALICES, ("alice",), ("bob",)),
    "bob pushes to alice's branch": Case([by("alice", 1), by("bob", 1)], ALICES, ("alice",), ("bob",)),
    "an address without an account": Case([by(None, 1)], ALICES, ("alice",), unknown=("somebody",)),
    "two pull requests": Case([by("alice", 1), by("bob", 2)], {**ALICES, 2: ("bob", "alice")}, ("bob", "alice")),
    "stacked: alice's into bob's": Case([by("alice", 1, 2)], {**ALICES, 2: ("bob", "eve")}, ("alice", "bob")),
    "another pull request is open": Case([by("alice", 1, 2)], {**ALICES, 2: ("eve", None)}, ("alice",)),
    "a direct push": Case([by("alice")], wrote=("alice",)),
    "two direct pushes": Case([by("alice"), by("bob")], wrote=("bob", "alice")),
    "only an open pull request": Case([by("alice", 1)], {1: ("eve", None)}, ("alice",)),
    "a local merge": Case([by("alice"), by("bob", parents=2)], wrote=("alice",)),
    "a revert by bob": Case([by("alice", 1), by("bob", 2)], {**ALICES, 2: ("bob", "bob")}, ("bob", "alice")),
    "a program's, merged by bob": Case([by("dependabot[bot]", 1)], DEPENDABOT, ("bob",), (), ("dependabot[bot]",)),
    "a program's that alice amended": Case(
        [by("dependabot[bot]", 1), by("alice", 1)], DEPENDABOT, ("bob", "alice"), (), ("dependabot[bot]",)
    ),
    "a program's, merged by a program": Case(
        [by("app[bot]", 1)], {1: ("app[bot]", "merge-queue[bot]")}, unknown=("app[bot]",)
    ),
    "merged by a queue": Case([by("alice", 1)], {1: ("alice", "github-merge-queue[bot]")}, ("alice",)),
    "a program pushes": Case([by("github-actions[bot]")], unknown=("github-actions[bot]",)),
    "nobody's address": Case([by(None)], unknown=("somebody",)),
    "nobody's address beside alice": Case([by("alice", 1), by(None)], ALICES, ("alice",), unknown=("somebody",)),
    "who opened it is gone": Case([by("alice", 1)], {1: ("ghost", "bob")}, ("bob", "alice"), unknown=("ghost",)),
    "a fork's": Case([by("alice", 1), by("upstream", 1)], ALICES, ("alice",), ("upstream",)),
    "other files": Case(
        [by("alice", 1), by("bob", 2, files=["README.md", "docs/model/a"])], {**ALICES, 2: ("bob", "eve")}, ("alice",)
    ),
    "nothing that is rolled out": Case([by("bob", files=["README.md"])]),
    "a co-author by the old address": Case(
        [by("alice", 1, message=CO_AUTHOR.format("Bob <bob@users.noreply.github.com>"))], ALICES, ("alice", "bob")
    ),
    "a co-author of a direct push": Case(
        [by("alice", message=CO_AUTHOR.format("Bob <bob@users.noreply.github.com>"))], wrote=("alice", "bob")
    ),
    "another id: the name is somebody else's now": Case(
        [by("alice", 1, message=CO_AUTHOR.format("Bob <1+bob@users.noreply.github.com>"))],
        ALICES, ("alice",), (), ("Bob",),
    ),
    "a tool": Case(
        [by("alice", 1, message=CO_AUTHOR.format("Claude <noreply@anthropic.com>"))],
        ALICES, ("alice",), (), ("Claude",),
    ),
    "a tool with an account": Case(
        [by("alice", 1, message=CO_AUTHOR.format("Helper <helper[bot]@users.noreply.github.com>"))],
        ALICES, ("alice",), (), ("Helper",),
    ),
    "an app's co-author with a plain name": Case(
        [by("alice", 1, message=CO_AUTHOR.format("Copilot <Copilot@users.noreply.github.com>"))],
        ALICES, ("alice",), (), ("Copilot",),
    ),
    "a co-author's own address": Case(
        [by("alice", 1, message=CO_AUTHOR.format("Bob <bob@example.org>"))], ALICES, ("alice",), (), ("Bob",)
    ),
}  # fmt: skip


def client(github: LocalGitHub) -> GitHub:
    return GitHub(github.repository, github.token, github.url)


def proposal(**facts: str) -> dict[str, Any]:
    return {**dict.fromkeys(FACTS, ""), "traffic": {}, "blue_commit": BLUE, "green_commit": GREEN, **facts}


def fill(github: LocalGitHub, case: Case) -> None:
    """Its history, ending in green's commit."""
    for login in ("alice", "bob"):
        github.know(login)
    github.users["Copilot"] = 7
    github.apps.add("Copilot")
    for number, (opener, merger) in case.pulls.items():
        github.add_pull(number, opener, merger)
    shas = [f"{number:040x}" for number in range(len(case.commits) - 1)]
    for sha, commit in zip([BLUE, *shas, GREEN], [by("before"), *case.commits], strict=True):
        github.add_commit(sha, **commit)


@pytest.mark.parametrize("name", CASES)
def test_who_wrote_it(github: LocalGitHub, name: str) -> None:
    """Who opened the pull request, or else committed; never who pressed Merge, a program, or an unknown name."""
    case = CASES[name]
    fill(github, case)

    found = looked_up.authors(client(github), proposal())

    assert set(found.wrote) == set(case.wrote)
    assert (set(found.others), set(found.unknown)) == (set(case.others), set(case.unknown))
    assert found.sole == (case.wrote[0] if len(case.wrote) == 1 else "")


STARTERS: dict[str, dict[str, Any]] = {
    "trained elsewhere": {"green_commit": ""},
    "a commit of another repository": {"green_commit": "d" * 40},
    "no commit at all": {"green_commit": "v1.2"},
    "the same commit": {"blue_commit": GREEN},
    "an older one": {"blue_commit": "f" * 40},
}


@pytest.mark.parametrize("name", STARTERS)
def test_who_started_the_rollout(github: LocalGitHub, name: str) -> None:
    """Where no commit brings anything new, it is whoever's idea it was to roll that out."""
    fill(github, CASES["squashed"])
    github.add_commit("f" * 40, author="eve")
    github.add_run(run_id=5, actor="carol", event="workflow_dispatch")

    found = looked_up.authors(client(github), proposal(green_rollout=RUN.format(5), **STARTERS[name]))

    assert found.wrote == ("carol",)
    assert "started its rollout" in found.told


@pytest.mark.parametrize("rollout", ["", "by hand", RUN.format(6), RUN.format(7)])
def test_nobody_is_known(github: LocalGitHub, rollout: str) -> None:
    """By hand, by a run that is gone, or by a program: nobody."""
    github.add_run(run_id=7, actor="scheduler[bot]", event="workflow_dispatch")

    found = looked_up.authors(client(github), proposal(green_commit="", green_rollout=rollout))

    assert (found.wrote, found.sole) == ((), "")


@pytest.mark.parametrize("blue", ["", "a" * 40, "v1"])
def test_blue_is_not_known(github: LocalGitHub, blue: str) -> None:
    """A first deployment, no commit, one that was force-pushed away: green's own counts, and that is told."""
    fill(github, Case([by("eve"), by("alice", 1)], ALICES))

    found = looked_up.authors(client(github), proposal(blue_commit=blue))

    assert found.wrote == ("alice",)
    assert "only green's own commit" in found.told


def test_what_a_merge_rolled_out_is_its_own_commit(github: LocalGitHub) -> None:
    """A merge that changes endpoints/ alone rolls out the model of an older commit."""
    fill(github, Case([by("alice", 1, files=["endpoints/green-deployment.yml"])], ALICES))
    github.add_run(run_id=4, head_sha=BLUE, actor="bob")
    github.add_run(run_id=5, head_sha=GREEN, actor="bob")

    found = looked_up.authors(
        client(github), proposal(green_commit=BLUE, blue_rollout=RUN.format(4), green_rollout=RUN.format(5))
    )

    assert found.wrote == ("alice",)


def test_a_renamed_repository(github: LocalGitHub) -> None:
    """A run's number is its own in all of GitHub, whatever the repository was called."""
    github.add_run(run_id=5, actor="carol", event="workflow_dispatch")

    found = looked_up.authors(
        client(github), proposal(green_commit="", green_rollout="old/name/actions/runs/5/attempts/2")
    )

    assert found.wrote == ("carol",)


def test_more_commits_than_are_looked_at(github: LocalGitHub) -> None:
    """Over several pages of the comparison; the newest hundred count, and that is told."""
    fill(github, Case([by("eve"), *[by("alice")] * 260]))

    found = looked_up.authors(client(github), proposal())

    assert found.wrote == ("alice",)
    assert "newest 100 of 261 commits" in found.told
    assert len(github.calls) < 250


@pytest.mark.parametrize(
    "operation",
    ["repos/get-commit", "repos/list-pull-requests-associated-with-commit", "actions/get-workflow-run", "pulls/get"],
)
def test_github_does_not_tell(github: LocalGitHub, operation: str) -> None:
    """What isn't told is not taken for nobody."""
    fill(github, CASES["a program's, merged by bob"])
    github.add_run(run_id=5, actor="carol", event="workflow_dispatch")
    github.forbidden = {operation}

    with pytest.raises(CannotTell):
        looked_up.authors(client(github), proposal(green_rollout=RUN.format(5)))


@pytest.mark.parametrize(
    ("files", "touched"),
    [
        (["model/train.py"], True),
        (["model/data/deep/a.csv"], True),
        (["scripts/requirements.txt"], True),
        ([".github/workflows/stages.yml"], True),
        ([".github/actions/setup/action.yml"], True),
        ([".github/workflows/ci.yml", "README.md", "tests/scripts/x.py", "emulator/model/x.py"], False),
        ([], False),
        (["docs/a.md"] * 299, False),
        (["docs/a.md"] * 300, True),
    ],
)
def test_what_a_rollout_is_made_of(files: list[str], touched: bool) -> None:
    """The paths whose merge starts one; a commit with more files than GitHub tells may have some."""
    assert touches({"files": [{"filename": name} for name in files]}) == touched


def test_a_file_that_was_moved_away() -> None:
    """Its old name counts."""
    assert touches({"files": [{"filename": "old/train.py", "previous_filename": "model/train.py"}]})


@pytest.mark.parametrize(
    ("account", "login"),
    [
        ({"login": "Alice", "type": "User"}, "Alice"),
        ({"login": "alice"}, "alice"),
        ({"login": "copilot", "type": "Bot"}, ""),
        ({"login": "app[bot]", "type": "User"}, ""),
        ({"login": "acme", "type": "Organization"}, ""),
        ({"login": "old", "type": "Mannequin"}, ""),
        ({"login": "web-flow", "type": "User"}, ""),
        ({"login": "ghost", "type": "User"}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_persons(account: dict[str, str] | None, login: str) -> None:
    """Neither a program nor an organisation, nor an account that is gone, stands in for a person."""
    assert person(account) == login


def test_trailers() -> None:
    """As GitHub reads them: any case, several, with spaces; not in the middle of a line."""
    message = (
        "Say Co-authored-by: No <1+no@users.noreply.github.com>\n\n"
        "co-authored-BY:  A B  <1+a-b_c@users.noreply.github.com> \n"
        "Co-Authored-By: C <c@USERS.noreply.github.com>\r\nCo-authored-by: <d@x.org>\nSigned-off-by: E <e@x.org>"
    )

    assert trailers(message) == {"A B": ("a-b_c", "1"), "C": ("c", ""), "d@x.org": ("", "")}


@pytest.mark.parametrize(
    ("authors", "told"),
    [
        (Authors(), "written by nobody who is known"),
        (Authors(("alice", "bob")), "written by alice, bob"),
        (Authors(("alice",), ("eve",)), "written by alice; commits also name eve"),
        (
            Authors((), (), ("app[bot]", "E"), "not all"),
            "written by nobody who is known; not counted, since no person's account: app[bot], E; not all",
        ),
    ],
    ids=str,
)
def test_it_is_told_in_a_sentence(authors: Authors, told: str) -> None:
    """Only of what there is."""
    assert authors.told == told


@pytest.mark.parametrize(
    ("commit", "name"),
    [
        ({"author": {"login": "app[bot]"}, "commit": {"author": {"name": "An App"}}}, "app[bot]"),
        ({"author": None, "commit": {"author": {"name": "Eve"}}}, "Eve"),
        ({"commit": {"author": None}}, "somebody"),
    ],
)
def test_who_is_no_person_is_named(commit: dict[str, Any], name: str) -> None:
    """By the account, else as the commit has it, else not at all."""
    assert credit([Change(commit)]).unknown == (name,)


def test_names_are_data() -> None:
    """What a commit's author may write neither makes a link nor commands the runner."""
    told = Authors(("alice",), unknown=("[x](http://evil.example)\n::error::boo <b>",)).told

    assert "(" not in told and "\n" not in told and "::" not in told and "<" not in told
