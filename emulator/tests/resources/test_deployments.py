"""Deployments' processes and files: what an update, a failure, a restart and a deletion make of them."""

from pathlib import Path

import pytest

from azureml_emulator.arm.documents import in_state
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.testing import deployment
from tests.support.local import ENDPOINT, MODEL, local
from tests.support.models import in_loop

SLOWER = {"requestSettings": {"requestTimeout": "PT9S"}}
HASTY = {"readinessProbe": {"timeout": "PT0.0001S", "failureThreshold": 1}}


@in_loop
async def test_an_update_in_place_replaces_processes_and_files(tmp_path: Path) -> None:
    """After it the processes from before have ended, and the files they read are gone.

    It takes no more of the quota than it had.
    """
    async with local(tmp_path, core_quota=8) as azure:
        await azure.deployment("default")
        before, files = azure.azure.deployments.pools[ENDPOINT]["default"], azure.files("default")

        status = await azure.deployment("default", **SLOWER)
        after = azure.azure.deployments.pools[ENDPOINT]["default"]

        assert (status["status"], before.ready, after.ready) == ("Succeeded", 0, 1)
        assert len(azure.files("default")) == len(files) == 1
        assert azure.files("default") != files


@in_loop
async def test_an_update_that_fails_changes_nothing_that_serves(tmp_path: Path) -> None:
    """The processes from before answer on, from their own files; what the new ones would have read is gone."""
    async with local(tmp_path) as azure:
        await azure.deployment("default")
        await azure.endpoint(traffic={"default": 100})
        files = azure.files("default")

        status = await azure.deployment("default", **HASTY)

        assert (status["status"], (await azure.score()).status) == ("Failed", 200)
        assert azure.files("default") == files


@in_loop
async def test_a_change_of_the_number_alone_starts_no_other_processes(tmp_path: Path) -> None:
    """Those that are there go on."""
    async with local(tmp_path) as azure:
        await azure.deployment("default")
        before, files = azure.azure.deployments.pools[ENDPOINT]["default"], azure.files("default")

        await azure.deployment("default", instances=2)

        assert azure.azure.deployments.pools[ENDPOINT]["default"] is before
        assert (before.ready, azure.files("default")) == (2, files)


@in_loop
async def test_a_restart_brings_back_what_had_traffic(tmp_path: Path) -> None:
    """Also a deployment whose last update failed: it went on serving, and stays Failed."""
    async with local(tmp_path) as azure:
        await azure.deployment("default")
        await azure.endpoint(traffic={"default": 100})
        await azure.deployment("default", **HASTY)

    async with local(tmp_path) as again:
        assert (again.state("default"), (await again.score()).status) == ("Failed", 200)
        assert len(again.files("default")) == 1


@in_loop
async def test_a_restart_leaves_alone_what_failed_and_has_no_traffic(tmp_path: Path) -> None:
    """It would only fail again."""
    async with local(tmp_path) as azure:
        azure.place("default")

    async with local(tmp_path) as again:
        assert again.azure.deployments.serving(again.scope, ENDPOINT) == {"default": None}


@in_loop
async def test_a_deleted_deployment_leaves_nothing(tmp_path: Path) -> None:
    """Neither processes nor files."""
    async with local(tmp_path) as azure:
        await azure.deployment("default")
        pool, [files] = azure.azure.deployments.pools[ENDPOINT]["default"], azure.files("default")

        operation = azure.azure.deployments.delete(azure.scope, ENDPOINT, "default")
        await azure.end(operation or "")

        assert (pool.ready, azure.azure.deployments.pools[ENDPOINT]) == (0, {})
        assert not files.parent.exists()


@in_loop
async def test_a_deleted_endpoint_is_not_found(tmp_path: Path) -> None:
    """Its route is closed, its deployment's processes have ended, and a new one of that name has no deployment."""
    async with local(tmp_path) as azure:
        await azure.deployment("default")
        await azure.endpoint(traffic={"default": 100})
        pool, before = azure.azure.deployments.pools[ENDPOINT]["default"], await azure.score()

        await azure.end(azure.azure.endpoints.delete(azure.scope, ENDPOINT) or "")
        after = await azure.score()
        await azure.endpoint()

        assert (before.status, after.status, pool.ready) == (200, 404, 0)
        assert azure.azure.deployments.all(azure.scope, ENDPOINT) == []


