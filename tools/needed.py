"""The first job of ci.yml: which of its jobs a change needs. An unknown path needs all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

ALWAYS = ("check", "test")
JOBS = (*ALWAYS, "demo", "drill", "compare-models")
#: What a changed path needs besides those that always run; the first pattern that fits, where * takes slashes, too.
NEEDS: dict[str, tuple[str, ...]] = {
    "*.md": (),
    "docs/*": (),
    "LICENSE": (),
    "tests/model/*": (),
    "benchmarks/*": (),
    "tests/*": ("drill",),
    "emulator/tests/*": ("drill",),
    "demo/*": ("demo",),
    "scripts/*": ("demo", "drill"),
    "endpoints/*": ("demo", "drill"),
    "emulator/*": ("demo", "drill"),
}
BLUE, GREEN = (f"endpoints/{colour}-deployment.yml" for colour in ("blue", "green"))
TRAINING, JOB, SAMPLE = Path("model/train.py"), Path("model/job.yml"), Path("model/sample.csv")
IDLE = f"{BLUE} is read for an endpoint's first deployment alone: where one serves, only {GREEN} changes anything."


def needed(paths: list[str]) -> list[str]:
    """The jobs that these paths need; all where nothing is known to have changed."""
    found = {job for path in paths or ["?"] for job in _needs(path)}
    return [job for job in JOBS if job in ALWAYS or job in found]


def _needs(path: str) -> tuple[str, ...]:
    return next((jobs for pattern, jobs in NEEDS.items() if fnmatch(path, pattern)), JOBS)


def changed(base: str) -> list[str]:
    """What differs from where this left `base`, a renamed file under both names. Nothing where git can't tell."""
    command = ["git", "diff", "--name-only", "--no-renames", "-z", f"{base}...HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.split("\0")[:-1] if answer.returncode == 0 else []


def sample() -> Path | None:
    """What a pull request trains on where the training is on a cluster: a fork has no login there."""
    return SAMPLE if JOB.is_file() and SAMPLE.is_file() else None


def main(base: str) -> None:
    """Prints the jobs as JSON, also as the step's output `jobs`; where there is a sample to train on, it is `data`."""
    paths = changed(base)
    if BLUE in paths and GREEN not in paths:
        print(f"::notice file={BLUE}::{IDLE}", file=sys.stderr)
    nothing = [] if TRAINING.is_file() else ["compare-models"]  # the models come from elsewhere
    jobs = json.dumps([job for job in needed(paths) if job not in nothing])
    print(jobs)
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as file:
            file.write(f"jobs={jobs}\n")
            if data := sample():
                file.write(f"data={data}\n")


if __name__ == "__main__":
    main(sys.argv[1])
