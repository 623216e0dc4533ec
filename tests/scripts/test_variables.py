"""The repository's variables: which of them a stage takes, and how a job gets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from scripts.lib.github.repository_variables import VARIABLES, collides, missing, pick, staged
from tests.support import ROOT
from tests.support.scripts import outputs, run

SET = {
    "AZURE_CLIENT_ID": "client",
    "AZURE_TENANT_ID": "tenant",
    "AZURE_SUBSCRIPTION_ID": "subscription",
    "AZURE_RESOURCE_GROUP": "group",
    "AZURE_ML_WORKSPACE": "workspace",
}
STAGING = {**SET, "STAGING_AZURE_ML_WORKSPACE": "rehearsal"}


def use(variables: Any, tmp_path: Path, **environ: str) -> Result:
    """Run use_variables as a step does, in a folder's files."""
    files = {"GITHUB_ENV": str(tmp_path / "env"), "GITHUB_OUTPUT": str(tmp_path / "output")}
    return run("use_variables", VARIABLES=json.dumps(variables), **files, **environ)


def test_production_takes_what_has_no_prefix() -> None:
    """What belongs to staging, or to nobody here, is left aside."""
    assert pick({**STAGING, "ENDPOINT_NAME": "heart", "OTHER": "x"}) == {**SET, "ENDPOINT_NAME": "heart"}


def test_staging_takes_its_own_first() -> None:
    """What is not set for staging is as in production."""
    variables = {**STAGING, "STAGING_AZURE_RESOURCE_GROUP": "rehearsals", "ENDPOINT_NAME": "heart"}

    picked = pick(variables, "staging")

    assert picked == {
        **SET,
        "AZURE_RESOURCE_GROUP": "rehearsals",
        "AZURE_ML_WORKSPACE": "rehearsal",
        "ENDPOINT_NAME": "heart",
    }


def test_staging_never_takes_the_production_workspace() -> None:
    """It would be promoted there without approval."""
    assert "AZURE_ML_WORKSPACE" not in pick(SET, "staging")
    assert missing(SET, "staging") == ["STAGING_AZURE_ML_WORKSPACE"]


@pytest.mark.parametrize("stage", ["", "staging"])
def test_what_is_missing_is_told_at_once(stage: str) -> None:
    """All required ones, and none of the others; an empty one is missing."""
    wanted = {"AZURE_ML_WORKSPACE": "STAGING_AZURE_ML_WORKSPACE"} if stage else {}

    assert missing({"AZURE_CLIENT_ID": ""}, stage) == [wanted.get(name, name) for name in SET]


def test_nothing_is_missing() -> None:
    """What may be left out is not asked for."""
    assert missing(SET) == missing(STAGING, "staging") == []


def test_the_staging_workspace_switches_staging_on() -> None:
    """Any other variable with the prefix doesn't."""
    assert staged(STAGING)
    assert not staged({**SET, "STAGING_ENDPOINT_NAME": "rehearsal"})


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({}, False),
        ({"STAGING_AZURE_ML_WORKSPACE": "Workspace"}, True),
        ({"STAGING_AZURE_ML_WORKSPACE": "workspace", "ENDPOINT_NAME": "mine"}, True),
        ({"STAGING_AZURE_ML_WORKSPACE": "workspace", "STAGING_ENDPOINT_NAME": "heart"}, True),
        ({"STAGING_AZURE_ML_WORKSPACE": "workspace", "STAGING_ENDPOINT_NAME": "rehearsal"}, False),
        ({"STAGING_AZURE_ML_WORKSPACE": "workspace", "STAGING_AZURE_RESOURCE_GROUP": "rehearsals"}, False),
    ],
)
def test_staging_on_the_production_endpoint_is_noticed(more: dict[str, str], same: bool) -> None:
    """Whether both lead to one endpoint, in whatever case; `heart` is what endpoint.yml says."""
    assert collides({**STAGING, **more}, "heart") == same


