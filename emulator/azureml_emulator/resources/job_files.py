"""A job's files: its code and inputs as local paths before it runs, its outputs and its log as blobs. No HTTP."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from azureml_emulator.arm.documents import Document, Scope
from azureml_emulator.arm.errors import ApiError, Forbidden, NotFound
from azureml_emulator.arm.store import PART, Store
from azureml_emulator.resources.datastores import ARTIFACTS, DATASTORE, PATH, Datastores, Place
from azureml_emulator.resources.job_body import DATA
from azureml_emulator.resources.registry import Registry, asset
from azureml_emulator.resources.roles import Roles

LOG = "user_logs/std_log.txt"


class JobFiles:
    """Those of every job; what a job may open, its datastores' keys and its cluster's roles say."""

    def __init__(self, store: Store, registry: Registry, datastores: Datastores, roles: Roles, account: str):
        self._store, self._registry, self._datastores = store, registry, datastores
        self._roles, self._account = roles, account
        self._logs = asyncio.Lock()

    def check(self, scope: Scope, name: str, properties: Document) -> None:
        """Raises NotFound and BadRequest for code, inputs and outputs that can't be."""
        if properties["codeId"]:
            self._registry.codes.version(scope, *asset(scope, properties["codeId"], "codes"))
        for given in properties["inputs"].values():
            if given["jobInputType"] != "literal":
                self._source(scope, given)
        for output, given in properties["outputs"].items():
            self.target(scope, name, output, given)

    async def bring(self, scope: Scope, job: Document, folder: Path, principal: str) -> dict[str, dict[str, Any]]:
        """Puts code and inputs into the folder, and answers what inputs and outputs stand for in the command."""
        properties, name = job["properties"], job["name"]
        (folder / "wd").mkdir(parents=True)
        if properties["codeId"]:
            code = self._registry.codes.version(scope, *asset(scope, properties["codeId"], "codes"))
            container, path = _in_account(code["properties"]["codeUri"])
            await self._store.export(container, path, folder / "wd")
        inputs = {
            key: await self._input(scope, key, given, folder, principal) for key, given in properties["inputs"].items()
        }
        return {"inputs": inputs, "outputs": self._outputs(scope, name, properties["outputs"], folder, principal)}

    async def keep(self, scope: Scope, job: Document, folder: Path, succeeded: bool) -> None:
        """Uploads what the job wrote: of a job that failed, only to outputs that were mounted."""
        for key, given in job["properties"]["outputs"].items():
            if given["mode"] == "ReadWriteMount" or (succeeded and given["mode"] == "Upload"):
                await self._upload(folder / "outputs" / key, self.target(scope, job["name"], key, given))
        for kept in ("outputs", "logs"):
            place = self.artifacts(scope, job["name"])
            await self._upload(folder / "wd" / kept, place._replace(path=f"{place.path}/{kept}"))

    async def keep_log(self, scope: Scope, name: str, log: Path) -> None:
        """Lets the log be the blob that clients read it from."""
        place = self.artifacts(scope, name)
        async with self._logs:  # a shorter one must not come last
            blob = self._store.blob(place.container, f"{place.path}/{LOG}")
            with contextlib.suppress(FileNotFoundError):  # it isn't there yet, or no longer
                if blob is None or blob.size != log.stat().st_size:
                    await self._store.put_blob(place.container, f"{place.path}/{LOG}", _parts(log), {})

    def artifacts(self, scope: Scope, name: str) -> Place:
        return self._datastores.place(scope, f"azureml://datastores/{ARTIFACTS}/paths/ExperimentRun/dcid.{name}")

    def target(self, scope: Scope, name: str, output: str, given: Document) -> Place:
        return self._datastores.place(scope, uri(name, output, given))

    def _outputs(self, scope: Scope, name: str, given: Document, folder: Path, principal: str) -> Document:
        for key, output in given.items():
            self._admit(principal, self.target(scope, name, key, output), "PUT", key)
            (folder / "outputs" / key).mkdir(parents=True)
        direct = {key: uri(name, key, one) for key, one in given.items() if one["mode"] == "Direct"}
        return {key: folder / "outputs" / key for key in given} | direct

    async def _input(self, scope: Scope, key: str, given: Document, folder: Path, principal: str) -> Any:
        if given["jobInputType"] == "literal":
            return given["value"]
        place, address = self._source(scope, given)
        if given["mode"] == "Direct":
            return address
        self._admit(principal, place, "GET", key)
        target = folder / "inputs" / key
        if given["jobInputType"] == "uri_file":
            return await self._one(place, key, target)
        await self._store.export(place.container, place.path, target)
        if not target.is_dir():
            raise _not_found(key)
        return target

    async def _one(self, place: Place, key: str, target: Path) -> Path:
        if (blob := self._store.blob(place.container, place.path)) is None:
            raise _not_found(key)
        target.mkdir(parents=True)
        await asyncio.to_thread(shutil.copyfile, blob.path, target / Path(place.path).name)
        return target / Path(place.path).name

    def _source(self, scope: Scope, given: Document) -> tuple[Place, str]:
        """Where an input lies: in a version of data or of a model, or at an address in a datastore."""
        address = given["uri"] or ""
        if not PATH.fullmatch(address) and ("/versions/" in address or "://" not in address):
            is_data = given["jobInputType"] in DATA
            kind, assets = ("data", self._registry.data) if is_data else ("models", self._registry.models)
            found = assets.version(scope, *asset(scope, address, kind))["properties"]
            address = found["dataUri" if is_data else "modelUri"]
        return self._datastores.place(scope, address), address

    def _admit(self, principal: str, place: Place, method: str, key: str) -> None:
        """Raises Forbidden where neither a key nor a role of the cluster's identity opens the container."""
        scope = f"{self._account}/blobServices/default/containers/{place.container}"
        if not place.keyed and not self._roles.opens_blobs(principal, scope, method):
            # A guess, in its words: that the data runtime names such a failure so is known.
            why = "Authentication error when trying to access the stream: the cluster's identity may not"
            how = "read" if method == "GET" else "write"
            raise Forbidden(f"ScriptExecution.StreamAccess.Authentication: {key}: {why} {how} {place.container}.")

    async def _upload(self, folder: Path, place: Place) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                name = f"{place.path}/{path.relative_to(folder).as_posix()}".lstrip("/")
                await self._store.put_blob(place.container, name, _parts(path), {})


def uri(name: str, output: str, given: Document) -> str:
    """Where an output goes: where nothing is said, to a folder of the job in the default datastore."""
    asked = given["uri"] or "azureml://datastores/${{default_datastore}}/paths/azureml/${{name}}/${{output_name}}/"
    for what, value in (("default_datastore", DATASTORE), ("name", name), ("output_name", output)):
        asked = asked.replace(f"${{{{{what}}}}}", value)
    return str(asked)


def _in_account(address: str) -> tuple[str, str]:
    """Container and path of `https://…/localstorage.blob.core.local/CONTAINER/PATH`."""
    _, _, rest = unquote(urlsplit(address).path).lstrip("/").partition("/")
    container, _, path = rest.partition("/")
    return container, path.strip("/")


def _not_found(key: str) -> ApiError:
    """A guess, in its words: that the data runtime names such a failure so is known."""
    return NotFound(f"ScriptExecution.StreamAccess.NotFound: {key}: found no resources for the input provided.")


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := await asyncio.to_thread(file.read, PART):
            yield part
