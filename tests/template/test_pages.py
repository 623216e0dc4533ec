"""The pages name what is there: workflows, variables, verbs and their options, make's targets, each other."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from azureml_emulator.__main__ import main as emulator
from demo.picture import picture
from scripts.lib.github.repository_variables import VARIABLES
from tests.support import ROOT
from tests.workflows.files import WORKFLOWS, Files
from tools import reference

PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("*/*.md")) if path.name != "CHANGELOG.md")
REFERENCE = (ROOT / reference.PAGE).read_text()
VERBS = reference.commands()
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def first_column(heading: str) -> list[str]:
    """The names in the first column of the reference's table below a heading."""
    section = REFERENCE.split(f"# {heading}\n")[1].split("\n#")[0]
    return re.findall(r"^\| `([\w.-]+)", section, re.MULTILINE)


def shown(page: Path) -> Iterator[str]:
    """Each command line that a page shows, in a block or within a sentence, without its comment."""
    text = page.read_text()
    for code in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", text, re.DOTALL):
        yield from (line.split(" #")[0].strip() for line in "".join(code).splitlines())


def wrong(line: str) -> str:
    """What a command line names that isn't there; "" if all of it is, or it is none of ours."""
    tool = re.match(r"(?:\S*python )?-m scripts\.(\w+)|(azureml-emulator|make)\b|(\w+)(?= -|$)", line)
    if not tool:
        return ""
    verb, other, bare = tool.groups()
    rest = line[tool.end() :]
    if other == "make":
        return "".join(set(re.findall(r" ([a-z][\w-]*)(?![\w=…])", rest)) - TARGETS)
    command = VERBS.get(verb or bare) or (emulator if other else None)
    if command is None:
        return verb if verb and verb != "NAME" else ""
    known = {option for it in commands(command) for parameter in it.params for option in parameter.opts} | {"--help"}
    return " ".join(set(re.findall(r"(?<= )--[\w-]+", rest)) - known)


def commands(command: click.Command) -> Iterator[click.Command]:
    """A command and all below it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from commands(below)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands(page: Path) -> None:
    """A page shows only verbs, options and targets that there are."""
    assert [(line, found) for line in shown(page) if (found := wrong(line))] == []


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("python -m scripts.rolback", "rolback"),
        (".venv/bin/python -m scripts.rollback --too NAME", "--too"),
        ("promote --percentage 10", "--percentage"),
        ("make test drll", "drll"),
        ("azureml-emulator fault add --kid refuse", "--kid"),
    ],
)
def test_a_slip_is_found(line: str, missing: str) -> None:
    """A misspelt verb, option or target."""
    assert wrong(line) == missing


def test_workflows() -> None:
    """Every workflow that somebody starts has a row."""
    files = {f"{name}.yml" for name in WORKFLOWS}

    assert set(first_column("The workflows")) - VARIABLES.keys() == files - {"stages.yml"}


def test_actions() -> None:
    """Every action of others has a row, for whoever must allow it; no other has."""
    used = {use for text in Files(ROOT).texts.values() for use in re.findall(r"uses: ([\w-]+/[\w/-]+)@", text)}

    assert sorted(re.findall(r"^\| `([\w/-]+)@\*`", REFERENCE, re.MULTILINE)) == sorted(used)


def test_what_is_made_of_the_code_is_up_to_date() -> None:
    """The reference has every verb's --help and every variable as they are (`make reference`)."""
    assert reference.made(REFERENCE) == REFERENCE
    assert all(f"### {verb}\n" in REFERENCE for verb in VERBS)
    assert first_column("The variables") == list(VARIABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """A link leads to a file, and to a heading that it has."""
    for target, _, heading in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", page.read_text())):
        if not target.startswith("http"):
            file = page.parent / target if target else page
            assert file.exists(), target
            headings = re.findall(r"^#+ (.*)", file.read_text(), re.MULTILINE) if heading else []
            assert not heading or heading in [re.sub(r"[^\w -]", "", it.lower()).replace(" ", "-") for it in headings]


def test_the_readme_can_be_read_in_a_minute() -> None:
    """It has about ninety lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 95


def test_the_picture_shows_what_the_reviewer_reads() -> None:
    """The summary's tables as a table, the job, and the button; and it is well-formed."""
    drawn = picture("| a | b |\n|---|---|\n| **1** | `<2>` |\n\nApproving gives 10 %.", "promote-10")

    texts = [text.strip() for text in ET.fromstring(drawn).itertext() if text.strip()]  # noqa: S314 our own
    assert [it for it in texts if "font" not in it] == [
        *("promote-10", "is waiting for a review", "Review deployments", "a", "b", "1", "<2>", "Approving gives 10 %."),
    ]
    assert "Review deployments" in (ROOT / "docs/summary.svg").read_text()
