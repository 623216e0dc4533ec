"""What a model folder says: its digest and its tags."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import yaml

from azureml_emulator import testing
from scripts.lib.decisions import old_digest
from scripts.lib.decisions.model_folder import clean, digest, short, stored
from scripts.lib.decisions.model_tags import tags
from scripts.lib.decisions.state import Refused
from tests.support import ROOT
from tests.support.scripts import toy_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "model")


def describe(folder: Path, **facts: Any) -> None:
    """Add facts to a folder's MLmodel."""
    path = folder / "MLmodel"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **facts}))


OTHER = {"run_id": "2", "artifact_path": "m", "model_size_bytes": 3, "model_id": "m-4", "model_uuid": "1"}
FLAVORS = {
    "python_function": {
        "loader_module": "toy",
        "code": "code",
        "artifacts": {"words": {"path": "artifacts/words.txt", "uri": "/home/runner/work/a/words.txt"}},
        "model_code_path": "/home/runner/work/a/model.py",
    }
}


def test_the_stamps_of_a_run_leave_the_digest_alone(folder: Path) -> None:
    """The same model, trained again elsewhere, is the same; so is one that holds another model."""
    describe(folder, flavors=FLAVORS)
    shutil.copytree(folder, folder / "artifacts" / "inner")
    before = digest(folder)

    for model in (folder, folder / "artifacts" / "inner"):
        flavors = json.loads(json.dumps(FLAVORS).replace("/home/runner/work/a", "/home/b"))
        describe(model, utc_time_created="2026-01-01", flavors=flavors, **OTHER)

    assert digest(folder) == before


def test_the_order_of_keys_leaves_the_digest_alone(folder: Path) -> None:
    """MLmodel counts by what it says, not by how it is written."""
    before, path = digest(folder), folder / "MLmodel"

    path.write_text(yaml.safe_dump(dict(reversed(yaml.safe_load(path.read_text()).items())), sort_keys=False))

    assert digest(folder) == before


@pytest.mark.parametrize("change", ["compiled", "ignored", "downloaded", "empty folder"])
def test_what_is_not_uploaded_does_not_count(folder: Path, change: str) -> None:
    """A model that was loaded once, that somebody kept in git, or downloaded by MLflow, is the same."""
    before = digest(folder)

    if change == "compiled":
        (folder / "code" / "__pycache__").mkdir()
        (folder / "code" / "__pycache__" / "toy.pyc").write_bytes(b"\0")
    elif change == "ignored":
        (folder / ".gitignore").write_text("*.py")
        (folder / ".amlignore").write_text("*")
    elif change == "downloaded":
        (folder / "registered_model_meta").write_text("model_version: 7")
    else:
        (folder / "artifacts").mkdir()

    assert digest(folder) == before


def test_a_checkout_of_a_committed_model_is_the_same(folder: Path, tmp_path: Path) -> None:
    """The repository's .gitattributes keep a machine that prefers other line ends from changing it."""

    def git(*arguments: object) -> None:
        settings = ["-c", "core.autocrlf=true", "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *settings, *map(str, arguments)], cwd=folder, check=True, capture_output=True)

    (folder / "words.txt").write_bytes(b"a\nb\n")
    before = digest(folder)
    shutil.copy(ROOT / ".gitattributes", folder)
    git("init")
    git("add", ".")
    git("commit", "-m", "A model")
    git("clone", folder, tmp_path / "elsewhere")
    for extra in (".gitattributes", ".git"):
        path = tmp_path / "elsewhere" / extra
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert digest(tmp_path / "elsewhere") == before


def test_a_copy_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    """Where the folder is doesn't matter."""
    assert digest(Path(shutil.copytree(folder, tmp_path / "elsewhere"))) == digest(folder)


def test_what_is_uploaded_is_what_is_digested(folder: Path, tmp_path: Path) -> None:
    """The folder that the SDK is given holds each file that counts, links followed, and no other."""
    describe(folder, **OTHER)
    before = digest(folder)
    (folder / ".amlignore").write_text("*")
    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "toy.pyc").write_bytes(b"\0")
    (folder / "data" / "of" / "it").mkdir(parents=True)
    (folder / "data" / "of" / "it" / "model.bin").write_bytes(b"1")
    for link, target in (("linked.bin", "data/of/it/model.bin"), ("linked", "data/of")):
        (folder / link).symlink_to(target)

    cleaned = clean(folder, tmp_path / "clean")

    names = ["MLmodel", "code/toy.py", "data/of/it/model.bin", "linked.bin", "linked/it/model.bin"]
    found = sorted(str(path.relative_to(cleaned)) for path in cleaned.rglob("*") if path.is_file())
    assert found == names
    assert not OTHER.keys() & yaml.safe_load((cleaned / "MLmodel").read_text()).keys()
    uploaded = Path(shutil.copytree(cleaned, tmp_path / "uploaded"))
    assert stored(uploaded) == digest(folder) != before


def test_compiled_code_that_is_stored_counts(folder: Path) -> None:
    """register_model uploads none, so somebody put it there: Python would run it in the place of the code."""
    assert stored(folder) == digest(folder)

    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "toy.cpython-312.pyc").write_bytes(b"\0")

    assert stored(folder) != digest(folder)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("nowhere", "is a link to nothing"),
        ("outside", "is a link out of the model's folder. .*cp --recursive"),
        ("itself", "itself is a link to a folder that it lies in"),
        ("pipe", "is neither a file nor a folder"),
        ("name", "has a name that blobs can't have"),
    ],
)
def test_what_cannot_be_uploaded_is_refused(folder: Path, what: str, why: str) -> None:
    """Links to nothing, out of the folder or in circles, what is no file, and names that a blob can't have."""
    if what == "pipe":
        os.mkfifo(folder / what)
    elif what == "name":
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    else:
        targets = {"nowhere": "missing", "outside": "/etc/hostname", "itself": "."}
        (folder / what).symlink_to(targets[what])

    with pytest.raises(Refused, match=why):
        digest(folder)


def test_what_cloudpickle_stamps_is_left_out(folder: Path) -> None:
    """A class of the training script gets an id anew each time."""

    def trained() -> str:
        (folder / "model.pkl").write_bytes(cloudpickle.dumps(type("Model", (), {"__module__": "__main__"})))
        return digest(folder)

    assert trained() == trained()


@pytest.mark.parametrize(
    "content",
    [
        "a: [",
        "- a",
        "flavors: text",
        "flavors: {a: text}",
        "flavors: {a: {artifacts: text, model_code_path: 1}}",
        "flavors: {a: {artifacts: {b: text}}}",
        "flavors: {a: {artifacts: {b: {path: c}}}}",
        "flavors: {a: {artifacts: {b: {uri: c}}}}",
    ],
)
def test_an_odd_mlmodel_inside_counts_as_it_is(folder: Path, content: str) -> None:
    """What a model holds besides its own may be anything."""
    before = digest(folder)
    (folder / "code" / "MLmodel").write_text(content)
    with_it = digest(folder)
    (folder / "code" / "MLmodel").write_text(content.replace("c", "d").replace("text", "texts").replace("- a", "- b"))

    assert len({before, with_it, digest(folder)}) == (2 if content == "a: [" else 3)


def test_digests_say_how_they_are_made(tmp_path: Path) -> None:
    """By a scheme before the colon; what older releases wrote, which has none, is still told as they did."""
    folder = toy_model(tmp_path / "model", sample=testing.SAMPLE)
    older = "254d925e783c10b6ee03b906f13b0d9b58c0072dd5d9ba72873a374e05c6d809"
    (folder / "code" / "toy.py").write_bytes((folder / "code" / "toy.py").read_bytes().replace(b"\n", b"\r\n"))
    describe(folder, model_uuid="1")

    assert digest(folder).startswith("2:")
    assert short(digest(folder)) == digest(folder)[2:14]
    assert short(older) == older[:12]
    assert digest(folder, like=older) == stored(folder, like=older) == older


@pytest.mark.parametrize("change", ["content", "name", "new file", "metadata", "line ends", "artifact"])
def test_a_different_model_has_another_digest(folder: Path, change: str) -> None:
    """Whatever may change a prediction or the facts about it changes the digest."""
    (folder / "model.bin").write_bytes(b"\n")
    before, code = digest(folder), folder / "code" / "toy.py"

    if change == "content":
        code.write_text(code.read_text() + "\nANSWER = 2\n")
    elif change == "name":
        code.rename(code.with_name("game.py"))
    elif change == "new file":
        (folder / "code" / "more.py").write_text("")
    elif change == "metadata":
        describe(folder, metadata={"auc": 0.8})
    elif change == "artifact":
        describe(folder, flavors=FLAVORS)
    else:
        (folder / "model.bin").write_bytes(b"\r\n")

    assert digest(folder) != before


def test_tags_are_the_metadata_as_text(folder: Path) -> None:
    """Tags are text: lists and numbers as JSON."""
    assert tags(folder) == {"auc": "0.9", "data_sha256": "abc", "labels": "[0, 1]"}


@pytest.mark.parametrize("content", [None, "a: [", "just text"])
def test_a_folder_that_is_no_model_is_refused(folder: Path, content: str | None) -> None:
    """Without a readable MLmodel Azure would take the folder and fail to serve it."""
    path = folder / "MLmodel"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)

    with pytest.raises(Refused, match="MLmodel"):
        digest(folder)


def test_the_digest_reads_in_parts(folder: Path) -> None:
    """A model has gigabytes, a runner hasn't: 64 MiB cost no 32."""
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(64 << 20)

    tracemalloc.start()
    digest(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 32 << 20


@pytest.mark.parametrize("before", [b"", b"a", b"\n"])
def test_an_older_digest_counts_a_line_end_between_two_parts_once(folder: Path, before: bytes) -> None:
    """Wherever the reading stops."""
    text = folder / "code" / "toy.py"
    unix = b"#" * (old_digest.PART - 1) + before + b"\n" + b"#" * 10
    text.write_bytes(unix)
    expected = old_digest.digest(folder)

    text.write_bytes(b"#" * (old_digest.PART - 1) + before + b"\r\n" + b"#" * 10)

    assert old_digest.digest(folder) == expected
