"""Small workflows through act, for what a run must never get wrong silently."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.workflows.act import Run, commit, copy_tree, run_workflow

HEAD = "on:\n  push:\n  workflow_dispatch:\n    inputs:\n      mark:\njobs:\n  greet:\n"


def run(tree: Path, workflow: str, event: str = "push", **options: Any) -> Run:
    (tree / "greet.yml").write_text(workflow)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", tree], check=True)
    commit(tree, "Greet")
    given = {"environ": {}, "variables": {}, **options}
    return run_workflow("greet.yml", event, workdir=tree, **given)


def greet(command: str) -> str:
    return f"{HEAD}    runs-on: ubuntu-24.04\n    steps:\n      - run: {command}\n"


def test_environment_variables_and_inputs_arrive(tmp_path: Path) -> None:
    """A workflow sees the environment, the repository's variables and the inputs it is dispatched with."""
    workflow = greet("echo $WORD ${{ vars.NAME }} ${{ inputs.mark }}")
    given = {"environ": {"WORD": "hi"}, "variables": {"NAME": "you"}, "inputs": {"mark": "!"}}

    result = run(tmp_path, workflow, "workflow_dispatch", **given)

    assert result.jobs["greet"].log == "hi you !\n"


def test_secrets_arrive_by_name_and_are_masked(tmp_path: Path) -> None:
    """A called workflow gets the secret that its caller hands on, and no other; the log doesn't."""
    called, heard = tmp_path / ".github/workflows/called.yml", tmp_path / "heard"
    called.parent.mkdir(parents=True)
    env = '        env: {OURS: "${{ secrets.OURS }}", OTHER: "${{ secrets.OTHER }}"}\n'
    steps = greet('echo "$OURS,$OTHER." | tee "$HEARD"').partition("jobs:")[2] + env
    called.write_text(f"on:\n  workflow_call:\n    secrets:\n      OURS: {{required: false}}\njobs:{steps}")
    handed = 'uses: ./.github/workflows/called.yml\n    secrets: {OURS: "${{ secrets.OURS }}"}\n'
    secrets = {"OURS": "https://a.example/#$b?c='d'", "OTHER": "unheard"}

    result = run(tmp_path, f"{HEAD}    {handed}", secrets=secrets, environ={"HEARD": str(heard)})

    assert heard.read_text() == f"{secrets['OURS']},.\n"
    assert result.jobs["greet/greet"].log == "***,.\n"


def test_environment_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in our own environment does not reach a workflow."""
    monkeypatch.setenv("WORD", "leaked")

    assert run(tmp_path, greet("echo [$WORD]")).jobs["greet"].log == "[]\n"


def test_failure_is_told(tmp_path: Path) -> None:
    """A failing step fails its job and the run."""
    result = run(tmp_path, greet("exit 3"))

    assert (result.exit_code, result.jobs["greet"].result) == (1, "failure")
    assert result.jobs["greet"].steps == {"exit 3": "failure"}


@pytest.mark.parametrize(
    "runner",
    ["azure-vnet", "[self-hosted, azure-vnet]", "${{ vars.RUNNER || 'ubuntu-24.04' }}", "{labels: [azure-vnet]}"],
)
@pytest.mark.parametrize("variables", [{}, {"RUNNER": "azure-vnet"}])
def test_every_runner_is_this_machine(tmp_path: Path, runner: str, variables: dict[str, str]) -> None:
    """Whatever labels a job asks for, by themselves or by a variable, it runs here."""
    result = run(tmp_path, greet("echo hi").replace("ubuntu-24.04", runner, 1), variables=variables)

    assert result.jobs["greet"].log == "hi\n"


def test_unknown_runner_is_no_skipped_job(tmp_path: Path) -> None:
    """A job on a machine that can't be read from the file is an error, although act itself passes over it."""
    runner = "${{ format('own-{0}', github.event_name) }}"
    with pytest.raises(RuntimeError, match="job greet runs on something that can't be read"):
        run(tmp_path, greet("exit 0").replace("ubuntu-24.04", runner))


