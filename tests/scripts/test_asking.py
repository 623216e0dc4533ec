"""A deployment is asked past the split: well, found bad, or not to be asked; against the local Azure ML."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts.lib.azure.asker import Asker, CouldNotAsk
from scripts.lib.azure.asking import FoundBad, ask
from scripts.lib.azure.endpoint import OnlineEndpoint
from scripts.lib.decisions.record import marks
from scripts.lib.decisions.state import EndpointState
from tests.support.scripts import GREEN, SAMPLE, Live, opened, outputs, pair_endpoint

SCORE = {"method": "POST", "path": "*/score"}
ROLLOUT = "octo/heart/actions/runs/7/attempts/1"


@pytest.fixture(scope="module")
def live(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pair_endpoint(tmp_path_factory.mktemp("asked"), "toy-asked", {"answer": 0}, {"answer": 1}) as pair:
        yield pair


@pytest.fixture(scope="module")
def endpoint(azure: dict[str, str], live: Live) -> OnlineEndpoint:
    return opened(azure, live)


@pytest.fixture(scope="module")
def state(endpoint: OnlineEndpoint) -> EndpointState:
    return endpoint.read()


# what passes


@pytest.mark.parametrize("status", [401, 404, 408, 424, 429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(
    endpoint: OnlineEndpoint, state: EndpointState, faults: Faults, status: int
) -> None:
    """A short trouble is no answer, whichever status it has."""
    faults.add("refuse", **SCORE, status=status)

    ask(endpoint, state, GREEN, patience=10)


@pytest.mark.parametrize(
    ("status", "age", "arrives", "waits"),
    [(0, 5, True, True), (401, 5, True, True), (404, 5, True, True), (404, 5, False, False), (404, 90, True, False)],
)
def test_one_that_is_minutes_old_gets_longer(
    endpoint: OnlineEndpoint, state: EndpointState, faults: Faults, status: int, age: float, arrives: bool, waits: bool
) -> None:
    """Until the gateway knows its route and its login, and the name service its name: five times the patience."""
    made = (datetime.now(timezone.utc) - timedelta(minutes=age)).isoformat(timespec="microseconds")
    aged = replace(state, deployments={GREEN: replace(state.deployments[GREEN], created=made)})
    faults.add("refuse", **SCORE, status=status, times=0) if status else faults.add("drop", **SCORE, times=0)

    started = time.monotonic()
    with pytest.raises(CouldNotAsk):
        Asker(endpoint, aged, GREEN, patience=0.4, arrives=arrives)(SAMPLE)

    assert (time.monotonic() - started > 1.9) is waits


def test_a_container_that_fails_gets_no_longer(endpoint: OnlineEndpoint, state: EndpointState, faults: Faults) -> None:
    """What the gateway reaches has arrived."""
    faults.add("misbehave", endpoint=state.name, deployment=GREEN, status=500)

    started = time.monotonic()
    assert Asker(endpoint, state, GREEN, patience=2, arrives=True)(SAMPLE).status == 424

    assert time.monotonic() - started < 8


def test_a_lost_connection_is_asked_again(endpoint: OnlineEndpoint, state: EndpointState, faults: Faults) -> None:
    """Nor is none."""
    faults.add("drop", **SCORE)

    ask(endpoint, state, GREEN, patience=10)


def test_a_new_key_is_fetched(azure: dict[str, str], endpoint: OnlineEndpoint, state: EndpointState) -> None:
    """Somebody may rotate the keys between two requests."""
    asker, arm = Asker(endpoint, state, GREEN, patience=10), Arm(azure)
    asker(SAMPLE)
    arm.settle(arm("POST", f"onlineEndpoints/{state.name}/regenerateKeys", {"keyType": "Primary"}))

    assert asker(SAMPLE).status == 200


def test_waiting_is_said(live: Live, faults: Faults) -> None:
    """Whoever reads the log sees what is waited for."""
    faults.add("refuse", **SCORE, status=429)

    result = live.run("smoke_test", GREEN)

    assert result.exit_code == 0
    assert f"{GREEN}: HTTP 429" in result.stderr


# what couldn't be asked


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 502, 503])
def test_nobody_to_ask_is_not_bad(endpoint: OnlineEndpoint, state: EndpointState, faults: Faults, status: int) -> None:
    """What the gateway says, or others cause, tells nothing of the deployment."""
    faults.add("refuse", **SCORE, status=status, times=0)

    with pytest.raises(CouldNotAsk, match=f"{GREEN} could not be asked: HTTP {status}"):
        ask(endpoint, state, GREEN, patience=0.5)


@pytest.mark.parametrize("address", ["https://127.0.0.1:1/score", "https://nowhere.invalid/score"])
def test_nobody_there_is_not_bad(endpoint: OnlineEndpoint, state: EndpointState, address: str) -> None:
    """A refused connection, and a name that nobody knows."""
    with pytest.raises(CouldNotAsk, match="could not be asked: the endpoint's scoring URI can't be reached"):
        ask(endpoint, replace(state, scoring_uri=address), GREEN, patience=0.5)


def test_a_request_that_nobody_answers_ends(endpoint: OnlineEndpoint, state: EndpointState, faults: Faults) -> None:
    """Within the deployment's own time, and some for the way; then it is asked again."""
    faults.add("hold", **SCORE, times=1)

    started = time.monotonic()
    ask(endpoint, state, GREEN, patience=30)

    assert 5 < time.monotonic() - started < 30