@in_loop
async def test_the_quota_counts_all_deployments(tmp_path: Path) -> None:
    """ceil(1.2 × instances) × cores of those that are there and of the new one must fit."""
    async with local(tmp_path, core_quota=15) as azure:
        big = deployment(MODEL, instances=2, instanceType="Standard_F8s_v2")
        with pytest.raises(BadRequest, match=r"0/15. Additional needed: 24"):
            azure.azure.deployments.put(azure.scope, ENDPOINT, "big", big)
        azure.place("blue")
        with pytest.raises(BadRequest, match=r"8/15. Additional needed: 8") as refusal:
            azure.azure.deployments.put(azure.scope, ENDPOINT, "green", deployment(MODEL))

    assert refusal.value.code == "OutOfQuota"


@in_loop
async def test_twenty_deployments(tmp_path: Path) -> None:
    """The next one is refused, also when those that are there have failed."""
    async with local(tmp_path, core_quota=1000) as azure:
        for number in range(20):
            azure.place(f"old-{number:02}")

        with pytest.raises(BadRequest, match="has 20 deployments"):
            azure.azure.deployments.put(azure.scope, ENDPOINT, "one-more", deployment(MODEL))


@pytest.mark.parametrize(
    ("left", "settled"), [("Creating", "Failed"), ("Updating", "Succeeded"), ("Deleting", "Succeeded")]
)
@in_loop
async def test_a_restart_settles_what_was_in_flight(tmp_path: Path, left: str, settled: str) -> None:
    """What had been accepted and not ended has had no effect: what was there before is there, and serves."""
    async with local(tmp_path) as azure:
        azure.place("default", left)
        key = f"{azure.scope.key}/onlineEndpoints/{ENDPOINT}"
        azure.azure.store.put(key, in_state(azure.azure.endpoints.get(azure.scope, ENDPOINT), left))

    async with local(tmp_path) as again:
        pool = again.azure.deployments.serving(again.scope, ENDPOINT)["default"]

        assert (again.state(), again.state("default")) == (settled, settled)
        assert bool(pool and pool.ready) == (settled == "Succeeded")


@in_loop
async def test_a_mirrored_deployment_stays(tmp_path: Path) -> None:
    """It is not deleted, as one with live traffic isn't."""
    async with local(tmp_path) as azure:
        azure.place("blue")
        azure.place("green")
        await azure.endpoint(traffic={"BLUE": 100}, mirrorTraffic={"GREEN": 10})

        with pytest.raises(BadRequest, match="10 % of the mirrorTraffic"):
            azure.azure.deployments.delete(azure.scope, ENDPOINT, "green")

        assert azure.azure.router.routes[ENDPOINT].traffic == {"blue": 100}


@in_loop
async def test_a_model_that_mlflow_does_not_know(tmp_path: Path) -> None:
    """Without code it can't be deployed."""
    async with local(tmp_path) as azure:
        uri = "azureml://x/datastores/workspaceblobstore/paths/puppet"
        body = {"properties": {"modelUri": uri, "modelType": "custom_model"}}
        azure.azure.registry.put_version(azure.scope, "puppet", "2", body)

        with pytest.raises(BadRequest, match="needs an MLflow model"):
            azure.azure.deployments.put(azure.scope, ENDPOINT, "blue", deployment(MODEL.replace("/1", "/2")))


@in_loop
async def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    """As many as were asked for, whatever bytes they are."""
    async with local(tmp_path) as azure:
        azure.place("default")
        log = azure.azure.deployments.log_file(ENDPOINT, "default")
        log.parent.mkdir(parents=True)
        log.write_bytes(b"first\nsecond\n\xff\n")

        said = azure.azure.deployments.logs(azure.scope, ENDPOINT, "default", 2)

    assert said.splitlines()[2:] == ["second", "\ufffd"]
