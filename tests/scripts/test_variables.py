"""The repository's variables: which of them staging takes, and what a job refuses before it logs in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


PLACE = {name: SET[name] for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")}
PRODUCTION = {"PRODUCTION_ENDPOINT": "subscription/group/workspace/"}
IDS = ("--client-id", "client", "--tenant-id", "tenant")


def check(target: str, *ids: str, **environ: str) -> Result:
    """What a job's step does that hands over `ids` and has these variables in its environment, no other test's."""
    return run("check_variables", target, *(ids or IDS), **{"ENDPOINT_NAME": "", **dict.fromkeys(PLACE, ""), **environ})


def test_production_takes_what_has_no_prefix() -> None:
    """What belongs to staging, or to nobody here, is left aside."""
    assert pick({**STAGING, "ENDPOINT_NAME": "heart", "OTHER": "x"}) == {**SET, "ENDPOINT_NAME": "heart"}


def test_staging_takes_its_own_first() -> None:
    """What is not set for staging is as in production."""
    variables = {**STAGING, "STAGING_AZURE_RESOURCE_GROUP": "rehearsals", "ENDPOINT_NAME": "heart"}

    picked = pick(variables, staging=True)

    assert picked == {
        **SET,
        "AZURE_RESOURCE_GROUP": "rehearsals",
        "AZURE_ML_WORKSPACE": "rehearsal",
        "ENDPOINT_NAME": "heart",
    }


def test_staging_never_takes_the_production_workspace() -> None:
    """It would be promoted there without approval."""
    assert "AZURE_ML_WORKSPACE" not in pick(SET, staging=True)
    assert missing(SET, staging=True) == ["STAGING_AZURE_ML_WORKSPACE"]


@pytest.mark.parametrize("staging", [False, True])
def test_what_is_missing_is_told_at_once(staging: bool) -> None:
    """All required ones, and none of the others; an empty one is missing."""
    wanted = {"AZURE_ML_WORKSPACE": "STAGING_AZURE_ML_WORKSPACE"} if staging else {}

    assert missing({"AZURE_CLIENT_ID": ""}, staging) == [wanted.get(name, name) for name in SET]


def test_nothing_is_missing() -> None:
    """What may be left out is not asked for."""
    assert missing(SET) == missing(STAGING, staging=True) == []


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


@pytest.mark.parametrize("more", [{}, {"ENDPOINT_NAME": "heart"}, PRODUCTION])
def test_a_job_of_production_has_its_variables(more: dict[str, str]) -> None:
    """The workspace's three and the login's two are enough; what it works on is said."""
    result = check("production", **PLACE, **more)

    assert (result.exit_code, result.stdout) == (0, "")
    assert "production: subscription/group/workspace" in result.stderr


@pytest.mark.parametrize("own", [{"AZURE_ML_WORKSPACE": "rehearsal"}, {"ENDPOINT_NAME": "rehearsal"}])
def test_a_job_of_staging_works_elsewhere(own: dict[str, str]) -> None:
    """In another workspace, or on another endpoint."""
    assert check("staging", **{**PLACE, **PRODUCTION, **own}).exit_code == 0


def test_the_endpoint_has_a_page(tmp_path: Path) -> None:
    """A job's deployment on GitHub links to the studio: in that workspace, under the name that Azure has."""
    check("production", **PLACE, ENDPOINT_NAME="Heart", GITHUB_OUTPUT=str(tmp_path / "output"))

    page = (tmp_path / "output").read_text()
    assert page.startswith(
        "page=https://ml.azure.com/endpoints/realtime/heart/detail?wsid=/subscriptions/subscription/"
    )
    assert page.endswith("/workspaces/workspace&tid=tenant\n")


def test_the_login_is_handed_on(tmp_path: Path) -> None:
    """Later steps log in as the identity, `az` (azure/login's, too) in the job's own folder. Refused, nothing is."""
    job = {"GITHUB_ENV": str(tmp_path / "environment"), "RUNNER_TEMP": "/runner/temp"}
    refused = check("production", **{**PLACE, "AZURE_ML_WORKSPACE": ""}, **job)
    before = (tmp_path / "environment").exists()

    check("production", **PLACE, **job)

    assert refused.exit_code == 1 and not before
    assert outputs(tmp_path / "environment") == {
        "AZURE_CLIENT_ID": "client",
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CONFIG_DIR": "/runner/temp/azure",
        "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
    }


@pytest.mark.parametrize("target", ["production", "staging"])
def test_an_incomplete_set_is_refused(target: str) -> None:
    """All that is missing is named, with the page where it is set."""
    page = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/heart"}

    result = check(target, "--client-id", "client", "--tenant-id", "", **page, **PRODUCTION, AZURE_ML_WORKSPACE="")

    workspace = "STAGING_AZURE_ML_WORKSPACE" if target == "staging" else "AZURE_ML_WORKSPACE"
    assert result.exit_code == 1
    assert f"AZURE_TENANT_ID, AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP, {workspace}:" in result.stderr
    assert "https://github.com/team/heart/settings/variables/actions" in result.stderr


@pytest.mark.parametrize("workspace", ["workspace", "Workspace"])
@pytest.mark.parametrize(("theirs", "ours"), [("", ""), ("mine", "Mine"), ("heart-classifier", "")])
def test_staging_that_is_production_is_refused(workspace: str, theirs: str, ours: str) -> None:
    """Promotions in staging wait for nobody, so it must not be what serves."""
    production = PRODUCTION["PRODUCTION_ENDPOINT"] + theirs
    environ = {**PLACE, "AZURE_ML_WORKSPACE": workspace, "ENDPOINT_NAME": ours, "PRODUCTION_ENDPOINT": production}

    result = check("staging", **environ)

    assert result.exit_code == 1
    assert "staging is the production endpoint itself" in result.stderr


@pytest.mark.parametrize("production", ["", "workspace", "a/b/c"])
def test_staging_must_know_where_production_is(production: str) -> None:
    """A line of YAML that got lost opens nothing: wrong usage."""
    result = check("staging", **PLACE, PRODUCTION_ENDPOINT=production)

    assert result.exit_code == 2
    assert "PRODUCTION" in result.stderr.upper()


@pytest.mark.parametrize("value", ["w\nAZURE_CLIENT_ID=evil", "w\r", " w", "w x", "'w'", "<w>", "w\u200b"])
def test_a_value_that_was_pasted_is_refused(value: str) -> None:
    """White space, quotes, brackets, what can't be seen: copied wrongly at best, another variable's at worst."""
    result = check("production", **{**PLACE, "AZURE_ML_WORKSPACE": value})

    assert result.exit_code == 1
    assert "in AZURE_ML_WORKSPACE, which no such variable has" in result.stderr


@pytest.mark.parametrize("target", ["", "stagign", "Production"])
def test_an_unknown_target_is_wrong_usage(target: str) -> None:
    """A typing error, or a line that got lost, must not lead to production."""
    result = check(target, **PLACE)

    assert result.exit_code == 2
    assert "'production', 'staging'" in result.stderr


def test_the_scripts_read_what_it_checks() -> None:
    """The names are those that every script looks for."""
    command = [sys.executable, "-m", "scripts.show_endpoint"]

    shown = subprocess.run(
        command, cwd=ROOT, env={**PLACE, "ENDPOINT_NAME": "e" * 33}, capture_output=True, text=True, check=False
    )

    assert shown.returncode == 2
    assert "ENDPOINT_NAME" in shown.stderr and "which workspace" not in shown.stderr
