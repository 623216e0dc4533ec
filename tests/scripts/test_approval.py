"""What a reviewer approves, whether it still is so, and the table that shows it: pure decisions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.decisions.approval import FACTS, Proposal, check, check_owner, parse, plan_promotion, propose
from scripts.lib.decisions.metrics import table
from scripts.lib.decisions.record import live, marks
from scripts.lib.decisions.state import FIRST_ROLLOUT, Ambiguous, Deployment, EndpointState, Model, Refused, positive
from scripts.lib.decisions.traffic import plan_shift
from scripts.lib.github.review_text import comparison_table, consequence
from tests.support.decisions import (
    OTHER_RUN,
    RUN,
    begun,
    born,
    default,
    deployment,
    green,
    marked,
    portal,
    put,
    recorded,
    stranger,
)
from tests.support.decisions import without as lacking

BLUE = default(model=Model("heart", "1", "digest-1"), tags={"commit": "aaaaaaa", "auc": "0.9"})
GREEN = green(
    model=Model("heart", "2", "digest-2"),
    tags={"commit": "bbbbbbb", "auc": "0.95", "run": "https://github.com/team/heart/actions/runs/12"},
)
OTHER = stranger("other")


def endpoint(share: int, *more: Deployment, **deployments: Deployment) -> EndpointState:
    """Blue and green, the latter with so many percent; `blue=` and `green_is=` put others in their places."""
    pair = [deployments.get("blue", BLUE), deployments.get("green_is", GREEN)]
    traffic = positive({"default": 100 - share, "xgboost-model-2": share})
    return EndpointState("heart", traffic, {d.name: d for d in [*pair, *more]})


def seen(state: EndpointState) -> Proposal:
    found = propose(state)
    assert found
    return found


APPROVED = seen(endpoint(10))


# what is reviewed


def test_a_pair_is_reviewed() -> None:
    """Who is blue and green, their versions, digests and commits, and the split."""
    assert seen(endpoint(10)) == {
        **{"endpoint": "heart", "owner": RUN, "traffic": {"default": 90, "xgboost-model-2": 10}},
        **{"blue": "default", "blue_created": born(1), "blue_model": "heart", "blue_version": "1"},
        **{"blue_digest": "digest-1", "blue_commit": "aaaaaaa", "blue_rollout": RUN},
        **{"green": "xgboost-model-2", "green_created": born(2), "green_model": "heart", "green_version": "2"},
        **{"green_digest": "digest-2", "green_commit": "bbbbbbb", "green_rollout": RUN},
    }


def test_without_a_green_there_is_nothing_to_review() -> None:
    """The first rollout, and one that has ended."""
    alone = EndpointState("heart", {"default": 100}, {"default": BLUE})

    assert propose(alone) is None
    assert propose(EndpointState("heart")) is None


def test_the_first_deployment_is_reviewed_against_nobody() -> None:
    """It waits for its traffic; there is no blue, and every fact of one is empty."""
    first = EndpointState("heart", {}, {"default": BLUE}, tags=FIRST_ROLLOUT)

    found = seen(first)

    assert (found["green"], found["green_version"], found["traffic"]) == ("default", "1", {})
    assert {found[fact] for fact in found if fact.startswith("blue")} == {""}
    assert propose(replace(first, tags={})) is None


def test_a_green_is_reviewed_by_its_name() -> None:
    """What this run's deploy printed, though another waits, too; whoever replaces nobody is refused."""
    state = endpoint(0, green(3))

    assert [seen_by["green"] for name in (GREEN.name, "xgboost-model-3") if (seen_by := propose(state, name))] == [
        GREEN.name,
        "xgboost-model-3",
    ]
    with pytest.raises(Refused, match="default replaces nobody on heart: default 100 %"):
        propose(state, "default")
    with pytest.raises(Refused, match="gone replaces nobody"):
        propose(state, "gone")


