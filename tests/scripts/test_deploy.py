"""create_endpoint, deploy, show_endpoint and delete_endpoint against the local Azure ML."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.faults.command import Faults
from azureml_emulator.testing import Arm, blobs
from azureml_emulator.testing import deployment as deployment_body
from scripts.lib.azure import registered
from scripts.lib.decisions import old_digest
from scripts.lib.decisions.model_folder import digest
from scripts.lib.decisions.state import FIRST_ROLLOUT
from tests.support import ROOT
from tests.support.scripts import Live, opened, outputs, repository, run, toy_model

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

NUMBERS = itertools.count(1)
TOYS: dict[str, dict[str, Any]] = {
    "first": {"answer": 0},
    "second": {"answer": 1},
    "third": {"answer": 0, "metadata": {"labels": [0]}},
    "broken": {"broken": True},
    "slow": {"seconds": 2},
}


@pytest.fixture(scope="module")
def versions(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The registered version of each toy, by its name; the tests run in the repository that names the model."""
    folder = tmp_path_factory.mktemp("deploy")
    with repository(folder / "repository", model="toy-deploy"):
        workflow = {"GITHUB_SHA": "c0ffee"}
        yield {
            name: run("register_model", toy_model(folder / name, **facts), **workflow).stdout.strip()
            for name, facts in TOYS.items()
        }


@pytest.fixture
def new(versions: dict[str, str], azure: dict[str, str]) -> Iterator[Live]:
    """An endpoint that was just created."""
    live = Live(f"toy-deploy-{next(NUMBERS)}")
    live.do("create_endpoint")
    yield live
    Arm(azure)("DELETE", f"onlineEndpoints/{live.name}")


@pytest.fixture
def serving(new: Live, versions: dict[str, str]) -> Live:
    """An endpoint whose deployment `default` serves the first toy."""
    new.serve(versions["first"])
    return new


@pytest.fixture(scope="module")
def calm(versions: dict[str, str], azure: dict[str, str]) -> Live:
    """An endpoint whose deployment `default` serves the first toy, for tests that change nothing."""
    live = Live("toy-deploy-calm")
    live.do("create_endpoint")
    live.serve(versions["first"])
    return live


def started(live: Live, version: str) -> subprocess.Popen[bytes]:
    """A deploy in a process of its own, which has made its deployment but not finished it."""
    command = [sys.executable, "-m", "scripts.deploy", "--version", version, "--endpoint", live.name]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not any(deployment["state"] == "Creating" for deployment in live.deployments.values()):
        assert process.poll() is None
        time.sleep(0.1)
    return process


def test_create_endpoint_says_that_it_was_never_rolled_out(new: Live, client: MLClient) -> None:
    """A new endpoint has no traffic, and the tag that tells it from one set to 0 %."""
    endpoint = client.online_endpoints.get(new.name)

    assert (endpoint.traffic, endpoint.auth_mode) == ({}, "key")
    assert endpoint.tags == {"model": "toy-deploy", **FIRST_ROLLOUT}


def test_create_endpoint_leaves_one_that_serves_alone(calm: Live, tmp_path: Path) -> None:
    """The second run changes nothing, the traffic above all."""
    before = calm.show()

    printed = calm.do("create_endpoint", GITHUB_OUTPUT=str(tmp_path / "output"))

    assert printed == calm.name
    assert outputs(tmp_path / "output") == {"endpoint": calm.name}
    assert calm.show() == before


def test_create_endpoint_leaves_one_that_serves_after_a_failed_change(
    serving: Live, azure: dict[str, str], faults: Faults
) -> None:
    """Azure calls the whole endpoint Failed then, although its deployments go on answering."""
    faults.add("fail", method="PUT", path=f"*/{serving.name}")
    Arm(azure).endpoint(serving.name, traffic={"default": 100})

    printed = serving.do("create_endpoint")

    assert (printed, serving.show()["state"]) == (serving.name, "Failed")
    assert serving.traffic == {"default": 100}


