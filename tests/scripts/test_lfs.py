"""A file that Git LFS keeps, and nobody fetched: its pointer is named as that, not as a broken file or a new model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.lib.azure.scoring_client import load_request
from scripts.lib.azure.workspace import read_yaml
from scripts.lib.decisions.lfs import POINTER
from scripts.lib.decisions.model_folder import digest
from scripts.lib.decisions.state import Refused
from tests.support.scripts import run, toy_model

LEFT = POINTER + b"spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "model")


@pytest.mark.parametrize("name", ["MLmodel", "model.xgb", "code/toy.py"])
def test_a_model_of_pointers_has_no_digest(folder: Path, name: str) -> None:
    """So it is neither registered nor, where somebody has, deployed: the file is named, with what fetches it."""
    (folder / name).write_bytes(LEFT)

    result = run("digest_model", folder)

    assert result.exit_code == 1
    assert f"{name} of the model's folder" in result.stderr or f"{folder / name} is" in result.stderr
    assert "pointer of Git LFS" in result.stderr and "git lfs pull" in result.stderr and "`lfs: true`" in result.stderr


def test_a_file_that_tells_of_pointers_is_none(folder: Path) -> None:
    """Only the beginning counts."""
    (folder / "README.md").write_bytes(b"# Pointers\n" + LEFT)

    assert digest(folder)


@pytest.mark.parametrize(("name", "read"), [("sample-request.json", load_request), ("endpoint.yml", read_yaml)])
def test_a_file_of_endpoints_that_is_a_pointer(tmp_path: Path, name: str, read: Callable[[Path], object]) -> None:
    """It is no bad JSON, nor bad YAML."""
    (tmp_path / name).write_bytes(LEFT)

    with pytest.raises(Refused, match=rf"{name} is a pointer of Git LFS.*git lfs pull.*lfs: true"):
        read(tmp_path / name)
