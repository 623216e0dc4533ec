"""docs/MAKE_IT_YOURS.md, Staying current: from plain git repositories, by the copier that people run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from azureml_emulator.github.server import LocalGitHub
from azureml_emulator.workflows.act import commit, copy_tree
from tests.support import ROOT

pytestmark = pytest.mark.drill
FIRST, SECOND = "0.8.0", "0.9.0"
CHANGED, BOTH, NEW = "scripts/invoke.py", "scripts/rollback.py", "scripts/lib/decisions/new.py"
CSV = "size,kind,label\n" + "".join(f"{n},{'ab'[n % 2]},{'yes' if n % 3 else 'no'}\n" for n in range(30))


def git(tree: Path, *command: str) -> str:
    return subprocess.check_output(["git", *command], cwd=tree, text=True)


def python(tree: Path, module: str, *arguments: str, **environ: str) -> str:
    """What a module of a tree prints, by this environment's Python."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, env={**os.environ, **environ}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def first_line(file: Path, text: str) -> None:
    lines = file.read_text().splitlines()
    file.write_text("\n".join([text, *lines[1:]]) + "\n")


def release(tree: Path, version: str) -> None:
    """What a maintainer does."""
    python(tree, "tools.release", version)
    commit(tree, f"Release {version}")
    git(tree, "tag", f"v{version}")


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one of the workflow, in an environment of its own."""
    home = tmp_path_factory.mktemp("copier")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, home], check=True)
    packages = ["--require-hashes", "--requirement", ROOT / "scripts" / "template-packages.txt"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", home, *packages], check=True)
    return home / "bin"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository, released twice: a file changed, one new, one of the emulator's new, and another emulator."""
    tree = tmp_path_factory.mktemp("template") / "tree"
    copy_tree(ROOT, tree)
    python(tree, "tools.release", f"{FIRST}.dev0")  # what is tested may be a release itself
    release(tree, FIRST)
    for name in (CHANGED, BOTH):
        first_line(tree / name, '"""The template changed this."""')
    for name in (NEW, "emulator/azureml_emulator/new.py"):
        (tree / name).write_text('"""New."""\n')
    for name in ("model/train.py", "README.md"):
        first_line(tree / name, "The template's own.")
    python(tree, "tools.release", f"{SECOND}.dev0")
    release(tree, SECOND)
    return tree


def copy(template: Path, tree: Path, *options: str) -> Path:
    """ "Use this template" at its first release, then make_it_yours: no history in common, and a file of its own."""
    subprocess.run(
        ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--branch", f"v{FIRST}", template, tree],
        check=True,
    )
    subprocess.run(["rm", "-rf", tree / ".git"], check=True)
    (tree.parent / f"{tree.name}.csv").write_text(CSV)
    git(tree.parent, "init", "--quiet", "--initial-branch=main", str(tree))
    commit(tree, "Initial commit")
    given = ["--name", "mine", "--kind", "classification", "--data", f"../{tree.name}.csv", "--template", str(template)]
    python(tree, "scripts.make_it_yours", *given, *options)
    commit(tree, "Make it ours")
    return tree


def update(tree: Path, copier: Path) -> None:
    command = [copier / "copier", "update", "--defaults", "--quiet"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def updated(template: Path, copier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with a change of its own, on a line that both changed and on another, after the update."""
    tree = copy(template, tmp_path_factory.mktemp("copy") / "tree")
    first_line(tree / BOTH, '"""The copy changed this."""')
    with (tree / CHANGED).open("a") as file:
        file.write("# the copy's own\n")
    commit(tree, "Changes of our own")
    update(tree, copier)
    return tree


def changed(tree: Path) -> set[str]:
    return {line[3:] for line in git(tree, "status", "--porcelain", "--untracked-files=all").splitlines()}


def test_what_the_template_changed_arrives(updated: Path) -> None:
    """Files that both know, files that are new, and nothing else but the wheel and the answers."""
    wheels = {f"wheels/azureml_emulator-{version}-py3-none-any.whl" for version in (FIRST, SECOND)}

    found = changed(updated)

    both = {CHANGED, BOTH, NEW, "CHANGELOG.md", "pyproject.toml", ".copier-answers.yml", "wheels/requirements.txt"}
    assert found == both | wheels


def test_a_local_change_is_kept(updated: Path) -> None:
    """Where the template changed another line of the file."""
    text = (updated / CHANGED).read_text()

    assert text.startswith('"""The template changed this."""\n')
    assert text.endswith("# the copy's own\n")


def test_a_conflict_is_shown(updated: Path) -> None:
    """Where both changed one line, both stand there, between marks; nowhere else."""
    text = (updated / BOTH).read_text()

    assert re.search(
        r"<<<<<<< [^<>]*The copy changed this.*=======[^<>]*The template changed this.*>>>>>>> ", text, re.DOTALL
    )
    assert git(updated, "grep", "--name-only", "^<<<<<<< ").split() == [BOTH]


def test_what_was_left_behind_stays_there(updated: Path) -> None:
    """Neither the emulator's sources nor a new file among them."""
    assert not (updated / "emulator").exists()
    assert not (updated / "tests" / "scripts").exists()
    assert not (updated / "copier.yml").exists()


def test_the_wheel_comes_along(updated: Path) -> None:
    """One, of the new release, and its requirements name it."""
    [wheel] = (updated / "wheels").glob("*.whl")

    assert SECOND in wheel.name
    assert wheel.name in (updated / "wheels" / "requirements.txt").read_text()


def test_answers_survive(updated: Path, template: Path) -> None:
    """The copy's own, and the release that it has now."""
    answers = yaml.safe_load((updated / ".copier-answers.yml").read_text())

    assert answers == {"_commit": f"v{SECOND}", "_src_path": str(template), "keep_emulator": False}


def test_who_kept_the_emulator_gets_it(template: Path, copier: Path, tmp_path: Path) -> None:
    """With --keep-emulator its sources are updated like all else."""
    tree = copy(template, tmp_path / "tree", "--keep-emulator")

    update(tree, copier)

    assert (tree / "emulator" / "azureml_emulator" / "new.py").exists()
    assert yaml.safe_load((tree / ".copier-answers.yml").read_text())["keep_emulator"] is True
    assert "model/train.py" not in changed(tree)


@pytest.fixture
def github() -> Iterator[LocalGitHub]:
    with LocalGitHub("local/rollout") as found:
        yield found


def test_one_issue_tells_of_it(template: Path, copier: Path, github: LocalGitHub, tmp_path: Path) -> None:
    """Opened once, changed in place, closed when the copy has it."""
    tree = copy(template, tmp_path / "tree")
    asking = {**github.environ(), "PATH": f"{copier}:{os.environ['PATH']}"}

    told = [python(tree, "scripts.check_template", **asking) for _ in range(2)]
    [issue] = github.issues.values()
    before = dict(issue)
    update(tree, copier)
    after = python(tree, "scripts.check_template", **asking)

    assert told == [before["html_url"]] * 2
    assert (before["state"], before["title"]) == ("open", f"The template's {SECOND} is out")
    assert (issue["state"], after) == ("closed", f"{SECOND} is the newest")
