"""What scripts tell the workflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lib.github import step_output
from tests.support.scripts import run


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


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        ("cancel_rollout", [], "no token for GitHub"),
        ("cancel_rollout", ["--timeout", "soon"], "Invalid value for '--timeout'"),
        ("rollback", ["--own", "--to", "default"], "--to or --own, not both."),
    ],
)
def test_what_failed_is_an_annotation(script: str, arguments: list[str], words: str) -> None:
    """On GitHub each error is on the run's page, too, whoever found it; elsewhere it is told once."""
    environ = {**dict.fromkeys(("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE"), "x")}
    environ |= {"GITHUB_REPOSITORY": "local/rollout", "ENDPOINT_NAME": "heart"}

    there = run(script, *arguments, **environ, GITHUB_ACTIONS="true")
    here = run(script, *arguments, **environ)

    assert [line.startswith(f"::error::{words}") for line in there.stderr.splitlines()].count(True) == 1
    assert "::error::" not in here.stderr and here.stderr.count(words) == 1


def test_an_annotation_keeps_its_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What the runner would take for the end of the message, or for another command, is escaped."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    step_output.error("50 % stays\r\n::set-env name=A::b")

    assert capsys.readouterr().err == "::error::50 %25 stays%0D%0A::set-env name=A::b\n"
