"""train_job against the local Azure ML: one job for a run, code and data; what it tells; what register_model takes."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from scripts.doctor import FATAL
from scripts.lib.azure.trained import LOG
from scripts.lib.azure.workspace import Workspace
from scripts.lib.doctor import training as doctor
from scripts.lib.doctor.azure_facts import AzureFacts
from scripts.lib.doctor.quota import Usage
from tests.support import training
from tests.support.forked_scripts import fork_server
from tests.support.scripts import outputs, own_identity, repository, run, toy_model

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

TRAIN = """
import json, pathlib, sys, time
from azureml_emulator.testing import toy_model
data, out = sys.argv[2], pathlib.Path(sys.argv[4])
print("reading", pathlib.Path(data).read_text(), pathlib.Path("scripts/azure-needs.txt").exists(), flush=True)
{}
out.rmdir()
toy_model(out, metadata={{"auc": 0.9}})
print(json.dumps({{"auc": 0.9}}), end="")  # nor need a line end
"""


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    found = Arm(azure)
    training.set_up(found)
    training.data(found, "1", b"one row")
    return found


@pytest.fixture
def tree(arm: Arm, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A repository whose model has a name of its own."""
    with repository(tmp_path / "repository", model=f"trained-{os.getpid()}-{abs(hash(request.node.name))}") as made:
        training.write(made, TRAIN.format(f"# {request.node.name}"))
        yield made


@pytest.fixture
def run_id() -> str:
    """A run of a workflow."""
    return uuid.uuid4().hex[:8]


def jobs(arm: Arm, run_id: str) -> list[str]:
    """Those of a run, in their order."""
    names = [job["name"] for job in arm("GET", "jobs").json()["value"]]
    return sorted(name for name in names if name.startswith(f"run-{run_id}-"))


