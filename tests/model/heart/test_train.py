"""model/: reading and checking the table, and what `python model/train.py` refuses."""

from __future__ import annotations

import contextlib
import math
import resource
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click import ClickException
from click.testing import CliRunner, Result

from benchmarks.training import write
from tests.support import ROOT

MODEL = ROOT / "model"
TABLE = pd.read_csv(MODEL / "heart.csv", dtype=str, keep_default_na=False)
Train = Callable[..., Result]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    """Run the command in this process (imports once), in an empty folder."""
    monkeypatch.syspath_prepend(MODEL)
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(variable, raising=False)
    from train import main

    return lambda *options: CliRunner().invoke(main, [str(option) for option in options])


def with_cell(row: int, column: str, value: str) -> pd.DataFrame:
    """The table with one other value; rows are counted from 1."""
    table = TABLE.copy()
    table.loc[row - 1, column] = value
    return table


def refusal(train: Train, table: pd.DataFrame | str) -> str:
    """What the command says of this table, after making sure that it wrote nothing."""
    data = Path("data.csv")
    data.write_text(table if isinstance(table, str) else table.to_csv(index=False))

    result = train("--data", data, "--out", "out/model")

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert not Path("out").exists()
    return result.output


def test_a_pointer_is_no_data(train: Train) -> None:
    """What Git LFS leaves where nobody fetched the data is named as that, with how to fetch it here and there."""
    said = refusal(train, f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n")

    assert "pointer of Git LFS" in said and "`git lfs pull`" in said and "`lfs: true`" in said


def test_data_is_the_cleveland_table() -> None:
    """heart.csv holds UCI's 303 patients, 164 negative and 139 positive, in the article's 14 columns."""
    assert len(TABLE) == 303
    assert TABLE["target"].value_counts().to_dict() == {"0": 164, "1": 139}
    assert " ".join(TABLE) == "age sex cp trestbps chol fbs restecg thalach exang oldpeak slope ca thal target"


def test_data_keeps_missing_values_empty() -> None:
    """Four ca and two thal are missing, nothing else is."""
    missing = TABLE.eq("").sum()

    assert missing[missing > 0].to_dict() == {"ca": 4, "thal": 2}


@pytest.mark.parametrize(
    ("column", "counts"),
    [
        ("sex", {"0": 97, "1": 206}),
        ("cp", {"1": 23, "2": 50, "3": 86, "4": 144}),
        ("fbs", {"0": 258, "1": 45}),
        ("restecg", {"0": 151, "1": 4, "2": 148}),
        ("exang", {"0": 204, "1": 99}),
        ("slope", {"1": 142, "2": 140, "3": 21}),
        ("ca", {"0": 176, "1": 65, "2": 38, "3": 20, "": 4}),
        ("thal", {"normal": 166, "fixed": 18, "reversible": 117, "": 2}),
    ],
)
def test_data_has_ucis_codes(column: str, counts: dict[str, int]) -> None:
    """Every code is as frequent as in UCI's own file, so none was swapped when the table was derived."""
    assert TABLE[column].value_counts().to_dict() == counts


ORANGE = "63\tmale\ttypical ang\t145\t233\t1\tleft vent hypertrophy\t150\t0\t2.3\tdownsloping\t?\tfixed defect\t0\n"


def derive(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, MODEL / "derive_heart_csv.py", source, "--out", out]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_derive_reads_the_wheel(tmp_path: Path) -> None:
    """derive_heart_csv.py turns Orange's words into UCI's codes, straight from the wheel."""
    wheel = tmp_path / "orange3.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("Orange/datasets/heart_disease.tab", "names\ntypes\nroles\n" + ORANGE)

    result = derive(wheel, tmp_path / "heart.csv")

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "heart.csv").read_text().splitlines()[1] == "63,1,1,145,233,1,2,150,0,2.3,3,,fixed,0"


def test_derive_refuses_an_unknown_word(tmp_path: Path) -> None:
    """A word that has no code stops derive_heart_csv.py before it writes."""
    tab = tmp_path / "heart_disease.tab"
    tab.write_text("names\ntypes\nroles\n" + ORANGE.replace("male", "mule"))

    result = derive(tab, tmp_path / "heart.csv")

    assert result.returncode == 1
    assert "'mule'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "heart.csv").exists()


def test_missing_file_is_wrong_usage(train: Train) -> None:
    """A table that does not exist is reported by its name, with exit code 2."""
    result = train("--data", "nowhere.csv")

    assert result.exit_code == 2
    assert "nowhere.csv" in result.output


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00PK\x03", b'a,b\n"1,2\n', b"a,b\n1,2\n1,2,3\n", b"a\n1,2\n"])
def test_refuses_what_is_no_csv(train: Train, content: bytes) -> None:
    """An empty, binary or malformed file is called no CSV."""
    Path("data").write_bytes(content)

    result = train("--data", "data")

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "data is not a CSV file" in result.output


