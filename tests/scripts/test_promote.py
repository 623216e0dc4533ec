"""review and promote against the local Azure ML: what a reviewer sees, and what becomes of the approval."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from azureml_emulator.testing import endpoint as endpoint_body
from tests.support import ROOT
from tests.support.repository import PROMOTING
from tests.support.scripts import Live, opened, outputs, repository, restore, run, toy_model, write

GREEN = "xgboost-model-2"
RUN = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/heart", "GITHUB_RUN_ID": "12"}
NEXT = ("--next", "promote-10", "--percent", 10)


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def rollout(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """An endpoint with blue, `default`, and green, `xgboost-model-2`, made by two commits."""
    folder = tmp_path_factory.mktemp("promote")
    with repository(folder / "repository", model="toy-promote"):
        live = Live("toy-promote")
        live.do("create_endpoint")
        for number, (auc, commit) in enumerate([(0.9, "aaaaaaa"), (0.95, "bbbbbbb")]):
            toy = toy_model(folder / str(number), answer=number, metadata={"auc": auc})
            run("register_model", toy, GITHUB_SHA=commit, **RUN)
        live.serve(1)
        live.do("deploy", "--version", 2)
        live.tags = opened(os.environ, live).read().tags
        yield live


@pytest.fixture
def pair(rollout: Live, arm: Arm) -> Live:
    """The endpoint with all traffic on blue."""
    restore(arm, rollout)
    return rollout


@pytest.fixture
def alone(rollout: Live, arm: Arm) -> Iterator[Live]:
    """An endpoint after its first rollout."""
    live = Live("toy-promote-alone")
    live.do("create_endpoint")
    live.serve(1)
    yield live
    arm("DELETE", f"onlineEndpoints/{live.name}")


def review(live: Live, folder: Path, *arguments: object) -> dict[str, str]:
    """What a review outputs, and as `summary` its page."""
    return step(live, folder, "review", *arguments)[1]


def step(live: Live, folder: Path, *arguments: object, **variables: str) -> tuple[Any, dict[str, str]]:
    """How a verb ends, what it outputs, and as `summary` its page."""
    files = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "page/summary")}
    (folder / "page").mkdir(exist_ok=True)
    for file in files.values():
        Path(file).unlink(missing_ok=True)
    result = live.run(*arguments, **files, **RUN, **variables)
    page = Path(files["GITHUB_STEP_SUMMARY"])
    return result, {**outputs(folder / "output"), "summary": page.read_text() if page.exists() else ""}


@contextmanager
def answering(body: bytes, then: Callable[[], object]) -> Iterator[dict[str, str]]:
    """The variables of a GitHub that answers everything so, after something has happened."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            then()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not on stderr."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}", "GITHUB_TOKEN": "some"}
        server.shutdown()


# review


def test_the_reviewer_sees_green_against_blue(pair: Live, tmp_path: Path) -> None:
    """Versions, metrics with their change, commits with their difference, runs, split, and what approval will do."""
    page = review(pair, tmp_path, *NEXT)["summary"]

    assert "|  | default (blue) | xgboost-model-2 (green) | change |" in page
    assert "| model | toy-promote 1 | toy-promote 2 |" in page
    assert "| auc | 0.9 | 0.95 | +0.05, better |" in page
    assert "https://github.com/team/heart/compare/aaaaaaa...bbbbbbb" in page
    assert page.count("https://github.com/team/heart/actions/runs/12") == 2
    assert "Traffic now: **default 100 %**" in page
    assert "Approving **promote-10** gives xgboost-model-2 10 % (now 0 %), and default keeps 90 %." in page


