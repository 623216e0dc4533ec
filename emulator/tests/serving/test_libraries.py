"""Models as people have them, saved by their libraries: what an instance answers is what `predict` answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.models import background_loop, model_pool

pytestmark = pytest.mark.drill
MODELS = (
    *("iris by lightgbm", "iris as text", "iris by xgboost", "diabetes on an array", "diabetes without a word"),
    *("texts and numbers", "with parameters", "named tensors"),
)


@pytest.mark.parametrize("model", MODELS)
def test_an_instance_answers_what_predict_answers(model: str, tmp_path: Path) -> None:
    """Whichever library saved the model, and whatever it says of itself."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.libraries", model, tmp_path / "model"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    with background_loop() as run:
        pool = run(model_pool(tmp_path, tmp_path / "log"))[0]
        answer = run(pool.score(json.dumps(made["body"]).encode(), {"content-type": "application/json"}))
        run(pool.stop())

    assert answer.status == 200, (tmp_path / "log").read_text()
    assert json.loads(answer.body) == made["expected"]
