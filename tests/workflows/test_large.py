"""A large model through the real workflow, while clients ask: no memory grows with it, and no request is lost."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from azureml_emulator.testing import Arm
from demo.clients import Clients
from scripts.lib.azure.scoring_client import ROWS
from scripts.lib.azure.workspace import endpoint_name
from tests.support.repository import Repository, repository
from tests.support.watching import watching
from tests.workflows.drilling import BLUE, GREEN

pytestmark = pytest.mark.drill
SIZE = 500  # MiB of weights, which the model reads when it starts
MOST = 300  # MiB of a script's memory: over a hundred are its imports, 64 what the SDK sends at once
TRAIN = f"""
import json, os, sys
from pathlib import Path
from azureml_emulator.testing import toy_model

SEED = 0
folder = toy_model(Path(sys.argv[2]), SEED, sample=json.loads(Path("endpoints/sample-request.json").read_text()))
with (folder / "code/toy.py").open("a") as code:
    code.write("WEIGHTS = open(__file__.replace('toy.py', 'weights.bin'), 'rb').read()")
with (folder / "code/weights.bin").open("wb") as file:
    for _ in range({SIZE}):
        file.write(os.urandom(1 << 20))
"""


@contextmanager
def peaks() -> Iterator[Counter[str]]:
    """The most memory, in MiB, that each script, and the local Azure ML, has resident meanwhile."""
    found: Counter[str] = Counter()

    def look() -> None:
        for process in psutil.process_iter(["cmdline", "memory_info"]):
            name = re.search(r"-m (scripts\.\w+|azureml_emulator) ?", " ".join(process.info["cmdline"] or ()))
            if name and process.info["memory_info"]:
                found[name[1]] = max(found[name[1]], process.info["memory_info"].rss >> 20)

    with watching(look):
        yield found


@contextmanager
def asking(ours: Repository) -> Iterator[Clients]:
    """Clients of the endpoint, all the while."""
    arm, path, clients = Arm(ours.environ), f"onlineEndpoints/{endpoint_name()}", Clients(ours.tree / ROWS)
    uri = arm("GET", path).json()["properties"]["scoringUri"]
    clients.start(uri, arm("POST", f"{path}/listKeys").json()["primaryKey"])
    try:
        yield clients
    finally:
        clients.stop()


def test_a_large_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 MiB are trained, registered, deployed, compared and rolled out in flat memory, and no client notices."""
    with repository(tmp_path) as ours, peaks() as most:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ours.environ["REQUESTS_CA_BUNDLE"])  # for the clients
        (ours.tree / "model/train.py").write_text(TRAIN)
        first = ours.push()
        shutil.move(ours.artifacts / "model", tmp_path / "base")
        ours.merge_model(seed=1)
        with asking(ours) as clients:
            second = ours.push()
        ours.script("compare_models", tmp_path / "base", ours.artifacts / "model")
        traffic = ours.traffic

    assert (first.exit_code, second.exit_code, traffic) == (0, 0, {GREEN: 100})
    assert ({*clients.answers}, clients.problems) == ({*BLUE, GREEN}, [])
    assert {"scripts.digest_model", "scripts.register_model", "scripts.deploy", "azureml_emulator"} <= {*most}
    assert all(memory < MOST for memory in most.values()), most
