"""What a handler takes and gives: no web framework past this point."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from azureml_emulator.arm.documents import Document, Scope
from azureml_emulator.arm.errors import BadRequest


@dataclass(frozen=True)
class Call:
    """A request. `names` are the parts of the path that the route names, decoded; `base` is the server's address.

    What was sent is in `body`, a blob's content in `parts`.
    """

    method: str
    base: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    parts: AsyncIterator[bytes]
    path: str = ""

    def __getitem__(self, name: str) -> str:
        return self.names[name]

    @property
    def scope(self) -> Scope:
        return Scope(self.names["subscription"], self.names["group"], self.names["workspace"])

    @property
    def version(self) -> str:
        """The API version that is asked for; of a client that names none, that of the SDK for endpoints."""
        return self.query.get("api-version", "2022-02-01-preview")

    @property
    def document(self) -> Document:
        """The JSON object in the body, {} when there is none. Raises BadRequest."""
        return json_object(self.body) if self.body else {}


@dataclass(frozen=True)
class Reply:
    """An answer: a JSON value, raw bytes, at once or in parts (with their Content-Length), or nothing."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def to_put(cls, document: Document, is_new: bool) -> "Reply":
        """201 for what a PUT made, 200 for what it changed."""
        return cls(document, 201 if is_new else 200)


def json_object(body: bytes) -> Document:
    """Raises BadRequest for anything else, also for what only Python reads."""
    try:
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()  # no NaN, no half of a character
    except (ValueError, RecursionError):
        raise BadRequest("The request body is not valid JSON.", "InvalidRequestContent") from None
    if not isinstance(document, dict):
        raise BadRequest("The request body must be a JSON object.", "InvalidRequestContent")
    return document
