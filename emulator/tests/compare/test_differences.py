"""What counts as a difference between two traces, and what doesn't."""

from __future__ import annotations

from typing import Any

import pytest

from azureml_emulator.compare.differences import differences

PROVIDER = "providers/Microsoft.MachineLearningServices"
W = f"/subscriptions/<subscription>/resourceGroups/<group>/{PROVIDER}/workspaces/<workspace>"
POLL = f"/subscriptions/<subscription>/{PROVIDER}/locations/<name-1>/mfeOperationsStatus/<name-2>"
BLOB = "/<name-1>/LocalUpload/<name-2>"
Call = dict[str, Any]


def call(body: Any = None, path: str = f"{W}/models/<own>", status: int | None = 200, **headers: str) -> Call:
    asked = {"method": "GET", "path": path, "query": {}, "sent": None}
    return {
        **asked,
        "status": status,
        "headers": {name.replace("_", "-"): it for name, it in headers.items()},
        "body": body,
    }


@pytest.mark.parametrize(
    ("azure", "local", "found"),
    [
        (call(status=201), call(), "status: 201 in Azure, 200 here"),
        (call({"error": {"code": "A"}}), call({"error": {"code": "B"}}), "body.error.code: 'A' in Azure, 'B' here"),
        (call({"status": "Updating"}), call({"status": "Done"}), "body.status: 'Updating' in Azure, 'Done' here"),
        (call({"a": 1}), call({}), "body.a: in Azure alone, a number"),
        (call({}), call({"a": {"b": 1}}), "body.a: here alone, an object"),
        (call({"a": None}), call({"a": "b"}), "body.a: null in Azure, a text here"),
        (call({"a": True}), call({"a": 1}), "body.a: a boolean in Azure, a number here"),
        (call([{"a": 1}]), call([{"a": []}]), "body[0].a: a number in Azure, a list here"),
        (call([1, 2]), call([1]), "body: 2 items in Azure, 1 items here"),
        (call([{"name": "b"}, {"name": "a"}]), call([{"name": "a"}]), "body.b: in Azure alone, an object"),
        (call(), call("3 bytes"), "body: null in Azure, a text here"),
        (call(Location="a"), call(), "header location: in Azure's answer alone"),
        (call(), call(x_ms_error_code="a"), "header x-ms-error-code: in the answer here alone"),
    ],
)  # fmt: skip
def test_is_one(azure: Call, local: Call, found: str) -> None:
    """A status, a word of the API, a key, a type, a number of items, a header that clients read: with where it is."""
    assert differences([azure], [local]) == [f"GET …/models/<own>  {found}"]


@pytest.mark.parametrize(
    ("azure", "local"),
    [
        ([call({"a": "x", "b": 1, "c": [0.0]})], [call({"a": "y", "b": 2.5, "c": [3]})]),
        ([call({"message": "so", "code": "A"})], [call({"message": "otherwise", "code": "A"})]),
        ([call([{"name": "b", "c": 1}, {"name": "a"}])], [call([{"name": "a"}, {"name": "b", "c": 1}])]),
        ([call({"<name-1>": 1}, f"{W}/<name-7>")], [call({"<workspace>": 1}, f"{W}/<name-8>")]),
        ([call(x_ms_request_id="a")], [call(Server="b")]),
        ([call({"status": state}, POLL) for state in ("New", "Updating", "Done")], [call({"status": "Done"}, POLL)]),
        ([call(status=503), call(status=None), call()], [call()]),
        ([call(path=f"{BLOB}/{name}") for name in "ab"], [call(path=f"{BLOB}/{name}") for name in "ba"]),
    ],
)  # fmt: skip
def test_is_none(azure: list[Call], local: list[Call]) -> None:
    """Not a value, an order in a list, a mask's number, Azure's other headers; nor what time and the network bring."""
    assert differences(azure, local) == []


def test_a_call_that_one_side_alone_was_asked() -> None:
    """It is said, and what comes after it is compared as before."""
    asked = [call(path=f"{W}/a"), call({"a": 1}, f"{W}/b")]

    assert differences([call(path=f"{W}/new"), *asked], [*asked, call(path=f"{W}/old")]) == [
        "GET …/new  is asked of Azure alone",
        "GET …/old  is asked here alone",
    ]


def test_the_same_again() -> None:
    """What differs in each answer to a call is one line."""
    azure, local = [call({}), call({}, f"{W}/b")] * 3, [call({"a": 1}), call({}, f"{W}/b")] * 3

    assert differences(azure, local) == ["GET …/models/<own>  body.a: here alone, a number  (3 times)"]
