"""`python -m scripts.make_it_yours` and docs/MAKE_IT_YOURS.md: from the heart model to a model of any kind."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from azureml_emulator.testing import toy_model
from azureml_emulator.workflows.act import commit, copy_tree
from demo.rollouts import change_model
from scripts.lib.yours.table import sample
from tests.support import ROOT
from tests.support.repository import DEPLOYING, PROMOTING, TRAINING, repository, results

DATA = re.compile(r"heart\.csv|\bthal\b")
OF_SOME = {"model/mlflow/", "model/job.yml", "model/sample.csv", "endpoints/smoke-expectations.yml"}  # copies
GUIDE = ROOT / "docs" / "MAKE_IT_YOURS.md"
FEW = "size,floor,kind,price,label\n" + "".join(
    f"{n / 4},{n % 5},{'ab'[n % 2]},{3 * n + 0.5},{'yes' if n % 3 else 'no'}\n" for n in range(60)
)
POOR = "size,part,same,endless,empty\n" + "".join(f"{n},{n % 2 + 0.5},7,{n or 'inf'},\n" for n in range(60))
#: Makes the data, or the model, of a kind in a folder; the options name it, as seen from the repository beside it.
DIABETES = (
    "from sklearn.datasets import load_diabetes as load; load(as_frame=True).frame.to_csv('{0}/it.csv', index=False)"
)
IRIS = """
from sklearn.datasets import load_iris
frame = load_iris(as_frame=True)
frame.data.assign(species=frame.target_names[frame.target]).to_csv('{0}/it.csv', index=False)
"""
LIGHTGBM = """
import lightgbm, mlflow, mlflow.lightgbm
from mlflow.models import infer_signature
from sklearn.datasets import load_wine
wine = load_wine(as_frame=True)
words = wine.target_names[wine.target]
model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(wine.data, words)
pins = ['mlflow==2.22.5', 'lightgbm==' + lightgbm.__version__]
pins += ['azureml-inference-server-http==1.5.1', 'azureml-ai-monitoring==1.0.0']
signature = infer_signature(wine.data, model.booster_.predict(wine.data))
more = dict(input_example=wine.data.head(1), pip_requirements=pins, metadata=dict(fit=.9))
mlflow.lightgbm.save_model(model.booster_, '{0}/it', signature=signature, **more)
"""
KINDS: dict[str, tuple[str, list[str]]] = {
    "words": (IRIS, ["--kind", "classification", "--data", "../it.csv", "--metric", "accuracy", "--bound", "0.9"]),
    "numbers": (DIABETES, ["--kind", "regression", "--data", "../it.csv"]),
    "tables": (DIABETES, ["--kind", "other", "--data", "../it.csv"]),
    "a folder": (LIGHTGBM, ["--model", "../it", "--metric", "fit", "--bound", "0.5"]),
}
ANSWERS: dict[str, Callable[[Any], bool]] = {
    "words": lambda answer: answer[0] in ("setosa", "versicolor", "virginica"),
    "numbers": lambda answer: 25 <= answer[0] <= 346,
    "tables": lambda answer: answer[0]["low"] <= answer[0]["middle"] <= answer[0]["high"],
    "a folder": lambda answer: abs(sum(answer[0]) - 1) < 1e-6,
}


def git(tree: Path, *command: str) -> list[str]:
    return subprocess.check_output(["git", *command], cwd=tree, text=True).splitlines()


def make(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What somebody types who isn't asked: without a terminal."""
    command = [sys.executable, "-m", "scripts.make_it_yours", *options]
    return subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.mark.drill
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_any_kind(kind: str, tmp_path: Path) -> None:
    """Made one's own, it is as `make check` and its tests want it, and rolls out, twice, by the workflow as it is."""
    code, options = KINDS[kind]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code.replace("{0}", str(tmp_path))], check=True)
    with repository(tmp_path, own_model=True) as ours:
        ours.variables.pop("ENDPOINT_NAME", None)
        made = make(ours.tree, "--name", "my-own", *options)
        assert made.returncode == 0, made.stderr
        commit(ours.tree, "Make it ours")
        ours.know_head()

        checked = [checks(ours.tree, *command) for command in CHECKS]
        first = ours.push()
        change_model(ours.tree)
        ours.know_head()
        second = ours.push()
        endpoint, answer = ours.endpoint(), json.loads(ours.script("invoke"))

    assert checked == [""] * len(CHECKS)
    assert (first.exit_code, results(first, "success")) == (0, [*TRAINING, *DEPLOYING])
    assert (second.exit_code, endpoint["traffic"]) == (0, {"my-own-2": 100})
    assert set(PROMOTING) <= set(results(second, "success"))
    assert endpoint["endpoint"] == "my-own"
    assert ANSWERS[kind](answer), answer


