"""Each script, killed at every HTTP call it makes and run again, arrives where an undisturbed one arrives.

The calls are found by running the script once with nothing in its way, so a new call is covered when it is written.
What a kill leaves behind depends only on the writes before it, so of the calls that change nothing the first after each
write stands for all; `make soak` (SOAK=1) takes every one.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from azureml_emulator.faults.client import Faults
from azureml_emulator.testing import Arm
from tests.support.forked_scripts import ForkServer, fork_server
from tests.support.scripts import GREEN, Live, repository, run, toy_model

#: What differs from run to run in a path: an operation's id, a content's hash, the next version, an upload's own place.
ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CHANGING = re.compile(ID + r"|[0-9a-f]{64}|(?<=/versions/)\d+|(?<=/model-)[0-9a-f]{8}")
#: And in a tag: when a deployment was created, or somebody wrote.
TIMES = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(\+00:00|Z)")
NUMBERS = itertools.count(100)
State = dict[str, Any]
Site = tuple[str, str, int]  # a call: its method, its path, how many such calls came before it


@dataclass(frozen=True)
class World:
    """One endpoint, and what a test needs to bring it into any state and to look at it."""

    live: Live
    arm: Arm
    faults: Faults
    forks: ForkServer
    folder: Path
    documents: dict[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def launch(self, script: str, *arguments: object) -> int:
        return self.forks.launch(script, *arguments, output=self.output, ENDPOINT_NAME=self.live.name)

    def finish(self, script: str, *arguments: object) -> None:
        """Run a script to its end, which must be good."""
        self.launch(script, *arguments)
        assert self.forks.wait() == 0, self.output.read_text()

    def path(self, deployment: str = "") -> str:
        return f"onlineEndpoints/{self.live.name}" + (f"/deployments/{deployment}" if deployment else "")

    def bring(self, endpoint: str | None, traffic: Mapping[str, int], *deployments: str) -> None:
        """Makes the endpoint one of `documents` with just these deployments and this split; None: there is none.

        What its tags, and green's, say of other deployments is about those that are there now.
        """
        there = {item["name"] for item in self.arm("GET", f"{self.path()}/deployments").json().get("value", [])}
        # Green's own tag names that very `default`.
        if endpoint is None or there - set(deployments) or "default" not in there:
            self.write("DELETE", self.path())
            there = set()
        if endpoint is None:
            return
        if not there:
            self.write("PUT", self.path(), self.documents["new"])
        for name in deployments:
            if name not in there:
                self.write("PUT", self.path(name), self.present(self.documents[name]))
        document = self.present(self.documents[endpoint])
        document["properties"]["traffic"] = dict(traffic)
        self.write("PUT", self.path(), document)

    def present(self, document: Any) -> Any:
        """A copy whose tags have the creation times of what is there."""
        listed = self.arm("GET", f"{self.path()}/deployments").json()["value"]
        tags = dict(document["tags"])
        for item in listed:
            ref = re.compile(rf"\b({item['name']}) {TIMES.pattern}")
            created = datetime.fromisoformat(item["systemData"]["createdAt"]).isoformat(timespec="microseconds")
            tags = {name: ref.sub(rf"\g<1> {created}", value) for name, value in tags.items()}
        return {**document, "tags": tags, "properties": dict(document["properties"])}

    def write(self, method: str, path: str, document: Any = None) -> None:
        answer = self.arm(method, path, document)
        if answer.status_code != 204:
            assert self.arm.settle(answer)["status"] == "Succeeded"

    def look(self) -> State:
        """Where the endpoint is: split, tags, and what its deployments are."""
        answer = self.arm("GET", self.path())
        if answer.status_code == 404:
            return {}
        found = answer.json()
        listed = self.arm("GET", f"{self.path()}/deployments").json()["value"]
        return {
            "tags": timeless(found["tags"]),
            "state": found["properties"]["provisioningState"],
            "traffic": {name: percent for name, percent in found["properties"]["traffic"].items() if percent},
            "deployments": {
                item["name"]: (timeless(item["tags"]), item["sku"], item["properties"]["model"]) for item in listed
            },
            "states": {item["properties"]["provisioningState"] for item in listed},
            "versions": self.versions(),
        }

    def versions(self) -> list[str]:
        """The registered versions of the model that the repository names."""
        answer = self.arm("GET", "models/toy-interrupted/versions")
        return [item["name"] for item in answer.json().get("value", [])]


def timeless(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: TIMES.sub("then", value) for name, value in tags.items()}


@pytest.fixture(scope="module")
def world(azure: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A new endpoint, and the versions 1 to 3 of a model."""
    folder = tmp_path_factory.mktemp("interrupted")
    with repository(folder / "repository", model="toy-interrupted"), fork_server() as processes:
        for answer in (0, 1):
            run("register_model", toy_model(folder / f"toy-{answer}", answer=answer))
        run("register_model", toy_model(folder / "toy-3", answer=0, metadata={"labels": [0, 1]}))
        faults = Faults(Path(azure["SSL_CERT_FILE"]).parent)
        world = World(Live("toy-interrupted"), Arm(azure), faults, processes, folder)
        world.finish("create_endpoint")
        world.documents["new"] = world.arm("GET", world.path()).json()
        world.finish("deploy", "--version", 1)
        world.documents["untested"] = world.arm("GET", world.path()).json()
        world.finish("promote", "--first", "default")
        world.finish("deploy", "--version", 2)
        for name in ("default", GREEN):
            world.documents[name] = world.arm("GET", world.path(name)).json()
        world.documents["served"] = world.arm("GET", world.path()).json()
        yield world


