"""A deployment's settings: one digest for what means the same, and what an older deployment is compared by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.ai.ml import MLClient

from scripts.lib.azure import endpoint_files
from scripts.lib.azure.endpoint_files import BLUE, GREEN
from scripts.lib.decisions.settings import Settings, fits
from scripts.lib.decisions.state import Deployment, Model
from tests.support.scripts import Live, change, repository, run, toy_model

OLD = Deployment("default", Model("heart", "1"))
WANTED = Settings("abc", {"instance_type": "standard_ds3_v2", "environment_variables.A": "1"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    with repository(tmp_path / "copy", model="toy-settings") as made:
        yield made


def digest(**fields: Any) -> str:
    """The digest of green-deployment.yml with other fields."""
    before = GREEN.read_text()
    change(GREEN, **fields)
    found = endpoint_files.settings(GREEN).digest
    GREEN.write_text(before)
    return found


def test_the_digest_is_short_enough_for_a_tag_and_a_name() -> None:
    """Twelve hexadecimal digits, of which a name takes four."""
    assert len(digest()) == 12 and int(digest(), 16) >= 0


@pytest.mark.parametrize(
    "fields",
    [
        {"instance_type": "STANDARD_DS3_V2"},
        {"request_settings": {"request_timeout_ms": "5000", "max_concurrent_requests_per_instance": "4"}},
        {"app_insights_enabled": False},
        {"app_insights_enabled": "no"},
        {"scale_settings": {"type": "default"}},
        {"environment_variables": {}},
        {"type": "managed"},
        {"name": "other"},
        {"model": "azureml:m:2"},
        {"endpoint_name": "other"},
        {"instance_count": 7},
        {"description": "Words"},
        {"tags": {"team": "care"}},
    ],
    ids=str,
)
def test_what_means_the_same_has_the_same_digest(fields: dict[str, Any]) -> None:
    """Other spellings, defaults that are written out, and what is no setting roll nothing out."""
    assert digest(**fields) == digest()


def test_order_and_comments_don_t_matter() -> None:
    """The file is compared by what it means."""
    before = digest()
    content = yaml.safe_load(GREEN.read_text())
    GREEN.write_text("# other words\n" + yaml.safe_dump(dict(reversed(content.items())), sort_keys=False))

    assert digest() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"instance_type": "Standard_DS4_v2"},
        {"request_settings": {"request_timeout_ms": 5001, "max_concurrent_requests_per_instance": 4}},
        {"request_settings": {"request_timeout_ms": 5000}},
        {"app_insights_enabled": True},
        {"environment_variables": {"A": ""}},
        {"environment_variables": {"A": "x"}},
        {"environment_variables": {"A": "X"}},
        {"environment_variables": {"a": "X"}},
        {"environment": "azureml:env:1"},
        {"environment": "azureml:env:2"},
        {"egress_public_network_access": "disabled"},
        {"liveness_probe": {"period": 10}},
        {"readiness_probe": {"period": 10}},
        {"model_mount_path": "/x"},
        {"properties": {"a": "b"}},
        {"data_collector": {"collections": {"model_inputs": {"enabled": "True"}}}},
    ],
    ids=str,
)
def test_another_setting_has_another_digest(fields: dict[str, Any]) -> None:
    """A change of the file alone rolls out."""
    assert digest(**fields) != digest()
    assert [digest(**fields)] * 2 == [digest(**fields), digest(**fields)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"egress_public_network_access": "disabled"}, {"egress_public_network_access": "Disabled"}),
        ({"environment_variables": {"A": "1", "B": "2"}}, {"environment_variables": {"B": "2", "A": "1"}}),
        ({"environment": "azureml:env:1"}, {"environment": "azureml:/subscriptions/s/environments/env/versions/1"}),
    ],
    ids=str,
)
def test_one_setting_spelt_in_two_ways(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Azure reads both as one."""
    assert digest(**one) == digest(**other) != digest()


def test_the_fields_are_the_file_s_lines_alone() -> None:
    """What the SDK fills in isn't asked for: who switched it on by hand has no other settings."""
    assert {key.partition(".")[0] for key in endpoint_files.settings(GREEN).fields} == {
        "instance_type",
        "request_settings",
    }


def test_the_content_of_files_counts() -> None:
    """A folder of code and a conda file are settings, under whatever path."""
    code, conda = Path("endpoints/code"), Path("endpoints/conda.yml")
    code.mkdir()
    fields = {
        "code_configuration": {"code": "code", "scoring_script": "score.py"},
        "environment": {"image": "x", "conda_file": "conda.yml"},
    }
    found = []
    for text in ("a", "b"):
        (code / "score.py").write_text(text)
        conda.write_text("dependencies: [python]")
        found.append(digest(**fields))
        conda.write_text(f"dependencies: [python, {text}]")
        found.append(digest(**fields))

    assert len(set(found)) == 4


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (replace(OLD, settings="abc"), True),
        (replace(OLD, settings="abc", fields={"instance_type": "other"}), True),
        (replace(OLD, settings="abd", fields=WANTED.fields), False),
        (OLD, True),
        (replace(OLD, fields={**WANTED.fields, "app_insights_enabled": "true"}), True),
        (replace(OLD, fields={**WANTED.fields, "instance_type": "standard_ds4_v2"}), False),
        (replace(OLD, fields={"instance_type": "standard_ds3_v2"}), False),
    ],
)
def test_which_deployments_have_the_settings(deployment: Deployment, expected: bool) -> None:
    """By the digest; an older one has at least what the file says, one that nobody knows anything of is believed."""
    assert fits(deployment, WANTED) is expected


def test_a_deployment_s_entity_carries_the_digest() -> None:
    """As the tag by which the next rollout compares, beside the file's own."""
    change(GREEN, tags={"team": "care"})

    entity = endpoint_files.deployment(GREEN, "xgboost-model-7", "heart")

    assert (entity.name, entity.endpoint_name) == ("xgboost-model-7", "heart")
    assert entity.tags == {"team": "care", "settings": endpoint_files.settings(GREEN).digest}


def test_live_fields_are_spelt_as_the_file_s(azure: dict[str, str], client: MLClient, tmp_path: Path) -> None:
    """What was deployed from a file has that file's fields, however Azure spells them: durations, case, defaults."""
    live = Live("toy-settings")
    fields = {
        "environment_variables": {"WORKERS": "2", "WAIT_ms": "250"},
        "request_settings": {"request_timeout_ms": 90_000, "max_queue_wait_ms": 250},
        "liveness_probe": {"period": 7, "initial_delay": 90, "timeout": 3},
        "app_insights_enabled": False,
        "scale_settings": {"type": "default"},
        "properties": {"mine": "1"},
    }
    change(BLUE, **fields)
    version = run("register_model", toy_model(tmp_path / "toy")).stdout.strip()
    live.do("create_endpoint")
    live.do("deploy", "--version", version)

    found = endpoint_files.live_fields(client.online_deployments.get("default", live.name))

    live.do("delete_endpoint", "--yes")
    wanted = endpoint_files.settings(BLUE)
    assert wanted.fields.items() <= found.items()
    assert fits(replace(OLD, fields=found), wanted)
    change(BLUE, environment_variables={"WORKERS": "3", "WAIT_ms": "250"})
    assert not fits(replace(OLD, fields=found), endpoint_files.settings(BLUE))
