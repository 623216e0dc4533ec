"""What make_it_yours asks for. Each question is an option; where nobody can be asked, its default holds."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.lib.cli import paths
from scripts.lib.cli.names import endpoint
from scripts.lib.decisions import model_example, model_folder, model_tags, servable, signature
from scripts.lib.decisions.metrics import better_sign
from scripts.lib.decisions.state import Refused
from scripts.lib.yours import table
from scripts.lib.yours.writing import Answers

if TYPE_CHECKING:
    import pandas as pd

KINDS = tuple(table.METRICS)
DATA, FOLDER = Path("model/data.csv"), Path("model/mlflow")
SAMPLE = Path("model/sample.csv")  # all of the data that git has where a cluster trains
FEWEST = 5  # rows of each label: one for each fold
#: What says how a model is trained, and nothing of one that is there.
TRAINED = ("kind", "data", "target", "columns", "cluster", "asset")
CLUSTER = r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]"
ASSET = r"[A-Za-z0-9][\w.-]*"
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What to write, and what to copy: a CSV, a model folder, or nothing where only a sample of the data is written."""

    answers: Answers
    source: Path | None
    target: Path


def ask(given: Given, option: str, question: str, default: Any = None, kind: Any = None) -> Any:
    """The option's value, else what somebody types. Raises UsageError where nobody can, and there is no default."""
    if given[option] is not None:
        return given[option]
    if sys.stdin.isatty():
        return click.prompt(question, default=default, type=kind, err=True)
    if default is None:
        raise click.UsageError(f"--{option} is missing, and nobody is here to be asked.")
    return default


def asked(given: Given) -> Wanted:
    """Raises Refused for data that no model of the kind can be made of, UsageError for what isn't there."""
    name = endpoint(ask(given, "name", "Name of the endpoint and the registered model"))
    if given["model"]:
        if vain := [option for option in TRAINED if given[option]]:
            raise click.UsageError(f"--{vain[0]} says how a model is trained, and --model is one: give one of them.")
        return _folder(name, given)
    kind = ask(given, "kind", "What the model predicts", kind=click.Choice(KINDS))
    data = ask(given, "data", "CSV, or Parquet, to train on", kind=paths.FILE)
    return _csv(name, kind, data, given)


def _csv(name: str, kind: str, data: Path, given: Given) -> Wanted:
    read = table.read(data)
    target = ask(given, "target", "Column to predict", default=str(read.columns[-1]))
    others = _listed([str(column) for column in read.columns if column != target])
    columns = _columns(ask(given, "columns", "Columns to predict from", default=others), [*read.columns])
    if missing := [column for column in (target, *columns) if column not in read.columns]:
        raise click.UsageError(f"{data} has no column {', '.join(missing)}; it has {', '.join(map(str, read.columns))}")
    if target in columns or not columns or len({*columns}) < len(columns):
        why = f"{target} is what is to be predicted" if target in columns else "it names none, or one twice"
        raise click.UsageError(f"--columns {_listed(columns)}: {why}")
    if gaps := int(read[target].isna().sum()):
        click.echo(f"{gaps} of {len(read)} rows have no {target}: they are left out", err=True)
    read = table.known(read, target)
    _fits(kind, read[target])
    metric = ask(given, "metric", "Metric of the gate", default=_metric(kind, read[target]), kind=_metrics(kind))
    if metric not in table.METRICS[kind]:
        raise click.UsageError(f"--metric {metric}: of {kind} there is {', '.join(table.METRICS[kind])}")
    less = better_sign(metric, {}) < 0
    question = f"{'Most' if less else 'Least'} {metric} to roll out; whoever guesses reaches"
    bound = _bound(given, question, table.guessing(read[target], metric))
    types = table.kinds(read, columns)
    cluster = ask(given, "cluster", "Compute cluster to train on; empty: the workflow's runner", default="")
    if given["asset"] and not cluster:
        raise click.UsageError(f"--asset {given['asset']} is what a --cluster trains on: name that, too")
    asset = ask(given, "asset", "Data asset that it trains on", default=name) if cluster else ""
    _form("--cluster", cluster, CLUSTER, "3 to 24 letters, digits and dashes, a letter first")
    _form("--asset", asset, ASSET, "letters, digits, dots, dashes and underscores, without a version")
    few = table.sample(read, target) if cluster else ""
    kept = SAMPLE if cluster else DATA.with_suffix(".parquet") if data.suffix == ".parquet" else DATA
    constants = {
        "DATA": f'DATA = "{kept.as_posix()}"',
        "TARGET": f"TARGET = {target!r}",
        "COLUMNS": f"COLUMNS = {types!r}  # the features, as callers send them: double, boolean or string",
        "METRIC, BOUND": f"METRIC, BOUND = {json.dumps(metric)}, {float(bound)}  # a worse model is not rolled out",
    }
    sample, rows = table.requests(read, types)
    ends = (float(read[target].min()), float(read[target].max())) if kind == "regression" else None
    return Wanted(
        Answers(name, kind, constants, sample, rows, ends, cluster, asset, few), None if cluster else data, kept
    )


