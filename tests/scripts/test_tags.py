"""What tags may be, and which go where there is no room: alone, and through the scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.testing import Arm
from scripts.lib.decisions.file_rules import endpoint, later_deployment
from scripts.lib.decisions.model_tags import tags as model_tags
from scripts.lib.decisions.record import MARK, OF, TAGS, Record, claim, claimed, mark, written
from scripts.lib.decisions.state import Deployment, Model, Refused
from scripts.lib.decisions.strict_yaml import Document
from scripts.lib.decisions.tags import MOST, check, fitting, wrong
from scripts.lib.github.provenance import rollout_id
from tests.support.decisions import born, tagged
from tests.support.decisions import endpoint as endpoint_of
from tests.support.scripts import GREEN, Live, pair_endpoint, repository, run, toy_model, write

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

RECORD = dict.fromkeys(TAGS, "x") | {"rollout-direction": "forward"}
BACK = RECORD | {"rollout-direction": "back"}


def some(count: int, prefix: str = "team") -> dict[str, str]:
    """So many tags of somebody's."""
    return {f"{prefix}-{number:02}": f"2026-01-{number + 1:02}" for number in range(count)}


@pytest.mark.parametrize("name", ["a<b", "a>b", "50%", "a&b", "a\\b", "why?", "val/auc", "a\nb", "", "n" * 513])
def test_a_name_that_azure_refuses_is_told(name: str) -> None:
    """By itself, since nobody finds it among thirty."""
    assert [found for found, _ in wrong({"auc": "1", name: "1"})] == [name]


def test_up_to_the_limits_all_is_well() -> None:
    """1 to 512 characters of a name, 256 of a value, and whatever else is printable."""
    assert list(wrong({"n": "", "n" * 512: "v" * 256, "größe (mm)": "", "a.b-c_d:e": "<>%&?/"})) == []
    check("it", some(MOST), "")


@pytest.mark.parametrize(
    ("tags", "says"),
    [({"long": "v" * 257}, "`long` is 257"), ({"AUC": "1", "auc": "2"}, "`AUC` is auc, too"), (some(51), "are 51")],
)
def test_what_is_too_much_is_refused(tags: dict[str, str], says: str) -> None:
    """A value, a second spelling, a number of them."""
    with pytest.raises(Refused, match=says):
        check("it", tags, "")


def test_the_longest_names_fit_all_that_a_rollout_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub's longest owner and repository, Azure's longest names, versions of nine digits: a rollback fails for none.

    The run's number, by which GitHub is asked, is never cut.
    """
    monkeypatch.setenv("GITHUB_REPOSITORY", f"{'o' * 39}/{'r' * 100}")
    monkeypatch.setenv("GITHUB_RUN_ID", "9" * 12)
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "99")
    who = rollout_id()
    blue, green = (Deployment(letter * 32, Model("heart", "9" * 9), created=born(1), rollout=who) for letter in "bg")
    state = endpoint_of({blue.name: 1, green.name: 99}, blue, green)
    record = Record(who, blue.ref, green.ref, state.traffic)

    written_tags = written(state, record) | claimed(green, who, blue.ref) | mark(green, f"rolled back, {who}")
    made = {"rollout": who, "replaces": str(blue.ref)}

    assert list(wrong({name: value or "" for name, value in written_tags.items()} | made)) == []
    assert who.endswith(f"/actions/runs/{'9' * 12}/attempts/99")
    assert claim(tagged(state, written_tags), green).rollout == who


# the endpoint's, where there is no room


@pytest.mark.parametrize("record", [RECORD, BACK], ids=["forward", "back"])
@pytest.mark.parametrize("count", [0, 40, 42])
def test_where_there_is_room_all_stay_but_what_is_taken_away(count: int, record: dict[str, str]) -> None:
    """Up to the last place."""
    marks = {f"{MARK}old": "2026-01-01 bad", f"{MARK}new": "2026-02-01 bad"}

    kept = fitting(some(count) | marks | {"first-rollout": "pending"}, {"first-rollout": None, **record}, "e")

    assert len(kept) == MOST - 42 + count and kept.keys() == {*some(count), *marks, *record}


def test_marks_go_first_the_oldest_before_others() -> None:
    """What a review is told is less than who owns what."""
    now = some(42) | {f"{OF}old": "2026-01-01|b|r", f"{MARK}new": "2026-02-01 bad", f"{MARK}old": "2026-01-01 bad"}

    assert fitting(now, RECORD, "e").keys() == {*some(42), *RECORD, f"{MARK}new", f"{OF}old"}


def test_claims_go_next_but_none_that_is_written() -> None:
    """The pair's own stay, and so does the mark that is to be set."""
    now = some(43) | {f"{OF}old": "2026-01-01|b|r"}

    kept = fitting(now, RECORD | {f"{OF}green": "2025-01-01|b|r"}, "e")

    assert kept.keys() == {*some(43), *RECORD, f"{OF}green"}


def test_a_way_forward_without_room_is_refused() -> None:
    """With the command that makes some."""
    with pytest.raises(Refused, match="--remove tags"):
        fitting(some(45), RECORD, "e")