def test_a_job_trains_and_is_registered(tree: Path, arm: Arm, client: MLClient, tmp_path: Path) -> None:
    """Log and metrics are told; the version's tags name job, data and commit, by what Azure knows of the job.

    The job's run names data, commit and version, and has the model; all of it once more is the same job and the same
    version. A mounted container has a blob for each folder, which is none of the model's files.
    """
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}

    data = "--data", "azureml:heart:1"  # whatever other tests have added
    trained = run("train_job", *data, GITHUB_RUN_ID="1", GITHUB_SHA="c0ffee", **files, **own_identity(arm, "train"))
    assert trained.exit_code == 0, trained.output
    job = outputs(tmp_path / "GITHUB_OUTPUT")["job"]
    mark = f"{job.rpartition('/')[2]}/folder"
    training.output(arm).upload_blob(mark, b"", metadata={"hdi_isfolder": "true"})
    registered = run("register_model", "--job", job, GITHUB_SHA="c0ffee")
    again = [run("train_job", *data, GITHUB_RUN_ID="1").exit_code, run("register_model", "--job", job).stdout]

    [name] = jobs(arm, "1")
    assert json.loads(trained.stdout) == {"auc": 0.9}
    tracked = arm("GET", f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow/runs/get?run_id={name}").json()
    said = {kind: {it["key"]: it["value"] for it in found} for kind, found in tracked["run"]["data"].items()}
    assert (said["metrics"], said["params"]) == ({"auc": 0.9}, {"data": "heart:1"})
    assert arm("GET", f"jobs/{name}").json()["properties"]["tags"] == {"commit": "c0ffee"}
    assert again == [0, "1\n"]
    assert "reading one row True" in trained.stderr and trained.stderr.count("reading one row") == 1
    assert job == f"{arm.workspace}/jobs/{name}"
    assert f"[{name}](https://ml.azure.com/runs/{name}" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert (registered.exit_code, registered.stdout) == (0, "1\n"), registered.output
    model = Path("endpoints/endpoint.yml").read_text().split("model: ")[1].split()[0]
    assert said["tags"]["registered"] == f"{model}:1"
    place = f"ExperimentRun/dcid.{name}/outputs/model"
    kept = arm("GET", f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow-artifacts/artifacts?path={place}").json()
    assert "MLmodel" in [file["path"] for file in kept["files"]]
    version = client.models.get(model, "1")
    assert version.description.startswith(f"Trained by [{name}](https://ml.azure.com/runs/{name}")
    tags = version.tags
    assert {key: tags[key] for key in ("auc", "job", "data", "commit")} == {
        "auc": "0.9",
        "job": name,
        "data": "heart:1",
        "commit": "c0ffee",
    }


def test_run_again_it_is_one_job(tree: Path, arm: Arm) -> None:
    """Killed while it waits, the next finds the job that runs, and one after that the job that has completed."""
    training.write(tree, TRAIN.format("time.sleep(6)"))
    stopped(tree, signal.SIGKILL, "2")

    again = run("train_job", GITHUB_RUN_ID="2")
    third = run("train_job", GITHUB_RUN_ID="2")

    assert (again.exit_code, third.exit_code) == (0, 0), again.output
    assert len(jobs(arm, "2")) == 1
    assert "no other is submitted" in again.stderr and "(Completed)" in third.stderr


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def stopped(tree: Path, by: signal.Signals, run_id: str, *options: str) -> int:
    """How it ends that is stopped while its job runs."""
    with fork_server() as forks:
        files = {"output": tree / "out", "errors": tree / "err"}
        process = forks.launch("train_job", *options, folder=tree, GITHUB_RUN_ID=run_id, **files)
        _until(lambda: "reading" in read(tree / "err"))
        os.kill(process, by)
        return forks.wait()


def _until(seen: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_after_a_failure_the_next_number(tree: Path, arm: Arm) -> None:
    """The end of the log is told, nothing else is to be had; the same once more is another job."""
    training.write(tree, TRAIN.format("sys.exit('the gate says no')"))

    first, second = (run("train_job", GITHUB_RUN_ID="3") for _ in range(2))

    one, two = jobs(arm, "3")
    assert (first.exit_code, second.exit_code) == (1, 1)
    assert f"{one} failed" in first.stderr and "the gate says no" in first.stderr and not first.stdout
    assert f"{two} failed" in second.stderr and f"{one}: Failed" in second.stderr
    assert "is Failed: no model" in run("register_model", "--job", one).stderr


def test_other_code_or_data_is_another_job(tree: Path, arm: Arm) -> None:
    """A version of the data, of which the newest is taken, or a line of code, makes another model."""
    training.data(arm, "2", b"two rows")
    told = [run("train_job", GITHUB_RUN_ID="4")]
    told += [run("train_job", "--data", "azureml:heart:1", GITHUB_RUN_ID="4")]
    training.write(tree, TRAIN.format("# another line"))
    told += [run("train_job", "--data", "azureml:heart:1", GITHUB_RUN_ID="4")]

    assert [result.exit_code for result in told] == [0, 0, 0]
    assert len(jobs(arm, "4")) == 3
    assert ["two rows" in result.stderr for result in told] == [True, False, False]


def test_interrupted_it_cancels_its_job(tree: Path, arm: Arm) -> None:
    """So does --cancel later on; what has ended stays as it is, and a run that trains nothing cancels nothing."""
    training.write(tree, TRAIN.format("time.sleep(600)"))
    assert stopped(tree, signal.SIGTERM, "5") == 1

    [name] = jobs(arm, "5")
    assert f"{name} is cancelled" in (tree / "err").read_text()
    _until(lambda: arm("GET", f"jobs/{name}").json()["properties"]["status"] == "Canceled")
    assert "nothing trains" in run("train_job", "--cancel", GITHUB_RUN_ID="5").stderr


@pytest.mark.parametrize(
    ("kind", "path", "when", "times", "says"),
    [
        ("hold", "*/data/heart/*", "before", 1, "interrupted.\nNothing is submitted"),
        ("hold", "*/jobs/run-{}-*", "before", 1, "interrupted: no job trains."),
        ("delay", "*/jobs/run-{}-*", "before", 1, "-1 is cancelled."),
        ("hold", "*/jobs/run-{}-*", "after", 1, "-1 is cancelled."),
        ("hold", "*/jobs/run-{}-*", "after", 2, "may still train: run this again with --cancel."),
    ],
)
def test_interrupted_in_the_middle_of_a_call(
    tree: Path, arm: Arm, faults: Faults, run_id: str, kind: str, path: str, when: str, times: int, says: str
) -> None:
    """Whenever that is, nothing trains afterwards that isn't told of; the second time it ends at once."""
    training.write(tree, TRAIN.format("time.sleep(600)"))
    method, submitted = ("GET" if "data" in path else "PUT"), kind == "delay" or when == "after"
    met = faults.add(kind, method=method, path=path.format(run_id), when=when)["id"]
    again = faults.add("hold", method="POST", path=f"*/jobs/run-{run_id}-*/cancel")["id"] if times == 2 else 0
    with fork_server() as forks:
        files = {"output": tree / "out", "errors": tree / "err"}
        process = forks.launch("train_job", folder=tree, GITHUB_RUN_ID=run_id, **files)
        for number in (met, again)[:times]:
            faults.get(number, wait=60)
            os.kill(process, signal.SIGTERM)
        code = forks.wait()

    faults.clear()
    trains = [arm("GET", f"jobs/{name}").json()["properties"]["status"] for name in jobs(arm, run_id)]
    assert (code, says in read(tree / "err")) == (1, True), read(tree / "err")
    assert [status.startswith("Cancel") for status in trains] == [times == 1] * submitted
    assert run("train_job", "--cancel", GITHUB_RUN_ID=run_id).exit_code == 0


def test_no_node(tree: Path, arm: Arm) -> None:
    """A job that waits for a node until time is up stays, is told as such, and is cancelled by --cancel."""
    (tree / "model/job.yml").write_text(training.job().replace(training.CLUSTER, "no-nodes"))
    training.set_up(arm, "no-nodes", most=0)

    result = run("train_job", "--timeout", 8, GITHUB_RUN_ID="6")

    [name] = jobs(arm, "6")
    assert (result.exit_code, f"{name} has no node after" in result.stderr) == (3, True), result.output
    assert f"cancelled: {name}" in run("train_job", "--cancel", GITHUB_RUN_ID="6").stderr
    _until(lambda: arm("GET", f"jobs/{name}").json()["properties"]["status"] == "Canceled")


def test_who_trains_may_not_register(tree: Path, arm: Arm, tmp_path: Path) -> None:
    """Its identity submits jobs; models and endpoints it can't change."""
    own = own_identity(arm, "train")

    told = [run("register_model", toy_model(tmp_path / "model"), **own), run("create_endpoint", **own)]

    assert [result.exit_code for result in told] == [1, 1]
    assert "Forbidden" in told[0].output and "onlineEndpoints/write" in told[1].output


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("azureml:heart@latest", "azureml:nothing@latest", "there are no data nothing@latest"),
        ("azureml:heart@latest", "azureml:heart:9", "there are no data heart:9"),
        ("code: ..", "code: .", "must be `..`"),
    ],
)
def test_refused_before_anything_is_submitted(tree: Path, arm: Arm, old: str, new: str, says: str) -> None:
    """What can't train says so, and no job is there."""
    (tree / "model/job.yml").write_text(training.job().replace(old, new))

    result = run("train_job", GITHUB_RUN_ID="7")

    assert (result.exit_code, says in result.stderr) == (1, True), result.output
    assert not jobs(arm, "7")


def findings(arm: Arm, data: str = "", **variables: str) -> dict[str, tuple[str, str]]:
    """What the doctor says of training in this workspace."""
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")
    azure = AzureFacts(Workspace(*(os.environ[name] for name in names)))
    return {found.name: (found.verdict, found.say) for found in doctor.checks(azure, data, variables, everything=True)}


def test_the_doctor_knows_what_training_takes(tree: Path, arm: Arm, tmp_path: Path) -> None:
    """All is there, and the data's newest version is an output, which later jobs take."""
    output = tmp_path / "output"

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_OUTPUT", str(output))
        found = findings(arm, TRAIN_AZURE_CLIENT_ID="mine")

    assert {name: verdict for name, (verdict, _) in found.items() if verdict != "ok"} == {}
    assert {*found} == {"training job", "training data", "training output", "training cluster", "cluster quota"}
    assert outputs(output)["data"].startswith("azureml:heart:")


@pytest.mark.parametrize(
    ("old", "new", "name", "says"),
    [
        ("code: ..", "code: .", "training job", "must be"),
        ("heart@latest", "heart:99", "training data", "no data heart:99"),
        ("azureml:cpu-cluster", "azureml:nowhere", "training cluster", "no compute nowhere"),
        ("datastores/training", "datastores/nowhere", "training output", "no datastore nowhere"),
        ("datastores/training", "datastores/twin", "training output", "where registered models are"),
    ],
)
def test_the_doctor_tells_what_would_fail(tree: Path, arm: Arm, old: str, new: str, name: str, says: str) -> None:
    """Each is wrong, and so ends a rollout in its first job; a second name for the models' container is found, too."""
    default = arm("GET", "datastores/workspaceblobstore").json()["properties"]
    twin = {"datastoreType": "AzureBlob", "accountName": default["accountName"]}
    body = {**twin, "containerName": default["containerName"], "credentials": {"credentialsType": "None"}}
    assert arm("PUT", "datastores/twin", {"properties": body}).status_code in (200, 201)
    (tree / "model/job.yml").write_text(training.job().replace(old, new))

    found = findings(arm)

    assert found[name][0] == "wrong" and says in found[name][1]
    assert name in FATAL


def test_the_doctor_of_a_runner(tree: Path, arm: Arm) -> None:
    """Without a job.yml nothing is asked; an asset, which a runner can't read, is told."""
    (tree / "model/job.yml").unlink()

    assert (findings(arm), findings(arm, "model/other.csv")) == ({}, {})
    assert findings(arm, "azureml:heart:1")["training data"][0] == "wrong"


def test_nodes_that_a_cluster_doesn_t_get() -> None:
    """Not a cluster, without nodes, without an identity, without quota: a job would wait for hours."""
    good = {
        "type": "amlcompute",
        "size": "Standard_DS3_v2",
        "min_instances": 0,
        "max_instances": 1,
        "identity": object(),
    }
    sizes, few = {"standard_ds3_v2": (4, "standardDSv2Family")}, [Usage("standardDSv2Family", 8, 10)]

    verdicts = [
        doctor.fit("c", cluster).verdict
        for cluster in (good, None, good | {"max_instances": 0}, good | {"type": "instance"}, good | {"identity": None})
    ]

    assert verdicts == ["ok", "wrong", "wrong", "wrong", "cannot tell"]
    assert "paid for" in doctor.fit("c", good | {"min_instances": 1}).say
    assert doctor.node("q", good, sizes, few).verdict == "wrong"
    assert doctor.node("q", good, sizes, [Usage("standardDSv2Family", 6, 10)]).verdict == "ok"
    assert doctor.node("q", good, sizes, []).verdict == doctor.node("q", good, {}, few).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"kind": "preempt"}, "lost its node (preempted)"),
        ({"kind": "crash", "status": 137, "log": "Killed: out of memory"}, "Killed: out of memory"),
    ],
)
def test_what_a_cluster_does_to_a_job(tree: Path, arm: Arm, faults: Faults, fault: dict[str, Any], says: str) -> None:
    """A node that is taken away, or too small, is told; the same once more is the next number, and trains."""
    run_id = f"8{fault['kind']}"
    faults.add(fault.pop("kind"), job=f"run-{run_id}-*", times=1, **fault)

    first = run("train_job", GITHUB_RUN_ID=run_id)
    second = run("train_job", GITHUB_RUN_ID=run_id)

    assert (first.exit_code, says in first.stderr, second.exit_code) == (1, True, 0), first.output
    assert len(jobs(arm, run_id)) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop", "when": "before"},
        {"kind": "drop", "when": "after"},
        {"kind": "refuse", "when": "before", "status": 409},
        {"kind": "refuse", "when": "after", "status": 400},
    ],
)
def test_a_submission_whose_answer_is_lost(
    tree: Path, arm: Arm, faults: Faults, run_id: str, fault: dict[str, Any]
) -> None:
    """It is one job, whether Azure had taken it or not: a second look tells, and whoever waits goes on."""
    faults.add(method="PUT", path=f"*/jobs/run-{run_id}-*", **fault)

    result = run("train_job", "--timeout", 20, GITHUB_RUN_ID=run_id)

    assert (result.exit_code, len(jobs(arm, run_id))) == (0, 1), result.output
    assert result.stderr.count("no other is submitted") == (fault["when"] == "after")