def test_the_first_deployment_waits_for_its_test(
    new: Live, versions: dict[str, str], client: MLClient, tmp_path: Path
) -> None:
    """The first model is deployed as `default` at 0 %, and the output says that it is the first."""
    output = tmp_path / "output"

    printed = new.do("deploy", "--version", versions["first"], GITHUB_OUTPUT=str(output))

    assert printed == "default"
    first = str(opened(os.environ, new).read().deployments["default"].ref)
    assert outputs(output) == {"endpoint": new.name, "deployment": "default", "green": "", "blue": "", "first": first}
    assert new.traffic == {}
    assert FIRST_ROLLOUT.items() <= client.online_endpoints.get(new.name).tags.items()


def test_the_first_deployment_gets_all_traffic(new: Live, versions: dict[str, str], client: MLClient) -> None:
    """Once it was tested, in a second step, which records that nobody served before; a third one changes nothing."""
    new.do("deploy", "--version", versions["first"])

    new.do("promote", "--percent", 100)

    tags, shown = client.online_endpoints.get(new.name).tags, new.show()
    assert (shown["traffic"], shown["record"]["blue"], shown["record"]["rollout"]) == ({"default": 100}, "", "by hand")
    assert not FIRST_ROLLOUT.keys() & tags.keys()
    assert "default already serves this model" in new.run("deploy", "--version", versions["first"]).stderr


def test_a_deployment_says_where_it_comes_from(calm: Live, versions: dict[str, str], client: MLClient) -> None:
    """Its tags are those of the model version, the version itself, its rollout, and the digest of its settings."""
    tags = dict(client.online_deployments.get("default", calm.name).tags)

    assert len(tags.pop("settings")) == 12
    assert tags == {
        **client.models.get("toy-deploy", versions["first"]).tags,
        "model": "toy-deploy",
        "version": versions["first"],
        "rollout": "by hand",
    }
    assert tags["commit"] == "c0ffee"


def test_no_model_says_whom_its_deployment_replaces(serving: Live, client: MLClient, tmp_path: Path) -> None:
    """Name, version and blue are what this rollout knows, whatever tags the model or the file brings."""
    claims = {"model": "another", "version": "99", "replaces": "nobody", "rollout": "mine", "labels": [0, 1]}
    version = run("register_model", toy_model(tmp_path / "model", metadata=claims)).stdout.strip()

    green = serving.do("deploy", "--version", version, "--rollout", "run 7")

    tags = dict(client.online_deployments.get(green, serving.name).tags)
    blue = serving.deployments["default"]
    assert (tags["model"], tags["version"], tags["rollout"]) == ("toy-deploy", version, "run 7")
    assert tags["replaces"] == f"default {blue['created']} {blue['version']}"


def test_the_first_deployment_replaces_nobody(new: Live, client: MLClient, tmp_path: Path) -> None:
    """A model that claims otherwise would make a rollback go to whoever has that name later."""
    folder = toy_model(tmp_path / "model", metadata={"replaces": "nobody", "first": True})
    version = run("register_model", folder).stdout.strip()

    new.do("deploy", "--version", version)

    assert "replaces" not in client.online_deployments.get("default", new.name).tags


def test_a_model_changed_in_place_is_known_by_what_it_is(
    serving: Live, versions: dict[str, str], client: MLClient
) -> None:
    """Somebody put another version behind `default`: its tags, the digest above all, are those of the old one."""
    deployment: Any = client.online_deployments.get("default", serving.name)
    deployment.model = f"azureml:toy-deploy:{versions['second']}"
    client.online_deployments.begin_create_or_update(deployment).result()

    green = serving.do("deploy", "--version", versions["first"])

    assert green == f"xgboost-model-{versions['first']}"
    assert serving.deployments["default"]["version"] == versions["second"]


def test_a_model_that_serves_is_not_deployed_again(calm: Live, versions: dict[str, str], tmp_path: Path) -> None:
    """The second run ends well, names the deployment and changes nothing."""
    before, output = calm.show(), tmp_path / "output"

    printed = calm.do("deploy", "--version", versions["first"], GITHUB_OUTPUT=str(output))

    assert printed == "default"
    assert outputs(output) == {"endpoint": calm.name, "deployment": "default", "green": "", "blue": "", "first": ""}
    assert calm.show() == before