CHECKS = (
    ["ruff", "check"],
    ["ruff", "format", "--check", "--exclude", "model/**"],
    ["mypy"],
    ["python", "-m", "scripts.doctor", "--files"],
    ["python", "-m", "pytest", "-q", "tests/model", "tests/workflows/test_static.py"],
)


def checks(tree: Path, program: str, *arguments: str) -> str:
    """What a part of `make check test` finds in a tree; nothing."""
    command = [Path(sys.executable).with_name(program), *arguments]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A fresh copy, and a CSV beside it."""
    for name in ("few.csv", "few.parquet"):
        (tmp_path / name).write_text(FEW)
    (tmp_path / "few.csv.gz").write_bytes(gzip.compress(FEW.encode()))
    (tmp_path / "poor.csv").write_text(POOR)
    (tmp_path / "fewer.csv").write_text("size,price\n1,1.5\n2,2.5\n")
    copy_tree(ROOT, tmp_path / "tree")
    return tmp_path / "tree"


GIVEN = ["--name", "mine", "--data", "../few.csv"]
ODD = 'price,"a, b",Größe \\d,new,"of\nmany", it\'s\n' + "".join(
    f"{n},{n % 7},{['kurz', 'lang'][n % 2]},{('True', 'False', '')[n % 3]},{n * 1.5},{n}\n" for n in range(40)
)
BAD = ["--name", "mine", "--data", "../poor.csv", "--kind"]
PRICE = [*GIVEN, "--kind", "regression", "--target", "price"]
REFUSALS: dict[str, tuple[list[str], int, str]] = {
    "no name": (["--kind", "regression"], 2, "--name is missing"),
    "no kind": (GIVEN, 2, "--kind is missing"),
    "no such column": ([*GIVEN, "--kind", "regression", "--target", "cost"], 2, "no column cost; it has size, floor"),
    "the target among the columns": (
        [*GIVEN, "--kind", "regression", "--target", "price", "--columns", "size,price"],
        2,
        "price is what is to be predicted",
    ),
    "words as numbers": ([*GIVEN, "--kind", "regression", "--target", "label"], 1, "label holds no numbers"),
    "labels that are rare": ([*BAD, "classification", "--target", "size"], 1, "5 rows of each label: 0 has 1, "),
    "labels with fractions": ([*BAD, "classification", "--target", "part"], 1, "--kind regression"),
    "one value alone": ([*BAD, "regression", "--target", "same"], 1, "1 different values in 60 rows"),
    "no end": ([*BAD, "regression", "--target", "endless"], 1, "infinite numbers"),
    "no value at all": ([*BAD, "regression", "--target", "empty"], 2, "no column empty; it has size"),
    "a column twice": ([*GIVEN, "--kind", "other", "--columns", "size,size"], 2, "or one twice"),
    "no column": ([*GIVEN, "--kind", "other", "--columns", ""], 2, "names none"),
    "few rows": (["--name", "mine", "--kind", "other", "--data", "../fewer.csv"], 1, "2 different values in 2 rows"),
    "another kind's metric": ([*GIVEN, "--kind", "regression", "--target", "price", "--metric", "auc"], 2, "rmse, mae"),
    "no CSV": (["--name", "mine", "--kind", "other", "--data", "docs/summary.svg"], 1, "can't be read as a CSV"),
    "no endpoint's name": (["--name", "a b", "--kind", "other", "--data", "../few.csv"], 2, "3 to 32 letters"),
    "compressed": (["--name", "mine", "--kind", "other", "--data", "../few.csv.gz"], 1, "can't be read as a CSV"),
    "no Parquet": (["--name", "mine", "--kind", "other", "--data", "../few.parquet"], 1, "can't be read as Parquet"),
    "one column": (["--name", "mine", "--kind", "other", "--data", "endpoints/endpoint.yml"], 1, "endpoint.yml"),
    "a bound that none reaches": (
        [*GIVEN, "--kind", "regression", "--target", "price", "--bound", "nan"],
        2,
        "no number",
    ),
    "no cluster's name": ([*PRICE, "--cluster", "a b"], 2, "--cluster a b is no such name"),
    "a cluster's name that Azure has none of": ([*PRICE, "--cluster", "cpu_1"], 2, "--cluster cpu_1 is no such name"),
    "an asset with its version": ([*PRICE, "--cluster", "cpu", "--asset", "azureml:a:3"], 2, "without a version"),
    "an asset for nobody": ([*PRICE, "--asset", "prices"], 2, "is what a --cluster trains on"),
    "an asset for the runner": ([*PRICE, "--asset", "prices", "--cluster", ""], 2, "is what a --cluster trains on"),
    **{
        f"a model, and {option}": (
            ["--name", "mine", "--model", "docs", f"--{option}", value],
            2,
            f"--{option} says how",
        )
        for option, value in {
            "kind": "other",
            "data": "../few.csv",
            "target": "a",
            "columns": "a",
            "cluster": "cpu",
            "asset": "a",
        }.items()
    },
    "a bound of nothing": (["--name", "mine", "--model", "../kept", "--bound", "0.3"], 2, "of which --metric"),
    "a metric without a bound": (["--name", "mine", "--model", "../kept", "--metric", "auc"], 2, "--bound is missing"),
    "a metric that it lacks": (["--name", "mine", "--model", "../kept", "--metric", "a"], 2, "has no such number"),
    "no bound at all": (["--name", "mine", "--model", "../kept", "--metric", "auc", "--bound", "inf"], 2, "no number"),
    "a folder that is no model": (["--name", "mine", "--model", "docs"], 1, "MLmodel"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_changes_nothing(case: str, tree: Path) -> None:
    """What no model can be made of is said in a sentence."""
    options, code, words = REFUSALS[case]
    toy_model(tree.parent / "kept", metadata={"auc": 0.9})

    done = make(tree, *options)

    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
    assert git(tree, "status", "--porcelain") == []


def test_a_cluster_trains(tree: Path) -> None:
    """With a cluster's name there is a job.yml for it; the asset is called as the model unless somebody says.

    Of the data nothing but a sample of the rows that have a target comes into git, for pull requests from forks.
    """
    job, (head, *rows) = tree / "model/job.yml", FEW.splitlines(keepends=True)
    (tree.parent / "few.csv").write_text("".join([head, rows[0].replace("0.5", ""), *rows * 4]))
    asked = make(tree, *GIVEN, "--kind", "regression", "--target", "price", "--cluster", "cpu", "--keep-emulator")

    assert (asked.returncode, yaml.safe_load(job.read_text())["compute"]) == (0, "azureml:cpu"), asked.stderr
    assert "azureml:mine@latest" in job.read_text()
    assert not (tree / "model/data.csv").exists()
    sampled = pd.read_csv(tree / "model/sample.csv")
    pd.testing.assert_frame_equal(sampled, pd.read_csv(io.StringIO(head + "".join((rows * 4)[:200]))))
    assert "?? model/sample.csv" in git(tree, "status", "--porcelain")


def test_odd_names_and_values(tree: Path) -> None:
    """Commas, line ends, quotes, spaces in names; true and false with gaps: training and the requests agree."""
    (tree.parent / "odd.csv").write_text(ODD, encoding="utf-8")

    done = make(tree, "--name", "odd", "--kind", "regression", "--data", "../odd.csv", "--target", "price")
    trained = subprocess.run([sys.executable, "model/train.py"], cwd=tree, check=False, capture_output=True, text=True)

    assert (done.returncode, trained.returncode) == (0, 0), done.stderr + trained.stderr
    body = json.loads((tree / "endpoints/smoke-requests.json").read_text())["input_data"]
    assert body["columns"] == ["a, b", "Größe \\d", "new", "of\nmany", " it's"]
    assert {type(row[2]) for row in body["data"]} == {str, type(None)}


@pytest.mark.parametrize(
    ("kind", "texts", "labels"),
    [("classification", ("0", "1", "2"), [0, 1, 2]), ("classification", ("True", "False"), [False, True])],
)
def test_gaps_make_no_other_labels(kind: str, texts: tuple[str, ...], labels: list[Any], tree: Path) -> None:
    """A row without a label is left out, which is said, and the others stay what they are: 1 isn't 1.0."""
    rows = [f"{n},{texts[n % len(texts)]}" for n in range(40)]
    (tree.parent / "gaps.csv").write_text("\n".join(["size,label", "7,", *rows, ""]))

    made = make(tree, "--name", "mine", "--kind", kind, "--data", "../gaps.csv", "--bound", "0")
    command = [sys.executable, "model/train.py", "--out", "made"]
    trained = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True)

    assert (made.returncode, trained.returncode) == (0, 0), made.stderr + trained.stderr
    assert "1 of 41 rows have no label" in made.stderr
    assert yaml.safe_load((tree / "made/MLmodel").read_text())["metadata"]["labels"] == labels


