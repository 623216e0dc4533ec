"""Models, data and environments as lists, containers and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from azureml_emulator.testing import Arm, blobs

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

FIRST: dict[str, dict[str, Any]] = {
    "models": {"modelUri": "azureml://x/datastores/workspaceblobstore/paths/a", "modelType": "custom_model"},
    "data": {"dataType": "uri_folder", "dataUri": "azureml://x/datastores/workspaceblobstore/paths/a"},
    "environments": {"image": "python:3.11"},
}


@pytest.fixture(scope="module")
def arm(azure: dict[str, str]) -> Arm:
    return Arm(azure)


def put(arm: Arm, kind: str, name: str, version: str = "1", **properties: Any) -> dict[str, Any]:
    body = {"properties": FIRST[kind] | properties}
    answer = arm("PUT", f"{kind}/{name}/versions/{version}", body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("kind", FIRST)
def test_a_new_version(arm: Arm, kind: str) -> None:
    """It is answered 201 with its address, and stands in the lists; put again it is 200."""
    body = {"properties": FIRST[kind]}

    first, again = (arm("PUT", f"{kind}/fresh/versions/3", body) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert arm("GET", first.headers["Location"]).json() == again.json()
    assert "fresh" in [one["name"] for one in arm("GET", kind).json()["value"]]
    assert [one["name"] for one in arm("GET", f"{kind}/fresh/versions").json()["value"]] == ["3"]
    properties = arm("GET", f"{kind}/fresh").json()["properties"]
    assert (properties["latestVersion"], properties["nextVersion"]) == ("3", "4")


@pytest.mark.parametrize("kind", FIRST)
def test_anonymous_assets_are_not_listed(arm: Arm, kind: str) -> None:
    """What a deployment brings along can be read, and isn't among those with a name."""
    put(arm, kind, "nameless", isAnonymous=True)

    assert arm("GET", f"{kind}/nameless/versions/1").json()["properties"]["isAnonymous"] is True
    assert "nameless" not in [one["name"] for one in arm("GET", kind).json()["value"]]


@pytest.mark.parametrize(
    ("kind", "field", "words"),
    [
        ("models", "modelUri", "Asset paths cannot be updated."),
        ("data", "dataUri", "A data version with this name and version already exists."),
        ("environments", "image", "An environment's version exists"),
    ],
)
def test_what_a_version_is_cannot_change(arm: Arm, kind: str, field: str, words: str) -> None:
    """It is refused, of paths in Azure's words, and is as it was."""
    before = put(arm, kind, "fixed")

    changed = FIRST[kind] | {field: "azureml://x/datastores/workspaceblobstore/paths/other"}
    answer = arm("PUT", f"{kind}/fixed/versions/1", {"properties": changed})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "UserError")
    assert answer.json()["error"]["message"].startswith(words)
    assert arm("GET", f"{kind}/fixed/versions/1").json() == before


def test_stages(arm: Arm, client: MLClient) -> None:
    """The stage is kept, also where an archiving says nothing of it; lists are filtered by it."""
    for version, stage in (("1", "Production"), ("2", "Development"), ("3", "Production")):
        put(arm, "models", "staged", version, stage=stage)

    client.models.archive("staged", "1")

    assert [model.version for model in client.models.list("staged", stage="Production")] == ["3"]
    everything = client.models.list("staged", stage="Production", list_view_type="All")  # type: ignore[arg-type]
    assert [(model.version, model.stage) for model in everything] == [("3", "Production"), ("1", "Production")]


def test_archived_containers(arm: Arm, client: MLClient) -> None:
    """A model that is archived as a whole leaves the list with all its versions, and returns."""
    put(arm, "models", "retired")

    client.models.archive("retired")
    names, versions = [one.name for one in client.models.list()], [*client.models.list("retired")]
    client.models.restore("retired")

    assert ("retired" in names, versions) == (False, [])
    assert "retired" in [one.name for one in client.models.list()]
    assert [one.version for one in client.models.list("retired")] == ["1"]


@pytest.mark.parametrize("kind", ["data", "environments"])
def test_the_latest_by_label(arm: Arm, client: MLClient, kind: str) -> None:
    """`@latest`, as files and the CLI name it."""
    for version in ("1", "2"):
        put(arm, kind, "labelled", version)

    assert getattr(client, kind).get("labelled", label="latest").version == "2"
    assert [one.version for one in getattr(client, kind).list("labelled")] == ["2", "1"]