def test_green_is_deployed_at_zero(serving: Live, versions: dict[str, str], client: MLClient, tmp_path: Path) -> None:
    """Green gets no traffic, at least blue's instances, and the tag that names blue."""
    blue = client.online_deployments.get("default", serving.name)
    blue.instance_count = 2
    client.online_deployments.begin_create_or_update(blue).result()
    output, summary = tmp_path / "output", tmp_path / "summary"

    printed = serving.do(
        "deploy", "--version", versions["second"], GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary)
    )

    green = f"xgboost-model-{versions['second']}"
    assert printed == green
    assert outputs(output) == {
        "endpoint": serving.name,
        "deployment": green,
        "green": green,
        "blue": "default",
        "first": "",
    }
    assert serving.traffic == {"default": 100}
    assert (serving.deployments[green]["instances"], serving.deployments[green]["replaces"]) == (2, "default")
    assert green in summary.read_text()


def test_a_deploy_says_what_it_does_and_nothing_else(serving: Live, versions: dict[str, str]) -> None:
    """In a process of its own, as a job runs it: none of the SDK's warnings, of experimental classes and the like."""
    command = [sys.executable, "-m", "scripts.deploy", "--version", versions["second"], "--endpoint", serving.name]

    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})

    green = f"xgboost-model-{versions['second']}"
    assert (ran.returncode, ran.stdout) == (0, f"{green}\n"), ran.stderr
    assert [line.rpartition(":")[0] or line for line in ran.stderr.splitlines()] == [
        f"downloading toy-deploy {versions['second']} …",
        f"toy-deploy {versions['second']} is what its tag says",
        f"{green} is created at 0 % to replace default",
        f"creating {green} …",
    ]


def test_a_model_of_another_name(serving: Live, client: MLClient, tmp_path: Path) -> None:
    """With --model green is that one, registered elsewhere, without a tag of ours, and of blue's own version."""
    from azure.ai.ml.entities import Model

    folder = toy_model(tmp_path / "model", answer=1, metadata={})
    client.models.create_or_update(Model(name="toy-elsewhere", version="1", path=folder, type="mlflow_model"))

    nobody = serving.run("deploy", "--model", "toy-nobody", "--version", 1)
    name = serving.do("deploy", "--model", "toy-elsewhere", "--version", 1)

    found = serving.deployments[name]
    assert (found["model"], found["version"], serving.traffic) == ("toy-elsewhere", "1", {"default": 100})
    assert nobody.exit_code == 1 and "model toy-nobody has no version 1" in nobody.stderr


def test_green_is_taken_up_again(serving: Live, versions: dict[str, str], tmp_path: Path) -> None:
    """The second run makes nothing, and its output names green again, so that a repeated rollout goes on."""
    serving.do("deploy", "--version", versions["second"])
    before, output = serving.show(), tmp_path / "output"

    printed = serving.do("deploy", "--version", versions["second"], GITHUB_OUTPUT=str(output))

    assert outputs(output) == {
        "endpoint": serving.name,
        "deployment": printed,
        "green": printed,
        "blue": "default",
        "first": "",
    }
    assert serving.show() == before


def test_a_left_over_green_is_removed(serving: Live, versions: dict[str, str]) -> None:
    """A green that was never promoted makes room for the next, and that is said."""
    serving.do("deploy", "--version", versions["second"])

    result = serving.run("deploy", "--version", versions["third"])

    assert result.exit_code == 0, result.output
    assert f"xgboost-model-{versions['second']} is left over" in result.stderr
    assert list(serving.deployments) == ["default", f"xgboost-model-{versions['third']}"]


def test_a_green_of_another_run_is_taken_over(serving: Live, versions: dict[str, str], client: MLClient) -> None:
    """In one write of the endpoint: nothing of the green changes, and its run from before offers it no more."""
    green = serving.do("deploy", "--version", versions["second"], "--rollout", "run 1")
    before: Any = client.online_deployments.get(green, serving.name)

    serving.do("deploy", "--version", versions["second"], "--rollout", "run 2")

    after: Any = client.online_deployments.get(green, serving.name)
    first, second = (serving.run("review", "--green", green, "--rollout", f"run {number}") for number in (1, 2))
    assert (after.tags, after.creation_context.created_at) == (before.tags, before.creation_context.created_at)
    assert (first.exit_code, second.exit_code) == (1, 0)
    assert f"{green} is run 2's now, not run 1's" in first.stderr
    assert serving.traffic == {"default": 100}