def test_refuses_missing_columns(train: Train) -> None:
    """All columns that are missing are named."""
    assert "missing columns: chol, thal" in refusal(train, TABLE.drop(columns=["thal", "chol"]))


def test_refuses_unknown_columns(train: Train) -> None:
    """A column that the model would ignore is an error, not a surprise."""
    assert "unknown columns: weight" in refusal(train, TABLE.assign(weight="80"))


@pytest.mark.parametrize("value", ["abc", "NA", "inf", "1,5"])
def test_refuses_text_in_numbers(train: Train, value: str) -> None:
    """What is no finite number is reported with its column, its row and its line in the file."""
    said = refusal(train, with_cell(5, "chol", value))

    assert f"column chol, row 5 (line 6): '{value}' is not a number" in said


def test_names_the_first_bad_row(train: Train) -> None:
    """Of several bad rows the first is named, and a blank line counts as one."""
    table = with_cell(3, "thal", "?")
    table.loc[8, "thal"] = "!"
    header, *rows = table.to_csv(index=False).splitlines()

    said = refusal(train, "\n".join([header, "", *rows]))

    assert "column thal, row 4 (line 5): '?'" in said


def test_refuses_an_unknown_thal(train: Train) -> None:
    """thal is one of the three words the article uses, or empty."""
    said = refusal(train, with_cell(7, "thal", "reversable"))

    assert "column thal, row 7 (line 8): 'reversable' is not one of fixed, normal, reversible" in said


@pytest.mark.parametrize(("value", "shown"), [("2", "'2'"), ("yes", "'yes'"), ("0.5", "'0.5'"), ("", "an empty cell")])
def test_refuses_a_target_but_0_and_1(train: Train, value: str, shown: str) -> None:
    """target is 0 or 1, and never missing."""
    assert f"column target, row 303 (line 304): {shown} is not 0 or 1" in refusal(
        train, with_cell(303, "target", value)
    )


def test_refuses_too_few_rows(train: Train) -> None:
    """Each of the ten folds needs a row of each class."""
    table = pd.concat([TABLE[TABLE["target"] == "0"], TABLE[TABLE["target"] == "1"].head(9)])

    assert "target has 164 of 0 and 9 of 1, each needs 10" in refusal(train, table)


def test_refuses_a_single_class(train: Train) -> None:
    """There is nothing to learn from one class."""
    assert "target has 164 of 0 and 0 of 1" in refusal(train, TABLE[TABLE["target"] == "0"])


def test_refuses_a_table_without_rows(train: Train) -> None:
    """A header alone is a table with too few rows."""
    assert "target has 0 of 0 and 0 of 1" in refusal(train, TABLE.head(0))


def test_gate_keeps_the_earlier_model(train: Train, tmp_path: Path) -> None:
    """A model below --min-auc ends with exit code 1, and what was at --out stays as it was."""
    earlier = tmp_path / "out" / "MLmodel"
    earlier.parent.mkdir()
    earlier.write_text("earlier")

    result = train("--data", MODEL / "heart.csv", "--out", earlier.parent, "--min-auc", "0.99")

    assert result.exit_code == 1
    assert "is below --min-auc 0.99; no model was written" in result.output
    assert [(file.name, file.read_text()) for file in earlier.parent.iterdir()] == [("MLmodel", "earlier")]
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


@pytest.mark.parametrize(("auc", "good"), [(0.87, False), (0.88, True), (0.89, True), (math.nan, False)])
def test_gate_is_open_from_min_auc_on(train: Train, auc: float, good: bool) -> None:
    """A model passes with an AUC of at least --min-auc; one whose AUC is no number never does."""
    from train import check

    with contextlib.nullcontext() if good else pytest.raises(ClickException, match="no model was written"):
        check(auc, 0.88)