def test_a_run_offers_only_what_is_its_own() -> None:
    """Taken over by another rollout, green is no longer offered by the one that made it; the owner is named."""
    taken = begun(endpoint(0), BLUE, GREEN, OTHER_RUN)

    check_owner(seen(endpoint(0)), RUN)
    check_owner(seen(taken), OTHER_RUN)
    with pytest.raises(Refused, match=f"xgboost-model-2 is {OTHER_RUN}'s now, not {RUN}'s") as why:
        check_owner(seen(taken), RUN)
    assert "promote.yml" in str(why.value)


def test_an_unclear_pair_is_not_guessed() -> None:
    """Two deployments with traffic, and no tag that pairs them."""
    state = EndpointState("heart", {"default": 50, "other": 50}, {"default": BLUE, "other": OTHER})

    with pytest.raises(Ambiguous):
        propose(state)


shares = st.dictionaries(st.text(), st.integers(0, 100))


@given(st.fixed_dictionaries({**dict.fromkeys(FACTS, st.text()), "traffic": shares}))
def test_it_travels_as_json_on_one_line(review: Proposal) -> None:
    """A job's output holds it, whatever the names are, and the next job reads the same."""
    text = json.dumps(review)

    assert parse(text) == review
    assert len(text.splitlines()) == 1


def spoilt(fact: str, value: Any) -> str:
    """The JSON of what was approved, with another value of one fact."""
    return json.dumps({**APPROVED, fact: value})


def without(fact: str) -> str:
    """The JSON of what was approved, with one fact less."""
    return json.dumps({name: value for name, value in APPROVED.items() if name != fact})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "no JSON",
        "[" * 100_000,
        spoilt("traffic", None),
        spoilt("traffic", {"default": "90"}),
        spoilt("traffic", {"default": True}),
        spoilt("endpoint", 1),
        spoilt("green", {}),
        spoilt("green", None),
        spoilt("green_version", 2),
        spoilt("green_colour", "green"),
        without("green_commit"),
        without("traffic"),
    ],
)
def test_what_no_review_printed_is_no_expectation(text: str) -> None:
    """An output that got lost, or was typed, is refused instead of meaning: expect nothing."""
    with pytest.raises(ValueError, match="not what `review` prints"):
        parse(text)


# whether it still is so


def test_what_was_seen_is_still_so() -> None:
    """Nothing has changed: the approval holds."""
    check(endpoint(10), APPROVED)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (replace(endpoint(10), name="lungs"), "endpoint was heart when it was reviewed, now it is lungs"),
        (endpoint(50), r"traffic was default 90 %, xgboost-model-2 10 % .* now it is default 50 %"),
        (endpoint(10, green_is=replace(GREEN, model=Model("heart", "3"))), "green version was 2 .*, now it is 3"),
        (endpoint(10, green_is=replace(GREEN, model=Model("lung", "2"))), "green model was heart .*, now it is lung"),
        (endpoint(10, blue=replace(BLUE, model=Model("heart", "0"))), "blue version was 1 .*, now it is 0"),
        (
            endpoint(10, green_is=replace(GREEN, model=Model("heart", "2", "x"))),
            "green digest was digest-2 .*, now it is x",
        ),
        (
            endpoint(10, green_is=replace(GREEN, model=Model("heart", "2"))),
            "green digest was digest-2 .*, now it is unknown",
        ),
        (endpoint(10, green_is=replace(GREEN, tags={"commit": "ccc"})), "green commit was bbbbbbb .*, now it is ccc"),
        (endpoint(10, green_is=replace(GREEN, state="Failed")), "green xgboost-model-2 is Failed, not healthy"),
        (endpoint(10, green_is=replace(GREEN, state="Updating")), "Updating"),
        (endpoint(10, green_is=replace(GREEN, created=born(8))), "green created was .*"),
        (endpoint(10, blue=replace(BLUE, created=born(8))), "the pair that was reviewed is gone"),
        (endpoint(10, green_is=replace(GREEN, rollout=OTHER_RUN)), f"owner was {RUN} .*, now it is {OTHER_RUN}"),
        (begun(endpoint(0), BLUE, GREEN), f"owner was {RUN} .*, now it is {OTHER_RUN}"),
        (recorded(endpoint(10), BLUE, GREEN, "by hand"), f"owner was {RUN} .*, now it is by hand"),
        (replace(endpoint(0), deployments={"default": BLUE}), "the pair that was reviewed is gone"),
    ],
)
@pytest.mark.parametrize("decide", [check, lambda state, seen: plan_promotion(state, 75, RUN, seen)])
def test_a_stale_approval_is_refused(decide: Any, state: EndpointState, why: str) -> None:
    """The endpoint, the split, a version, its content, its origin or green's health has changed since."""
    with pytest.raises(Refused, match=why):
        decide(state, APPROVED)


