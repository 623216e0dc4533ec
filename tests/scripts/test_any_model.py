"""Models of many kinds, as MLflow saves them: registered, deployed, asked and promoted by their own words alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts import smoke_test
from scripts.lib.azure.asking import EXPECTATIONS
from scripts.lib.azure.scoring_client import ROWS, SAMPLE
from tests.support import ROOT
from tests.support.scripts import Live, repository

pytestmark = pytest.mark.drill
Body = dict[str, Any]


@dataclass
class Kind:
    """A request, an expectation that its answer doesn't meet, and of how many wrong requests it must refuse each."""

    sent: Any
    bad: str
    wrong: int
    params: Body = field(default_factory=dict)


def frame(columns: list[str], *rows: list[Any]) -> Body:
    return {"columns": columns, "index": [*range(len(rows))], "data": [*rows]}


CUSTOMERS = frame(["since", "active", "spent"], ["2024-05-01", True, 1.5], ["2021-05-01T10:00:00", False, 2])
KINDS = {
    "regression": Kind(frame(["a", "b"], [0.5, 1.0], [9.0, 1]), "range: [90, null]", wrong=2),
    "tensor": Kind([[0.5, 1.0], [9.0, 1]], "range: [0, 0.01]", wrong=1),
    "words": Kind(frame(["a", "b"], [0.5, 1.0]), "labels: [medium]", wrong=2),
    "table": Kind(CUSTOMERS, "columns: {stays: {range: [2, 3]}}", wrong=2, params={"most": 0.75}),
    "text": Kind(frame(["text"], ["a text"], ["abc"]), "labels: [other]", wrong=1),
    "named-tensors": Kind({"a": [[1.5, 2], [3, 4]], "b": [1.5, 2]}, "range: [900, null]", wrong=2),
    "bare": Kind(frame(["a", "b"], [1, "x"]), "range: [9, null]", wrong=0),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    subprocess.run([sys.executable, "-m", "tests.support.model_kinds", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def deployed(
    request: pytest.FixtureRequest, azure: dict[str, str], saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kind, Live]]:
    kind, live = KINDS[request.param], Live(f"any-{request.param}")
    with repository(tmp_path_factory.mktemp("any"), model=live.name):
        body = {"input_data": kind.sent} | ({"params": kind.params} if kind.params else {})
        SAMPLE.write_text(json.dumps(body))
        ROWS.write_text(json.dumps([body]))
        live.do("create_endpoint")
        live.do("deploy", "--version", live.do("register_model", saved / request.param))
        yield kind, live


def test_a_model_of_any_kind_gets_traffic(deployed: tuple[Kind, Live], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers are what it promises itself, and it refuses what its signature doesn't allow."""
    kind, live = deployed
    refused: list[str] = []
    real = smoke_test.wrong_input
    monkeypatch.setattr(smoke_test, "wrong_input", lambda ask, bodies: refused.extend(bodies) or real(ask, bodies))

    tested = live.run("smoke_test", "default")
    live.do("promote", "--percent", 100)

    assert tested.exit_code == 0, tested.output
    assert len(refused) == kind.wrong, refused
    assert live.traffic == {"default": 100}


def test_what_it_answers_wrongly_is_found(deployed: tuple[Kind, Live], tmp_path: Path) -> None:
    """By the file beside the requests."""
    kind, live = deployed
    EXPECTATIONS.write_text(kind.bad)

    tested = live.run("smoke_test", "default", GITHUB_OUTPUT=str(tmp_path / "output"))

    EXPECTATIONS.unlink()
    assert (tested.exit_code, (tmp_path / "output").read_text()) == (1, "bad=true\n"), tested.output