NOBODY = "is seen to train. What training lacks"
REFUSED: dict[str, Any] = {"kind": "refuse", "status": 503, "times": 0}
NO_RIGHT = REFUSED | {"status": 403, "code": "AuthorizationFailed"}


@pytest.mark.parametrize(
    ("method", "path", "fault", "code", "says"),
    [
        ("GET", "*/data/heart/*", NO_RIGHT, 1, "Nothing is submitted"),
        ("PUT", "*/jobs/run-{}-*", NO_RIGHT, 1, NOBODY),
        ("PUT", "*/jobs/run-{}-*", REFUSED | {"status": 400, "code": "QuotaExceeded"}, 1, NOBODY),
        ("GET", "*/jobs/run-{}-*", REFUSED, 4, NOBODY),
        ("GET", "*/runs/run-{}-*/details", REFUSED, 4, "-1 goes on. Run this again"),
        ("GET", "*/runs/run-{}-*/details", REFUSED | {"status": 404}, 0, "In its log no metrics"),
    ],
)
def test_how_what_trains_is_left(
    tree: Path, faults: Faults, tmp_path: Path,
    run_id: str, method: str, path: str, fault: dict[str, Any], code: int, says: str,
) -> None:  # fmt: skip
    """Whatever stands in the way, it is said whether a job trains; nothing is said of an endpoint."""
    faults.add(method=method, path=path.format(run_id), **fault)

    seconds, summary = 12 if code else 60, tmp_path / "summary"
    result = run("train_job", "--timeout", seconds, GITHUB_RUN_ID=run_id, GITHUB_STEP_SUMMARY=str(summary))

    told = result.stderr + read(summary)
    assert (result.exit_code, says in told) == (code, True), result.output
    assert not any(word in told for word in ("endpoint", "Data Scientist", "instance_"))


