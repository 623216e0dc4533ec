"""Where two traces of the same calls differ: in status, in words of the API, in keys and types. No other value is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from azureml_emulator.compare.masks import SPOKEN

Call = dict[str, Any]
#: Headers that clients act upon; Azure sends many more.
HEADERS = {"azure-asyncoperation", "location", "x-ms-error-code", "azureml-model-deployment", "content-type"}
AGAIN = {None, 408, 429, 500, 502, 503, 504}
ABSENT = object()


def differences(azure: list[Call], local: list[Call]) -> list[str]:
    """One line for each, in the order of the calls; what is the same everywhere is said once."""
    azure, local = settled(azure), settled(local)
    asked, here = ([key(call) for call in calls] for calls in (azure, local))
    found: list[str] = []
    for what, a, b, c, d in SequenceMatcher(None, asked, here, autojunk=False).get_opcodes():
        if what == "equal":
            pairs = zip(azure[a:b], local[c:d], strict=True)
            found += [f"{key(one)}  {line}" for one, other in pairs for line in of_answers(one, other)]
        else:
            found += [f"{name}  is asked of Azure alone" for name in asked[a:b]]
            found += [f"{name}  is asked here alone" for name in here[c:d]]
    return [line if times == 1 else f"{line}  ({times} times)" for line, times in Counter(found).items()]


def settled(calls: list[Call]) -> list[Call]:
    """Without what depends on the time: of an operation's polls and of attempts that were made again, the last."""
    kept: list[Call] = []
    for call in (call for blobs, run in groupby(calls, is_blob) for call in (sorted(run, key=key) if blobs else run)):
        same = kept and (kept[-1]["method"], kept[-1]["path"]) == (call["method"], call["path"])
        if same and ("/mfeOperations" in call["path"] or kept[-1]["status"] in AGAIN):
            kept.pop()
        kept.append(call)
    return kept


def is_blob(call: Call) -> bool:
    """They are uploaded several at a time."""
    return "/LocalUpload/" in call["path"]


def key(call: Call) -> str:
    """A call by its method and path below the workspace."""
    return anybody(f"{call['method']} {re.sub('^/subscriptions/.*/workspaces/[^/]+', '…', call['path'])}")


def anybody(text: str) -> str:
    """With one mask for all: a local location and a group have one name, and numbers depend on what came before."""
    return re.sub(r"<(?!own)[a-z]+(-\d+)?>", "<name>", text)


def of_answers(azure: Call, local: Call) -> Iterator[str]:
    if azure["status"] != local["status"]:
        yield differs("status", azure["status"], local["status"])
    names = [{name.lower() for name in call["headers"]} & HEADERS for call in (azure, local)]
    yield from (f"header {name}: in Azure's answer alone" for name in sorted(names[0] - names[1]))
    yield from (f"header {name}: in the answer here alone" for name in sorted(names[1] - names[0]))
    yield from of_values(azure["body"], local["body"], "body")


def of_values(azure: Any, local: Any, path: str) -> Iterator[str]:
    """`path` is where both stand."""
    if azure is ABSENT or local is ABSENT:
        yield f"{path}: {'here' if azure is ABSENT else 'in Azure'} alone, {kind(local if azure is ABSENT else azure)}"
    elif kind(azure) != kind(local):
        yield differs(path, kind(azure), kind(local))
    elif isinstance(azure, dict):
        azure, local = ({anybody(name): value for name, value in it.items()} for it in (azure, local))
        for name in sorted({*azure, *local}):
            yield from of_values(azure.get(name, ABSENT), local.get(name, ABSENT), f"{path}.{name}")
    elif isinstance(azure, list):
        yield from of_lists(azure, local, path)
    elif azure != local and path.rpartition(".")[2] in SPOKEN:
        yield differs(path, repr(azure), repr(local))


def of_lists(azure: list[Any], local: list[Any], path: str) -> Iterator[str]:
    """Things that have names are compared by them, others by their places."""
    ours, theirs = by_name(azure), by_name(local)
    if ours is not None and theirs is not None:
        yield from of_values(ours, theirs, path)
        return
    if len(azure) != len(local):
        yield differs(path, f"{len(azure)} items", f"{len(local)} items")
    for number, (one, other) in enumerate(zip(azure, local, strict=False)):
        yield from of_values(one, other, f"{path}[{number}]")


def by_name(items: list[Any]) -> dict[str, Any] | None:
    named = all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items)
    return {item["name"]: item for item in items} if named else None


def kind(value: Any) -> str:
    """JSON's types: it has one of number."""
    names: dict[type, str] = {type(None): "null", bool: "a boolean", str: "a text", dict: "an object", list: "a list"}
    return names.get(type(value), "a number")


def differs(what: str, azure: object, local: object) -> str:
    return f"{what}: {azure} in Azure, {local} here"