def test_a_sample_has_no_gate(train: Train, tmp_path: Path) -> None:
    """A pull request's few rows show that training works; how good the model is, all the data say, or an option."""
    table = TABLE.head(100).assign(target=[str(n % 2) for n in range(100)])  # nothing to learn
    for name in ("model/sample.csv", "else.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        table.to_csv(name, index=False)

    sample, other = (
        train_apart(tmp_path / "out", Path(name), cwd=tmp_path) for name in ("model/sample.csv", "else.csv")
    )
    asked = train("--data", "model/sample.csv", "--min-auc", "0.9")

    assert [sample.returncode, other.returncode, asked.exit_code] == [0, 1, 1]
    assert "is below --min-auc" in other.stderr and "is below --min-auc 0.9" in asked.output


@pytest.mark.parametrize(("rows", "cut"), [(303, (10, 5)), (9_999, (10, 5)), (10_000, (5, 1)), (300_000, (5, 1))])
def test_partitions_follow_the_rows(train: Train, rows: int, cut: tuple[int, int]) -> None:
    """A small table is cut into many folds five times, since chance says much there; a large one into few, once."""
    from train import partitions

    assert partitions(rows) == cut


def threads_of(work: Callable[[], Any]) -> tuple[Any, int]:
    """What it returns, and how many threads it had at the most besides its own."""
    counts, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            counts.append(threading.active_count() - before)

    watcher, before = threading.Thread(target=watch), threading.active_count() + 1
    watcher.start()
    done = work()
    over.set()
    watcher.join()
    return done, max(counts)


def test_threads_follow_the_rows(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large table's folds are fitted on all cores; how many there are doesn't change what is measured."""
    from dataset import load
    from train import boosted_trees, evaluate

    def evaluated(rows: int, cores: int) -> tuple[Any, int]:
        write(rows, Path("data.parquet"))
        features, target = load(Path("data.parquet"), 10)
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", str(cores))  # joblib then sees so many
        return threads_of(lambda: evaluate(boosted_trees(7), features, target, 7))

    _, for_few = evaluated(1_000, 3)
    (metrics, for_one), (same, for_three) = evaluated(10_000, 1), evaluated(10_000, 3)

    assert (for_few, for_one) == (0, 0)
    assert for_three >= 3
    assert same == metrics


@pytest.mark.drill
def test_a_large_table_trains_on_all_cores() -> None:
    """A hundred times the rows don't take a hundred times the time, whatever kind of file has them."""
    command = [sys.executable, "-m", "benchmarks.training", "--most", "30000"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    seconds = [float(line.split("|")[2]) for line in result.stdout.splitlines()[2:]]
    assert len(seconds) == 6
    assert max(seconds[-2:]) < 20 * min(seconds[:2])


#: How a table may be typed where it is written as Parquet: its columns, and how one is made of heart.csv's.
TYPES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "as pandas reads it": lambda table: table,
    "nullable": lambda table: table.convert_dtypes(),
    "all text": lambda table: table.astype(object).map(str, na_action="ignore"),
    "categories": lambda table: table.astype({"thal": "category", "cp": "category"}),
    "true and false": lambda table: table.astype({"sex": bool, "target": bool}),
    "true, false, and missing": lambda table: table.assign(ca=(table["ca"] > 0).where(table["ca"].notna(), None)),
    "decimals": lambda table: table.assign(age=table["age"].map(Decimal)),
    "rows with names": lambda table: table.set_index(pd.Index([f"patient {n}" for n in range(303)], name="who")),
}


@pytest.mark.parametrize("types", TYPES)
def test_parquet_is_read_like_a_csv(train: Train, types: str) -> None:
    """Of one table, however its columns are typed, both files give the same features and target."""
    from dataset import load

    table = pd.read_csv(MODEL / "heart.csv")
    as_csv = table if types != "true, false, and missing" else table.assign(ca=table["ca"].clip(upper=1))
    as_csv.to_csv("data.csv", index=False)
    TYPES[types](table).to_parquet("data")  # its content says what it is

    (features, target), (wanted, labels) = load(Path("data"), 10), load(Path("data.csv"), 10)

    pd.testing.assert_frame_equal(features, wanted, check_names=False)
    pd.testing.assert_series_equal(target, labels, check_names=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"age": date(2020, 1, 1)}, "column age, row 1: '2020-01-01' is not a number"),
        ({"age": pd.Timedelta(1, "h")}, "column age, row 1: '0 days 01:00:00' is not a number"),
        ({"chol": math.inf}, "column chol, row 1: 'inf' is not a number"),
        ({"thal": 3}, "column thal, row 1: '3' is not one of"),
        ({"ca": [[0]] * 303}, "column ca, row 1: '[0]' is not a number"),
        ({"target": 0.5}, "column target, row 1: '0.5' is not 0 or 1"),
        ({"weight": 80}, "unknown columns: weight"),
    ],
    ids=str,
)
def test_refuses_other_values_in_parquet(train: Train, change: dict[str, Any], said: str) -> None:
    """A file without lines is told of by its rows."""
    pd.read_csv(MODEL / "heart.csv").assign(**change).to_parquet("data.parquet")

    result = train("--data", "data.parquet", "--out", "out/model")

    assert (result.exit_code, Path("out").exists()) == (1, False)
    assert isinstance(result.exception, SystemExit) and said in result.output


def test_refuses_numbers_for_names(train: Train) -> None:
    """Parquet keeps columns' names as pandas had them: those of a table without a head are numbers."""
    pd.read_csv(MODEL / "heart.csv").set_axis(range(14), axis="columns").to_parquet("data.parquet")

    result = train("--data", "data.parquet")

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit) and "missing columns: age, sex" in result.output


