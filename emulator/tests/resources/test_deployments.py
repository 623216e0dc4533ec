"""Deployments' processes and files: what an update, a failure, a restart and a deletion make of them."""

import sys
import threading
from pathlib import Path

import pytest

from azureml_emulator.arm.documents import in_state
from azureml_emulator.arm.errors import BadRequest, Conflict
from azureml_emulator.testing import deployment
from tests.support.local import ENDPOINT, MODEL, local
from tests.support.models import in_loop
from tests.support.served import once

SLOWER = {"requestSettings": {"requestTimeout": "PT9S"}}
HASTY = {"readinessProbe": {"timeout": "PT0.0001S", "failureThreshold": 1}}


@in_loop
async def test_an_update_in_place_replaces_processes_and_files(tmp_path: Path) -> None:
    """After it the processes from before have ended, and the files they read are gone.

    It takes no more of the quota than it had.
    """
    async with local(tmp_path, core_quota=8) as here:
        await here.deployment("default")
        before, files = here.azure.deployments.pools[ENDPOINT]["default"], here.files("default")

        status = await here.deployment("default", **SLOWER)
        after = here.azure.deployments.pools[ENDPOINT]["default"]

        assert (status["status"], before.ready, after.ready) == ("Succeeded", 0, 1)
        assert len(here.files("default")) == len(files) == 1
        assert here.files("default") != files


@in_loop
async def test_an_update_that_fails_changes_nothing_that_serves(tmp_path: Path) -> None:
    """The processes from before answer on, from their own files; what the new ones would have read is gone."""
    async with local(tmp_path) as here:
        await here.deployment("default")
        await here.endpoint(traffic={"default": 100})
        files = here.files("default")

        status = await here.deployment("default", **HASTY)

        assert (status["status"], (await here.score()).status) == ("Failed", 200)
        assert here.files("default") == files


@in_loop
async def test_a_change_of_the_number_alone_starts_no_other_processes(tmp_path: Path) -> None:
    """Those that are there go on."""
    async with local(tmp_path) as here:
        await here.deployment("default")
        before, files = here.azure.deployments.pools[ENDPOINT]["default"], here.files("default")

        await here.deployment("default", instances=2)

        assert here.azure.deployments.pools[ENDPOINT]["default"] is before
        assert (before.ready, here.files("default")) == (2, files)


@in_loop
async def test_a_restart_brings_back_what_had_traffic(tmp_path: Path) -> None:
    """Also a deployment whose last update failed: it went on serving, and stays Failed."""
    async with local(tmp_path) as here:
        await here.deployment("default")
        await here.endpoint(traffic={"default": 100})
        await here.deployment("default", **HASTY)

    async with local(tmp_path) as again:
        assert (again.state("default"), (await again.score()).status) == ("Failed", 200)
        assert len(again.files("default")) == 1


@in_loop
async def test_a_restart_leaves_alone_what_failed_and_has_no_traffic(tmp_path: Path) -> None:
    """It would only fail again. What a start that was killed has left is removed."""
    async with local(tmp_path) as here:
        here.place("default")
        (here.azure.deployments.log_file(ENDPOINT, "default").parent / "model-killed").mkdir(parents=True)

    async with local(tmp_path) as again:
        assert again.azure.deployments.serving(again.scope, ENDPOINT) == {"default": None}
        assert again.files("default") == []


@in_loop
async def test_a_deleted_deployment_leaves_nothing(tmp_path: Path) -> None:
    """Neither processes nor files."""
    async with local(tmp_path) as here:
        await here.deployment("default")
        pool, [files] = here.azure.deployments.pools[ENDPOINT]["default"], here.files("default")

        operation = here.azure.deployments.delete(here.scope, ENDPOINT, "default")
        await here.end(operation or "")

        assert (pool.ready, here.azure.deployments.pools[ENDPOINT]) == (0, {})
        assert not files.parent.exists()


@in_loop
async def test_the_loop_waits_for_no_disk(tmp_path: Path) -> None:
    """It carries traffic: the end of large files, which takes seconds, is a thread's, and nothing is synced."""
    removing: set[threading.Thread] = set()
    sys.addaudithook(lambda event, _: removing.add(threading.current_thread()) if event == "os.remove" else None)
    async with local(tmp_path) as here:
        await here.deployment("default")
        await here.deployment("default", **SLOWER)
        await here.end(here.azure.deployments.delete(here.scope, ENDPOINT, "default") or "")
        for _ in range(2):
            await here.azure.store.put_blob("box", "blob", once(b"x"), {})
        await here.azure.store.delete_blob("box", "blob")
        found, (syncs,) = {*removing}, here.azure.store._db.execute("PRAGMA synchronous").fetchone()

    assert found and threading.current_thread() not in found
    assert syncs == 0


@in_loop
async def test_a_deleted_endpoint_is_not_found(tmp_path: Path) -> None:
    """Its route is closed, its deployment's processes have ended, and a new one of that name has no deployment."""
    async with local(tmp_path) as here:
        await here.deployment("default")
        await here.endpoint(traffic={"default": 100})
        pool, before = here.azure.deployments.pools[ENDPOINT]["default"], await here.score()

        await here.end(here.azure.endpoints.delete(here.scope, ENDPOINT) or "")
        after, keys = await here.score(), here.azure.store.get(f"keys/{ENDPOINT}")
        await here.endpoint()

        assert (before.status, after.status, keys, pool.ready) == (200, 404, None, 0)
        assert here.azure.deployments.all(here.scope, ENDPOINT) == []