def test_pages_of_many(arm: Arm, client: MLClient) -> None:
    """The SDK follows the pages of a list to its end, oldest first, too; none is asked for in vain."""
    for version in range(1, 102):
        put(arm, "models", "paged", str(version))

    assert [int(one.version) for one in client.models.list("paged")] == [*range(101, 0, -1)]
    page = arm("GET", "models/paged/versions?$orderBy=createdtime asc&$top=100").json()
    last = arm("GET", page["nextLink"]).json()
    assert [one["name"] for one in last["value"]] == ["101"]
    assert "nextLink" not in last
    assert "nextLink" not in arm("GET", "models/paged/versions?$top=101").json()


def test_pages_of_the_plugin(arm: Arm) -> None:
    """MLflow's plugin follows its own tokens from page to page; the latest is the last."""
    for version in range(1, 4):
        put(arm, "models", "plugged", str(version))
    api, found, token = f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow", [], "0"

    while token:
        page = arm("GET", f"{api}/model-versions/search?filter=name='plugged'&max_results=2&page_token={token}").json()
        found, token = found + [one["version"] for one in page["model_versions"]], page.get("next_page_token", "")

    assert found == ["3", "2", "1"]
    uploaded = arm("PUT", "models/plugged/versions/4", {"properties": FIRST["models"]})
    latest = arm("GET", f"{api}/registered-models/get?name=plugged").json()["registered_model"]["latest_versions"]
    assert (uploaded.status_code, [one["version"] for one in latest]) == (201, ["4"])


def test_what_the_plugin_says_is_kept(arm: Arm, client: MLClient) -> None:
    """Of a model, which is there without a version, too, and of its versions; a name is taken once."""
    api = f"{arm.base}/mlflow/v2.0{arm.workspace}/api/2.0/mlflow"
    blobs(arm).upload_blob("plugin/MLmodel", b"flavors: {}")
    said = {"name": "said", "description": "a", "tags": [{"key": "b", "value": "c"}]}
    version = {**said, "source": "azureml://artifacts/plugin", "run_id": "d"}

    first, again = (arm("POST", f"{api}/registered-models/create", said) for _ in range(2))
    empty = [(one.name, one.latest_version) for one in client.models.list() if one.name == "said"]
    made = arm("POST", f"{api}/model-versions/create", version)

    model = arm("GET", f"{api}/registered-models/get?name=said").json()["registered_model"]
    found = client.models.get("said", "1")
    assert (first.status_code, again.status_code, made.status_code) == (200, 400, 200)
    assert empty == [("said", None)]
    assert {name: model[name] for name in said} == said
    assert {name: model["latest_versions"][0][name] for name in (*said, "run_id")} == {**said, "run_id": "d"}
    assert (found.description, found.tags) == ("a", {"b": "c"})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("registered-models/create", {"name": "a", "tags": "b"}),
        ("registered-models/create", {"name": "a b"}),
        ("model-versions/create", {"name": "a", "source": "azureml://artifacts/b", "tags": [{"key": "c"}]}),
        ("batch/metadata", {"paths": ["a"]}),
    ],
)
def test_what_the_plugin_would_not_say(arm: Arm, path: str, body: dict[str, Any]) -> None:
    """It is refused by its field."""
    above = f"/mlflow/v2.0{arm.workspace}/api/2.0/mlflow"
    if path == "batch/metadata":
        above = f"/artifact/v2.0{arm.workspace}/artifacts/a/b"

    assert arm("POST", f"{arm.base}{above}/{path}", body).status_code == 400


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("tags=a", "tags isn't emulated"),
        ("$orderBy=name", "$orderBy=name isn't emulated"),
        ("$top=0", "$top must be at least 1"),
        ("$skip=-1", "$skip must be a whole number"),
        ("listViewType=Some", "none of ActiveOnly, ArchivedOnly, All"),
    ],
)
def test_lists_that_cannot_be_had(arm: Arm, query: str, why: str) -> None:
    """A filter is not left out: what a list can't be asked for is refused."""
    put(arm, "models", "asked")

    answer = arm("GET", f"models/asked/versions?{query}")

    assert (answer.status_code, why in answer.json()["error"]["message"]) == (400, True)