def test_the_next_job_gets_what_was_seen(pair: Live, tmp_path: Path) -> None:
    """As an output, which is what is printed; it names both."""
    found = review(pair, tmp_path, *NEXT)

    seen = json.loads(found["proposal"])
    assert (seen["endpoint"], seen["traffic"]) == (pair.name, {"default": 100})
    assert (seen["blue_version"], seen["blue_commit"]) == ("1", "aaaaaaa")
    assert (seen["green_version"], seen["green_commit"]) == ("2", "bbbbbbb")
    assert seen["green_digest"] == pair.deployments[GREEN]["digest"]
    assert (seen["blue"], seen["green"]) == ("default", GREEN)
    assert pair.do("review", *NEXT) == found["proposal"]


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        (("--next", "promote-100", "--percent", 100), "**promote-100** gives xgboost-model-2 all traffic"),
        (("--next", "", "--percent", 100), ""),
        (("--percent", 25), ""),
        (("--next", "promote", "--percent", 25), "**promote** gives xgboost-model-2 25 % (now 10 %)"),
        (("--next", "promote", "--percent", 100, "--then-delete"), "Once that is judged, **delete-blue** asks"),
        ((), ""),
    ],
)
def test_what_follows(pair: Live, arm: Arm, tmp_path: Path, arguments: tuple[object, ...], asks: str) -> None:
    """The next job, and what it does; where nothing follows, the output that starts it is empty."""
    write(arm, pair, {"default": 90, GREEN: 10})

    found = review(pair, tmp_path, *arguments)
    printed = pair.do("review", *arguments)

    assert found["proposal"] == (printed if asks else "")
    assert json.loads(printed)["traffic"] == {"default": 90, GREEN: 10}
    assert (asks or "Nothing waits for approval.") in found["summary"]


@pytest.mark.parametrize(
    ("last", "named"),
    [("delete-blue", [*PROMOTING[1:], "delete-blue"]), (PROMOTING[-1], PROMOTING[1:]), (PROMOTING[0], []), ("", [])],
    ids=str,
)
def test_what_the_only_approval_is_for_is_named(pair: Live, tmp_path: Path, last: str, named: list[str]) -> None:
    """The later jobs up to the one where the rollout rests; nothing is said where there are none."""
    shutil.copytree(ROOT / ".github", ".github", dirs_exist_ok=True)
    given = ("--up-to", last) if last else ()

    page = review(pair, tmp_path, "--next", PROMOTING[0], "--percent", 10, *given)["summary"]

    jobs = ", ".join(f"**{name}**" for name in named)
    assert f"**This approval is the only one**: it is for {jobs}, too, as long as" in page or not named
    assert ("only one" in page) == bool(named)


def test_the_deletion_of_blue_is_reviewed(pair: Live, arm: Arm, tmp_path: Path) -> None:
    """It is the last step, and the one without a way back."""
    write(arm, pair, {GREEN: 100})

    found = review(pair, tmp_path, "--next", "delete-blue")

    assert "Approving **delete-blue** deletes default: from then on" in found["summary"]
    assert json.loads(found["proposal"])["traffic"] == {GREEN: 100}


def test_after_the_first_rollout_there_is_nothing_to_approve(alone: Live, tmp_path: Path) -> None:
    """The output is empty, so the jobs that need it are skipped."""
    found = review(alone, tmp_path)

    assert found["proposal"] == ""
    assert "there is nothing to promote: default 100 %, and no green." in found["summary"]
    assert alone.do("review") == "null"


def test_a_person_who_promotes_nothing_is_told(alone: Live) -> None:
    """promote.yml on an endpoint without a green must not end well."""
    result = alone.run("review", "--next", "promote", "--percent", 50)

    assert result.exit_code == 1
    assert "no green. deploy makes one." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--percent", 0), "0 is not in the range"),
        (("--percent", 101), "101 is not in the range"),
        (("--percent", "$(id)"), "not a valid integer"),
        (("--percent", 50, "--then-delete"), "goes with --percent 100"),
        (("--then-delete",), "goes with --percent 100"),
    ],
)
def test_wrong_inputs_are_refused(pair: Live, arguments: tuple[object, ...], why: str) -> None:
    """GitHub shows a list to choose from, but whoever calls its API may send anything."""
    result = pair.run("review", *arguments)

    assert result.exit_code == 2
    assert why in result.stderr