def test_what_still_stands_is_used_to_go_back(serving: Live, versions: dict[str, str]) -> None:
    """v2 serves, v1 was kept: rolled out again, v1 is not built anew, promotes, and rolls back to v2."""
    green = serving.do("deploy", "--version", versions["second"])
    serving.do("promote", "--percent", 100)
    before = serving.deployments["default"]["created"]

    again = serving.run("deploy", "--version", versions["first"], "--rollout", "run 2")
    serving.do("promote", "--percent", 50, "--rollout", "run 2")
    halfway = serving.show()
    serving.do("rollback", "--own", "--rollout", "run 2")

    assert again.stdout == "default\n" and "creating" not in again.stderr
    assert serving.deployments["default"]["created"] == before
    assert (halfway["blue"], halfway["green"]) == (green, "default")
    assert serving.traffic == {green: 100}


def test_a_hotfix_that_does_not_start_leaves_the_way_back(serving: Live, versions: dict[str, str]) -> None:
    """v2 is bad and v3 broken: v1 is there all the while, and a rollback leads to it."""
    serving.do("deploy", "--version", versions["second"])
    serving.do("promote", "--percent", 100)
    before = set(serving.deployments)

    failed = serving.run("deploy", "--version", versions["broken"])
    kept = set(serving.deployments)
    serving.do("rollback")

    assert (failed.exit_code, kept) == (1, before)
    assert serving.traffic == {"default": 100}


def test_a_name_that_came_back_is_another_deployment(serving: Live, versions: dict[str, str], client: MLClient) -> None:
    """v1 was deleted and somebody made another `default`: it never served before v2, so nothing leads to it."""
    serving.do("deploy", "--version", versions["second"])
    serving.do("promote", "--percent", 100)
    theirs: Any = client.online_deployments.get("default", serving.name)
    client.online_deployments.begin_delete("default", serving.name).result()
    theirs.tags = {}
    client.online_deployments.begin_create_or_update(theirs).result()

    back = serving.run("rollback")

    assert back.exit_code == 1
    assert "which served before, is gone" in back.stderr
    assert f"deploy --version {versions['first']}" in back.stderr


def test_an_older_version_can_be_rolled_out(new: Live, versions: dict[str, str]) -> None:
    """Roles don't follow the order of versions."""
    new.serve(versions["second"])

    green = new.do("deploy", "--version", versions["first"])

    shown = new.show()
    assert (shown["blue"], shown["green"]) == ("default", green)


def test_an_endpoint_set_to_zero_is_left_alone(serving: Live, versions: dict[str, str], client: MLClient) -> None:
    """Somebody took the traffic away; deploy stops, and says how to give it back, which works."""
    endpoint: Any = client.online_endpoints.get(serving.name)
    endpoint.traffic = {"default": 0}
    client.online_endpoints.begin_create_or_update(endpoint).result()

    result = serving.run("deploy", "--version", versions["second"])

    assert result.exit_code == 1
    assert "promote --to default --percent 100" in result.stderr
    assert (serving.traffic, list(serving.deployments)) == ({}, ["default"])
    serving.do("promote", "--to", "default", "--percent", 100)
    assert serving.traffic == {"default": 100}


def test_a_rollout_in_progress_is_left_alone(serving: Live, versions: dict[str, str]) -> None:
    """A green with traffic isn't removed for a newer one."""
    green = serving.do("deploy", "--version", versions["second"])
    serving.do("promote", "--to", green, "--percent", 10)
    before = serving.show()

    result = serving.run("deploy", "--version", versions["third"])

    assert result.exit_code == 1
    assert "a rollout is in progress" in result.stderr
    assert serving.show() == before


def test_a_version_that_is_not_registered_is_refused(calm: Live) -> None:
    """The error names the model and the version."""
    result = calm.run("deploy", "--version", 99)

    assert result.exit_code == 1
    assert "model toy-deploy has no version 99" in result.stderr


def test_another_model_than_was_trained_is_refused(calm: Live, versions: dict[str, str]) -> None:
    """Whatever registered it: its digest is not the one that training printed, so nothing changes."""
    before = calm.show()

    result = calm.run("deploy", "--version", versions["second"], "--digest", "0" * 64)

    assert result.exit_code == 1
    assert "with another content than training made" in result.stderr and "Nothing is deployed" in result.stderr
    assert calm.show() == before


