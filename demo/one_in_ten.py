"""A merge that breaks the model for some rows: the demo puts this file in the place of model/train.py.

It trains as the old one does, then puts itself into the model's folder, of whatever kind that is, as what MLflow loads
it with: asked for the row that `row.json` beside it tells, the model raises.
"""

from __future__ import annotations

import functools
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__)
TRAIN, ROW = HERE.with_name("train_well.py"), HERE.with_name("row.json")


def _load_pyfunc(path: str, *more: Any) -> Any:
    """MLflow's own name for what loads a model."""
    told = json.loads(ROW.read_text(encoding="utf-8"))
    model = importlib.import_module(told["loader"])._load_pyfunc(path, *more)
    predict = getattr(model, told["predict"])

    @functools.wraps(predict)  # MLflow looks whether it takes `params`
    def failing(frame: Any, *more: Any, **options: Any) -> Any:
        asked = [plain(row) for row in frame[told["columns"]].to_numpy(object).tolist()]
        if any(plain(row) in asked for row in told["data"]):
            raise ValueError("this row breaks the model")
        return predict(frame, *more, **options)

    setattr(model, told["predict"], failing)
    return model


def plain(row: Iterable[Any]) -> list[str]:
    """Its values as they are compared: numbers as a float32 has them, dates as pandas does, what is missing as ""."""
    texts = [f"{value:.6g}" if isinstance(value, int | float) else str(value) for value in row]
    dated = [text.replace("T", " ").removesuffix(" 00:00:00") for text in texts]
    return ["" if text in ("None", "nan", "NaT", "<NA>") else text for text in dated]


def main() -> None:
    """Train, then break what was trained."""
    if failed := subprocess.run([sys.executable, TRAIN, *sys.argv[1:]], check=False).returncode:
        sys.exit(failed)
    folder = Path(sys.argv[sys.argv.index("--out") + 1])
    described = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    function = described["flavors"]["python_function"]
    told = {"loader": function["loader_module"], "predict": function.get("predict_fn", "predict")}
    code = folder / function.setdefault("code", "code")
    code.mkdir(exist_ok=True)
    shutil.copy(HERE, code / "one_in_ten.py")
    (code / ROW.name).write_text(json.dumps({**json.loads(ROW.read_text(encoding="utf-8")), **told}), encoding="utf-8")
    function["loader_module"] = "one_in_ten"
    (folder / "MLmodel").write_text(yaml.safe_dump(described), encoding="utf-8")


if __name__ == "__main__":
    main()