def test_a_review_waits_for_a_running_operation(pair: Live, arm: Arm, faults: Faults) -> None:
    """What a change under way will leave is to be approved, not what it finds."""
    path = f"onlineEndpoints/{pair.name}"
    hang = faults.add("hang", method="PUT", path=f"*/{path}")["id"]
    answer = arm("PUT", path, endpoint_body(traffic={"default": 80, GREEN: 20}))
    assert faults.get(hang, wait=10)["hit"]
    threading.Timer(1.5, faults.clear, [hang]).start()

    seen = json.loads(pair.do("review"))

    assert arm.settle(answer)["status"] == "Succeeded"
    assert seen["traffic"] == {"default": 80, GREEN: 20}


def test_an_unhealthy_green_is_not_offered(pair: Live, arm: Arm, faults: Faults) -> None:
    """Nobody is asked to approve what can't be promoted, nor is it promoted."""
    path = f"onlineEndpoints/{pair.name}/deployments/{GREEN}"
    body = arm("GET", path).json()
    faults.add("fail", method="PUT", path=f"*/{path}")
    assert arm.settle(arm("PUT", path, body))["status"] == "Failed"

    results = [pair.run("review", *NEXT), pair.run("promote", "--percent", 10)]
    healed = arm.settle(arm("PUT", path, body))

    assert healed["status"] == "Succeeded"
    assert [result.exit_code for result in results] == [1, 1]
    assert all("xgboost-model-2 is Failed, not healthy" in result.stderr for result in results)
    assert pair.traffic == {"default": 100}


# promote


def test_green_gets_its_share(pair: Live, tmp_path: Path) -> None:
    """As approved; the split is printed and in the summary."""
    seen, summary = pair.do("review", *NEXT), tmp_path / "summary"

    printed = pair.do("promote", "--percent", 10, "--expect", seen, GITHUB_STEP_SUMMARY=str(summary))

    assert json.loads(printed) == pair.traffic == {"default": 90, GREEN: 10}
    assert "default 90 %, xgboost-model-2 10 %" in summary.read_text()


@pytest.mark.parametrize(
    ("job", "percent", "own", "asks"),
    [
        ("promote-50", 50, (), f"gives {GREEN} 50 %"),
        ("promote-5", 5, (), f"gives {GREEN} 5 %"),
        ("promote-5", 5, ("--rollout", "run 1"), f"changes nothing: {GREEN} has 10 % already"),
        ("", None, (), "Nothing waits for approval."),
        ("", 50, (), "Nothing waits for approval."),  # where a rollout stops, its next percentage is still there
    ],
)
def test_a_promotion_tells_the_next_reviewer(
    pair: Live, tmp_path: Path, job: str, percent: int | None, own: tuple[str, ...], asks: str
) -> None:
    """As a review right after it does: page and output are the same, those of a rollout's stage, too."""
    proposal, share = pair.do("review", *NEXT), (percent,) if percent else ()
    following = ("--next", job, *(("--next-percent", *share) if share else ()), *own, *(("--at-least",) if own else ()))

    result, found = step(pair, tmp_path, "promote", "--percent", 10, "--expect", proposal, *following)
    reviewed = review(pair, tmp_path, "--next", job, *(("--percent", *share) if share else ()), *own)

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"default": 90, GREEN: 10})
    assert (found["proposal"], found["wrote"]) == (reviewed["proposal"], "done")
    assert found["summary"].endswith(reviewed["summary"])
    assert asks in result.stderr


