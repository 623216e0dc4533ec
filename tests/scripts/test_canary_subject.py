"""Which split live traffic judges, what a bad one becomes, and what the reviewer is asked: pure decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.lib.azure.judging import plan_taking_back
from scripts.lib.decisions.approval import propose
from scripts.lib.decisions.canary.minutes import NoEvidence
from scripts.lib.decisions.canary.policy import RolloutPolicy
from scripts.lib.decisions.canary.subject import Canary, canary, unknown
from scripts.lib.decisions.record import marks
from scripts.lib.decisions.state import EndpointState, Shift
from scripts.lib.github.review_text import question
from tests.support.decisions import OTHER_RUN, RUN, default, endpoint, green, recorded, tagged

BLUE, GREEN = default(), green()
AT = {"rollout-at": "2026-11-27T12:00:00Z"}
BAD = replace(unknown("50 % failed of 300, blue 0 % of 2,700"), word="unhealthy")


def at(share: int, rollout: str = RUN) -> EndpointState:
    """Green with a share since noon, by a rollout's own record."""
    traffic = {name: percent for name, percent in {"default": 100 - share, GREEN.name: share}.items() if percent}
    return tagged(recorded(endpoint(traffic, BLUE, GREEN), BLUE, GREEN, rollout), AT)


def taken_back(state: EndpointState, judged: Canary) -> Shift:
    return plan_taking_back(judged, BAD, state)


def test_the_bake_begins_with_the_split() -> None:
    """Whoever looks when: the record of the split's own write tells, and who is green."""
    found = canary(at(10))

    assert (found.blue, found.green, found.percent) == ("default", GREEN.name, 10)
    assert found.since.isoformat() == "2026-11-27T12:00:00+00:00"


@pytest.mark.parametrize("spelt", ["2026-11-27T12:00:00", "2026-11-27T13:00:00+01:00"])
def test_a_time_is_utc_unless_it_says_otherwise(spelt: str) -> None:
    """However somebody wrote it."""
    assert canary(tagged(at(10), {"rollout-at": spelt})).since == canary(at(10)).since


def test_each_promotion_of_a_rollout_has_its_own_part_of_alpha() -> None:
    """The one before with the same policy has most of it; a record of an older release tells of the present one."""
    later = recorded(at(10), BLUE, GREEN, split={"default": 75, GREEN.name: 25})
    later = tagged(replace(later, traffic={"default": 75, GREEN.name: 25}), AT)
    older = tagged(later, {"rollout-split": f"default=75,{GREEN.name}=25"})
    policy = RolloutPolicy()

    assert canary(at(10)).stage(policy) == policy.at(10)
    assert canary(later).stage(policy) == policy.at(10, 25)
    assert canary(older).stage(policy) == policy.at(25)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (replace(at(10), tags={}), "no record"),
        (replace(at(10), traffic={"default": 80, GREEN.name: 20}), "no record"),
        (recorded(endpoint({"default": 100}, BLUE, GREEN), BLUE, GREEN, back=True), "no green beside a blue"),
        (recorded(endpoint({"default": 100}, BLUE), None, BLUE), "no green beside a blue"),
        (tagged(at(10), {"rollout-at": "then"}), "time"),
        (replace(at(100), deployments={GREEN.name: GREEN}), "default, which green replaced, is deleted"),
    ],
    ids=["nothing recorded", "a stranger's split", "rolled back", "an endpoint's first", "a spoilt time", "no blue"],
)
def test_what_nobody_can_judge(state: EndpointState, why: str) -> None:
    """It is said, and speaks neither for green nor against it."""
    with pytest.raises(NoEvidence, match=why):
        canary(state)


def test_a_bad_green_is_taken_back_in_one_write() -> None:
    """With what was found as its mark, for whoever reviews it next; once that is so, no second one."""
    shift = taken_back(at(10), canary(at(10)))
    after = tagged(replace(at(10), traffic=shift.split), shift.tags)

    assert (shift.split, shift.done) == ({"default": 100}, False)
    assert BAD.reason in marks(after)[GREEN.name] and RUN in marks(after)[GREEN.name]
    assert taken_back(after, canary(at(10))).done


@pytest.mark.parametrize(("share", "again"), [(10, True), (20, False)])
def test_a_taking_back_that_is_lost_is_written_again(share: int, again: bool) -> None:
    """Where the judged split reads back under the record of its end; another one is somebody's."""
    shift = taken_back(at(10), canary(at(10)))
    lost = tagged(replace(at(10), traffic={"default": 100 - share, GREEN.name: share}), shift.tags)

    found = taken_back(lost, canary(at(10)))

    assert (found.split == {"default": 100}, found.done) == (again, not again)
    assert (BAD.reason in str(found.tags)) is again


@pytest.mark.parametrize("state", [tagged(at(10), {"rollout-at": "2026-11-27T12:30:00Z"}), at(50, OTHER_RUN)])
def test_only_the_split_that_was_judged_is_taken_back(state: EndpointState) -> None:
    """What somebody else wrote since then is theirs."""
    judged = replace(canary(at(10)), record=replace(canary(at(10)).record, at="2026-11-27T11:00:00Z"))

    assert taken_back(state, judged).done and taken_back(state, judged).hold


@pytest.mark.parametrize(
    ("share", "job", "percent", "asks"),
    [
        (10, "promote-50", 50, "Promote version 2 from 10 % to 50 %? **unhealthy**: 50 % failed of 300"),
        (100, "delete-blue", None, "Delete version 1, now that version 2 has 100 %? **unhealthy**"),
        (10, "", None, "Version 2 at 10 %: **unhealthy**"),
    ],
)
def test_the_question_stands_on_top(share: int, job: str, percent: int | None, asks: str) -> None:
    """What is asked, the verdict with its figures, and what would have been noticed by now."""
    proposal = propose(at(share))
    assert proposal

    told = question(proposal, job, percent, BAD)

    assert told.startswith(asks) and told.endswith(f"{BAD.noticeable}.")
    assert question(proposal, job, percent, None).endswith("No live traffic judged it yet.")