@pytest.mark.parametrize(("when", "code", "says"), [("before", 3, NOBODY), ("after", 0, "no other is submitted")])
def test_a_submission_without_an_answer(
    tree: Path, faults: Faults, run_id: str, when: str, code: int, says: str
) -> None:
    """When time is up a second look tells whether the job is there; one that is may have completed by then."""
    faults.add("hold", method="PUT", path=f"*/jobs/run-{run_id}-*", when=when)
    with fork_server() as forks:  # a call that is given up must not go on in here
        files = {"output": tree / "out", "errors": tree / "err"}
        forks.launch("train_job", "--timeout", 20, folder=tree, GITHUB_RUN_ID=run_id, **files)

        assert forks.wait() == code, read(tree / "err")
    assert says in read(tree / "err") and "endpoint" not in read(tree / "err")


def test_a_job_that_somebody_deleted(tree: Path, arm: Arm, faults: Faults) -> None:
    """It isn't waited for: neither the job nor its run is there, twice."""
    training.write(tree, TRAIN.format("time.sleep(600)"))
    stopped(tree, signal.SIGKILL, "18", "--data", "azureml:heart:1")
    [name] = jobs(arm, "18")
    faults.add("refuse", method="GET", path=f"*/runs/{name}/details", status=404, times=0)
    faults.add("refuse", method="GET", path=f"*/jobs/{name}", status=404, times=0, skip=1)

    result = run("train_job", "--data", "azureml:heart:1", "--timeout", 60, GITHUB_RUN_ID="18")

    assert arm("POST", f"jobs/{name}/cancel", {}).status_code in (200, 202)
    assert (result.exit_code, f"{name} isn't there any more" in result.stderr) == (1, True), result.output


