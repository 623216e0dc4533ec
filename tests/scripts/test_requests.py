"""The files of requests: whole bodies of each form that Azure takes, and rows of a frame one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from scripts.lib.azure.scoring_client import load_requests
from scripts.lib.decisions.requests import each, rows

TENSOR = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}


def test_each_row_is_asked_alone() -> None:
    """A frame of three rows makes three requests, with what stands beside it."""
    body = {"input_data": {"columns": ["a", "b"], "data": [[1, 2], [3, None], [5, 6]]}, "params": {"p": 1}}

    sent = each(body)

    assert [it["input_data"]["data"] for it in sent] == [[[1, 2]], [[3, None]], [[5, 6]]]
    assert all(it["input_data"] | {"data": 0} == {"columns": ["a", "b"], "index": [0], "data": 0} for it in sent)
    assert all(it["params"] == {"p": 1} for it in sent)


@pytest.mark.parametrize("sent", [[[1, 2], [3, 4]], {"a": [[1], [2]]}, {"a": [1], "data": [2]}, "[[1]]"])
def test_what_is_no_frame_is_sent_whole(sent: Any) -> None:
    """A list, tensors by name, JSON in a text."""
    assert each({"input_data": sent}) == [{"input_data": sent}]


def test_a_file_may_hold_several_requests() -> None:
    """Each as if it stood alone."""
    frame = {"columns": ["a"], "index": [7, 8], "data": [[1], [2]]}

    assert len(each([{"input_data": frame}, {"input_data": [[1]], "params": {"p": 1}}])) == 3


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "no request"),
        ({}, "input_data"),
        (3, "input_data"),
        ([[1]], "input_data"),
        ({"data": [[1]]}, "input_data"),
        ({"input_data": []}, "empty"),
        ({"input_data": None}, "empty"),
        ({"input_data": [[1]], "parms": {}}, "has no parms"),
        ({"input_data": [[1]], "params": [1]}, "names and values"),
        ({"input_data": {"columns": ["a"], "data": []}}, "a frame must be"),
        ({"input_data": {"columns": [], "data": [[]]}}, "a frame must be"),
        ({"input_data": {"columns": ["a"], "data": [[1, 2]]}}, "a frame must be"),
        ({"input_data": {"columns": ["a"], "data": 3}}, "a frame must be"),
        ({"input_data": {"data": [[1]]}}, "a frame must be"),
        ({"input_data": {"columns": ["a"], "index": [0], "data": 3}}, "a frame must be"),
    ],
)
def test_what_azure_takes_for_no_request_is_wrong_usage(tmp_path: Path, content: Any, why: str) -> None:
    """With the file's name, and what must be there."""
    path = tmp_path / "requests.json"
    path.write_text(json.dumps(content))

    with pytest.raises(click.BadParameter, match=f"requests.json: .*{why}"):
        load_requests(path)


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    """With its name, instead of a traceback."""
    with pytest.raises(click.BadParameter, match="is missing"):
        load_requests(tmp_path / "requests.json")


@pytest.mark.parametrize(
    ("sent", "takes", "count"),
    [
        ({"columns": ["a"], "data": [[1], [2]]}, None, 2),
        ([[1, 2], [3, 4]], None, None),  # it may be one picture of two lines
        ([[1, 2], [3, 4]], [TENSOR], 2),
        ({"a": [[1, 2]], "b": [[3, 4]]}, [{**TENSOR, "name": "a"}, {**TENSOR, "name": "b"}], 1),
        ([[1, 2]], [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [1, 2]}}], None),
        ([1, 2], [{"type": "double"}], None),
        ({"a": [[1, 2]], "b": [[1, 2], [3, 4]]}, [{**TENSOR, "name": "a"}, {**TENSOR, "name": "b"}], None),
        ({"a": [[1, 2]], "b": 3}, [{**TENSOR, "name": "a"}], 1),
    ],
)
def test_how_many_rows_a_request_has(sent: Any, takes: Any, count: int | None) -> None:
    """A frame says so itself; of a tensor it is known where the signature leaves its first dimension free."""
    assert rows({"input_data": sent}, takes) == count
