"""What keeps the local Azure ML shut: tokens on every route, bounded bodies, paths that stay inside, private files.

Who gets in with which token is in test_server.py, regenerated keys are in resources/test_endpoints.py.
"""

from __future__ import annotations

import hmac
import os
import re
from contextlib import closing
from pathlib import Path

import pytest

from azureml_emulator.api import routes, server
from azureml_emulator.arm.errors import BadRequest, Unauthorized
from azureml_emulator.arm.messages import Call
from azureml_emulator.arm.store import Store
from azureml_emulator.process import running
from azureml_emulator.resources.azure import Azure, Options
from azureml_emulator.resources.blobs import Forbidden
from azureml_emulator.resources.tokens import ARM, ML
from azureml_emulator.serving.router import any_of
from azureml_emulator.testing import Arm, token
from tests.support.models import in_loop
from tests.support.raw_bytes import exchange
from tests.support.served import once

MANAGER = [(method, path) for method, path, _ in routes.MANAGER]
BLOBS = [(method, path.replace(":.+", "")) for method, path, _ in routes.BLOBS]
SCORE = ("POST", "/endpoints/{endpoint}/score")


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


@pytest.fixture(scope="module")
def foreign_tokens(arm: Arm, azure: dict[str, str]) -> list[str]:
    """Good tokens of this emulator, but not for its resource manager: an endpoint's, one for aad_token endpoints."""
    arm.endpoint("closed", authMode="AMLToken")
    endpoint_token = arm("POST", "onlineEndpoints/closed/token").json()["accessToken"]
    return [endpoint_token, token(azure, resource=ML).json()["access_token"]]


@pytest.mark.parametrize(("method", "path"), MANAGER)
def test_manager_asks_for_its_own_token(arm: Arm, foreign_tokens: list[str], method: str, path: str) -> None:
    """Each route of the resource manager answers 401 to no token, and to a good one for something else."""
    address = arm.base + filled(arm, path)

    for authorization in ("", *(f"Bearer {foreign}" for foreign in foreign_tokens)):
        answer = arm(method, address, headers={"Authorization": authorization})

        assert (answer.status_code, answer.json()["error"]["code"][-14:]) in (
            (401, "ticationFailed"),
            (401, "nticationToken"),
        )


@pytest.mark.parametrize(("method", "path"), BLOBS)
def test_blobs_ask_for_a_signature(arm: Arm, method: str, path: str) -> None:
    """Each blob route answers 403 to no signature, a wrong one, another container's and a changed expiry."""
    address = arm.base + filled(arm, path)
    sas = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
    others = ["", "?sig=none&se=9999999999", re.sub(r"se=\d+", "se=9999999999", sas), sas]

    answers = [arm.session.request(method, address + query, timeout=10).status_code for query in others]

    assert answers == [403] * 4