@pytest.mark.parametrize(("times", "metrics"), [(1, {"auc": 0.9}), (0, {})], ids=["once", "always"])
def test_a_log_that_can_t_be_read(tree: Path, faults: Faults, times: int, metrics: dict[str, float]) -> None:
    """That is said, and the job is none the worse for it."""
    faults.add(
        "refuse", method="GET", path=f"*run-10{times}-*{LOG}", status=403, code="AuthorizationFailure", times=times
    )

    result = run("train_job", GITHUB_RUN_ID=f"10{times}")

    assert (result.exit_code, json.loads(result.stdout)) == (0, metrics), result.output
    assert "can't be read" in result.stderr and "sig=" not in result.stderr.replace("sig=…", "")


def test_a_run_that_the_tracking_doesn_t_take(tree: Path, arm: Arm, faults: Faults, tmp_path: Path) -> None:
    """What was trained is registered all the same, and it is said."""
    faults.add("refuse", method="POST", path="*/runs/log-batch", status=403, times=2)

    trained = run("train_job", GITHUB_RUN_ID="11", GITHUB_OUTPUT=str(tmp_path / "output"))
    registered = run("register_model", "--job", outputs(tmp_path / "output")["job"])

    assert (trained.exit_code, registered.exit_code, registered.stdout) == (0, 0, "1\n"), registered.output
    assert "has no metrics, params in" in trained.stderr and "has no tags in" in registered.stderr


