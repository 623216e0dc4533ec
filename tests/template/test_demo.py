"""`make demo` is red when one of its clients was not answered well."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from azureml_emulator.lock import locked
from azureml_emulator.workflows.act import commit, copy_tree
from demo.__main__ import main, report
from demo.clients import DEPLOYMENT, Clients
from scripts.lib.azure.scoring_client import ROWS
from tests.support import ROOT
from tests.support.scripts import SAMPLE


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file with requests of one row each, whatever this repository's are."""
    path = tmp_path / ROWS.name
    path.write_text(json.dumps(SAMPLE))
    return path


@contextmanager
def answering(status: int, body: str, deployment: str = "", asked: list[bytes] | None = None) -> Iterator[str]:
    """The address of a server that answers every request so, and keeps what was `asked`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if asked is not None:
                asked.append(content)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if deployment:
                self.send_header(DEPLOYMENT, deployment)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/score"
        server.shutdown()
        thread.join()


def ask(url: str, rows: Path, trusted: Collection[str] = ()) -> Clients:
    """Clients that have asked for a while."""
    clients = Clients(rows)
    clients.trusted = trusted
    clients.start(url, "key")
    deadline = time.monotonic() + 30
    while not (clients.answers or clients.problems or clients.excused) and time.monotonic() < deadline:
        time.sleep(0.05)
    clients.stop()
    return clients


def test_good_answers_are_counted(capsys: pytest.CaptureFixture[str], rows: Path) -> None:
    """One prediction from a deployment that says its name is an answer, and the demo is content."""
    with answering(200, "[1]", "blue") as url:
        clients = ask(url, rows)

    report(clients)

    assert f"{len(clients.answers)} requests were answered by blue\nnone failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [(503, "busy", "blue"), (200, "[]", "blue"), (200, "[1, 0]", "blue"), (200, "no JSON", "blue"), (200, "[1]")],
    ids=str,
)
def test_a_bad_answer_is_red(answer: tuple[int, str], rows: Path) -> None:
    """An error, another number of predictions or no deployment's name: the demo ends with an error that says so."""
    with answering(*answer) as url:
        clients = ask(url, rows)

    assert clients.answers == []
    with pytest.raises(click.ClickException, match="requests failed: "):
        report(clients)


def test_no_answer_is_red(rows: Path) -> None:
    """Where nobody listens, the demo ends with an error that says so."""
    with answering(200, "[1]") as url:
        pass

    with pytest.raises(click.ClickException, match="requests failed: no answer"):
        report(ask(url, rows))


@pytest.mark.parametrize(
    ("by", "trusted", "excused"),
    [("green", {"blue"}, True), ("blue", {"blue"}, False), ("", {"blue"}, False), ("green", (), False)],
)
def test_only_a_bad_model_may_fail(by: str, trusted: Collection[str], excused: bool, rows: Path) -> None:
    """Green, while somebody else is trusted; nobody who isn't named, and green no more once it is taken back."""
    with answering(424, "broken", by) as url:
        clients = ask(url, rows, trusted)

    assert ({*clients.excused}, bool(clients.problems)) == ({by} if excused else set(), not excused)


def test_one_request_in_ten_is_the_rare_one(rows: Path) -> None:
    """Of each client's."""
    asked: list[bytes] = []
    clients = Clients(rows, rare={"input_data": "rare"})
    clients.pause = 0
    with answering(200, "[1]", "blue", asked) as url:
        clients.start(url, "key")
        while len(clients.answers) + len(clients.problems) < 100:
            time.sleep(0.05)
        clients.stop()

    assert len(asked) // 10 - 2 <= sum(b"rare" in body for body in asked) <= len(asked) // 10


def test_one_failure_among_many_is_red(rows: Path) -> None:
    """Good answers don't make up for a bad one."""
    clients = Clients(rows)
    clients.answers += ["blue"] * 1000
    clients.problems.append("502: gone")

    with pytest.raises(click.ClickException, match=r"1 request failed: 502: gone"):
        report(clients)


def test_a_demo_without_requests_is_red(rows: Path) -> None:
    """That none failed says nothing where none was made."""
    with pytest.raises(click.ClickException, match="nobody asked"):
        report(Clients(rows))


def test_nothing_to_train_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the model is trained elsewhere no merge rolls out, so there is nothing to show."""
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, [])

    assert result.exit_code == 2 and "trained elsewhere" in result.stderr


@pytest.mark.parametrize("used", [True, False])
def test_what_is_kept_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
    """A second demo that is to stay tells which process the first one left, and how to end it."""
    monkeypatch.chdir(tmp_path)
    Path(".emulator").mkdir()
    with locked(Path(".emulator")) if used else nullcontext():
        result = CliRunner().invoke(main, ["--keep"])

    way = f"kill {os.getpid()} (the emulator that uses it) && rm -r .emulator" if used else "First: rm -r .emulator"
    assert result.exit_code == 2 and way in result.stderr


@pytest.mark.drill
def test_a_failed_request_ends_the_demo_red(tmp_path: Path, outside: dict[str, str]) -> None:
    """One request of a client that fails while all rollouts pass, and `python -m demo` ends with exit code 1."""
    copy_tree(ROOT, tree := tmp_path / "tree")
    fault = ["fault", "--state", ".emulator", "add", "misbehave", "--status", "500", "--times", "1"]
    environ = {**outside, "PYTHONUNBUFFERED": "1"}
    options = {"cwd": tree, "env": environ, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([sys.executable, "-m", "demo", "--keep"], **options) as demo:
        told = []
        for line in demo.stdout or ():
            told.append(line)
            if line.startswith("Second rollout"):  # it trains first: only the clients ask now
                subprocess.run([sys.executable, "-m", "azureml_emulator", *fault], cwd=tree, check=True)

    assert demo.returncode == 1, "".join(told)
    assert "Error: 1 request failed: 424" in told[-1]


@pytest.mark.drill
def test_a_rollout_that_deploys_nothing_ends_the_demo_red(tmp_path: Path, outside: dict[str, str]) -> None:
    """Another seed that makes the same model rolls nothing out: the demo says so, though no request failed."""
    copy_tree(ROOT, tree := tmp_path / "tree")
    train = tree / "model/train.py"
    code, changed = re.subn(
        r'(def main\(.*?""".*?""")', r"\1\n    seed = 7", train.read_text(), count=1, flags=re.DOTALL
    )
    assert changed
    train.write_text(code)
    (tree / "model/job.yml").write_text("compute: azureml:none\n")  # nor has the demo a cluster to wait for
    commit(tree, "A model that knows no seed")

    demo = subprocess.run([sys.executable, "-m", "demo"], cwd=tree, env=outside, capture_output=True, text=True)

    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "Second rollout" in demo.stdout
    assert "Error: the rollout deployed nothing" in demo.stderr