@in_loop
async def test_the_quota_counts_all_deployments(tmp_path: Path) -> None:
    """ceil(1.2 × instances) × cores of those that are there and of the new one must fit."""
    async with local(tmp_path, core_quota=15) as here:
        big = deployment(MODEL, instances=2, instanceType="Standard_F8s_v2")
        with pytest.raises(BadRequest, match="The request is invalid") as first:
            here.azure.deployments.put(here.scope, ENDPOINT, "big", big)
        here.place("blue")
        with pytest.raises(BadRequest, match="The request is invalid") as second:
            here.azure.deployments.put(here.scope, ENDPOINT, "green", deployment(MODEL))

    details = [refusal.value.more["details"][0] for refusal in (first, second)]
    assert {detail["code"] for detail in details} == {"InferencingClientCreateDeploymentFailed"}
    assert "0/15. Additional needed: 24 " in details[0]["message"]
    assert "8/15. Additional needed: 8 " in details[1]["message"]
    assert all("oe-tsg#error-outofquota" in detail["message"] for detail in details)


@in_loop
async def test_an_endpoint_goes_while_a_deployment_goes(tmp_path: Path) -> None:
    """Its deletion is accepted then, as Azure does, and waits; another operation isn't, nor the same once more."""
    async with local(tmp_path, operation_seconds=0.2) as here:
        await here.deployment("default")
        first = here.azure.deployments.delete(here.scope, ENDPOINT, "default")
        second = here.azure.endpoints.delete(here.scope, ENDPOINT)
        for refused in (
            lambda: here.azure.endpoints.delete(here.scope, ENDPOINT),
            lambda: here.azure.deployments.put(here.scope, ENDPOINT, "other", deployment(MODEL)),
        ):
            with pytest.raises(Conflict):
                refused()

        outcomes = [(await here.end(operation or ""))["status"] for operation in (first, second)]

        assert outcomes == ["Succeeded", "Succeeded"]
        assert (here.azure.endpoints.all(here.scope), here.azure.router.routes) == ([], {})
        await here.endpoint()


@in_loop
async def test_an_endpoint_stays_while_a_deployment_changes(tmp_path: Path) -> None:
    """Only a deployment's deletion lets that of the endpoint begin."""
    async with local(tmp_path, operation_seconds=0.2) as here:
        here.azure.deployments.put(here.scope, ENDPOINT, "default", deployment(MODEL))

        with pytest.raises(Conflict):
            here.azure.endpoints.delete(here.scope, ENDPOINT)


@in_loop
async def test_twenty_deployments(tmp_path: Path) -> None:
    """The next one is refused, also when those that are there have failed."""
    async with local(tmp_path, core_quota=1000) as here:
        for number in range(20):
            here.place(f"old-{number:02}")

        with pytest.raises(BadRequest, match="has 20 deployments"):
            here.azure.deployments.put(here.scope, ENDPOINT, "one-more", deployment(MODEL))


@pytest.mark.parametrize(
    ("left", "settled"),
    [
        ("Creating", "Failed"),
        ("Updating", "Succeeded"),
        ("Scaling", "Succeeded"),
        ("Deleting", "Succeeded"),
        ("Canceled", "Canceled"),
    ],
)
@in_loop
async def test_a_restart_settles_what_was_in_flight(tmp_path: Path, left: str, settled: str) -> None:
    """What had been accepted and not ended has had no effect: what was there before is there, and serves."""
    async with local(tmp_path) as here:
        here.place("default", left)
        key = f"{here.scope.key}/onlineEndpoints/{ENDPOINT}"
        here.azure.store.put(key, in_state(here.azure.endpoints.get(here.scope, ENDPOINT), left))

    async with local(tmp_path) as again:
        pool = again.azure.deployments.serving(again.scope, ENDPOINT)["default"]

        assert (again.state(), again.state("default")) == (settled, settled)
        assert bool(pool and pool.ready) == (settled == "Succeeded")


@in_loop
async def test_a_mirrored_deployment_stays(tmp_path: Path) -> None:
    """It is not deleted, as one with live traffic isn't."""
    async with local(tmp_path) as here:
        here.place("blue")
        here.place("green")
        await here.endpoint(traffic={"BLUE": 100}, mirrorTraffic={"GREEN": 10})

        with pytest.raises(BadRequest, match="10 % of the mirrorTraffic"):
            here.azure.deployments.delete(here.scope, ENDPOINT, "green")

        assert here.azure.router.routes[ENDPOINT].traffic == {"blue": 100}


@in_loop
async def test_a_model_that_mlflow_does_not_know(tmp_path: Path) -> None:
    """Without code it can't be deployed."""
    async with local(tmp_path) as here:
        uri = "azureml://x/datastores/workspaceblobstore/paths/puppet"
        body = {"properties": {"modelUri": uri, "modelType": "custom_model"}}
        here.azure.registry.models.put_version(here.scope, "puppet", "2", body)

        with pytest.raises(BadRequest, match="needs an MLflow model"):
            here.azure.deployments.put(here.scope, ENDPOINT, "blue", deployment(MODEL.replace("/1", "/2")))


@in_loop
async def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    """As many as were asked for, whatever bytes they are."""
    async with local(tmp_path) as here:
        here.place("default")
        log = here.azure.deployments.log_file(ENDPOINT, "default")
        log.parent.mkdir(parents=True)
        log.write_bytes(b"first\nsecond\n\xff\n")

        said = here.azure.deployments.logs(here.scope, ENDPOINT, "default", 2)

    assert said.splitlines()[2:] == ["second", "\ufffd"]