def test_few_amounts_are_no_labels(tree: Path) -> None:
    """Numbers with fractions: what is asked for and what trains agree, however few there are."""
    made = make(tree, *BAD, "other", "--target", "part", "--columns", "size", "--bound", "9")
    trained = subprocess.run([sys.executable, "model/train.py"], cwd=tree, check=False, capture_output=True, text=True)

    assert (made.returncode, trained.returncode) == (0, 0), made.stderr + trained.stderr
    assert json.loads(trained.stdout).keys() == {"pinball_loss"}


def test_a_start_takes_parquet_and_a_sample(tree: Path) -> None:
    """The same model comes of the same rows in Parquet; what isn't is a sentence; of a sample there is no gate."""
    data, parquet, sample = (tree / "model" / name for name in ("data.csv", "data.parquet", "sample.csv"))
    table = pd.read_csv(tree.parent / "few.csv")
    table.convert_dtypes().astype({"kind": "category"}).to_parquet(tree.parent / "few.parquet")
    given = ["--name", "mine", "--kind", "classification", "--bound", "0.99", "--data", "../few.parquet"]
    done = make(tree, *given)
    assert (done.returncode, parquet.is_file(), data.exists()) == (0, True, False), done.stderr
    table.to_csv(data, index=False)

    def train(path: Path | None = None, *options: str) -> subprocess.CompletedProcess[str]:
        data = ["--data", str(path.relative_to(tree))] if path else []
        command = [sys.executable, "model/train.py", *data, *options]
        return subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True)

    table.head(40).to_csv(sample, index=False)
    typed, plain, gated, few = train(parquet, "--bound", "0"), train(data, "--bound", "0"), train(), train(sample)
    parquet.write_bytes(data.read_bytes())
    sample.write_bytes(b"PAR1\xff\xfe")
    wrong = [train(path) for path in (parquet, sample)]

    assert (typed.returncode, typed.stdout) == (0, plain.stdout), typed.stderr
    assert (gated.returncode, few.returncode) == (1, 0), gated.stderr + few.stderr
    for it in wrong:
        assert it.returncode == 1 and "isn't what its name ends in" in it.stderr and "Traceback" not in it.stderr