def test_all_differences_are_told_at_once() -> None:
    """One look at the error is enough."""
    changed = replace(GREEN, model=Model("heart", "3"), state="Failed")

    with pytest.raises(
        Refused, match=r"traffic was .*; green version was .*; green digest was .*Failed.*Nothing is written"
    ) as why:
        check(endpoint(50, green_is=changed), APPROVED)

    assert "promote.yml" in str(why.value)


# what a promotion does


def test_green_gets_its_share() -> None:
    """Blue keeps the rest."""
    shift = plan_promotion(endpoint(10), 50, RUN, APPROVED)

    assert (shift.split, shift.done) == ({"default": 50, "xgboost-model-2": 50}, False)


def test_green_gets_everything() -> None:
    """At 100 % blue has nothing, and stays."""
    assert plan_promotion(endpoint(10), 100, RUN, APPROVED).split == {"xgboost-model-2": 100}


def test_a_promotion_that_was_made_is_done() -> None:
    """Run again after a crash, it finds its split there, which is no longer what the reviewer saw."""
    shift = plan_promotion(endpoint(50), 50, RUN, APPROVED)

    assert (shift.split, shift.done) == ({"default": 50, "xgboost-model-2": 50}, True)


@pytest.mark.parametrize("changed", [replace(GREEN, model=Model("heart", "3")), replace(GREEN, state="Failed")])
def test_a_promotion_that_was_made_of_something_else_is_not_done(changed: Deployment) -> None:
    """The split alone doesn't tell: another green, or one that broke, was not approved."""
    with pytest.raises(Refused, match="green"):
        plan_promotion(endpoint(50, green_is=changed), 50, RUN, APPROVED)


def test_a_promotion_by_another_s_hand_of_that_split_is_done() -> None:
    """Its job was killed after the write: run again, it finds its own record, whoever owned green when reviewed."""
    after = put(endpoint(10), plan_promotion(endpoint(10), 50, OTHER_RUN, APPROVED))

    assert plan_promotion(after, 50, OTHER_RUN, APPROVED).done
    with pytest.raises(Refused, match=f"owner was {RUN}"):
        plan_promotion(after, 50, RUN, APPROVED)


@pytest.mark.parametrize(("share", "done"), [(10, False), (50, True), (60, True), (100, True)])
def test_a_stage_at_or_below_green_s_share_is_done(share: int, done: bool) -> None:
    """50/50 at rest, and a merge starts a rollout of the same model: its promote-50 doesn't lower anything."""
    state = endpoint(share)

    shift = plan_promotion(state, 50, RUN, seen(state), at_least=True)

    assert (shift.done, shift.split) == (done, endpoint(max(share, 50)).traffic)


def test_a_person_may_lower_a_share() -> None:
    """By promote.yml, after an approval."""
    assert plan_promotion(endpoint(50), 10, "by hand", seen(endpoint(50))).split == endpoint(10).traffic


def test_a_promotion_is_recorded_and_drops_the_mark() -> None:
    """In the same write as the split: whose rollout, whom from, whom to; the reviewer has read the mark."""
    state = marked(endpoint(0), GREEN)

    after = put(state, plan_promotion(state, 10, RUN, seen(state)))

    found = live(after)
    assert found and (found.rollout, found.blue, found.green, found.back) == (RUN, BLUE.ref, GREEN.ref, False)
    assert marks(after) == {}


def test_a_promotion_beyond_green_s_capacity_is_refused() -> None:
    """And holds the split, with the command that scales."""
    state = endpoint(10, blue=replace(BLUE, instances=3))

    with pytest.raises(Refused, match=r"too little for 50 %.*instance_count=2"):
        plan_promotion(state, 50, RUN, seen(state))


