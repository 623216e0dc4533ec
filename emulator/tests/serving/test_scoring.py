"""What an instance answers: Azure's no-code scorer over Microsoft's server. The models echo, which shows the casts."""

import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from azureml_emulator.serving.pool import Answer, Pool
from tests.support.models import background_loop, model_pool, puppet_model

Ask = Callable[..., Answer]
JSON = {"content-type": "application/json"}
COLUMNS = [
    {"type": "long", "name": "a", "required": True},
    {"type": "double", "name": "b", "required": True},
    {"type": "string", "name": "c", "required": True},
]
TENSOR = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
VECTOR = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}
MODELS: dict[str, dict[str, Any]] = {
    "signature": {"inputs": COLUMNS},
    "example": {"inputs": COLUMNS, "example": {"columns": ["a", "b", "c"], "data": [[1, 2, "x"]]}},
    "nothing": {"inputs": []},
    "tensor": {"inputs": [TENSOR]},
    "named tensors": {"inputs": [{"name": "x", **VECTOR}, {"name": "y", **VECTOR}]},
}


@pytest.fixture(scope="module")
def logs() -> dict[str, Path]:
    """What the container of each of MODELS printed."""
    return {}


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory, logs: dict[str, Path]) -> Iterator[Ask]:
    """Sends a body to an instance of one of MODELS."""
    with background_loop() as run:
        pools: dict[str, Pool] = {}
        for name, description in MODELS.items():
            folder = tmp_path_factory.mktemp("model")
            puppet_model(folder / "mlflow", **description)
            logs[name] = folder / "log"
            pools[name] = run(model_pool(folder, logs[name]))[0]

        def send(body: Any, model: str = "signature", headers: dict[str, str] = JSON) -> Answer:
            data = body if isinstance(body, bytes | str) else json.dumps(body).encode()
            return run(pools[model].score(data, headers))

        yield send
        for pool in pools.values():
            run(pool.stop())


def split(*rows: list[Any], columns: str = "abc", **more: Any) -> dict[str, Any]:
    """A body in split form."""
    return {"input_data": {"columns": list(columns), "data": list(rows), **more}}


def test_rows_in_split_form_are_answered_with_a_json_list(ask: Ask) -> None:
    """One prediction for each row; the index is optional."""
    rows = [[7, 0.5, "x"], [8, 1.5, "y"]]

    plain, indexed = ask(split(*rows)), ask(split(*rows, index=[5, 6]))

    assert plain.status == 200
    assert json.loads(plain.body) == json.loads(indexed.body) == [dict(zip("abc", row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("sent", "seen"), [(63.9, 63), ("63", 63), (True, 1)], ids=["fraction", "text that is a number", "boolean"]
)
def test_what_goes_into_a_long_column_is_cast_silently(ask: Ask, sent: Any, seen: int) -> None:
    """inference-schema casts before MLflow checks."""
    answer = ask(split([sent, 0.5, "x"]))

    assert json.loads(answer.body)[0]["a"] == seen


def test_the_saved_example_goes_before_the_signature(ask: Ask) -> None:
    """An example frame of integers makes 2.3 an integer, which MLflow then refuses for a double column."""
    answer = ask(split([7, 2.3, "x"]), model="example")

    assert answer.status == 500


def test_columns_nobody_asked_for_pass(ask: Ask) -> None:
    """They are dropped by MLflow's own check of the signature, not refused."""
    answer = ask(split([7, 0.5, "x", "more"], columns="abcd"))

    assert (answer.status, json.loads(answer.body)) == (200, [{"a": 7, "b": 0.5, "c": "x"}])


@pytest.mark.parametrize(
    "body",
    [
        split([None, 0.5, "x"]),
        split(["many", 0.5, "x"]),
        split([0.5, "x"], columns="bc"),
        split([7, 0.5], columns="abc"),
        {"input_data": [{"a": 7, "b": 0.5, "c": "x"}]},
        {"input_data": "a,b,c"},
        {"input_data": None},
    ],
    ids=["null in long", "text in long", "missing column", "short row", "records", "text", "null"],
)
def test_input_that_does_not_fit_fails_in_run(ask: Ask, body: Any) -> None:
    """inference-schema raises inside run(), which Microsoft's server answers with 500 and says no more."""
    answer = ask(body)

    assert (answer.status, answer.headers["x-ms-run-function-failed"]) == (500, "True")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b"{}", b'{"dataframe_split": {"columns": ["a"], "data": [[1]]}}'],
    ids=["nothing", "no JSON", "a list", "an empty object", "dataframe_split"],
)
def test_a_body_without_input_data_is_bad_input(ask: Ask, body: bytes) -> None:
    """It never reaches the model."""
    answer = ask(body)

    assert answer.status == 400
    assert b"message" in answer.body