LATE = ["no"] * 9_000 + ["yes"] * 12 + ["no"] * 500 + ["perhaps"] * 6


@pytest.mark.parametrize(
    ("target", "rows", "least"),
    [
        (LATE, [*range(184), *range(9_000, 9_010), *range(9_512, 9_518)], 6),
        ([n / 7 for n in range(900)], [*range(200)], 1),
        (["yes", "no"] * 20, [*range(40)], 20),
    ],
    ids=["labels that come late", "amounts", "few"],
)
def test_a_sample_has_what_training_needs(target: list[Any], rows: list[int], least: int) -> None:
    """The first rows, at most 200, in their order, and among them enough of each label."""
    made = sample(pd.DataFrame({"row": range(len(target)), "it": target}), "it")

    found = pd.read_csv(io.StringIO(made))
    assert found["row"].is_monotonic_increasing and len(found) <= 200
    assert set(rows) <= set(found["row"])
    assert set(found["it"].astype(str)) == set(map(str, target)) or len(set(target)) > 20
    assert found["it"].value_counts().min() >= least


@pytest.mark.parametrize(("metric", "less"), [("brier", True), ("auc", False), ("waste", True)])
def test_a_folder_s_gate_knows_which_way_is_better(tree: Path, metric: str, less: bool) -> None:
    """By the metric's name, as reviews do, or by what the model says of it."""
    toy_model(tree.parent / "kept", metadata={metric: 0.2, "lower_is_better": ["waste"]})

    done = make(tree, "--name", "kept", "--model", "../kept", "--metric", metric, "--bound", "0.3")
    trained = subprocess.run([sys.executable, "model/train.py"], cwd=tree, check=False, capture_output=True)

    assert done.returncode == 0, done.stderr
    assert f'METRIC, BOUND, LOWER_IS_BETTER = "{metric}", 0.3, {less}' in (tree / "model/train.py").read_text()
    assert trained.returncode == int(not less)  # 0.2 is good enough where less is better


