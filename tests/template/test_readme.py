"""The README's tables name what is there, all of it and nothing else."""

import re

import pytest

from scripts.lib.github.repository_variables import VARIABLES
from tests.support import ROOT

README = (ROOT / "README.md").read_text()
PARTS = ROOT / "scripts"


def first_column(heading: str) -> list[str]:
    """The names in the first column of the table below a heading."""
    section = README.split(f"# {heading}\n")[1].split("\n#")[0]
    return re.findall(r"^\| `([\w.-]+)", section, re.MULTILINE)


def test_workflows() -> None:
    """Every workflow that somebody starts has a row."""
    files = {path.name for path in (ROOT / ".github/workflows").glob("*.yml")}

    assert set(first_column("The workflows")) - VARIABLES.keys() == files - {"stages.yml"}


def test_variables() -> None:
    """Every variable has a row, with what it is."""
    assert first_column("The variables") == list(VARIABLES)
    assert all(f"| {variable.says} |" in README for variable in VARIABLES.values())


def test_scripts() -> None:
    """Every script is named."""
    section = README.split("## The scripts\n")[1].split("\n## ")[0]
    scripts = {path.stem for path in PARTS.glob("*.py") if not path.stem.startswith("_")}

    assert {name for name in scripts if f"`{name}" not in section} == set()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links(link: str) -> None:
    """A link leads to a file."""
    assert (ROOT / link).exists()
