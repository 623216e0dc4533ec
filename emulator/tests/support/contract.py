"""The contract in contract.yml as checks: of one recorded call (`azureml-emulator --trace`), or of one answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from azureml_emulator.openapi import Description, Operation

CONTRACT = Description.read((Path(__file__).parents[1] / "contract.yml").read_text(), ignore_case=True)
OURS = CONTRACT.closed()  # what we answer has no key that the contract doesn't name


def route(method: str, path: str) -> Operation | None:
    """The row of the contract for a call."""
    return CONTRACT.find(method, path)


def complaints(call: dict[str, Any], contract: Description = CONTRACT) -> Iterator[str]:
    """What is wrong with the answer of a recorded call: `{method, path, status, headers, body}`."""
    row = contract.find(call["method"], call["path"])
    if row is None:
        yield f"{call['method']} {call['path']} is in no row of the contract"
        return
    wrong = contract.wrong_answer(row, call["status"], call["body"], call["headers"])
    yield from (f"{row.name} {call['status']}: {problem}" for problem in wrong)


def schema(row: Operation, status: int) -> tuple[str, bool]:
    """The name of what an answer holds, or of what a page of it holds; the second says whether it is a page."""
    described = (CONTRACT.answer(row, status) or {}).get("content", {}).get("application/json", {}).get("schema", {})
    is_page = "value" in described.get("properties", {})
    reference = described["properties"]["value"]["items"] if is_page else described
    return reference.get("$ref", "").rpartition("/")[2], is_page