def test_without_staging_nothing_collides() -> None:
    """Production alone is no conflict."""
    assert not collides(SET, "heart")


def test_every_variable_is_explained() -> None:
    """The README and the doctor tell each in a sentence."""
    assert all(variable.says.endswith(".") for variable in VARIABLES.values())


# the script


def test_a_job_gets_its_variables(tmp_path: Path) -> None:
    """Later steps get the workspace, the login its three ids; the client's id only the login."""
    result = use(SET, tmp_path)

    assert result.exit_code == 0, result.output
    workspace = {name: SET[name] for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")}
    assert outputs(tmp_path / "env") == json.loads(result.stdout) == workspace
    ids = {"client-id": "client", "tenant-id": "tenant", "subscription-id": "subscription"}
    assert outputs(tmp_path / "output") == ids


def test_a_staging_job_gets_the_staging_workspace(tmp_path: Path) -> None:
    """STAGE selects it, and an endpoint of its own."""
    variables = {**STAGING, "STAGING_ENDPOINT_NAME": "rehearsal", "STAGING_AZURE_CLIENT_ID": "other"}

    result = use(variables, tmp_path, STAGE="staging")

    assert result.exit_code == 0, result.output
    assert outputs(tmp_path / "env")["AZURE_ML_WORKSPACE"] == "rehearsal"
    assert outputs(tmp_path / "env")["ENDPOINT_NAME"] == "rehearsal"
    assert outputs(tmp_path / "output")["client-id"] == "other"


def test_an_incomplete_set_is_refused(tmp_path: Path) -> None:
    """All that is missing is named, with the page where it is set; the job gets nothing."""
    page = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/heart"}

    result = use({"AZURE_CLIENT_ID": "client", "AZURE_ML_WORKSPACE": "w"}, tmp_path, **page)

    assert result.exit_code == 1
    assert "AZURE_TENANT_ID, AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP" in result.stderr
    assert "https://github.com/team/heart/settings/variables/actions" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_staging_that_is_production_is_refused(tmp_path: Path) -> None:
    """Promotions in staging wait for nobody, so it must not be what serves."""
    result = use({**SET, "STAGING_AZURE_ML_WORKSPACE": "workspace"}, tmp_path, STAGE="staging")

    assert result.exit_code == 1
    assert "staging is the production endpoint itself" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["w\nAZURE_CLIENT_ID=evil", "w\r", " w", "w x"])
def test_a_value_with_white_space_is_refused(value: str, tmp_path: Path) -> None:
    """It would be copied wrongly at best, and set another variable at worst."""
    result = use({**SET, "AZURE_ML_WORKSPACE": value}, tmp_path)

    assert result.exit_code == 1
    assert "white space in the variables AZURE_ML_WORKSPACE" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "why"), [("", "Missing option"), ("{", "no JSON"), ("[]", "not a JSON object"), ('{"A": 1}', "all texts")]
)
def test_something_else_than_variables_is_wrong_usage(text: str, why: str) -> None:
    """`toJSON(vars)` is an object of texts."""
    result = run("use_variables", VARIABLES=text)

    assert result.exit_code == 2
    assert why in result.stderr


def test_an_unknown_stage_is_wrong_usage(tmp_path: Path) -> None:
    """A typing error must not lead to production."""
    result = use(STAGING, tmp_path, STAGE="stagign")

    assert result.exit_code == 2
    assert "stagign" in result.stderr


def test_the_scripts_read_what_it_sets(tmp_path: Path) -> None:
    """The names are those that every script looks for."""
    use({**SET, "ENDPOINT_NAME": "e" * 33}, tmp_path)
    command = [sys.executable, "-m", "scripts.show_endpoint"]

    shown = subprocess.run(command, cwd=ROOT, env=outputs(tmp_path / "env"), capture_output=True, text=True)

    assert shown.returncode == 2
    assert "ENDPOINT_NAME" in shown.stderr and "which workspace" not in shown.stderr
