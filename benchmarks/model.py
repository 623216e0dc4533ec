"""What the example's pipeline is worth beside the obvious one: both with the same XGBoost, in turns, in one run.

`python -m benchmarks.model` prints the table of docs/BENCHMARKS.md, and ends with exit code 1 if a goal is missed.
`--served` adds requests a second over HTTP: by Microsoft's inference server as in Azure, and by `mlflow models serve`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from multiprocessing import get_context
from multiprocessing.pool import ThreadPool
from pathlib import Path
from statistics import median
from typing import Any

import click

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "model"))

ROUNDS = 15
CALLS = {1: 50, 32: 50, 100_000: 1}  # of so many rows, in one round
PARTITIONS = range(10)  # each into 5 × 10 folds
REQUESTS = 160  # in one round
GOALS = {"1 row": 3.5, "100,000 rows": 1.2, "AUC": 1.0, "1 connection": 1.5}  # × the obvious one
CODES = ["sex", "cp", "fbs", "restecg", "exang", "slope", "thal"]


def obvious(seed: int) -> Any:
    """Amounts imputed by the median and scaled, codes imputed by the most frequent and one-hot."""
    from dataset import FEATURES
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from train import XGBOOST
    from xgboost import XGBClassifier

    amounts = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    codes = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer((amounts, [name for name in FEATURES if name not in CODES]), (codes, CODES))
    return make_pipeline(columns, XGBClassifier(**XGBOOST, random_state=seed))


def in_turns(measure: Callable[[Any], float], pair: tuple[Any, Any], rounds: int = ROUNDS) -> tuple[float, float]:
    """The medians of what both measure, in turns: what else the machine does then hits both."""
    measured = [(measure(pair[0]), measure(pair[1])) for _ in range(rounds)]
    return median(first for first, _ in measured), median(second for _, second in measured)


def row(name: str, obvious: float, ours: float, gain: float, unit: str) -> bool:
    """Print a line of the table; whether the goal is reached."""
    goal = next((goal for start, goal in GOALS.items() if name.startswith(start)), 0)
    click.echo(f"| {name} | {obvious:.4g}{unit} | {ours:.4g}{unit} | {gain:.2f} × | {f'{goal} ×' if goal else ''} |")
    return gain >= goal


def predictions(folders: tuple[Path, Path], features: Any) -> Iterator[bool]:
    """CPU time of `pyfunc.predict`: the model has one thread, so on an idle machine it is the time."""
    from mlflow.pyfunc import load_model

    models = load_model(str(folders[0])), load_model(str(folders[1]))
    for rows, calls in CALLS.items():
        frame = features.sample(rows, replace=True, random_state=1).reset_index(drop=True)

        def milliseconds(model: Any, frame: Any = frame, calls: int = calls) -> float:
            began = time.process_time()
            for _ in range(calls):
                model.predict(frame)
            return (time.process_time() - began) / calls * 1000

        first, second = in_turns(milliseconds, models)
        yield row(f"{rows:,} row{'s' * (rows > 1)}", first, second, first / second, " ms")


def accuracy(features: Any, target: Any) -> bool:
    """The mean AUC out of fold over several partitions, the same ones for both."""
    from train import boosted_trees, evaluate

    scores = [
        [evaluate(model(seed), features, target, seed)["auc"] for seed in PARTITIONS]
        for model in (obvious, boosted_trees)
    ]
    first, second = (sum(each) / len(PARTITIONS) for each in scores)
    won = sum(ours >= theirs for theirs, ours in zip(*scores, strict=True))
    return row(f"AUC, not lower in {won} of {len(PARTITIONS)} partitions", first, second, second / first, "")


@contextmanager
def as_azure(folder: Path) -> Iterator[tuple[int, str, str]]:
    """Microsoft's inference server under gunicorn, with the no-code scoring of the local Azure ML."""
    from azureml_emulator.serving.container import serve

    with socket.create_server(("127.0.0.1", 0)) as listener:
        log = folder.with_suffix(".log")
        server = get_context("spawn").Process(target=serve, args=(listener, folder, log, {}))
        server.start()
        yield listener.getsockname()[1], "/score", "input_data"
        server.terminate()
        server.join()


@contextmanager
def by_mlflow(folder: Path) -> Iterator[tuple[int, str, str]]:
    """`mlflow models serve`, with uvicorn of this environment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    scripts = Path(sys.executable).parent
    command = [str(scripts / "mlflow"), "models", "serve", "-m", str(folder), "--env-manager", "local", "-p", str(port)]
    environ = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"}
    with folder.with_suffix(".log").open("wb") as log:
        server = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
        yield port, "/invocations", "dataframe_split"
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def ask(server: tuple[int, str, str], requests: int) -> None:
    """Send a row so often, on one connection if the server keeps it."""
    port, path, key = server
    frame = json.loads((ROOT / "endpoints" / "sample-request.json").read_text())["input_data"]
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(requests):
        connection.request("POST", path, json.dumps({key: frame}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.read() and answer.status != 200:
            raise click.ClickException(f"{path} answered {answer.status}")


def until_up(server: tuple[int, str, str]) -> None:
    """Wait for its first answer."""
    for _ in range(120):
        with suppress(OSError, HTTPException):
            return ask(server, 1)
        time.sleep(1)
    raise click.ClickException(f"nothing answers {server[1]}")


def served(folders: tuple[Path, Path]) -> Iterator[bool]:
    """Requests a second of one row each."""
    for how, serving in {"as in Azure": as_azure, "`mlflow models serve`": by_mlflow}.items():
        with ExitStack() as stack:
            servers = stack.enter_context(serving(folders[0])), stack.enter_context(serving(folders[1]))
            for server in servers:
                until_up(server)
            for connections in (1, 8, 32):

                def rate(server: tuple[int, str, str], connections: int = connections) -> float:
                    began = time.perf_counter()
                    with ThreadPool(connections) as pool:
                        pool.starmap(ask, [(server, REQUESTS // connections)] * connections)
                    return REQUESTS // connections * connections / (time.perf_counter() - began)

                first, second = in_turns(rate, servers, 5)
                name = f"{connections} connection{'s' * (connections > 1)}, {how}"
                yield row(name, first, second, second / first, "/s")


@click.command()
@click.option("--served", "over_http", is_flag=True, help="Over HTTP, too.")
def main(over_http: bool) -> None:
    """Compare the example's pipeline with the obvious one."""
    from dataset import load
    from results import save
    from train import FOLDS, SEED, boosted_trees

    warnings.simplefilter("ignore")  # MLflow 2 warns of itself
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    features, target = load(ROOT / "model" / "heart.csv", FOLDS)
    click.echo("| | obvious | example | gain | goal |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folders = Path(folder) / "obvious", Path(folder) / "example"
        for model, out in zip((obvious(SEED), boosted_trees(SEED)), folders, strict=True):
            save(model.fit(features, target), features.dropna().head(1), {}, out)
        reached = [*predictions(folders, features), accuracy(features, target), *(served(folders) if over_http else [])]
    sys.exit(not all(reached))


if __name__ == "__main__":
    main()