@pytest.mark.parametrize("told", [True, False])
def test_a_model_that_was_changed_in_the_store_is_refused(
    calm: Live, versions: dict[str, str], client: MLClient, azure: dict[str, str], tmp_path: Path, told: bool
) -> None:
    """Somebody who can write blobs puts other code behind a registered version: its tag, too, tells that."""
    folder = toy_model(tmp_path / "model", metadata={"told": told})
    version = run("register_model", folder).stdout.strip()
    path = str(client.models.get("toy-deploy", version).path).partition("/paths/")[2]
    blobs(Arm(azure)).upload_blob(f"{path}/code/toy.py", b"import evil", overwrite=True)
    before = calm.show()

    result = calm.run("deploy", "--version", version, "--digest", digest(folder) if told else "")

    assert result.exit_code == 1
    assert f"with another content than {'training made' if told else 'its tag says'}" in result.stderr
    assert "scripts.register_model" in result.stderr and "uploads a new version elsewhere" in result.stderr
    assert calm.show() == before


def test_compiled_code_beside_a_registered_model_is_refused(
    calm: Live, versions: dict[str, str], client: MLClient, azure: dict[str, str], tmp_path: Path
) -> None:
    """Nothing uploaded it, and Python would run it in the place of the model's own code."""
    version = run("register_model", toy_model(tmp_path / "model", metadata={"compiled": True})).stdout.strip()
    path = str(client.models.get("toy-deploy", version).path).partition("/paths/")[2]
    blobs(Arm(azure)).upload_blob(f"{path}/code/__pycache__/toy.cpython-311.pyc", b"evil")

    result = calm.run("deploy", "--version", version)

    assert result.exit_code == 1
    assert "with another content than its tag says" in result.stderr


def test_a_version_of_an_older_release_is_told_by_its_own_digest(
    serving: Live, client: MLClient, tmp_path: Path
) -> None:
    """Its tag is made as releases before did, which counted other things."""
    folder = toy_model(tmp_path / "model", metadata={"registered": "by an older release"})
    version = by_hand(client, folder, digest=old_digest.digest(folder))

    result = serving.run("deploy", "--version", version)

    assert result.exit_code == 0, result.output
    assert "is what its tag says" in result.stderr


def test_what_training_made_is_deployed_with_its_digest(serving: Live, client: MLClient, tmp_path: Path) -> None:
    """A version that was registered without a tag is known by the digest from then on; stdout has the name alone."""
    folder = toy_model(tmp_path / "model", metadata={"registered": "by hand"})
    version = by_hand(client, folder)

    result = serving.run("deploy", "--version", version, "--digest", digest(folder))

    assert result.exit_code == 0, result.output
    assert result.stdout == f"xgboost-model-{version}\n"
    assert "is what training made" in result.stderr
    assert serving.deployments[f"xgboost-model-{version}"]["digest"] == digest(folder)


def test_a_model_without_a_digest_is_deployed_and_that_is_said(serving: Live, client: MLClient, tmp_path: Path) -> None:
    """There is nothing to compare with: a model that other tools registered can be rolled out all the same."""
    version = by_hand(client, toy_model(tmp_path / "model", metadata={"registered": "elsewhere"}))

    result = serving.run("deploy", "--version", version)

    assert result.exit_code == 0, result.output
    assert "has no tag `digest`" in result.stderr
    assert "digest" not in serving.deployments[f"xgboost-model-{version}"]