def test_the_first_deployment_gets_all_or_nothing() -> None:
    """By promote.yml, or by hand: there is nobody for the rest."""
    first = EndpointState("heart", {}, {"default": BLUE}, tags=FIRST_ROLLOUT)

    shift = plan_promotion(first, 100, RUN)

    assert shift.split == {"default": 100}
    assert plan_promotion(put(first, shift), 100, RUN, seen(first)).done
    with pytest.raises(Refused, match="the first deployment, with nobody for the rest: promote --percent 100"):
        plan_promotion(first, 50, RUN)


def test_an_older_run_that_is_approved_late_leaves_the_newer_decision() -> None:
    """It waited at promote-50; promote.yml gave 100 % meanwhile, and a person is its owner now."""
    waits = seen(endpoint(10))
    done = put(endpoint(10), plan_promotion(endpoint(10), 100, "by hand", seen(endpoint(10))))

    with pytest.raises(Refused, match=r"owner was .*, now it is by hand; traffic was"):
        plan_promotion(done, 50, RUN, waits, at_least=True)


def test_a_run_that_waited_before_a_takeover_is_refused() -> None:
    """A second run of the same version took green over: the first one's approval holds no longer."""
    waits, taken = seen(endpoint(0)), begun(endpoint(0), BLUE, GREEN, OTHER_RUN)

    with pytest.raises(Refused, match=f"now it is {OTHER_RUN}"):
        plan_promotion(taken, 10, RUN, waits, at_least=True)


def test_a_portal_s_split_stops_a_stage() -> None:
    """Somebody shifted since the review, tags echoed."""
    state = portal(recorded(endpoint(10), BLUE, GREEN), default=70, xgboost_model_2=30)

    with pytest.raises(Refused, match="traffic was default 90 %, xgboost-model-2 10 %"):
        plan_promotion(state, 50, RUN, APPROVED)


def test_a_pair_is_told_from_the_next_of_the_same_names() -> None:
    """Blue and green were deleted and made anew: nothing of what was reviewed is there."""
    again = deployment("default", 1, created=born(5), model=BLUE.model, tags=BLUE.tags)
    state = endpoint(10, blue=again, green_is=replace(GREEN, created=born(6), replaces=again.ref))

    with pytest.raises(Refused, match=r"blue created was .*; green created was "):
        check(state, APPROVED)
    with pytest.raises(Refused, match="the pair that was reviewed is gone"):
        check(lacking(endpoint(10), GREEN.name), APPROVED)


def test_without_a_green_nothing_is_promoted() -> None:
    """The error says what makes one."""
    with pytest.raises(Refused, match=r"no green to promote: default 100 %.*deploy"):
        plan_promotion(EndpointState("heart", {"default": 100}, {"default": BLUE}), 10, RUN)


def test_by_hand_an_unhealthy_green_is_refused() -> None:
    """Even where the split is there already."""
    with pytest.raises(Refused, match="Failed"):
        plan_promotion(endpoint(10, green_is=replace(GREEN, state="Failed")), 10, RUN)


def test_by_hand_traffic_elsewhere_is_refused() -> None:
    """Without a review nobody has said that a third deployment may lose its traffic."""
    state = replace(endpoint(0, OTHER), traffic={"default": 80, "other": 20})
    three = replace(endpoint(0, OTHER), traffic={"default": 80, GREEN.name: 10, "other": 10})

    with pytest.raises(Refused, match="default 80 %, other 20 %"):
        plan_promotion(state, 10, RUN)
    with pytest.raises(Refused, match="traffic is not all on xgboost-model-2 and its counterpart"):
        plan_promotion(three, 20, RUN)


def test_what_a_reviewer_saw_elsewhere_may_lose_its_traffic() -> None:
    """The third deployment's share was on the page that was approved."""
    state = replace(endpoint(0, OTHER), traffic={"default": 80, "other": 20})

    reviewed = propose(state, GREEN.name)

    assert plan_promotion(state, 10, RUN, reviewed).split == {"default": 90, "xgboost-model-2": 10}