def absent(world: World) -> None:
    """There is no endpoint."""
    world.bring(None, {})


def empty(world: World) -> None:
    """The endpoint was just created."""
    world.bring("new", {})


def untested(world: World) -> None:
    """The first deployment waits at 0 % for its smoke test."""
    world.bring("untested", {}, "default")


def serving(world: World) -> None:
    """Only `default` is there, with all traffic."""
    world.bring("served", {"default": 100}, "default")


def waiting(world: World) -> None:
    """Green waits at 0 %."""
    world.bring("served", {"default": 100}, "default", GREEN)


def left_over(world: World) -> None:
    """Green was rolled back, and its mark says so: the next deploy removes it."""
    world.bring("served", {"default": 100}, "default", GREEN)
    world.finish("promote", "--percent", 10)
    world.finish("rollback")


def superfluous(world: World) -> None:
    """Green has all the traffic, blue is the way back, and version 3, which is to replace green, waits."""
    world.bring("served", {"default": 100}, "default", GREEN)
    world.finish("promote", "--percent", 100)
    world.finish("deploy", "--version", 3)


def halfway(world: World) -> None:
    """Green has half of the traffic."""
    world.bring("served", {"default": 50, GREEN: 50}, "default", GREEN)


def promoted(world: World) -> None:
    """Green has all the traffic, blue is there."""
    world.bring("served", {GREEN: 100}, "default", GREEN)


@dataclass(frozen=True)
class Case:
    """A script's run from a state. The traffic is never anything but before or after."""

    script: str
    arguments: tuple[object, ...]
    prepare: Callable[[World], None]

    def __str__(self) -> str:
        options = "".join(str(argument) for argument in self.arguments if argument in ("--with-package", "--first"))
        return f"{self.script}{options}-{self.prepare.__name__}"


CASES = [
    Case("create_endpoint", (), absent),
    Case("deploy", ("--version", 1), empty),
    Case("promote", ("--first", "default"), untested),
    Case("promote", ("--percent", 100), untested),
    Case("deploy", ("--version", 2), serving),
    Case("deploy", ("--version", 2, "--rollout", "another"), waiting),
    Case("deploy", ("--version", 1, "--rollout", "another"), promoted),
    Case("deploy", ("--version", 3), left_over),
    Case("promote", ("--percent", 10), superfluous),
    Case("promote", ("--to", GREEN, "--percent", 10, "--expect", f"default=100,{GREEN}=0"), waiting),
    Case("promote", ("--percent", 100), halfway),
    Case("rollback", (), halfway),
    Case("rollback", (), promoted),
    Case("delete_blue", ("default",), promoted),
    Case("delete_endpoint", ("--yes",), serving),
]
if "SOAK" in os.environ:  # a package comes before the same calls
    CASES.append(Case("deploy", ("--version", 2, "--with-package"), serving))


