"""What act does not enforce and GitHub would: read from the workflow files themselves."""

import pytest
import yaml

from tests.support import ROOT
from tests.workflows.files import Files, Rule
from tests.workflows.rules import RULES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Rule) -> None:
    """Each rule of rules.py holds for our files."""
    assert list(rule(Files(ROOT))) == []


def test_nothing_is_ignored_in_place() -> None:
    """What `make check` finds is mended."""
    assert not any("zizmor: ignore" in text for text in Files(ROOT).texts.values())


def test_zizmor_keeps_its_rules() -> None:
    """A single rule of zizmor is switched off."""
    assert yaml.safe_load((ROOT / ".github/zizmor.yml").read_text()) == {
        "rules": {"self-repository": {"disable": True}}
    }
