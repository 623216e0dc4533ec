"""What a reviewer reads: what was learnt, how much both can answer, and all that an approval does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azureml_emulator.github.server import LocalGitHub
from scripts.lib.decisions.approval import Proposal, propose
from scripts.lib.decisions.record import mark
from scripts.lib.decisions.state import FIRST_ROLLOUT, Deployment, EndpointState
from scripts.lib.github.commits import lost
from scripts.lib.github.review_text import age, comparison_table, consequence, going_on, learnt, side_effects
from tests.support.decisions import default, deployment, endpoint, green, recorded, stranger, tagged

BLUE, GREEN = default(), green()


def seen(state: EndpointState, name: str | None = None) -> Proposal:
    found = propose(state, name)
    assert found
    return found


def at(share: int, *more: Deployment) -> EndpointState:
    """Blue and green with so many percent, by a rollout's own record."""
    traffic = {name: percent for name, percent in {"default": 100 - share, GREEN.name: share}.items() if percent}
    return recorded(endpoint(traffic, BLUE, GREEN, *more), BLUE, GREEN)


def test_what_was_learnt_stands_on_top() -> None:
    """By the name of the deployment that still is the one it was learnt of."""
    text = "rolled back from 50 % on 2026-11-26, octo/heart/actions/runs/1/attempts/1"
    state = tagged(at(0), {**mark(GREEN, text), **mark(replace(BLUE, created="before"), "gone")})

    assert learnt(state) == [f"⚠ **{GREEN.name}**: {text}"]


def test_a_mark_makes_no_link() -> None:
    """Tags are data."""
    (line,) = learnt(tagged(at(0), mark(GREEN, "[evil](https://x.example) <b>bold</b> `code`")))

    assert not {*"[]<>`"} & {*line}


def test_capacity_and_machines_are_compared() -> None:
    """How many requests each answers at once, by live instances, and on which machines."""
    big = default(instances=3, concurrency=4, machine="Standard_DS3_v2")
    state = endpoint({"default": 100}, big, green(concurrency=2, machine="Standard_F2s_v2"))

    shown = comparison_table(state, seen(state))

    assert "| requests at once | 12 (3 × 4) | 2 (1 × 2) | -10 |" in shown
    assert "| machine | Standard_DS3_v2 | Standard_F2s_v2 |" in shown


def test_what_both_were_trained_on_is_compared() -> None:
    """Whoever reviews another model of the same code looks at the data."""
    blue, green_ = replace(BLUE, tags={"data_sha256": "a1"}), replace(GREEN, tags={"data_sha256": "b2"})
    state = endpoint({"default": 100}, blue, green_)

    assert "| data | `a1` | `b2` | other data, **same code** |" in comparison_table(state, seen(state), same_code=True)


def test_a_promotion_that_will_be_refused_is_told() -> None:
    """Green can't answer its share of what blue answers: the reviewer reads so, and how that is mended."""
    state = endpoint({"default": 100}, default(instances=3), GREEN)

    (why,) = side_effects(state, seen(state), 50)

    assert "will be refused" in why and "instance_count=2" in why


def test_what_the_promotion_deletes_is_told() -> None:
    """What earlier rollouts left, which is neither of the pair nor the way back."""
    old = deployment("xgboost-model-0", 3)

    assert side_effects(at(0, old), seen(at(0, old)), 10) == [
        "It also deletes xgboost-model-0 (version 3): without traffic, and not the way back."
    ]
    assert side_effects(at(0), seen(at(0)), 10) == []


def test_the_way_back_of_what_serves_is_deleted_with_its_successor_s_split() -> None:
    """As things are it is needed: once green has a share, what serves now is the way back."""
    third = green(3, GREEN)
    state = recorded(endpoint({GREEN.name: 100}, BLUE, GREEN, third), BLUE, GREEN)

    assert side_effects(state, seen(state, third.name), 10) == [
        "It also deletes default (version 1): without traffic, and not the way back."
    ]


def test_who_else_loses_traffic_is_told() -> None:
    """A third deployment's share goes to the pair."""
    third = stranger()
    state = endpoint({"default": 80, third.name: 20}, BLUE, GREEN, third)

    assert side_effects(state, seen(state, GREEN.name), 10) == [
        f"**{third.name} loses its 20 %**: it is neither blue nor green."
    ]


@pytest.mark.parametrize(
    ("share", "percent", "will"),
    [
        (10, 50, "**later** gives"),
        (50, 100, "**later** gives"),
        (50, 50, "**later** changes"),
        (100, None, "**later** del"),
    ],
)
def test_what_nobody_is_asked_is_told_all_the_same(share: int, percent: int | None, will: str) -> None:
    """Where the first approval was for it, too: what will be done, and that it goes on; else that somebody is asked."""
    asked, unasked = (consequence(seen(at(share)), "later", percent, at_least=True, asks=it) for it in (True, False))

    assert unasked.startswith(will) and asked == f"Approving {unasked}"
    assert "goes on by itself" in going_on("later", healthy=True)
    assert "asks for another approval" in going_on("later", healthy=False)


@pytest.mark.parametrize(("share", "percent"), [(50, 10), (50, 50), (100, 50)])
def test_a_stage_below_the_present_share_changes_nothing(share: int, percent: int) -> None:
    """Only a person lowers a share: what would be lowered is said to stay."""
    found = seen(at(share))

    assert consequence(found, "promote-10", percent, at_least=True).endswith(
        f"changes nothing: {GREEN.name} has {share} % already."
    )
    assert "gives" in consequence(found, "promote", percent)


def test_clients_that_name_blue_are_thought_of() -> None:
    """Before blue is deleted: who names it by header gets 404."""
    told = consequence(seen(at(100)), "delete-blue", None)

    assert "clients that name default by the header `azureml-model-deployment` get 404" in told


def test_a_first_deployment_replaces_nobody() -> None:
    """An endpoint's first is shown alone, and gets all."""
    state = endpoint({}, BLUE, tags=FIRST_ROLLOUT)
    found = seen(state)

    assert "gives default, the endpoint's first deployment, all traffic" in consequence(found, "promote", 100)
    assert "|  | nobody (blue) | default (green) | change |" in comparison_table(state, found)
    assert side_effects(state, found, 100) == []


def test_an_older_commit_is_said_to_be_older() -> None:
    """By how many commits it lacks of those that serve."""
    (told,) = age(seen(at(0)), 2)

    assert "xgboost-model-2 is **older**: it lacks 2 that are in default's" in told
    assert age(seen(at(0)), 0) == []


@pytest.fixture
def history(github: LocalGitHub, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three commits of a repository on GitHub, the oldest first."""
    for name, value in github.environ().items():
        monkeypatch.setenv(name, value)
    shas = [letter * 40 for letter in "abc"]
    for sha in shas:
        github.add_commit(sha)
    return shas


def test_github_tells_which_commit_is_older(history: list[str]) -> None:
    """By what one has and the other lacks."""
    old, newer, new = history

    assert [lost(new, old), lost(new, newer), lost(old, new), lost(new, new)] == [2, 1, 0, 0]


@pytest.mark.parametrize("commit", ["", "main", "../../secrets", "d" * 40])
def test_a_commit_that_nobody_knows_is_not_called_older(history: list[str], commit: str) -> None:
    """A tag may hold anything, and a fork's commit isn't here."""
    assert (lost(commit, history[0]), lost(history[0], commit)) == (0, 0)