def test_remote_action_needs_a_stand_in(tmp_path: Path) -> None:
    """A remote action is never fetched: without a stand-in nothing starts."""
    with pytest.raises(LookupError, match=r"somebody/something@v1 in .*: no stand-in"):
        run(tmp_path, greet("exit 0").replace("run: exit 0", "uses: somebody/something@v1"))


def test_workflow_that_act_refuses(tmp_path: Path) -> None:
    """A workflow that cannot run at all is an error with act's own words, not a run without jobs."""
    with pytest.raises(RuntimeError, match=r"act failed: .*Unknown Property mistake"):
        run(tmp_path, greet("exit 0") + "    mistake: true\n")


def test_run_that_does_not_end(tmp_path: Path) -> None:
    """It is cancelled when its time is over, and that is said."""
    with pytest.raises(RuntimeError, match="had not ended in time and was cancelled"):
        run(tmp_path, greet("sleep 600"), seconds=1)


def test_act_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no act lies beside this Python, the one in PATH runs the workflow."""
    act = shutil.which("act", path=str(Path(sys.prefix) / "bin"))
    assert act
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "act").symlink_to(act)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    (tmp_path / "tree").mkdir()
    assert run(tmp_path / "tree", greet("echo hi")).jobs["greet"].log == "hi\n"


def test_no_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no act at all, the error says what to install."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    git = shutil.which("git")
    assert git
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(RuntimeError, match=r"install azureml-emulator\[workflows\]"):
        run(tmp_path, greet("exit 0"))


def kept(folder: Path, *options: str, name: str = "model", file: str = "a/b.txt") -> tuple[Run, list[str]]:
    """What an upload of a folder with this file, a hidden one and an empty folder keeps."""
    tree, artifacts = folder / f"tree-{len(options)}-{(folder / 'artifacts').exists()}", folder / "artifacts"
    tree.mkdir()
    made = f"mkdir -p 'f/empty' && install -D /dev/null f/.hidden/x && install -D /dev/null '{file}'"
    given = "".join(f"\n          {line}" for line in (f"name: '{name}'", "path: f", *options))
    steps = f"{greet(made.replace(file, f'f/{file}'))}      - uses: actions/upload-artifact@v1\n        with:{given}\n"
    result = run(tree, steps, artifacts=artifacts)
    return result, sorted(str(found.relative_to(artifacts)) for found in artifacts.rglob("*") if not found.is_dir())


def test_an_artifact_is_kept_as_github_keeps_it(tmp_path: Path) -> None:
    """Files that are not hidden, unless asked for; a second upload of a name only where it may replace the first."""
    assert kept(tmp_path)[1] == ["model/a/b.txt"]
    assert "(409) Conflict" in kept(tmp_path)[0].jobs["greet"].log
    assert kept(tmp_path, "overwrite: true", "include-hidden-files: true")[1] == ["model/.hidden/x", "model/a/b.txt"]


@pytest.mark.parametrize(("name", "file"), [("model", "a:b"), ("model", "a?/b"), ("a:b", "x"), ("a/b", "x")])
def test_an_artifact_that_windows_could_not_keep(tmp_path: Path, name: str, file: str) -> None:
    """GitHub refuses names with such characters, wherever the job runs."""
    result, _ = kept(tmp_path, name=name, file=file)

    assert result.exit_code == 1
    assert "is not valid" in result.jobs["greet"].log


@pytest.mark.parametrize(("checkout", "arrives"), [("", b"version https://git-lfs"), ("lfs: true", b"a,b\n")])
def test_what_git_lfs_keeps(tmp_path: Path, checkout: str, arrives: bytes) -> None:
    """A checkout leaves its pointer, unless it is told to fetch it; every other file is as it was."""
    source = tmp_path / "source"
    (source / ".github/workflows").mkdir(parents=True)
    (source / ".github/workflows/w.yml").write_text(checkout)
    (source / ".gitattributes").write_text("*.csv filter=lfs diff=lfs merge=lfs -text\n")
    for name in ("big.csv", "small.txt"):
        (source / name).write_text("a,b\n")
    subprocess.run(["git", "init", "--quiet", source], check=True)

    copy_tree(source, tmp_path / "copy")

    assert (tmp_path / "copy/big.csv").read_bytes().startswith(arrives)
    assert (tmp_path / "copy/small.txt").read_text() == "a,b\n"
