"""Every script's command line: help at once, and wrong usage refused before anybody is called."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys

import pytest

from scripts.__main__ import PLUMBING
from tests.support import ROOT
from tests.support.scripts import run

SCRIPTS = [path.stem for path in sorted((ROOT / "scripts").glob("[a-z]*.py"))]
OF_A_WORKSPACE = [
    script
    for script in SCRIPTS
    if any(
        getattr(option, "envvar", None) == "AZURE_ML_WORKSPACE"
        for option in importlib.import_module(f"scripts.{script}").main.params
    )
]
WORKSPACE = {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_RESOURCE_GROUP": "g", "AZURE_ML_WORKSPACE": "w"}
NEEDED = {
    "register_model": ["model"],
    "deploy": ["--version", "1"],
    "smoke_test": ["default"],
    "check_contract": ["green"],
    "delete_blue": ["default"],
    "logs": ["default"],
    "promote": ["--percent", "10"],
}
PLUMBED = ('default: ""', "BOOLEAN", "[|", *PLUMBING)  # what people need not know
HELP = """
import runpy, sys
sys.argv = ["script", "--help"]
try:
    runpy.run_module("scripts.{}", run_name="__main__")
finally:
    print("imported:", [name for name in sys.modules if name.startswith(("azure", "mlflow", "pandas", "requests"))])
"""


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_imports_no_azure(script: str) -> None:
    """Help answers at once (the SDK alone takes two seconds to import), and of what is no workflow's alone."""
    shown = subprocess.run([sys.executable, "-c", HELP.format(script)], capture_output=True, text=True, cwd=ROOT)

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("Usage:")
    assert not [word for word in PLUMBED if word in " ".join(shown.stdout.split()) and word != script]
    assert shown.stdout.rstrip().endswith("imported: []")


def test_all_commands_are_listed() -> None:
    """`python -m scripts` has a line for each."""
    shown = subprocess.run([sys.executable, "-m", "scripts"], capture_output=True, text=True, cwd=ROOT, check=True)

    lines = [line.split(maxsplit=1) for line in shown.stdout.splitlines()[2:]]
    assert sorted(name for name, _ in lines) == SCRIPTS
    assert all(told.endswith((".", "?")) for _, told in lines)