def test_a_folder_that_lies_in_what_goes(tree: Path) -> None:
    """All of it is kept; what git would leave out of it is told."""
    ours = toy_model(tree / "model/ours", sample={"input_data": {"columns": ["a"], "index": [0], "data": [[1.5]]}})
    (ours / ".gitignore").write_text("*.pkl\n")
    (ours / "model.pkl").write_text("a model")
    commit(tree, "Put our model here")

    done = make(tree, "--name", "kept", "--model", "model/ours", "--keep-emulator")

    assert (done.returncode, (tree / "model/mlflow/model.pkl").read_text()) == (0, "a model"), done.stderr
    assert "git add --force model/mlflow/model.pkl" in done.stderr
    assert "Azure may not serve it: it has no conda.yaml" in done.stderr


def test_what_git_does_not_have_is_not_removed(tree: Path) -> None:
    """Ignored data of one's own in model/: git couldn't take it back."""
    with (tree / ".gitignore").open("a") as file:
        file.write("*.parquet\n")
    commit(tree, "Ignore data")
    (tree / "model/mine.parquet").write_text("mine")

    done = make(tree, *GIVEN, "--kind", "classification")

    assert (done.returncode, "model/mine.parquet" in done.stderr) == (1, True), done.stderr
    assert (tree / "model/mine.parquet").exists() and git(tree, "status", "--porcelain") == []


def test_a_folder_that_is_not_whole_changes_nothing(tree: Path) -> None:
    """What can't be copied is found before anything is removed."""
    ours = toy_model(tree.parent / "ours")
    (ours / "weights.bin").symlink_to("nowhere")

    done = make(tree, "--name", "kept", "--model", "../ours")

    assert (done.returncode, "weights.bin is a link to nothing" in done.stderr) == (1, True), done.stderr
    assert git(tree, "status", "--porcelain") == []