def test_an_answer_that_breaks_off_is_not_bad(endpoint: OnlineEndpoint, state: EndpointState) -> None:
    """Half an answer is none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_half_answers, args=(listener,), daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/score"

        with pytest.raises(CouldNotAsk, match="could not be asked"):
            ask(endpoint, replace(state, scoring_uri=address), GREEN, patience=0.5)


def test_another_s_answer_is_not_bad(endpoint: OnlineEndpoint, state: EndpointState) -> None:
    """A gateway that does not know the deployment yet may let another one answer."""
    body = b"[0]"
    answer = b"HTTP/1.1 200 OK\r\nazureml-model-deployment: default\r\nContent-Length: 3\r\n\r\n" + body
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_half_answers, args=(listener, answer), daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/score"

        with pytest.raises(CouldNotAsk, match="HTTP 200 by default"):
            ask(endpoint, replace(state, scoring_uri=address), GREEN, patience=0.5)


def test_what_waiting_cannot_cure_is_not_waited_for(
    endpoint: OnlineEndpoint, state: EndpointState, faults: Faults
) -> None:
    """403 stays 403."""
    faults.add("refuse", **SCORE, status=403, times=0)

    started = time.monotonic()
    with pytest.raises(CouldNotAsk):
        ask(endpoint, state, GREEN)

    assert time.monotonic() - started < 10


def test_smoke_test_tells_it_from_bad(live: Live, faults: Faults, tmp_path: Path) -> None:
    """Exit code 4, but no output `bad`, and no mark."""
    faults.add("drop", **SCORE, times=0)
    written = tmp_path / "output"

    result = live.run("smoke_test", GREEN, "--patience", 0.5, "--rollout", ROLLOUT, GITHUB_OUTPUT=str(written))

    assert (result.exit_code, written.exists()) == (4, False)
    assert "So nothing is known of its answers, and the traffic is as it was." in result.stderr


# what is found bad


@pytest.mark.parametrize("fault", [{"status": 500}, {"crash": True}])
def test_a_container_that_fails_all_the_time_is_bad(
    endpoint: OnlineEndpoint, state: EndpointState, faults: Faults, fault: dict[str, object]
) -> None:
    """424, or the gateway's 5xx in its name: it was reached, and does not answer."""
    faults.add("misbehave", endpoint=state.name, deployment=GREEN, **fault)

    with pytest.raises(FoundBad, match=r"request 0: HTTP (424|50[234])"):
        ask(endpoint, state, GREEN, patience=0.5)


def test_patience_is_for_all_requests_together(endpoint: OnlineEndpoint, state: EndpointState, faults: Faults) -> None:
    """Not once more for each of them."""
    faults.add("misbehave", endpoint=state.name, deployment=GREEN, status=500)

    started = time.monotonic()
    with pytest.raises(FoundBad) as found:
        ask(endpoint, state, GREEN, patience=2)

    assert len(found.value.failures) > 10
    assert time.monotonic() - started < 8