def test_a_model_without_our_tags_says_in_its_mlmodel_what_it_is(
    serving: Live, client: MLClient, tmp_path: Path
) -> None:
    """Labels and metrics become the deployment's tags, as far as they can; what it is tagged with since is reviewed."""
    said = {
        "rmse": 3.5,
        "labels": [0, 1],
        "nested": {"a": 1},
        "long": "x" * 300,
        "a/b": 1,
        "Version": 3,
        "replaces": "x",
    }
    version = by_hand(client, toy_model(tmp_path / "model", metadata=said))
    bare = by_hand(client, toy_model(tmp_path / "bare", metadata={"by": "hand"}))
    summary = tmp_path / "summary"

    serving.do("deploy", "--version", version)
    green = opened(os.environ, serving).read().deployments[f"xgboost-model-{version}"].tags
    serving.do("deploy", "--version", bare)
    model = client.models.get("toy-deploy", bare)
    model.tags = {**model.tags, "rmse": "3.25"}
    client.models.create_or_update(model)
    serving.do("review", GITHUB_STEP_SUMMARY=str(summary))

    assert (green["rmse"], green["labels"]) == ("3.5", "[0, 1]")
    assert not green.keys() & {"nested", "long", "a/b", "Version"} and green["replaces"] != "x"
    assert "| rmse | – | 3.25 | – |" in summary.read_text()


@pytest.mark.parametrize("path", [".", "notes.txt"])
def test_what_is_no_model_is_refused(calm: Live, client: MLClient, tmp_path: Path, path: str) -> None:
    """Azure registers any folder and any file; to serve it would fail ten minutes later."""
    (tmp_path / "notes.txt").write_text("no model")
    version = by_hand(client, tmp_path / path, kind="custom_model")
    before = calm.show()

    result = calm.run("deploy", "--version", version, "--digest", "0" * 64)

    assert result.exit_code == 1
    assert "is registered as a custom_model, not as an MLflow model" in result.stderr
    assert calm.show() == before


def by_hand(client: MLClient, path: Path, kind: str = "mlflow_model", **tags: str) -> str:
    """The version that the SDK alone makes of a folder or a file, without our tags."""
    from azure.ai.ml.entities import Model

    return str(client.models.create_or_update(Model(name="toy-deploy", path=str(path), type=kind, tags=tags)).version)


def test_a_broken_green_is_removed(calm: Live, versions: dict[str, str], tmp_path: Path) -> None:
    """The container's log is shown, its reason kept in the summary, green is removed, and blue serves as before."""
    before, summary = calm.show(), tmp_path / "summary"

    result = calm.run("deploy", "--version", versions["broken"], GITHUB_STEP_SUMMARY=str(summary))

    assert result.exit_code == 1
    assert "the toy is broken" in result.stderr
    assert "Its log says: RuntimeError: the toy is broken" in result.stderr
    assert '\n        raise RuntimeError("the toy is broken")\n    RuntimeError: the toy' in summary.read_text()
    assert "storage initialiser log:\nFetching the model from " in result.stderr
    assert "is removed" in result.stderr and "default 100 %" in result.stderr
    assert calm.show() == before


def test_a_broken_first_deployment_is_removed(new: Live, versions: dict[str, str]) -> None:
    """The endpoint is as new, and the next model is its first rollout."""
    result = new.run("deploy", "--version", versions["broken"])

    assert result.exit_code == 1
    assert new.deployments == {}
    assert new.serve(versions["first"]) == "default"
    assert new.traffic == {"default": 100}


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("instance_type: Standard_Nope", "Standard_Nope"),
        ("instance_count: 51", "51"),
        ("instance_kind: big", "instance_kind"),
        ("name: [", "is not YAML"),
    ],
)
def test_a_green_that_cannot_be_is_refused(calm: Live, versions: dict[str, str], setting: str, why: str) -> None:
    """The machine type, the limits, the file's form: refused before anything changes, and the reason told."""
    before, path = calm.show(), Path("endpoints/green-deployment.yml")
    content = path.read_text()
    key = setting.partition(":")[0]
    path.write_text("\n".join(line for line in content.splitlines() if not line.startswith(key)) + f"\n{setting}\n")

    result = calm.run("deploy", "--version", versions["second"])

    path.write_text(content)
    assert result.exit_code == 1
    assert why in result.stderr
    assert calm.show() == before


def test_nothing_is_removed_for_a_green_that_cannot_be(serving: Live, versions: dict[str, str]) -> None:
    """The file is read before what an earlier rollout left is removed."""
    serving.do("deploy", "--version", versions["second"])
    before, path = serving.show(), Path("endpoints/green-deployment.yml")
    content = path.read_text()
    path.write_text(f"{content}\ninstance_kind: big\n")

    result = serving.run("deploy", "--version", versions["third"])

    path.write_text(content)
    assert result.exit_code == 1
    assert serving.show() == before