def _bound(given: Given, question: str, default: float | None) -> float:
    bound = float(ask(given, "bound", question, default=default, kind=float))
    if not math.isfinite(bound):
        raise click.UsageError(f"--bound {bound} is no number to reach")
    return bound


def _form(option: str, name: str, form: str, what: str) -> None:
    """Raises UsageError for a name that Azure doesn't take."""
    if name and not re.fullmatch(form, name, re.ASCII):
        raise click.UsageError(f"{option} {name} is no such name: {what}")


def _listed(columns: list[str]) -> str:
    """With commas between, as a CSV's head: a name that has one stands in quotes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    return text.getvalue()[:-1]


def _columns(text: str, known: list[str]) -> list[str]:
    """The names in a text, which may have a space after each comma, unless the names themselves begin with one."""
    plain, spaced = (
        next(csv.reader(io.StringIO(text, newline=""), skipinitialspace=skip), []) for skip in (False, True)
    )
    return plain if {*plain} <= {*known} else spaced


def _metrics(kind: str) -> click.Choice[str]:
    return click.Choice(table.METRICS[kind])


def _metric(kind: str, target: pd.Series) -> str:
    return "pinball_loss" if kind == "other" and table.is_amount(target) else table.METRICS[kind][0]


def _fits(kind: str, target: pd.Series) -> None:
    from pandas.api import types

    if kind == "regression" and not types.is_numeric_dtype(target):
        raise Refused(f"{target.name} holds no numbers: a regression needs them")
    if len(target) < FEWEST or target.nunique() < 2:
        found = f"{target.name} has {target.nunique()} different values in {len(target)} rows"
        raise Refused(f"{found}: a model needs 2 in {FEWEST} rows at least")
    if kind == "regression" or (kind == "other" and table.is_amount(target)):
        return
    if table.has_fractions(target):
        raise Refused(f"{target.name} holds numbers with fractions, which are no labels: --kind regression")
    counts = target.value_counts()
    if counts.min() < FEWEST:
        few = ", ".join(f"{label} has {count}" for label, count in counts[counts < FEWEST].items())
        raise Refused(f"{target.name} needs {FEWEST} rows of each label: {few}")


def _folder(name: str, given: Given) -> Wanted:
    folder: Path = given["model"]
    model_folder.digest(folder)  # which reads it all, as a rollout will
    stands = servable.check(folder)
    for line in (*stands.cannot, *stands.may_not):
        click.echo(f"Azure may not serve it: {line}", err=True)
    described = model_folder.mlmodel(folder)
    found = model_example.example(folder, described)
    made = model_example.made_up(signature.specs((described.get("signature") or {}).get("inputs")))
    if not (bodies := [model_example.first_rows(found)] if found else made):
        raise Refused(f"{folder} has neither an input example nor a signature with columns: no request can be made")
    metric = given["metric"] or ""
    if given["bound"] is not None and not metric:
        raise click.UsageError(f"--bound {given['bound']}: of which --metric? MLmodel's metadata has them")
    if metric and metric not in (described.get("metadata") or {}):
        raise click.UsageError(f"--metric {metric}: MLmodel's metadata has no such number")
    less = bool(metric) and better_sign(metric, model_tags.tags(folder)) < 0
    bound = _bound(given, f"{'Most' if less else 'Least'} {metric} to roll out", None) if metric else 0.0
    line = f"METRIC, BOUND, LOWER_IS_BETTER = {json.dumps(metric)}, {bound}, {less}  # among MLmodel's metadata"
    return Wanted(
        Answers(name, "folder", {"METRIC, BOUND, LOWER_IS_BETTER": line}, bodies[0], bodies[-1]), folder, FOLDER
    )
