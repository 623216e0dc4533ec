"""What 10,000 versions of a model cost whoever scores meanwhile, and whoever lists them.

`python -m benchmarks.registry` prints the longest that a request beside waited while versions were registered, listed
and packaged (the loop that answers them carries the traffic), and how long a list of all takes.
"""

import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import click

from azureml_emulator.arm.documents import Scope, resource
from azureml_emulator.arm.names import GROUP, SUBSCRIPTION
from azureml_emulator.arm.store import Store
from azureml_emulator.process import running
from azureml_emulator.testing import Arm

VERSIONS, TIMES = 10_000, 20
FOLDER = "azureml://x/datastores/workspaceblobstore/paths/LocalUpload/0123456789abcdef/model"
PROPERTIES: dict[str, Any] = {
    "modelUri": FOLDER,
    "modelType": "custom_model",
    "flavors": {"sklearn": {"data": {"pickled_model": "model.pkl", "sklearn_version": "1.7.2"}}},
    "tags": {f"tag-{number}": "a text as tags have it" for number in range(10)},
    "isArchived": False,
}


def fill(folder: Path) -> None:
    """Register all of them, past the API."""
    scope = Scope(SUBSCRIPTION, GROUP, "local")
    with closing(Store(folder)) as store, store.transaction():
        for number in range(1, VERSIONS + 1):
            path = f"models/many/versions/{number}"
            store.put(f"{scope.key}/{path}", resource(scope, "models/versions", path, PROPERTIES))


def register(arm: Arm) -> None:
    """What the SDK asks for when it registers another version, and what a script asks before and after."""
    following = arm("GET", "models/many").json()["properties"]["nextVersion"]
    arm("PUT", f"models/many/versions/{following}", {"properties": PROPERTIES}).raise_for_status()
    arm("GET", "models/many/versions?$orderBy=createdtime desc&$top=1")
    arm("GET", "models/many/versions?listViewType=ArchivedOnly&stage=Production")
    arm("POST", f"models/many/versions/{following}/package", {"targetEnvironmentName": "packed"})


def list_all(arm: Arm) -> int:
    """How many there are, by following the pages."""
    count, path = 0, "models/many/versions?listViewType=All"
    while path:
        page = arm("GET", path).json()
        count, path = count + len(page["value"]), page.get("nextLink", "")
    return count


@click.command()
def main() -> None:
    """Print what 10,000 versions of a model cost."""
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        fill(Path(folder))
        with running(Path(folder)) as variables:
            arm, beside, over = Arm(variables), Arm(variables), threading.Event()
            waits: list[float] = []

            def wait() -> None:
                while not over.is_set():
                    began = time.perf_counter()
                    beside.session.get(f"{beside.base}/endpoints/none/score", timeout=60)
                    waits.append((time.perf_counter() - began) * 1000)

            watching = threading.Thread(target=wait)
            watching.start()
            for _ in range(TIMES):
                register(arm)
            over.set()
            watching.join()
            click.echo(
                f"{TIMES} registrations: a request beside waited {median(waits):.1f} ms, at most {max(waits):.1f}"
            )
            began = time.perf_counter()
            click.echo(f"{list_all(arm)} versions listed in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
