"""endpoints/rollout-policy.yml: what it may say, what holds without it, and where it is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.lib.azure.policy_file import POLICY, of_the_file
from scripts.lib.decisions.canary.policy import LONGEST, RolloutPolicy, StagePolicy, policy
from scripts.lib.decisions.state import Refused
from scripts.lib.decisions.strict_yaml import parse
from scripts.lib.doctor import files
from tests.support import ROOT


def read(text: str) -> RolloutPolicy:
    return policy(parse(text.encode(), str(POLICY)), str(POLICY))


def test_the_file_says_what_holds_without_it(tmp_path: Path) -> None:
    """So a copy that has none is judged alike."""
    assert of_the_file(ROOT / POLICY) == RolloutPolicy() == of_the_file(tmp_path / "none.yml")


def test_no_job_gets_out_of_time() -> None:
    """Which would roll back: a stage ends ten minutes before the longest job."""
    assert max(stage.deadline_minutes for stage in RolloutPolicy().stages.values()) <= LONGEST == 300


def test_all_that_it_may_say() -> None:
    """For the rollout, and for stages; what it leaves out is as without it."""
    stage = "bake_minutes: 5, deadline_minutes: 300, alpha: 0.01, tolerated_rise: 0.5, latency_budget: null"
    found = read(f'alpha: 0.1\ndelay_minutes: 4\nbefore_minutes: 0\n"10": {{{stage}, fewest_requests: 0}}\n"25": {{}}')

    assert (found.alpha, found.delay_minutes, found.before_minutes) == (0.1, 4, 0)
    assert found.stages[10] == StagePolicy(10, 5, 300, 0.01, 0.5, None, 0)
    assert found.stages[25] == StagePolicy(25, alpha=0.02) and [*found.stages] == [10, 25, 50, 100]


@pytest.mark.parametrize("spelt", ["0.01", ".01", "1.0e-2", "1.0E-2", "+0.01", "0.010"])
def test_numbers_are_written_as_people_do(spelt: str) -> None:
    """What they mean is what YAML reads."""
    assert read(f'"10": {{alpha: {spelt}}}').stages[10].alpha == 0.01


def test_what_stages_share_is_written_once() -> None:
    """By YAML's aliases, whole or as a beginning."""
    found = read('"10": &all {bake_minutes: 5, alpha: 0.015}\n"50": *all\n"100": {<<: *all, bake_minutes: 7}')

    assert [stage.bake_minutes for stage in found.stages.values()] == [5, 5, 7]


def test_a_stage_may_be_the_least_and_bake_to_its_end() -> None:
    """At 1 %, with a deadline that ends with the bake."""
    found = read('alpha: 0.5\n"1": {bake_minutes: 60}')

    assert found.stage(9).bake_minutes == found.stage(1).deadline_minutes == 60


@pytest.mark.parametrize(("percent", "stage"), [(10, 10), (1, 10), (49, 10), (50, 50), (99, 50), (100, 100)])
def test_each_percentage_has_a_policy(percent: int, stage: int) -> None:
    """Its own or that of the next lower one."""
    assert RolloutPolicy().stage(percent).percent == stage


@pytest.mark.parametrize(
    "shares",
    [
        (10, 50, 100),
        (5, 10, 25, 50, 75, 100),
        (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 99, 100),
        (50, 10, 50, 10, 100, 99, 100),
        (100,) * 200,
    ],
    ids=str,
)
@pytest.mark.parametrize("text", ["{}", '"25": {alpha: 0.01}\nalpha: 0.06', 'alpha: 0.5\n"1": {}\n"2": {}'])
def test_no_rollout_spends_more_than_alpha(shares: tuple[int, ...], text: str) -> None:
    """However many promotions it has, at percentages of the file or between them, up, down and up again."""
    found = read(text)

    spent = [found.at(*shares[: count + 1]).alpha for count in range(len(shares))]

    assert 0 < sum(spent) <= found.alpha and min(spent) >= 0
    assert sum(spent) <= sum(found.stages[at].alpha for at in {found.stage(share).percent for share in shares}) + 1e-12