@pytest.mark.parametrize("commits", [b'{"commits": []}', b"{}"], ids=["no disk", "no sense, either"])
def test_who_cannot_be_told_is_no_reason_to_go_back(pair: Live, tmp_path: Path, commits: bytes) -> None:
    """The runner's disk goes while GitHub is asked: red, but the split is there, said, and the job may go on."""
    proposal = pair.do("review", *NEXT)
    promote = ("promote", "--percent", 10, "--expect", proposal, "--next", "promote-50", "--next-percent", 50)
    with answering(commits, lambda: shutil.rmtree(tmp_path / "page")) as github:
        result, found = step(pair, tmp_path, *promote, **github)

    assert (result.exit_code, found["wrote"]) == (1, "done")
    assert f"The traffic is as promoted: default 90 %, {GREEN} 10 %. The next reviewer isn't told" in result.stderr
    assert pair.traffic == {"default": 90, GREEN: 10}
    again, found = step(pair, tmp_path, *promote)
    assert again.exit_code == 0 and json.loads(found["proposal"])["traffic"] == pair.traffic


def test_a_green_that_fails_while_it_is_promoted_goes_back(
    pair: Live, arm: Arm, faults: Faults, tmp_path: Path
) -> None:
    """Nobody is asked to approve the next share, and `wrote` says that there is something to take back."""
    proposal, path = pair.do("review", *NEXT), f"onlineEndpoints/{pair.name}"
    body = arm("GET", f"{path}/deployments/{GREEN}").json()
    faults.add("turn", method="PUT", path=f"*/{path}", endpoint=pair.name, deployment=GREEN)

    result, found = step(pair, tmp_path, "promote", "--percent", 10, "--expect", proposal, "--next", "promote-50")
    healed = arm.settle(arm("PUT", f"{path}/deployments/{GREEN}", body))

    assert healed["status"] == "Succeeded"
    assert (result.exit_code, found["wrote"], "proposal" in found) == (1, "true", False)
    assert f"The traffic is as promoted: default 90 %, {GREEN} 10 %" in result.stderr
    assert f"{GREEN} is Failed, not healthy" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", GREEN, "--percent", 10, "--next", "promote-50"),
        ("--first", "default", "--next", "promote-50"),
        ("--percent", 10, "--next-percent", 50),
        ("--percent", 10, "--judge"),
        ("--percent", 10, "--next", "promote-50", "--next-percent", 0),
    ],
)
def test_what_follows_goes_with_a_promotion(pair: Live, arguments: tuple[object, ...]) -> None:
    """Else it is wrong usage, before anything is written."""
    result = pair.run("promote", *arguments)

    assert result.exit_code == 2 and "--next" in result.stderr
    assert pair.traffic == {"default": 100}


def test_a_repeated_promotion_writes_nothing(pair: Live) -> None:
    """The runner was killed after the write: the job, run again, goes on."""
    seen = pair.do("review", *NEXT)
    pair.do("promote", "--percent", 10, "--expect", seen)

    again = pair.run("promote", "--percent", 10, "--expect", seen)

    assert again.exit_code == 0, again.output
    assert "already there" in again.stderr and "setting" not in again.stderr


def test_a_split_that_moved_since_the_review_stays(pair: Live, arm: Arm) -> None:
    """Somebody shifted while the approval was waited for: refused, with both splits."""
    seen = pair.do("review", *NEXT)
    write(arm, pair, {"default": 70, GREEN: 30})

    result = pair.run("promote", "--percent", 10, "--expect", seen)

    assert result.exit_code == 1
    assert "traffic was default 100 % when it was reviewed" in result.stderr
    assert pair.traffic == {"default": 70, GREEN: 30}