SAMPLE = {"promote-halfway-after", "delete_blue-promoted-before"}  # the other kills are drills


def kill(case: Case, when: str) -> Any:
    name = f"{case}-{when}"
    return pytest.param(case, when, id=name, marks=() if name in SAMPLE else pytest.mark.drill)


@pytest.mark.parametrize(("case", "when"), [kill(case, when) for case in CASES for when in ("before", "after")])
def test_killed_at_every_call(world: World, case: Case, when: str) -> None:
    """Killed before any call takes effect, or after it did but before the answer, the second run mends it all."""
    case.prepare(world)
    before = world.look()
    world.faults.forget()
    world.finish(case.script, *case.arguments)
    sites = telling(calls(world), when)
    undisturbed = world.look()

    killed = [site for site in sites if interrupted(world, case, site, when, before, undisturbed)]

    assert {site for site in sites if site not in killed} <= {site for site in sites if "Operations" in site[1]}
    assert any(writes(site) for site in killed)


@pytest.mark.drill
@pytest.mark.parametrize("when", ["before", "after"])
def test_register_model_killed_at_every_call(world: World, when: str) -> None:
    """Killed at any call, blobs included, and run again, register_model has made one version and no second."""
    world.faults.forget()
    world.finish("register_model", new_model(world))
    sites = telling(calls(world), when)

    for site in sites:
        folder, before = new_model(world), world.versions()
        assert kill(world, site, when, "register_model", folder), site
        world.finish("register_model", folder)
        assert world.versions() == [str(len(before) + 1), *before], site


def new_model(world: World) -> Path:
    """A model that was never registered."""
    number = next(NUMBERS)
    return toy_model(world.folder / f"new-{number}" / "model", answer=number)


def telling(sites: list[Site], when: str) -> list[Site]:
    """The calls to be killed at: the writes, and before anything else what comes first or right after a write."""
    if "SOAK" in os.environ:
        return sites
    previous = [("PUT", "", 0), *sites]
    reads = when == "before"
    return [site for site, last in zip(sites, previous, strict=False) if writes(site) or (reads and writes(last))]


def writes(site: Site) -> bool:
    """Whether a call changes anything: secrets are read by POST."""
    return site[0] not in ("GET", "HEAD") and not site[1].endswith("/listSecrets")


def interrupted(world: World, case: Case, site: Site, when: str, before: State, after: State) -> bool:
    """Kill the script at one call and run it again; whether the call was met."""
    case.prepare(world)
    met = kill(world, site, when, case.script, *case.arguments)
    between = world.look()
    world.finish(case.script, *case.arguments)

    assert between.get("traffic") in (before.get("traffic"), after.get("traffic")), site
    assert world.look() == after, site
    return met


def kill(world: World, site: Site, when: str, script: str, *arguments: object) -> bool:
    """Run a script and kill it at one call; False when it ended without making it."""
    method, path, skip = site
    hold = world.faults.add("hold", method=method, path=path, skip=skip, when=when)["id"]
    child = world.launch(script, *arguments)
    met = held(world, hold, child)
    if met:
        os.kill(child, signal.SIGKILL)
    world.forks.wait()
    while world.faults.get(hold)["held"]:
        time.sleep(0.02)
    world.faults.clear(hold)
    return met


def held(world: World, hold: int, child: int) -> bool:
    """Whether the script is held, or has ended without meeting the hold."""
    while not world.faults.get(hold, wait=0.2)["held"]:
        if not running(child):
            return False
    return True


def running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def calls(world: World) -> list[Site]:
    """Every call of the last run; of a poll only the first."""
    seen: Counter[tuple[str, str]] = Counter()
    sites = []
    last = ""
    for call in world.faults.calls():
        if call["path"] != last:
            key = call["method"], CHANGING.sub("*", call["path"])
            sites.append((*key, seen[key]))
            seen[key] += 1
        last = call["path"]
    return sites
