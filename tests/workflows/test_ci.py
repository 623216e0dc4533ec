"""ci.yml: each drill runs in one of its parts; through act, what a pull request, from a fork or not, gets to see."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from azureml_emulator.workflows.act import Run, commit, copy_tree, run_workflow
from demo.rollouts import change_model
from tests.support import ROOT
from tests.support.repository import results
from tools.drill import SESSIONS, files
from tools.needed import ALWAYS, BLUE, GREEN, JOB, JOBS, SAMPLE, changed, main, needed

# Here is what the Makefile would install, and `make check demo` has run on these files before.
STUBS = {
    "install: .*\n": f"install:\n\ttest -e .venv || ln -s {sys.prefix} .venv\n\n",
    "check: install.*\n(?:\t.*\n)+": "check: install\n\t! grep -q badly tests/test_a.py\n",
    "demo: install .*\n\t.*\n": "demo: install\n\ttrue\n",
}
KEPT = {"__init__.py", "conftest.py", "support"}
PASSES = """import os

import pytest


def test_no_variable_is_there() -> None:
    assert not [name for name in os.environ if name.startswith("AZURE_")]


@pytest.mark.drill
def test_more() -> None:
    pass
"""


CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
SHARDS = [f"{number}/4" for number in CI["jobs"]["drill"]["strategy"]["matrix"]["shard"]]


def drills(shard: str) -> list[str]:
    return [str(Path(session, file)) for session in SESSIONS for file in files(session, shard)]


def test_every_drill_runs_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts that ci.yml deals out are together what `make drill` runs, each file once: all that have drills."""
    monkeypatch.chdir(ROOT)
    paths = [*Path("tests").rglob("*.py"), *Path("emulator/tests").rglob("*.py")]
    having = Counter(str(path) for path in paths if "pytest.mark.drill" in path.read_text(encoding="utf-8"))

    assert Counter(drills("1/1")) == having
    assert Counter(file for shard in SHARDS for file in drills(shard)) == having


@pytest.mark.parametrize("shard", ["", "/4", "1/", "0/4", "5/4", "1/4/4", "one/4"])
def test_a_part_that_is_none_is_refused(shard: str) -> None:
    """A part that would hold nothing can't pass."""
    with pytest.raises(SystemExit, match="is no part of the drills"):
        files("", shard)


@pytest.mark.parametrize(
    ("paths", "jobs"),
    [
        (["README.md"], ALWAYS),
        (["docs/summary.svg", "emulator/README.md", "CHANGELOG.md"], ALWAYS),
        (["demo/clients.py"], (*ALWAYS, "demo")),
        (["tests/scripts/test_deploy.py"], (*ALWAYS, "drill")),
        (["scripts/promote.py", "README.md"], (*ALWAYS, "demo", "drill")),
        (["model/train.py"], JOBS),
        ([".github/workflows/ci.yml"], JOBS),
        (["requirements.txt"], JOBS),
        (["tools/needed.py"], JOBS),
        (["unheard/of"], JOBS),
        (["README.md", "unheard/of"], JOBS),
        (["docs"], JOBS),
        ([], JOBS),
    ],
    ids=lambda it: ",".join(it) or "nothing",
)
def test_what_a_change_needs(paths: list[str], jobs: tuple[str, ...]) -> None:
    """A README change runs no drill and no demo; a path that nobody has thought of, or none, runs everything."""
    assert needed(paths) == list(jobs)


def history(folder: Path, *names: str) -> None:
    """A repository on `main`, and on top of it a branch on which the first file is moved to the second's name."""
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run([*git[:3], "init", "--quiet", "--initial-branch=main"], check=True)
    for name in (names[0], "other"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("the same\n" * 20)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=a"], check=True)
    subprocess.run([*git, "checkout", "--quiet", "-b", "change"], check=True)
    (folder / names[1]).parent.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).rename(folder / names[1])
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=b"], check=True)


def test_both_names_of_a_moved_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is moved out of the model's folder needs what the model needs; odd names are read as they are."""
    history(tmp_path, "model/extra.py", "docs/ärger.md")
    monkeypatch.chdir(tmp_path)

    assert sorted(changed("main")) == ["docs/ärger.md", "model/extra.py"]
    assert needed(changed("main")) == list(JOBS)