def test_signature_opens_its_container(arm: Arm) -> None:
    """The one container that a signature is for is open to it."""
    sas = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]

    assert arm.session.get(f"{container(arm)}{sas}", timeout=10).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/%73ubscriptions{}",
        "//subscriptions{}",
        "/./subscriptions{}",
        "/metadata/../subscriptions{}",
        "/\u017fubscriptions{}",  # a long s, which is an s where case is ignored
    ],
)
def test_other_spellings_of_a_guarded_path(arm: Arm, path: str) -> None:
    """A path spelt in another way reaches nothing without a token."""
    rest = arm.workspace.removeprefix("/subscriptions")

    status, *_ = exchange(arm, f"GET {path.format(rest)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert status in (400, 401, 404)


def test_slash_in_a_name(arm: Arm) -> None:
    """An encoded slash makes no other resource of a name: a deployment is not to be had, or deleted, as an endpoint."""
    answers = [arm(method, "onlineEndpoints/closed%2Fdeployments%2Fany") for method in ("GET", "DELETE")]

    assert [answer.json()["error"]["code"] for answer in answers] == ["NotEmulated", "NotEmulated"]


@in_loop
async def test_secrets_are_compared_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, tokens, signatures and the identity header get in by hmac.compare_digest alone: where it says no, none."""
    azure = Azure(tmp_path, "https://127.0.0.1", Options())
    good_token, _ = azure.tokens.issue(ARM)
    signed = azure.blobs.sas("box")
    query = dict(part.split("=", 1) for part in signed.split("&"))
    call = Call("GET", "", {"container": "box"}, query, {}, b"", once(b""))
    assert any_of(["key"])("key")
    azure.tokens.check(good_token, ARM)
    assert (await azure.blobs.answer(call)).status == 200
    assert azure.tokens.managed_identity(azure.tokens.identity, "")

    monkeypatch.setattr(hmac, "compare_digest", lambda given, wanted: False)

    assert not any_of(["key"])("key")
    with pytest.raises(Unauthorized):
        azure.tokens.check(good_token, ARM)
    with pytest.raises(Forbidden):
        await azure.blobs.answer(call)
    with pytest.raises(Unauthorized):
        azure.tokens.managed_identity(azure.tokens.identity, "")
    azure.store.close()


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        *((*row, server.MAX_DOCUMENT) for row in MANAGER),
        *((*row, server.MAX_BLOB) for row in BLOBS),
        (*SCORE, Options().max_payload),
    ],
)
def test_bodies_are_bounded(arm: Arm, method: str, path: str, limit: int) -> None:
    """Each route refuses a body over its limit by its length alone, before a byte of it was sent."""
    head = f"{method} {filled(arm, path)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {arm.token}\r\n"

    status, *_ = exchange(arm, f"{head}Content-Length: {limit + 1}\r\n\r\n".encode())

    assert status == 413


def test_unpacked_bodies_are_bounded(arm: Arm) -> None:
    """A small body that unpacks to a large one is refused."""
    import gzip

    packed = gzip.compress(b" " * (server.MAX_DOCUMENT + 1))

    answer = arm("PUT", "onlineEndpoints/packed", data=packed, headers={"Content-Encoding": "gzip"})

    assert len(packed) < 10_000
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fescaped", "a/..%2f..%2fescaped", "%2e%2e/escaped", "a/%2e%2e", "a/%2e/escaped", "a//escaped",
        "a%2f%2fescaped", "a/", "%2fescaped", "..%5cescaped", "a%00b", "a%0ab", "a%ef%bf%beb", "x" * 1025,
    ],
)  # fmt: skip
def test_blob_names_stay_inside(arm: Arm, name: str) -> None:
    """A blob name that could lead out of its folder, or that is none, is refused."""
    address = f"{arm.base}/{routes.ACCOUNT}.blob.{routes.SUFFIX}/azureml-blobstore-local/{name}"
    sas = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
    head = "Host: x\r\nx-ms-blob-type: BlockBlob\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"

    status, answer, _ = exchange(arm, f"PUT {address.removeprefix(arm.base)}{sas} HTTP/1.1\r\n{head}".encode())

    assert status == 400
    assert b"InvalidResourceName" in answer


@pytest.mark.parametrize("folder", ["model", "model/..", "..", ".", "model/../..", "/model", "nothing"])
@in_loop
async def test_exported_files_stay_inside(tmp_path: Path, folder: str) -> None:
    """Whatever folder a model's address names, its files are written below the target, or nowhere."""
    (tmp_path / "target" / "deep").mkdir(parents=True)
    with closing(Store(tmp_path / "state")) as store:
        for name in ("model/MLmodel", "model/code/a b ü.py", ".../odd", "~/odd"):
            await store.put_blob("box", name, once(b"x"), {})
        before = files(tmp_path, outside="target/deep")

        await store.export("box", folder, tmp_path / "target" / "deep")

        assert files(tmp_path, outside="target/deep") == before


@in_loop
async def test_blobs_that_cannot_be_files(tmp_path: Path) -> None:
    """Blobs one of which is a folder of the other are refused as a model, without a file left half-way elsewhere."""
    with closing(Store(tmp_path / "state")) as store:
        for name in ("model/a", "model/a/b"):
            await store.put_blob("box", name, once(b"x"), {})

        with pytest.raises(BadRequest, match="cannot be a file"):
            await store.export("box", "model", tmp_path / "target")


def test_model_address_outside(arm: Arm) -> None:
    """A model's address that leads out of the datastore registers nothing."""
    addresses = [
        "file:///etc",
        "azureml://datastores/other/paths/a",
        "azureml://x/datastores/workspaceblobstore/paths/",
    ]
    outside = [*addresses, "azureml://x/datastores/workspaceblobstore/paths/../../etc"]

    answers = [
        arm("PUT", "models/outside/versions/1", {"properties": {"modelUri": address, "modelType": "mlflow_model"}})
        for address in outside
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert arm("GET", "models/outside").status_code == 404


def test_files_are_the_owner_s(tmp_path: Path) -> None:
    """In a folder that others may read, nothing that the emulator writes may be read by them."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        with running(folder, "--trace", str(folder / "trace.jsonl")) as variables:
            arm = Arm(variables)
            arm.endpoint("private")
            sas = arm("POST", "datastores/workspaceblobstore/listSecrets", {}).json()["sasToken"]
            arm.session.put(f"{container(arm)}/a{sas}", data=b"x", headers={"x-ms-blob-type": "BlockBlob"}, timeout=10)
            open_to_others = [path.name for path in folder.rglob("*") if path.stat().st_mode & 0o077]
    finally:
        os.umask(before)

    assert open_to_others == []


def test_log_has_no_secret(tmp_path: Path) -> None:
    """A request that cannot be parsed leaves no trace of its signature or token in the log."""
    with running(tmp_path) as variables:
        arm = Arm(variables)
        for line in (
            b"GET /x?sig=very-secret\xff HTTP/1.1",
            b"GET /x HTTP/1.1\r\nAuth\x00orization: Bearer very-secret",
        ):
            exchange(arm, line + b"\r\nHost: x\r\n\r\n")

    assert "very-secret" not in (tmp_path / "emulator.log").read_text()


def filled(arm: Arm, path: str) -> str:
    """A row's path with names in it; the container is one that no signature was made for."""
    place = arm.workspace.split("/")
    names = {"subscription": place[2], "group": place[4], "workspace": place[8]}
    return re.sub(r"{(\w+)}", lambda found: names.get(found[1], "some-name"), path)


def container(arm: Arm) -> str:
    return f"{arm.base}/{routes.ACCOUNT}.blob.{routes.SUFFIX}/azureml-blobstore-local"


def files(folder: Path, outside: str) -> set[Path]:
    """All files below a folder, but for those below one in it."""
    return {path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(folder / outside)}