@pytest.mark.parametrize("script", OF_A_WORKSPACE)
def test_a_missing_workspace_names_all_that_is_missing(script: str) -> None:
    """One look at the error is enough to set the variables."""
    arguments = [str(ROOT) if argument == "model" else argument for argument in NEEDED.get(script, [])]

    result = run(script, *arguments, **dict.fromkeys(WORKSPACE, ""))

    assert result.exit_code == 2
    assert all(name in result.stderr for name in WORKSPACE)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("script", "arguments", "why"),
    [
        ("deploy", ["--version", "0"], "'0' is no version that can be deployed: those are whole numbers"),
        ("deploy", ["--version", "latest"], "'latest' is no version that can be deployed"),
        ("deploy", ["--version", "1.0.0"], "'1.0.0' is no version that can be deployed"),
        ("deploy", ["--version", "azureml:heart:2"], "is an address"),
        ("deploy", ["--version", "azureml://registries/azureml/models/m/versions/2"], "A model of a registry"),
        ("register_model", ["--version", "azureml://registries/r/models/m/versions/2"], "A model of a registry"),
        ("register_model", ["--version", "final"], "'final' is no version that can be deployed"),
        ("deploy", [], "Missing option '--version'"),
        ("smoke_test", ["n" * 33], "3 to 32"),
        ("smoke_test", ["default", "--requests", "nowhere.json"], "does not exist"),
        ("smoke_test", ["--patience", "-1"], "not in the range"),
        ("promote", ["--to", "default", "--percent", "110"], "110 is not in the range"),
        ("promote", ["--to", "default", "--percent", "-1"], "-1 is not in the range"),
        ("promote", ["--to", "default", "--percent", "ten"], "not a valid integer"),
        ("promote", ["--to", "a--b", "--percent", "10"], "single dashes"),
        ("promote", [], "--percent, or --first with nothing else"),
        ("promote", ["--first", "default", "--percent", "100"], "--percent, or --first with nothing else"),
        ("promote", ["--first", "default", "--at-least"], "--percent, or --first with nothing else"),
        ("promote", ["--first", "a--b"], "single dashes"),
        ("promote", ["--percent", "0"], "0 is not in the range"),
        ("promote", ["--percent", "101"], "101 is not in the range"),
        ("promote", ["--percent", "10", "--expect", ""], "not what `review` prints"),
        ("delete_blue", ["2fast"], "a letter first"),
        ("deploy", ["--version", "1", "--model", "azureml:heart:1"], "is no model's name"),
        ("doctor", ["--model", "heart"], "--version says which"),
        ("delete_blue", ["default", "--expect", ""], "not what `review` prints"),
        ("delete_endpoint", ["--endpoint", "heart", "--confirm", "HEART"], "'HEART' is not heart"),
        ("delete_endpoint", ["--endpoint", "heart", "--confirm", "heart "], "'heart ' is not heart"),
        ("delete_endpoint", ["--endpoint", "heart", "--confirm", "heart", "--yes"], "not both"),
        ("delete_blue", [], "Missing argument 'NAME'"),
        ("rollback", ["--version", "7"], "No such option '--version'"),
        ("rollback", ["--only-version", "7"], "No such option '--only-version'"),
        ("rollback", ["--own", "--to", "default"], "--to or --own, not both"),
        ("rollback", ["--to", "a--b"], "single dashes"),
        ("register_model", ["nowhere"], "does not exist"),
        ("show_endpoint", ["--endpoint", "no"], "3 to 32"),
    ],
)
def test_wrong_values_are_refused(script: str, arguments: list[str], why: str) -> None:
    """A wrong value ends with exit code 2 and says what is wrong with it."""
    result = run(script, *arguments, **WORKSPACE)

    assert result.exit_code == 2
    assert why in result.stderr


@pytest.mark.parametrize(
    ("split", "why"),
    [
        ("default=90", "sums to 90, not 100"),
        ("default=90,green=20", "sums to 110, not 100"),
        ("default=110,green=-10", "is not NAME=PERCENT"),
        ("default=50,default=50", "once each"),
        ("default:100", "single dashes"),
        ("default=", "is not NAME=PERCENT"),
        ("", "single dashes"),
        ('{"endpoint":"heart"}', "single dashes"),
    ],
)
def test_a_malformed_expectation_is_refused(split: str, why: str) -> None:
    """An expectation that no endpoint could meet is a mistake in the call."""
    result = run("promote", "--to", "default", "--percent", 10, "--expect", split, **WORKSPACE)

    assert result.exit_code == 2
    assert why in result.stderr


def test_a_script_leaves_signals_as_they_were() -> None:
    """Whoever calls it in a process of theirs is not interrupted later in its way."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)

    run("rollback", "--version", "7", **WORKSPACE)

    assert signal.signal(signal.SIGTERM, before) == signal.SIG_IGN


def test_an_endpoint_in_upper_case_is_the_same() -> None:
    """Azure has names in lower case: ENDPOINT_NAME=HEART is `heart`."""
    result = run("delete_endpoint", "--confirm", "stroke", **WORKSPACE, ENDPOINT_NAME="HEART")

    assert result.exit_code == 2
    assert "'stroke' is not heart" in result.stderr


def test_an_invalid_endpoint_name_in_the_environment_is_refused() -> None:
    """ENDPOINT_NAME is checked like the option."""
    result = run("show_endpoint", **WORKSPACE, ENDPOINT_NAME="e" * 33)

    assert result.exit_code == 2
    assert "ENDPOINT_NAME" in result.stderr
