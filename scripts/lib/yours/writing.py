"""The files that make a copy its owner's, as texts by path: model/, endpoints/, README.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.lib.decisions.state import Refused

STARTS = Path(__file__).with_name("starts")
COMMON = {"train.py": "train.py", "saving.py": "saving.py"}
#: What model/ is made of, by kind: its file, and which of starts/ it was.
FILES = {
    "classification": {**COMMON, "fitting.py": "classification.py"},
    "regression": {**COMMON, "fitting.py": "regression.py"},
    "other": {**COMMON, "fitting.py": "other.py", "served.py": "served.py"},
    "folder": {"train.py": "folder.py"},
}
EXPECTED = "range: [{}, {}]  # what the data have; an answer beyond it fails the smoke test\n"
GREEN = 22  # characters: a dash and the version are appended, and a name has 32 (how-to-manage-quotas)


@dataclass(frozen=True)
class Answers:
    """What somebody said of their model: `kind` is one of FILES, `constants` are lines of train.py by their names."""

    name: str
    kind: str
    constants: Mapping[str, str]
    sample: Mapping[str, Any]
    rows: Mapping[str, Any]
    range: tuple[float, float] | None = None  # of a number that is predicted
    cluster: str = ""  # that trains, on the newest version of the asset
    asset: str = ""
    few: str = ""  # rows as a CSV, which pull requests train on where a cluster trains on all


def files(answers: Answers, tree: Path) -> dict[str, str]:
    """Every file to write, below `tree`, whose endpoints/ are changed in place."""
    green = answers.name[:GREEN].rstrip("-")
    endpoints = {
        "endpoints/endpoint.yml": {
            r"^name: \S+": f"name: {answers.name}",
            r"^description: .*": f"description: {answers.name}, an MLflow model that is rolled out progressively",
            r"^  model: \S+": f"  model: {answers.name}",
        },
        "endpoints/green-deployment.yml": {
            r"^name: .*": f"name: {green}  # the model's version is appended: {green}-2"
        },
    }
    model = {f"model/{name}": _start(start, answers) for name, start in FILES[answers.kind].items()}
    changed = {name: _changed((tree / name).read_text("utf-8"), edits, name) for name, edits in endpoints.items()}
    requests = {"sample-request": answers.sample, "smoke-requests": answers.rows}
    bodies = {f"endpoints/{name}.json": _pretty(body) for name, body in requests.items()}
    if answers.range:
        bodies["endpoints/smoke-expectations.yml"] = EXPECTED.format(*answers.range)
    if answers.cluster:
        job = (tree / "docs/job.yml").read_text("utf-8")
        bodies["model/job.yml"] = job.replace("CLUSTER", answers.cluster).replace("ASSET", answers.asset)
        bodies["model/sample.csv"] = answers.few
    readme = (STARTS / "README.md").read_text("utf-8").replace("NAME", answers.name)
    return {**model, **changed, **bodies, "README.md": readme}


def _start(name: str, answers: Answers) -> str:
    text = (STARTS / name).read_text("utf-8")
    if name not in (COMMON["train.py"], "folder.py"):
        return text
    return _changed(text, {rf"^{constant} = .*": line for constant, line in answers.constants.items()}, name)


def _changed(text: str, edits: Mapping[str, str], file: str) -> str:
    """The text with a line in the place of each that fits. Raises Refused where there is none, or more than one."""
    for pattern, line in edits.items():
        text, changes = re.subn(pattern, lambda _, line=line: line, text, flags=re.MULTILINE)  # type: ignore[misc]
        if changes != 1:
            raise Refused(f"{file} isn't the template's any more: {changes} lines fit {pattern}")
    return text


def _pretty(body: Mapping[str, Any]) -> str:
    """JSON with a line for each row."""
    frame = body["input_data"]
    if not (isinstance(frame, dict) and "columns" in frame):
        return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    rows = ",\n".join(f"      {json.dumps(row, ensure_ascii=False)}" for row in frame["data"])
    names = json.dumps(frame["columns"], ensure_ascii=False)
    head = f'    "columns": {names},\n    "index": {json.dumps(frame["index"])},\n'
    return f'{{\n  "input_data": {{\n{head}    "data": [\n{rows}\n    ]\n  }}\n}}\n'