@pytest.mark.parametrize("command", [("promote", "--percent", 10), ("delete_blue", "default")])
def test_another_green_since_the_review_is_not_touched(
    rollout: Live, arm: Arm, tmp_path: Path, command: tuple[object, ...]
) -> None:
    """A newer rollout put another version there under the same name: that one nobody has approved."""
    share = {"default": 100} if command[0] == "promote" else {GREEN: 100}
    write(arm, rollout, share)
    seen = json.loads(rollout.do("review", *NEXT))
    seen["green_version"] = "7"

    result = rollout.run(*command, "--expect", json.dumps(seen))

    assert result.exit_code == 1
    assert "green version was 7 when it was reviewed, now it is 2" in result.stderr
    assert rollout.traffic == share and "default" in rollout.deployments


def test_a_review_of_another_endpoint_is_refused(pair: Live) -> None:
    """ENDPOINT_NAME was changed between the review and the approval."""
    seen = {**json.loads(pair.do("review", *NEXT)), "endpoint": "elsewhere"}

    result = pair.run("promote", "--percent", 10, "--expect", json.dumps(seen))

    assert result.exit_code == 1
    assert f"endpoint was elsewhere when it was reviewed, now it is {pair.name}" in result.stderr


@pytest.mark.parametrize("expected", ["", "null", "{}", "default=100"])
def test_an_expectation_that_got_lost_is_wrong_usage(pair: Live, expected: str) -> None:
    """An empty output must not mean: expect nothing."""
    result = pair.run("promote", "--percent", 10, "--expect", expected)

    assert result.exit_code == 2
    assert "not what `review` prints" in result.stderr
    assert pair.traffic == {"default": 100}


def test_by_hand_nothing_need_be_expected(pair: Live) -> None:
    """A person who looks at the endpoint promotes without a review."""
    pair.do("promote", "--percent", 25)

    assert pair.traffic == {"default": 75, GREEN: 25}


def test_a_deployment_by_its_name_gets_any_share(pair: Live) -> None:
    """From nothing to all, which promotes another than green, or takes back."""
    splits = []
    for name, percent in ((GREEN, 30), ("default", 30), (GREEN, 0), (GREEN, 100), ("default", 100)):
        splits.append(json.loads(pair.do("promote", "--to", name, "--percent", percent)))

    green, blue = {"default": 70, GREEN: 30}, {"default": 30, GREEN: 70}
    assert splits == [green, blue, {"default": 100}, {GREEN: 100}, {"default": 100}]


def test_without_a_green_nothing_is_promoted(alone: Live) -> None:
    """The error says what makes one."""
    result = alone.run("promote", "--percent", 25)

    assert result.exit_code == 1
    assert "no green to promote" in result.stderr


def test_a_lost_update_is_noticed(pair: Live, faults: Faults) -> None:
    """Somebody else's write right after the promotion is seen on reading back, and left alone."""
    theirs = {"default": 30, GREEN: 70}
    faults.add("overwrite", path=f"*/onlineEndpoints/{pair.name}", traffic=theirs)

    result = pair.run("promote", "--percent", 10)

    assert result.exit_code == 1
    assert "somebody else wrote" in result.stderr
    assert pair.traffic == theirs


def test_blue_is_deleted_as_approved(alone: Live, tmp_path: Path) -> None:
    """The whole chain: each step expects what the reviewer of the step before saw."""
    alone.do("deploy", "--version", 2)
    for percent in (10, 100):
        proposal = review(alone, tmp_path, "--next", f"promote-{percent}", "--percent", percent)["proposal"]
        alone.do("promote", "--percent", percent, "--expect", proposal)

    last = review(alone, tmp_path, "--next", "delete-blue")["proposal"]
    for _ in range(2):
        alone.do("delete_blue", json.loads(last)["blue"], "--expect", last)

    assert (alone.traffic, list(alone.deployments)) == ({GREEN: 100}, [GREEN])
    assert alone.do("review") == "null"


def test_nothing_is_printed_but_the_result(pair: Live) -> None:
    """Progress and the SDK's dots stay off stdout."""
    results: list[Any] = [pair.run("review", *NEXT), pair.run("promote", "--percent", 10)]

    assert [len(result.stdout.splitlines()) for result in results] == [1, 1]