def test_what_was_found_is_found(endpoint: OnlineEndpoint, state: EndpointState, faults: Faults) -> None:
    """After a wrong answer, that the next can't be asked for makes it no better."""
    faults.add("misbehave", endpoint=state.name, deployment=GREEN, status=500, times=1)
    faults.add("refuse", **SCORE, status=503, skip=1, times=0)

    with pytest.raises(FoundBad, match=r"(?s)request 0: HTTP (424|50[234]).*request 1: .*could not be asked"):
        ask(endpoint, state, GREEN, patience=0)


def test_without_labels_a_prediction_for_each_row_is_enough(endpoint: OnlineEndpoint, state: EndpointState) -> None:
    """An update from a file erases the tags; what the model may answer is not known then."""
    bare = replace(state, deployments={name: replace(d, tags={}) for name, d in state.deployments.items()})

    ask(endpoint, bare, GREEN)


# what smoke_test leaves


def test_green_is_asked_where_nobody_is_named(live: Live) -> None:
    """The deployment that waits for its share."""
    assert json.loads(live.do("smoke_test"))["deployment"] == GREEN


def test_a_failure_is_kept_for_the_next_review(live: Live, endpoint: OnlineEndpoint, tmp_path: Path) -> None:
    """The output `bad`, and with --rollout a mark under the same split."""
    before = endpoint.read()
    arguments = ("smoke_test", GREEN, "--labels", "[0]")

    by_hand = live.run(*arguments)
    unmarked = marks(endpoint.read())
    of_a_run = live.run(*arguments, "--rollout", ROLLOUT, GITHUB_OUTPUT=str(tmp_path / "output"))
    after = endpoint.read()

    assert (by_hand.exit_code, of_a_run.exit_code, unmarked) == (1, 1, {})
    assert outputs(tmp_path / "output") == {"bad": "true"}
    assert marks(after)[GREEN].startswith("failed its smoke test on 20") and ROLLOUT in marks(after)[GREEN]
    assert after.traffic == before.traffic


def test_a_mark_that_fails_hides_nothing(live: Live, faults: Faults) -> None:
    """What the smoke test found is told all the same."""
    faults.add("refuse", method="PUT", path=f"*/onlineEndpoints/{live.name}", status=400)

    result = live.run("smoke_test", GREEN, "--labels", "[0]", "--rollout", ROLLOUT)

    assert result.exit_code == 1
    assert "is not marked for the next review" in result.stderr
    assert "[1] are none of the labels [0]" in result.stderr


@pytest.mark.parametrize("content", ['{"data": [[1]]}', '{"input_data": {"columns": ["a"], "data": [[NaN]]}}'])
def test_a_wrong_request_file_is_wrong_usage(live: Live, tmp_path: Path, content: str) -> None:
    """Whoever writes it gets exit code 2; the deployment isn't found bad for it."""
    (tmp_path / "rows.json").write_text(content)

    result = live.run("smoke_test", GREEN, "--requests", tmp_path / "rows.json", GITHUB_OUTPUT=str(tmp_path / "out"))

    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)


@pytest.mark.parametrize("value", ["unheard of", [1], {"a": 1}])
def test_a_typo_in_a_request_makes_no_model_bad(live: Live, tmp_path: Path, value: object) -> None:
    """What the model refuses with reason is the file's fault: exit code 2, no output `bad`, and no mark."""
    frame = SAMPLE["input_data"]
    rows = [frame["data"][0], [value, *frame["data"][0][1:]]]
    (tmp_path / "rows.json").write_text(json.dumps({"input_data": {"columns": frame["columns"], "data": rows}}))
    options = ("--requests", tmp_path / "rows.json", "--patience", 0.5, "--rollout", ROLLOUT)

    result = live.run("smoke_test", GREEN, *options, GITHUB_OUTPUT=str(tmp_path / "out"))

    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "Request 0 is endpoints/sample-request.json, the others are the rows:" in result.stderr
    assert f"request 2: {frame['columns'][0]} is {value!r}, where the model asks for double" in result.stderr


HALF = b"HTTP/1.1 200 OK\r\nazureml-model-deployment: xgboost-model-2\r\nContent-Length: 100\r\n\r\n[1"


def _half_answers(listener: socket.socket, answer: bytes = HALF) -> None:
    """Answers each request, until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(answer)
