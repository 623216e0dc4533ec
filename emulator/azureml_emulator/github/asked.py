"""What passes between the local GitHub's server and its routes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class Refusal(Exception):
    """An answer other than the good one: `Refusal(404, "Not Found")`."""

    def __init__(self, status: int, message: str = "Not Found"):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Asked:
    """`names` are the parts of the path, decoded, `body` the JSON sent."""

    names: Mapping[str, str]
    query: Mapping[str, str]
    body: Any


def page(found: list[Item], asked: Asked, most: int) -> list[Item]:
    """The page asked for, of at most `most` entries."""
    size = min(int(asked.query.get("per_page", 30)), most)
    start = (int(asked.query.get("page", 1)) - 1) * size
    return found[start : start + size]
