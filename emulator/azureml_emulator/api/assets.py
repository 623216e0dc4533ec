"""The routes of models, data and environments: lists in pages, containers, versions."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.messages import Call, Reply
from azureml_emulator.resources.assets import Assets, Page
from azureml_emulator.resources.azure import Azure

ORDERS = {"createdtime desc": False, "createdtime asc": True}
KEYS = {"api-version", "listViewType", "stage", "$orderBy", "$top", "$skip"}
MOST = 200  # in one page, whatever is asked for


def rows(workspace: str) -> list[tuple[str, str, Any]]:
    """Of every kind the same; `workspace` is the path above them."""
    found: list[tuple[str, str, Any]] = []
    for kind in ("models", "data", "environments"):
        container = f"{workspace}/{kind}/{{name}}"
        version = f"{container}/versions/{{version}}"
        found += [
            ("GET", f"{workspace}/{kind}", containers),
            ("GET", container, container_of),
            ("PUT", container, put_container),
            ("GET", f"{container}/versions", versions),
            ("GET", version, version_of),
            ("PUT", version, put_version),
        ]
    return [*found, ("POST", f"{workspace}/models/{{name}}/versions/{{version}}/package", package)]


def containers(azure: Azure, call: Call) -> Document:
    page = page_of(call)
    return listed(azure, call, page, _assets(azure, call).containers(call.scope, page))


def container_of(azure: Azure, call: Call) -> Document:
    return _assets(azure, call).container(call.scope, call["name"])


def put_container(azure: Azure, call: Call) -> Reply:
    document, is_new = _assets(azure, call).put_container(call.scope, call["name"], call.document)
    return _put(call, document, is_new)


def versions(azure: Azure, call: Call) -> Document:
    page = page_of(call)
    return listed(azure, call, page, _assets(azure, call).versions(call.scope, call["name"], page))


def version_of(azure: Azure, call: Call) -> Document:
    return _assets(azure, call).version(call.scope, call["name"], call["version"])


def put_version(azure: Azure, call: Call) -> Reply:
    document, is_new = _assets(azure, call).put_version(call.scope, call["name"], call["version"], call.document)
    return _put(call, document, is_new)


def package(azure: Azure, call: Call) -> Document:
    return azure.registry.package(call.scope, call["name"], call["version"], call.document)


def _assets(azure: Azure, call: Call) -> Assets:
    """Those of the kind that stands behind the workspace in the path."""
    kind = call.path.split("/")[9].lower()
    found: Assets = getattr(azure.registry, kind)
    return found


def _put(call: Call, document: Document, is_new: bool) -> Reply:
    return Reply(document, 201, {"Location": f"{call.base}{document['id']}"}) if is_new else Reply(document)


def page_of(call: Call) -> Page:
    """What is asked for. Raises BadRequest for filters that aren't emulated."""
    if unknown := sorted(set(call.query) - KEYS):
        raise BadRequest(f"{unknown[0]} isn't emulated: lists take {', '.join(sorted(KEYS))}.", "NotEmulated")
    order = call.query.get("$orderBy", "createdtime desc").lower()
    if order not in ORDERS:
        raise BadRequest(f"$orderBy={order} isn't emulated: {' and '.join(ORDERS)} are.", "NotEmulated")
    skip, top = whole(call, "$skip", 0), min(whole(call, "$top", 100), MOST)
    if not top:
        raise BadRequest("$top must be at least 1.")
    view, stage = call.query.get("listViewType", "ActiveOnly"), call.query.get("stage", "")
    return Page(view, skip, top + 1, stage, ORDERS[order])  # one more shows whether there is another page


def part_of(azure: Azure, call: Call, found: list[Document], size: str, *known: str) -> Document:
    """All of it, or as much as the parameter `size` asks for. Raises BadRequest for filters that aren't `known`."""
    if unknown := sorted(set(call.query) - {"api-version", "$skip", size, *known}):
        raise BadRequest(f"{unknown[0]} isn't emulated: this list takes $skip and {size}.", "NotEmulated")
    page = Page(skip=whole(call, "$skip", 0), top=whole(call, size, len(found)) + 1)
    return listed(azure, call, page, found[page.skip : page.skip + page.top], size)


def listed(azure: Azure, call: Call, page: Page, found: list[Document], size: str = "$top") -> Document:
    """A page; where there is more, `nextLink` leads on with the same question."""
    top = page.top - 1
    listed: Document = {"value": azure.listed(found[:top])}
    if len(found) > top:
        asked = {**call.query, size: str(top), "$skip": str(page.skip + top)}
        listed["nextLink"] = f"{call.base}{call.path}?{urlencode(asked)}"
    return listed


def whole(call: Call, key: str, default: int) -> int:
    text = call.query.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest(f"{key} must be a whole number, not {text!r}.")
    return int(text)
