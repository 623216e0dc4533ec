"""What act does not enforce and GitHub would: read from the workflow files themselves."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT
from tests.workflows.files import Files, Rule
from tests.workflows.rules import RULES

BIN = Path(sys.prefix) / "bin"


def check(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Rule) -> None:
    """Each rule of rules.py holds for our files."""
    assert list(rule(Files(ROOT))) == []


def test_actionlint() -> None:
    """actionlint, with shellcheck for every `run:`, has nothing to say."""
    result = check("actionlint", "-oneline", f"-shellcheck={BIN / 'shellcheck'}")

    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_zizmor() -> None:
    """zizmor's pedantic rules find nothing, and nothing is ignored in place."""
    result = check("zizmor", "-q", "--offline", "--persona=pedantic", "--strict-collection", ".")

    assert result.returncode == 0, result.stdout + result.stderr
    assert not any("zizmor: ignore" in text for text in Files(ROOT).texts.values())


def test_zizmor_keeps_its_rules() -> None:
    """A single rule of zizmor is switched off."""
    assert yaml.safe_load((ROOT / ".github/zizmor.yml").read_text()) == {
        "rules": {"self-repository": {"disable": True}}
    }