def test_a_creation_that_cannot_be_seen_is_looked_at_on_the_deployment(
    serving: Live, versions: dict[str, str], faults: Faults
) -> None:
    """The operation answers 401 for ever; what was accepted becomes healthy all the same, and nothing is removed."""
    faults.add("refuse", path="*/mfeOperationsStatus/*", status=401, times=0)

    result = serving.run("deploy", "--version", versions["slow"])

    faults.clear()
    assert result.exit_code == 0, result.output
    assert "how it goes can't be seen" in result.stderr and "is removed" not in result.stderr
    assert serving.deployments[f"xgboost-model-{versions['slow']}"]["state"] == "Succeeded"


def test_half_of_the_time_is_left_for_what_is_new(
    serving: Live, versions: dict[str, str], azure: dict[str, str], faults: Faults
) -> None:
    """What an earlier run left running is waited for, but not until the end of --timeout."""
    arm = Arm(azure)
    faults.add("hang", method="PUT", path=f"*/{serving.name}/deployments/stuck")
    stuck = deployment_body(f"{arm.workspace}/models/toy-deploy/versions/{versions['first']}")
    arm("PUT", f"onlineEndpoints/{serving.name}/deployments/stuck", stuck)

    result = serving.run("deploy", "--version", versions["second"], "--timeout", 4)

    assert result.exit_code == 3
    assert "waiting for an operation on stuck to end" in result.stderr
    assert "once more: creating" in result.stderr and "An operation on" in result.stderr


def test_an_endpoint_that_others_made_is_marked_before_its_first_deployment(
    versions: dict[str, str], azure: dict[str, str]
) -> None:
    """Ended before its traffic, the first rollout is told from an endpoint that somebody set to 0 %."""
    arm, live = Arm(azure), Live(f"toy-deploy-{next(NUMBERS)}")
    arm.endpoint(live.name)

    live.do("deploy", "--version", versions["first"])
    again = live.run("deploy", "--version", versions["first"])
    live.do("promote", "--percent", 100)

    assert (again.exit_code, again.stdout) == (0, "default\n")
    assert live.traffic == {"default": 100}
    arm("DELETE", f"onlineEndpoints/{live.name}")


def test_an_endpoint_whose_creation_failed_is_created_anew(
    versions: dict[str, str], azure: dict[str, str], faults: Faults
) -> None:
    """The error tells Azure's words; running it again is all that helps, and the first rollout goes on from there."""
    live = Live(f"toy-deploy-{next(NUMBERS)}")
    faults.add("fail", method="PUT", path=f"*/{live.name}", code="NoQuota", message="no endpoint left")

    first, second = live.run("create_endpoint"), live.run("create_endpoint")
    live.do("deploy", "--version", versions["first"])

    assert (first.exit_code, second.exit_code) == (1, 0)
    assert "no endpoint left" in first.stderr
    assert "created anew" in second.stderr
    Arm(azure)("DELETE", f"onlineEndpoints/{live.name}")


def test_a_timeout_leaves_blue_alone_and_the_next_deploy_clears_up(serving: Live, versions: dict[str, str]) -> None:
    """What Azure is still creating isn't deleted: that is told, and the next deploy removes what nobody promoted."""
    slow = f"xgboost-model-{versions['slow']}"

    result = serving.run("deploy", "--version", versions["slow"], "--timeout", 0.5)
    after = serving.show()
    green = serving.do("deploy", "--version", versions["second"])

    assert result.exit_code == 3
    assert f"{slow} is still there, and Azure may still end it" in result.stderr
    assert "is left with" not in result.stderr  # nobody knows, while an operation runs
    assert after["traffic"] == {"default": 100}
    assert list(serving.deployments) == ["default", green]


def test_a_killed_deploy_is_finished_by_the_next(serving: Live, versions: dict[str, str]) -> None:
    """Killed while Azure creates green: the next run waits for it instead of making another."""
    process = started(serving, versions["slow"])
    process.kill()
    process.wait()

    result = serving.run("deploy", "--version", versions["slow"])

    assert result.exit_code == 0, result.output
    assert "creating" not in result.stderr
    assert serving.deployments[f"xgboost-model-{versions['slow']}"]["state"] == "Succeeded"