def test_csv_is_an_unsupported_media_type(ask: Ask) -> None:
    """Only JSON comes in."""
    answer = ask(b"a,b,c\n1,0.5,x\n", headers={"content-type": "text/csv"})

    assert answer.status == 415


def test_a_list_is_taken_as_a_tensor(ask: Ask) -> None:
    """Cast to the signature's type."""
    answer = ask({"input_data": [[1, 2], [3, 4]]}, model="tensor")

    assert (answer.status, json.loads(answer.body)) == (200, [[1.0, 2.0], [3.0, 4.0]])


def test_an_object_is_taken_as_named_tensors(ask: Ask) -> None:
    """Cast to the signature's types; inference-schema knows them by name."""
    answer = ask({"input_data": {"x": [1, 2], "y": [3, 4]}}, model="named tensors")

    assert (answer.status, json.loads(answer.body)) == (200, {"x": [1.0, 2.0], "y": [3.0, 4.0]})


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ({"columns": ["a"], "index": [0], "data": [[1]]}, [{"a": 1}]),
        ({"columns": ["a"], "index": [0, 1], "data": [[1], [None]]}, [{"a": 1.0}, {"a": None}]),
        ({"columns": ["a"], "data": [[1]]}, {"columns": ["a"], "data": [[1]]}),
        ({"x": [1, 2]}, {"x": [1, 2]}),
        ({"input_data": {"x": [1]}}, {"x": [1]}),
        ([[1, 2]], [[1, 2]]),
        ("[[1, 2]]", [[1, 2]]),
        ('{"x": [1]}', {"x": [1]}),
    ],
    ids=["a frame", "a null", "a frame without index", "names", "twice wrapped", "a list", "a text", "a text of names"],
)
def test_without_signature_and_example_the_form_decides(ask: Ask, sent: Any, seen: Any) -> None:
    """Only an index makes a frame; nulls become NaN, which JSON has as null; a text is parsed."""
    answer = ask({"input_data": sent}, model="nothing")

    assert answer.status == 200
    assert json.loads(answer.body.replace(b"NaN", b"null")) == seen


@pytest.mark.parametrize("sent", ["no JSON", 7])
def test_without_signature_and_example_the_rest_fails(ask: Ask, sent: Any) -> None:
    """In run(), as Azure's does."""
    assert ask({"input_data": sent}, model="nothing").status == 500


def test_what_differs_from_the_model_s_requirements_is_in_the_log(ask: Ask, logs: dict[str, Path]) -> None:
    """Both versions, of packages and of Python."""
    assert ask({"input_data": [1]}, model="nothing").status == 200

    text = logs["nothing"].read_text()
    assert f"numpy (current: {numpy.__version__}, required: numpy==1.0.1)" in text
    assert "3.9.1" in text and platform.python_version() in text


def test_swagger_describes_input_parameters_and_output(ask: Ask) -> None:
    """As Microsoft's server makes it."""
    answer = ask("version=3", model="signature", headers={})

    document = json.loads(answer.body)
    assert answer.status == 200
    assert set(document["components"]["schemas"]["ServiceInput"]["properties"]) == {"input_data", "params"}


def test_parameters_are_optional(ask: Ask) -> None:
    """`params` beside input_data does not disturb a model that has none."""
    answer = ask({**split([7, 0.5, "x"]), "params": {}})

    assert answer.status == 200
