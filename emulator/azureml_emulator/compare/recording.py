"""Every call that Azure's clients make in this process, as a line of a trace.

azure.core hands each request and answer to the tracing plugin that its settings name: ARM's, the polls of operations,
attempts that are made again, blobs and scoring alike, whoever made the client.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from azureml_emulator.api.trace import line
from azureml_emulator.compare.masks import Masks
from azureml_emulator.private import open_private

if TYPE_CHECKING:
    from azure.core.rest import HttpRequest, HttpResponse


@contextmanager
def recorded(path: Path, masks: Masks) -> Iterator[None]:
    """Writes down what is asked and answered meanwhile, masked; what leads to a token isn't."""
    from azure.core.settings import settings

    with open_private(path, "w") as out:

        class Recorder(Span):
            def set_http_attributes(self, request: HttpRequest, response: HttpResponse | None = None) -> None:
                call = _call(request, response)
                if call and not out.closed:
                    out.write(json.dumps(masks.call(call)) + "\n")

        settings.tracing_implementation.set_value(cast("Any", Recorder))
        try:
            yield
        finally:
            settings.tracing_implementation.unset_value()


def _call(request: HttpRequest, response: HttpResponse | None) -> dict[str, Any] | None:
    """None for what is neither Azure ML's, a blob's nor an endpoint's: a login, a cloud's addresses."""
    address = urlsplit(request.url)
    path, is_blob = address.path, ".blob." in f"{address.netloc}{address.path}"
    if not (is_blob or path.startswith("/subscriptions/") or path.endswith("/score")):
        return None
    path = "/score" if path.endswith("/score") else path  # as Azure's; a local endpoint's name is in it
    asked = {"method": request.method, "path": path, "query": dict(parse_qsl(address.query, keep_blank_values=True))}
    status, headers = (response.status_code, dict(response.headers)) if response is not None else (None, {})
    sent, body = (b"", b"") if is_blob else (_bytes(request), _answer(response))
    return line(asked, sent, {"status": status, "headers": headers}, body)


def _bytes(request: HttpRequest) -> bytes:
    """The older kind of request has its body in `data`."""
    body = getattr(request, "content", None) or getattr(request, "data", None)
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def _answer(response: Any) -> bytes:
    """Of both kinds of answers."""
    body = b"" if response is None else response.read() if hasattr(response, "read") else response.body()
    return bytes(body)


class Span:
    """A plugin as azure.core.tracing.AbstractSpan describes it, that measures nothing."""

    def __init__(self, span: Any = None, name: str | None = None, **options: Any) -> None:
        self.span_instance = self

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *error: object) -> None: ...

    def start(self) -> None: ...

    def finish(self) -> None: ...

    def add_attribute(self, key: str, value: object) -> None: ...

    def to_header(self) -> dict[str, str]:
        return {}

    @classmethod
    def change_context(cls, span: object) -> AbstractContextManager[None]:
        return nullcontext()

    @classmethod
    def with_current_context(cls, function: Callable[..., Any]) -> Callable[..., Any]:
        return function