def test_a_killed_first_rollout_is_finished_by_the_next(new: Live, versions: dict[str, str]) -> None:
    """Killed before its traffic was set: the next run finds the deployment, and a promotion finishes it."""
    process = started(new, versions["slow"])
    process.kill()
    process.wait()

    result = new.run("deploy", "--version", versions["slow"])

    assert result.exit_code == 0, result.output
    assert "creating" not in result.stderr
    new.do("promote", "--percent", 100)
    assert new.traffic == {"default": 100}


def test_a_packaged_model_is_deployed_unnamed(serving: Live, versions: dict[str, str], client: MLClient) -> None:
    """--with-package deploys the environment that holds the model; its tags tell the model to the next run."""
    green = serving.do("deploy", "--version", versions["second"], "--with-package")
    before = serving.show()

    again = serving.do("deploy", "--version", versions["second"], "--with-package")

    deployment = client.online_deployments.get(green, serving.name)
    assert deployment.model is None and deployment.environment
    assert (again, serving.show()) == (green, before)
    assert serving.deployments[green]["version"] == versions["second"]


def test_show_endpoint(serving: Live, versions: dict[str, str]) -> None:
    """One JSON object tells the split, the roles and each deployment's origin; the situation is a line on stderr."""
    green = serving.do("deploy", "--version", versions["second"])
    serving.do("promote", "--to", green, "--percent", 10)

    result = serving.run("show_endpoint")

    shown = json.loads(result.stdout)
    assert (shown["traffic"], shown["blue"], shown["green"]) == ({"default": 90, green: 10}, "default", green)
    assert [d["traffic"] for d in shown["deployments"]] == [90, 10]
    assert (shown["deployments"][0]["auc"], shown["deployments"][0]["commit"]) == ("0.9", "c0ffee")
    assert result.stderr.startswith("a rollout is in progress: default 90 %")


def test_show_endpoint_has_no_keys(calm: Live, client: MLClient) -> None:
    """What people paste into tickets opens nothing."""
    keys: Any = client.online_endpoints.get_keys(calm.name)

    shown = calm.run("show_endpoint").output

    assert keys.primary_key not in shown and keys.secondary_key not in shown


def test_delete_endpoint_asks(new: Live) -> None:
    """Without a yes everything stays."""
    result = run("delete_endpoint", stdin="n\n", ENDPOINT_NAME=new.name)

    assert result.exit_code == 1
    assert f"Delete {new.name} with no deployments?" in result.stderr
    assert new.show()["state"] == "Succeeded"


def test_delete_endpoint_deletes_its_deployments(serving: Live) -> None:
    """With --yes nobody is asked; the second run says that there is none, which is no error."""
    serving.do("delete_endpoint", "--yes")

    again = serving.run("delete_endpoint", "--yes")

    assert (again.exit_code, again.stdout) == (0, "")
    assert "there is no endpoint" in again.stderr


def test_a_confirmed_endpoint_is_deleted(new: Live) -> None:
    """Its exact name, typed, is as good as a yes."""
    new.do("delete_endpoint", "--confirm", new.name)

    assert "there is no endpoint" in new.run("show_endpoint").stderr


@pytest.mark.parametrize("typed", ["", "toy-deploy", "yes"])
def test_an_endpoint_that_was_not_meant_stays(calm: Live, typed: str) -> None:
    """Whoever types another name, or nothing, meant another endpoint."""
    before = calm.show()

    result = calm.run("delete_endpoint", "--confirm", typed)

    assert result.exit_code == 2
    assert f"is not {calm.name}. Nothing is deleted." in result.stderr
    assert calm.show() == before


def test_a_download_holds_no_file_as_a_whole(
    azure: dict[str, str], calm: Live, client: MLClient, tmp_path: Path
) -> None:
    """64 MiB of weights cost no 32 of memory."""
    folder = toy_model(tmp_path / "model", metadata={"large": True})
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(64 << 20)
    model = client.models.get("toy-deploy", by_hand(client, folder))
    workspace = opened(azure, calm).workspace
    registered.blobs(workspace, model)  # what is imported is no download

    tracemalloc.start()
    found = registered.download(workspace, model, tmp_path / "found")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert digest(found) == digest(folder)
    assert peak < 32 << 20