def test_what_is_not_committed_is_not_risked(tree: Path) -> None:
    """git takes all of it back, so there must be nothing that it doesn't have."""
    (tree / "notes.txt").write_text("mine")

    done = make(tree, *GIVEN, "--kind", "classification")

    assert (done.returncode, "notes.txt" in done.stderr) == (1, True)
    assert git(tree, "status", "--porcelain") == ["?? notes.txt"]


def test_a_dry_run_says_and_does_nothing(tree: Path) -> None:
    """Each file that would be written, and each that would go."""
    done = make(tree, *GIVEN, "--kind", "classification", "--dry-run")

    said = done.stderr.splitlines()
    assert {"would write model/train.py", "would write model/data.csv", "would remove emulator"} <= {*said}
    assert git(tree, "status", "--porcelain") == []


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_left_behind(tree: Path, keep: bool) -> None:
    """Everything about heart disease; the workshop as well, unless it is kept. A second time is refused."""
    ours = installed()
    done = make(tree, *GIVEN, "--kind", "classification", *["--keep-emulator"] * keep)
    left = git(tree, "ls-files", "--cached", "--others", "--exclude-standard")
    left = [name for name in left if (tree / name).exists()]

    assert done.returncode == 0, done.stderr
    about = [
        name
        for name in left
        if name.endswith((".py", ".yml", ".md", ".json")) and DATA.search((tree / name).read_text())
    ]
    assert about == []
    assert "heart" not in (tree / "endpoints/endpoint.yml").read_text() + (tree / "README.md").read_text()
    assert any(name.startswith("emulator/") for name in left) == keep
    assert any(name.startswith("tests/scripts/") for name in left) == keep
    assert any(name.endswith(".whl") for name in left) == (not keep or bool(git(ROOT, "ls-files", "*.whl")))
    assert make(tree, *GIVEN, "--kind", "classification").returncode == 1
    assert installed() == ours  # only a copy's own environment gets the wheel


def installed() -> str:
    """Where the local Azure ML of this very environment comes from."""
    find = "from importlib.metadata import distribution as d; print(d('azureml-emulator').read_text('direct_url.json'))"
    return subprocess.check_output([sys.executable, "-c", find], text=True)


def test_what_is_left_names_only_what_there_is(tree: Path) -> None:
    """No page of a copy, and no command in its Makefile's way, leads to what was left behind."""
    make(tree, *GIVEN, "--kind", "classification")
    pages = [tree / "README.md", *(tree / "docs").glob("*.md"), *tree.glob("scripts/*.md"), *tree.glob("tests/*.md")]

    dead = {
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text())
        if not (page.parent / target).exists()
    }
    done = subprocess.run(
        ["make", "--dry-run", "check", "test", "demo", "drill", "lock", "size"],
        cwd=tree,
        check=False,
        capture_output=True,
        text=True,
    )

    assert dead == set()
    assert (done.returncode, "cd emulator" in done.stdout, "tests/promises" in done.stdout) == (0, False, False)


def test_only_one_folder_of_tests_is_about_heart_disease() -> None:
    """It goes with the model; no other test knows its data."""
    tests = set(git(ROOT, "ls-files", "tests/*.py")) - {str(Path(__file__).relative_to(ROOT))}

    knowing = {name for name in tests if (ROOT / name).exists() and DATA.search((ROOT / name).read_text())}

    assert {str(Path(name).parent) for name in knowing} == {"tests/model/heart"}


def test_only_model_and_endpoints_are_about_heart_disease() -> None:
    """Nothing of what runs a rollout, nor the local Azure ML, knows the model's data."""
    listed = git(ROOT, "ls-files", "scripts", "emulator", "demo", "tools", ".github", "Makefile")

    assert len(listed) > 100
    assert [name for name in listed if DATA.search((ROOT / name).read_text())] == []


def test_the_guide_names_what_there_is() -> None:
    """Every file and folder that the guide names is in the repository."""
    named = re.findall(r"`((?:model|endpoints|scripts|tests|docs|\.github|emulator)/[\w./-]*)`", GUIDE.read_text())

    assert len(named) > 10
    assert {name for name in named if not (ROOT / name).exists()} <= OF_SOME