def test_an_output_that_is_no_model(tree: Path, arm: Arm) -> None:
    """Training that wrote elsewhere, and a job of another kind, are told by their names; nothing is registered."""
    training.write(tree, "print('trained')")
    assert run("train_job", GITHUB_RUN_ID="12").exit_code == 0
    [name] = jobs(arm, "12")
    body = arm("GET", f"jobs/{name}").json()["properties"]
    kept = {key: body[key] for key in ("jobType", "computeId", "environmentId")}
    assert arm("PUT", "jobs/by-hand", {"properties": {**kept, "command": "true"}}).status_code in (200, 201)
    _until(lambda: arm("GET", "jobs/by-hand").json()["properties"]["status"] == "Completed")

    told = [run("register_model", "--job", job) for job in (name, "by-hand", f"https://ml.azure.com/runs/{name}")]

    assert [result.exit_code for result in told] == [1, 1, 2]
    assert f"{name} has completed, but there is no MLmodel in azureml://" in told[0].stderr
    assert "by-hand has no output `model`" in told[1].stderr


@pytest.mark.parametrize("what", ["other", "more", "less"])
def test_an_output_that_another_changed(tree: Path, arm: Arm, what: str) -> None:
    """All jobs write to one container: what isn't what the job itself wrote is not registered."""
    assert run("train_job", GITHUB_RUN_ID=f"16{what}").exit_code == 0
    [name] = jobs(arm, f"16{what}")
    container = training.output(arm)
    *_, last = container.list_blob_names(name_starts_with=f"{name}/")
    if what == "less":
        container.delete_blob(last)
    else:
        container.upload_blob(last if what == "other" else f"{name}/more.py", b"import os", overwrite=True)

    result = run("register_model", "--job", name)

    assert (result.exit_code, f"isn't what {name} wrote" in result.stderr) == (1, True), result.output