def test_a_promotion_has_most_of_its_stage_s_alpha() -> None:
    """Nine tenths; the next one with the same policy nine tenths of the rest."""
    found = RolloutPolicy()

    assert found.at(10) == replace(found.stages[10], alpha=pytest.approx(0.018))
    assert found.at(10, 25) == replace(found.stages[10], percent=25, alpha=pytest.approx(0.0018))
    assert found.at(10, 25, 50).alpha == pytest.approx(0.0135)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("alhpa: 0.05", "line 1: `alhpa` is no key that is known: write `alpha`."),
        ("alpha: 0.05\nstage: 3", "line 2: `stage` is no key that is known: there is alpha, delay_minutes, "),
        ('"10":\n  bake_minuets: 5', "line 2: `10.bake_minuets` is no key that is known: write `bake_minutes`."),
        ('"10":\n  baking: 5\n"50": {x: 1}', "line 3: `50.x` is no key that is known: there is bake_minutes, "),
        ("10: {alpha: 0.01}", 'line 1: the key 10 is no text: write "10".'),
        ('"0": {alpha: 0.01}', "line 1: `0` is no key that is known"),
        ('"101": {alpha: 0.01}', "`101` is no key that is known"),
        ('"10 %": {alpha: 0.01}', "`10 %` is no key that is known: there is alpha, delay_minutes, before_minutes, and"),
        ('"10": 5', "line 1: `10` must hold some of bake_minutes, "),
        ('"10":', "line 1: `10` must hold some of bake_minutes, "),
        ("alpha: 5 %", "line 1: `alpha` must be a number from 1e-06 to 0.5, not '5 %'."),
        ("alpha: 0", "`alpha` must be a number from 1e-06 to 0.5, not 0."),
        ('"10": {fewest_requests: true}', "`10.fewest_requests` must be a number"),
        ('"10": {fewest_requests: .inf}', "`10.fewest_requests` must be a number"),
        ("alpha: .nan", "`alpha` must be a number"),
        ("alpha:", "`alpha` must be a number from 1e-06 to 0.5, not None."),
        ('"10": {latency_budget: 0.9}', "`10.latency_budget` must be a number from 1 to 100, or null, not 0.9."),
        ('"10": {bake_minutes: 10m}', "`10.bake_minutes` must be a number from 0 to 300, not '10m'."),
        ('"10": {deadline_minutes: 301}', "`10.deadline_minutes` must be a number from 1 to 300, not 301."),
        ('"10":\n  deadline_minutes: 5', "line 2: `10.deadline_minutes` is 5, before the end of its bake_minutes, 10."),
        ('"10":\n  bake_minutes: 61', "`10.deadline_minutes` is 60, before the end of its bake_minutes, 61."),
        ('"50":\n  alpha: 0.03', "line 1: `alpha` is 0.05, but its stages have 0.02 + 0.03 + 0.015 = 0.065: lower"),
        ('"25": {}\nalpha: 0.05', "line 2: `alpha` is 0.05, but its stages have 0.02 + 0.02 + 0.015 + 0.015 = 0.07"),
        ("- alpha", "is no mapping"),
        ('"10":\n  bake_minutes: 010', "line 2: `10.bake_minutes` must be a number from 0 to 300, not 010."),
        ('"10": {bake_minutes: 5:00}', "must be a number from 0 to 300, not 5:00."),
        ('"10": {bake_minutes: 0x10}', "not 0x10."),
        ('alpha: 0.05\n"10":\n  bake_minutes: 90', "line 2: `10.deadline_minutes` is 60, before the end of its"),
        ("bake_minutes: 5", '`bake_minutes` is no key that is known here: it belongs into stages like "10".'),
        ('"10": {delay_minutes: 5}', "`10.delay_minutes` is no key that is known here: it belongs to the whole file."),
    ],
)
def test_a_typo_is_an_error_with_its_place(text: str, why: str) -> None:
    """The file, the line, the key, and what to write."""
    with pytest.raises(Refused) as found:
        read(text)

    assert str(found.value).startswith(str(POLICY)) and why in str(found.value)


def test_all_that_is_wrong_is_listed() -> None:
    """Not just the first."""
    with pytest.raises(Refused) as found:
        read('alpha: 3\n"10": {alpha: 3, bake: 1}')

    assert len(str(found.value).splitlines()) == 3


def test_the_doctor_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the other files of endpoints/; a rollout stops for what is wrong there."""
    (tmp_path / "endpoints").mkdir()
    (tmp_path / POLICY).write_text("alhpa: 0.05\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    found = {it.name: it for it in files.check()}[str(POLICY)]

    assert found.verdict == "wrong" and "line 1: `alhpa`" in found.say and POLICY in files.FILES
