"""What scripts tell the workflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lib.github import step_output


def test_outputs_are_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step's outputs add to those that are there, an empty one included."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    step_output.output(version="7")
    step_output.output(green="", blue="default")

    assert (tmp_path / "output").read_text() == "version=7\ngreen=\nblue=default\n"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_value_of_several_lines_forges_no_output(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a line's end stays within its value's delimiter."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    step_output.output(version=f"7{end}green=evil")

    first, *_, last = (tmp_path / "output").read_text().splitlines()
    assert first == f"version<<{last}"


def test_a_summary_has_a_paragraph_for_each_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Markdown joins lines that no empty one parts."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))

    step_output.summary("one", "two")

    assert (tmp_path / "summary").read_text() == "one\n\ntwo\n\n"


def test_outside_of_a_workflow_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a laptop there is no file to write to."""
    monkeypatch.chdir(tmp_path)

    step_output.output(version="7")
    step_output.summary("one")

    assert list(tmp_path.iterdir()) == []