@given(before=st.integers(0, 100), now=st.integers(0, 100), percent=st.integers(1, 100))
def test_only_what_was_seen_is_promoted(before: int, now: int, percent: int) -> None:
    """Whatever the split is now, a promotion ends with the one asked for, from the one that was seen, or is refused."""
    try:
        shift = plan_promotion(endpoint(now), percent, RUN, seen(endpoint(before)))
    except Refused:
        assert now not in (before, percent)
    else:
        assert now in (before, percent)
        assert shift.split == endpoint(percent).traffic
        assert shift.done == (now == percent)


# what a shift by name does


def test_an_unhealthy_blue_keeps_its_share() -> None:
    """It gets no more; what green gets is taken from another."""
    state = endpoint(0, OTHER, blue=replace(BLUE, state="Failed"))
    state = replace(state, traffic={"default": 80, "other": 20})

    assert plan_shift(state, GREEN.name, 20, RUN, state.traffic).split == {"default": 80, GREEN.name: 20}


def test_of_several_counterparts_the_one_with_traffic_counts() -> None:
    """A green that was left at 0 % doesn't get what blue gives away."""
    state = endpoint(10, replace(GREEN, name="left-over", created=born(5)))

    assert plan_shift(state, "default", 95, RUN).split == {"default": 95, GREEN.name: 5}


# what the reviewer reads


@pytest.mark.parametrize(
    ("share", "job", "percent", "says"),
    [
        (
            10,
            "promote-50",
            50,
            "Approving **promote-50** gives xgboost-model-2 50 % (now 10 %), and default keeps 50 %.",
        ),
        (50, "promote-100", 100, "gives xgboost-model-2 all traffic; default stays, without any, as the way back."),
        (100, "delete-blue", None, "Approving **delete-blue** deletes default: from then on"),
        (10, "soak", None, "**soak** comes next; it changes no traffic."),
    ],
)
def test_the_consequence_of_an_approval(share: int, job: str, percent: int | None, says: str) -> None:
    """One sentence says what will happen."""
    assert says in consequence(seen(endpoint(share)), job, percent)


def test_a_comparison_outside_of_a_workflow() -> None:
    """Versions, metrics with their change, and commits; nothing links to a repository that isn't known."""
    shown = comparison_table(endpoint(10), APPROVED)

    assert "| model | heart 1 | heart 2 |" in shown
    assert "| auc | 0.9 | 0.95 | +0.05, better |" in shown
    assert "| commit | `aaaaaaa` | `bbbbbbb` |  |" in shown
    assert "| run | – | [run](https://github.com/team/heart/actions/runs/12) |" in shown


def test_a_comparison_links_to_the_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """From blue's commit to green's."""
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/heart")

    shown = comparison_table(endpoint(10), APPROVED)

    assert "[diff](https://github.com/team/heart/compare/aaaaaaa...bbbbbbb)" in shown
    assert "[`bbbbbbb`](https://github.com/team/heart/commit/bbbbbbb)" in shown


@pytest.mark.parametrize("commit", ["", "../../evil", "main", "aaaaaaa"])
def test_no_difference_without_two_commits(commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown commit, something else than a commit, or the same one twice."""
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/heart")
    state = endpoint(10, green_is=replace(GREEN, tags={"commit": commit}))

    assert "diff" not in comparison_table(state, seen(state))


@pytest.mark.parametrize("run", ["javascript:alert(1)", "https://x.example/) [evil](https://y.example"])
def test_a_tag_makes_no_link_of_its_own(run: str) -> None:
    """Tags are data: only a plain address becomes a link."""
    state = endpoint(10, green_is=replace(GREEN, tags={"run": run}))

    assert "](" not in comparison_table(state, seen(state))


# tables


def test_no_text_ends_its_cell() -> None:
    """A pipe or a line's end in a value would add columns or rows."""
    assert table(("a", "b"), [("x|y", "line\nbreak")]).splitlines()[-1] == "| x\\|y | line break |"