def test_a_way_back_never_fails_for_a_tag() -> None:
    """It goes without its record."""
    assert fitting(some(45), BACK, "e") == some(45)
    assert fitting(some(50), {"first-rollout": None, **BACK}, "e") == some(50)


def test_with_twenty_deployments_and_a_user_s_own_it_fits() -> None:
    """A mark and a claim for each of them, and as many tags as endpoint.yml may have."""
    now = some(41) | some(20, MARK) | some(20, OF)

    kept = fitting(now, RECORD | {f"{OF}19": "n", f"{OF}18": "n"}, "e")

    assert len(kept) <= MOST and kept.keys() >= {*some(41), *RECORD, f"{OF}19", f"{OF}18"}


# the files


@pytest.mark.parametrize("name", ["a/b", "why?"])
def test_a_tag_in_a_file_is_refused_by_its_name(name: str) -> None:
    """Before anything is trained: the doctor loads the files."""
    found = endpoint(Document({"name": "heart", "tags": {"model": "m", name: "x"}}))

    assert list(found) == [f"tags.{name}"]


def test_a_file_leaves_room_for_the_rollout_s_own() -> None:
    """So many does a rollout write beside them."""
    assert endpoint(Document({"name": "heart", "tags": {"model": "m", **some(40)}})) == {}
    assert list(endpoint(Document({"name": "heart", "tags": {"model": "m", **some(41)}}))) == ["tags"]
    assert later_deployment(Document({"name": "heart", "tags": some(42)})) == {}
    assert list(later_deployment(Document({"name": "heart", "tags": some(43)}))) == ["tags"]


# a model's


@pytest.mark.parametrize(
    "value", [{"fold": 1}, [0.9, 0.8], None, float("nan"), float("inf")], ids=["dict", "list", "null", "nan", "inf"]
)
def test_a_metric_is_one_value(tmp_path: Path, value: Any) -> None:
    """What isn't is named."""
    import yaml

    folder = toy_model(tmp_path / "model")
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": {}}, "metadata": {"odd": value}}))

    with pytest.raises(Refused, match="`odd` "):
        model_tags(folder)


def test_facts_of_one_value_are_tags(tmp_path: Path) -> None:
    """Numbers, texts, dates, true and false, and the list of labels."""
    folder = toy_model(tmp_path / "model")
    (folder / "MLmodel").write_text("metadata: {a: 1, b: 0.5, c: x, d: true, e: 2026-01-02, labels: [0, a]}")

    assert model_tags(folder) == {
        "a": "1",
        "b": "0.5",
        "c": "x",
        "d": "true",
        "e": "2026-01-02",
        "labels": '[0, "a"]',
    }


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"val/auc": 0.9}, "`val/auc` has '/'"),
        ({"note": "n" * 257}, "`note` is 257"),
        ({"Version": "1"}, "`Version` is version, too"),
        (some(43), "there are 51 of them"),
    ],
)
def test_register_refuses_before_it_uploads(
    azure: dict[str, str], client: MLClient, tmp_path: Path, metadata: dict[str, Any], says: str
) -> None:
    """With the tag's name; no version is there afterwards."""
    from azure.core.exceptions import ResourceNotFoundError

    with repository(tmp_path / "repository", model="toy-odd-tags"):
        result = run("register_model", toy_model(tmp_path / "model", metadata=metadata))

    assert result.exit_code == 1
    assert says in result.stderr and "nothing is written" in result.stderr
    with pytest.raises(ResourceNotFoundError):
        client.models.get("toy-odd-tags", "1")


# the local Azure ML


@pytest.fixture(scope="module")
def pair(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("tags"), "toy-tags", {"answer": 0}, {"answer": 1}) as live:
        yield live


def test_an_endpoint_full_of_tags_goes_back_and_says_why_not_forward(azure: dict[str, str], pair: Live) -> None:
    """Somebody's 50 tags stop a promotion before it writes, and no rollback."""
    arm = Arm(azure)
    write(arm, pair, {"default": 50, GREEN: 50}, {"model": "toy-tags", **some(49)})

    forward, back = pair.run("promote", "--to", GREEN, "--percent", 60), pair.run("rollback")

    assert (forward.exit_code, back.exit_code) == (1, 0)
    assert "has 50 tags, and Azure takes 50" in forward.stderr
    assert pair.traffic == {"default": 100}


def test_deploy_refuses_what_others_registered(pair: Live, client: MLClient, tmp_path: Path) -> None:
    """Before anything is written, by the tag's name."""
    from azure.ai.ml.constants import AssetTypes
    from azure.ai.ml.entities import Model

    folder = toy_model(tmp_path / "model", answer=5)
    model = client.models.create_or_update(
        Model(path=folder, name="toy-tags", type=AssetTypes.MLFLOW_MODEL, tags={"val/auc": "1"})
    )
    before = pair.deployments

    result = pair.run("deploy", "--version", model.version)

    assert result.exit_code == 1
    assert "`val/auc` has '/'" in result.stderr and pair.deployments == before