@pytest.mark.parametrize("base", ["0" * 40, "", "nowhere"])
def test_a_base_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: str
) -> None:
    """A new branch, or one that was forced elsewhere, runs everything, and says so to the workflow."""
    history(tmp_path, "README.md", "model/train.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    main(base)

    assert json.loads(capsys.readouterr().out) == list(JOBS)
    assert (tmp_path / "output").read_text() == f"jobs={json.dumps(JOBS)}\n"


def test_without_a_training_no_models_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the models are trained elsewhere, a pull request has nothing to train."""
    monkeypatch.chdir(tmp_path)

    main("nowhere")

    assert json.loads(capsys.readouterr().out) == [job for job in JOBS if job != "compare-models"]


@pytest.mark.parametrize("there", [[JOB, SAMPLE], [JOB], [SAMPLE], []], ids=str)
def test_a_sample_is_for_a_training_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[Path]
) -> None:
    """Pull requests train on it where a cluster trains on the rest; else on what the training takes itself."""
    for path in there:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    main("nowhere")

    told = (tmp_path / "output").read_text().splitlines()[1:]
    assert told == (["data=model/sample.csv"] if there == [JOB, SAMPLE] else [])


@pytest.mark.parametrize(("moved", "told"), [((BLUE, "endpoints/old.yml"), True), ((BLUE, GREEN), False)])
def test_the_first_deployments_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], moved: list[str], told: bool
) -> None:
    """A change of blue-deployment.yml without green's draws a notice: where something serves it does nothing."""
    history(tmp_path, *moved)
    monkeypatch.chdir(tmp_path)

    main("main")

    assert ("::notice" in capsys.readouterr().err) == told


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository with a few tests of its own: what `make test` and `make drill` have to run here."""
    tree = tmp_path_factory.mktemp("ci") / "tree"
    copy_tree(ROOT, tree)
    makefile = (tree / "Makefile").read_text()
    for target, stub in STUBS.items():
        makefile, found = re.subn(f"(?m)^{target}", stub.replace("\\", r"\\"), makefile)
        assert found == 1, target
    (tree / "Makefile").write_text(makefile)
    for tests in (tree / "tests", tree / "emulator/tests"):
        for path in tests.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in "abcd":
            (tests / f"test_{name}.py").write_text(PASSES)
    commit(tree, "Keep a few tests")
    return tree


def start(tree: Path, event: str = "pull_request") -> Run:
    """A pull request from a fork, with neither variables nor a token that may write."""
    base = subprocess.check_output(["git", "rev-parse", "HEAD~1"], cwd=tree, text=True).strip()
    head = {"repo": {"full_name": "somebody/fork", "fork": True}}
    payload = {
        "pull_request": {"pull_request": {"base": {"sha": base}, "head": head}, "number": 1},
        "merge_group": {"merge_group": {"base_sha": base}},
        "push": {"before": "0" * 40},
    }[event]
    return run_workflow(".github/workflows/ci.yml", event, workdir=tree, environ={}, variables={}, payload=payload)


@pytest.fixture(scope="module")
def run(tree: Path) -> Run:
    """A pull request that trains another model."""
    change_model(tree)
    return start(tree)


@pytest.mark.drill
def test_fork_gets_all_checks(run: Run) -> None:
    """A fork's pull request is linted, tested and compared without a variable, a secret or a login."""
    assert run.exit_code == 0, {name: job.log[-3000:] for name, job in run.jobs.items() if job.result == "failure"}
    assert results(run, "success") == ["changes", *JOBS, "all"]


@pytest.mark.drill
def test_models_are_compared(run: Run) -> None:
    """The metrics of the base branch's training and the pull request's stand side by side in the summary."""
    compared = run.jobs["compare-models"]

    assert "| metric | base | pull request | change |" in compared.summary
    assert json.loads(compared.log.splitlines()[-1])


@pytest.mark.drill
def test_a_page_needs_little(tree: Path, run: Run) -> None:
    """A change of README.md, here in a merge queue, is linted and tested; the rest is left out, and all is well."""
    (tree / "README.md").write_text("# Another\n")
    commit(tree, "Another page")

    little = start(tree, "merge_group")

    assert results(little, "success") == ["changes", *ALWAYS, "all"]


@pytest.mark.drill
def test_a_fork_trains_on_the_sample(tree: Path, run: Run) -> None:
    """Where a cluster trains, both models of the comparison are made of the sample in git, and it says so."""
    [data] = (ROOT / "model").glob("*.csv")
    rows = data.read_text().splitlines(keepends=True)[:101]
    (tree / SAMPLE).write_text("".join(rows))
    (tree / JOB).write_text("type: command\n")
    commit(tree, "Train on a cluster")

    compared = start(tree).jobs["compare-models"]

    assert compared.result == "success", compared.log[-3000:]
    assert "Trained on the sample `model/sample.csv` alone" in compared.summary
    digest = hashlib.sha256("".join(rows).encode()).hexdigest()[:12]
    assert f"| data | `{digest}` | `{digest}` |" in compared.summary


@pytest.mark.drill
def test_what_fails_here_fails_there(tree: Path, run: Run) -> None:
    """A failing check, test or drill fails its job; a push to main has no other model to compare with."""
    broken = PASSES.replace("import os", "import os  # badly").replace("assert not", "assert")
    (tree / "tests/test_a.py").write_text(broken.replace("pass", "assert False"))
    commit(tree, "Break what there is to break")

    failed = start(tree, "push")

    assert results(failed, "failure") == ["check", "test", "drill", "all"]
    assert results(failed, "success") == ["changes", "demo"]
    assert results(failed, "skipped") == ["compare-models"]