def test_refuses_what_is_no_parquet(train: Train) -> None:
    """A CSV by the name of Parquet, and a file that is cut off or damaged anywhere, are named without a traceback."""
    pd.read_csv(MODEL / "heart.csv").to_parquet("whole")
    whole = Path("whole").read_bytes()
    others = [(MODEL / "heart.csv").read_bytes(), b"", whole[:4], whole[:-1], whole[: len(whole) // 2]]
    pq.write_table(pq.read_table("whole").replace_schema_metadata({"pandas": "{}"}), "whole")  # pandas looks into it
    others.append(Path("whole").read_bytes())

    for content in others:
        Path("data.parquet").write_bytes(content)
        result = train("--data", "data.parquet", "--out", "out/model")

        assert (result.exit_code, Path("out").exists()) == (1, False)
        assert "data.parquet is not a Parquet file" in result.output
        assert isinstance(result.exception, SystemExit)


def test_a_model_of_parquet_is_that_of_the_csv(tmp_path: Path) -> None:
    """What trains on the same rows makes the same model, whatever file they lie in."""
    pd.read_csv(MODEL / "heart.csv").to_parquet(tmp_path / "data.parquet")

    both = [train_apart(tmp_path / "csv"), train_apart(tmp_path / "parquet", data=tmp_path / "data.parquet")]

    assert both[0].stdout == both[1].stdout != ""
    assert (tmp_path / "csv/model.pkl").read_bytes() == (tmp_path / "parquet/model.pkl").read_bytes()


def train_apart(out: Path, data: Path = MODEL / "heart.csv", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: MLflow warns of itself when it is imported."""
    command = [sys.executable, "-B", MODEL / "train.py", "--data", data, "--out", out]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_an_earlier_model_is_replaced_whole(tmp_path: Path) -> None:
    """Nothing of the model that was at --out is left, and nothing else beside it."""
    earlier = tmp_path / "out"
    earlier.mkdir()
    (earlier / "MLmodel").write_text("earlier")
    (earlier / "older.pkl").write_text("earlier")

    result = train_apart(earlier)

    assert result.returncode == 0, result.stderr
    assert "auc" in (earlier / "MLmodel").read_text()
    assert not (earlier / "older.pkl").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_a_model_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    """When writing fails half-way, here because no file may grow over 4 kB, the earlier model is as it was."""
    earlier = tmp_path / "out"
    earlier.mkdir()
    (earlier / "MLmodel").write_text("earlier")

    result = train_apart(earlier, preexec_fn=full_disk)

    assert result.returncode == 1
    assert "saving the model failed: [Errno 27] File too large; no model was written" in result.stderr
    assert [(file.name, file.read_text()) for file in earlier.iterdir()] == [("MLmodel", "earlier")]
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def full_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_never_replaces_another_folder(train: Train, tmp_path: Path) -> None:
    """A folder that holds something else than a model is not replaced: exit code 2 before any training."""
    (tmp_path / "thesis.txt").write_text("years of work")

    result = train("--data", MODEL / "heart.csv", "--out", ".")

    assert result.exit_code == 2
    assert "holds something else than an MLflow model" in result.output
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("options", [["--min-auc", "1.1"], ["--min-auc", "high"], ["--seed", "-1"], ["--seed", "x"]])
def test_wrong_options_are_wrong_usage(train: Train, options: list[str]) -> None:
    """Options out of range or of the wrong type end with exit code 2."""
    assert train("--data", MODEL / "heart.csv", *options).exit_code == 2


def test_help_needs_no_heavy_import() -> None:
    """--help answers without importing pandas, scikit-learn, XGBoost or MLflow."""
    code = "import sys, runpy; sys.argv = ['train.py', '--help']; runpy.run_path(sys.argv[0], run_name='__main__')"
    heavy = "'pandas sklearn xgboost mlflow'.split()"
    probe = f"try:\n exec({code!r})\nexcept SystemExit:\n print([name for name in {heavy} if name in sys.modules])"

    result = subprocess.run([sys.executable, "-c", probe], cwd=MODEL, capture_output=True, text=True, check=True)

    assert result.stdout.startswith("Usage:")
    assert result.stdout.endswith("[]\n")


STRICT = [
    ["mypy", "model", "benchmarks"],
    ["ruff", "check", "--config", "lint.per-file-ignores = {}", "model"],
    ["ruff", "format", "--check", "model"],
]


@pytest.mark.parametrize("command", STRICT, ids=" ".join)
def test_the_example_is_as_clean_as_the_rest(command: list[str]) -> None:
    """What `make check` doesn't ask of another model's code holds of ours: types, lint, format."""
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout
