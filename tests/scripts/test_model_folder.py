"""What a model folder says: its digest and its tags."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.lib.decisions.model_folder import PART, digest
from scripts.lib.decisions.model_tags import tags
from scripts.lib.decisions.state import Refused
from tests.support.scripts import toy_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "model")


def describe(folder: Path, **facts: Any) -> None:
    """Add facts to a folder's MLmodel."""
    path = folder / "MLmodel"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **facts}))


def test_the_stamps_of_a_run_leave_the_digest_alone(folder: Path) -> None:
    """The same model, trained again, is the same."""
    before = digest(folder)

    describe(folder, model_uuid="1", utc_time_created="2026-01-01", run_id="2", artifact_path="m", model_size_bytes=3)

    assert digest(folder) == before


def test_the_order_of_keys_leaves_the_digest_alone(folder: Path) -> None:
    """MLmodel counts by what it says, not by how it is written."""
    before, path = digest(folder), folder / "MLmodel"

    path.write_text(yaml.safe_dump(dict(reversed(yaml.safe_load(path.read_text()).items())), sort_keys=False))

    assert digest(folder) == before


def test_line_endings_leave_the_digest_alone(folder: Path) -> None:
    """A checkout on Windows is the same model."""
    before, code = digest(folder), folder / "code" / "toy.py"

    code.write_bytes(code.read_bytes().replace(b"\n", b"\r\n"))

    assert digest(folder) == before


def test_compiled_code_leaves_the_digest_alone(folder: Path) -> None:
    """A model that was loaded once is the same."""
    before = digest(folder)

    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "toy.pyc").write_bytes(b"\0")

    assert digest(folder) == before


def test_a_copy_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    """Where the folder is doesn't matter."""
    assert digest(Path(shutil.copytree(folder, tmp_path / "elsewhere"))) == digest(folder)


@pytest.mark.parametrize("change", ["content", "name", "new file", "metadata", "binary line ends"])
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
def test_a_line_end_between_two_parts_counts_once(folder: Path, before: bytes) -> None:
    """Wherever the reading stops."""
    text = folder / "code" / "toy.py"
    unix = b"#" * (PART - 1) + before + b"\n" + b"#" * 10
    text.write_bytes(unix)
    expected = digest(folder)

    text.write_bytes(b"#" * (PART - 1) + before + b"\r\n" + b"#" * 10)

    assert digest(folder) == expected