def test_an_output_that_may_not_be_read(tree: Path, arm: Arm) -> None:
    """In somebody else's container it is told which right is missing; who may only read registers nothing."""
    assert run("train_job", GITHUB_RUN_ID="13").exit_code == 0
    own, [job] = own_identity(arm, "train"), jobs(arm, "13")
    group = f"{arm.base}{arm.workspace.partition('/providers/')[0]}/providers"
    it = arm("PUT", f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/train", {}).json()  # as it is

    first = run("register_model", "--job", job, **own)
    training.assign(arm, it["properties"]["principalId"], "reader", training.STORE)
    second = run("register_model", "--job", job, **own)

    for result in (first, second):
        assert (result.exit_code, "no right to these blobs" in result.stderr) == (1, True), result.output
    assert ["registering" in result.stderr for result in (first, second)] == [False, True]


def test_a_log_that_begins_anew(tree: Path) -> None:
    """On another node a job prints from the start: all of that is told, however long it has become meanwhile."""
    anew = "sys.stdout.flush(); time.sleep(7); os.ftruncate(1, 0); os.lseek(1, 0, 0); print('once more', '.' * 999)"
    training.write(tree, TRAIN.format(f"import os; {anew}"))

    result = run("train_job", GITHUB_RUN_ID="20")

    assert result.exit_code == 0, result.output
    assert "reading" in result.stderr and "once more ..." in result.stderr


def test_inputs_that_are_values(tree: Path, arm: Arm) -> None:
    """Beside the data a job.yml may give numbers and words; the run has them as parameters, the command as they are."""
    values = "  bound: 0.5\n  rounds: 7\n  kind: forest\n  fast: true\n"
    text = training.job().replace("inputs:\n", f"inputs:\n{values}")
    told = "echo ${{inputs.bound}} ${{inputs.rounds}} ${{inputs.kind}} ${{inputs.fast}} # all of them"
    (tree / "model/job.yml").write_text(
        text.replace("command: python model", f"command: |\n  {told}\n  exec python model")
    )

    result = run("train_job", "--data", "azureml:heart:1", GITHUB_RUN_ID="21")

    assert (result.exit_code, "0.5 7 forest True" in result.stderr) == (0, True), result.output
    [name] = jobs(arm, "21")
    tracked = arm("GET", f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow/runs/get?run_id={name}").json()
    params = {it["key"]: it["value"] for it in tracked["run"]["data"]["params"]}
    assert params == {"bound": "0.5", "rounds": "7", "kind": "forest", "fast": "True", "data": "heart:1"}


def test_two_at_once_are_one_job(tree: Path, arm: Arm, faults: Faults) -> None:
    """Both have looked before either submits: the second takes the first one's."""
    faults.add("delay", method="PUT", path="*/jobs/run-14-*", seconds=3, times=2)
    with fork_server() as forks, fork_server() as others:
        for which in (forks, others):
            files = {"output": tree / f"out-{id(which)}", "errors": tree / f"err-{id(which)}"}
            which.launch("train_job", folder=tree, GITHUB_RUN_ID="14", **files)
        codes = [which.wait() for which in (forks, others)]

    assert (codes, len(jobs(arm, "14"))) == ([0, 0], 1)
    assert [json.loads(path.read_text()) for path in tree.glob("out-*")] == [{"auc": 0.9}] * 2


def test_too_late(tree: Path, arm: Arm, faults: Faults) -> None:
    """A job that runs longer than one waits for goes on; one that ended before its cancelling is well."""
    training.write(tree, TRAIN.format("time.sleep(600)"))
    faults.add("refuse", method="POST", path="*/jobs/run-15-*/cancel", status=409, when="after", times=0)

    data = "--data", "azureml:heart:1"  # whatever other tests have added
    stopped(tree, signal.SIGKILL, "15", *data)

    result = run("train_job", *data, "--timeout", 6, GITHUB_RUN_ID="15")
    before = arm("GET", f"jobs/{jobs(arm, '15')[0]}").json()["properties"]["status"]
    cancelled = run("train_job", *data, "--cancel", GITHUB_RUN_ID="15")

    assert (result.exit_code, before) == (3, "Running"), result.output
    assert "is not over after" in result.stderr and "reading one row" in result.stderr
    assert (cancelled.exit_code, "cancelled: run-15-" in cancelled.stderr) == (0, True), cancelled.output
