"""Takes away what a comparison made, and finds what a killed one left: all of it carries a tag."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

PREFIX, TAG = "compare-", {"azureml-emulator": "compare"}
PATIENCE = 1800  # seconds until Azure has ended what it does to an endpoint that is to be deleted


def clean(client: MLClient, name: str) -> None:
    """Deletes the endpoint, as soon as Azure lets it, and archives the model's versions."""
    from azure.core.exceptions import ResourceExistsError

    latest = time.monotonic() + PATIENCE
    while True:
        try:
            client.online_endpoints.begin_delete(name).result()
            break
        except ResourceExistsError:  # 409: something runs on it
            if time.monotonic() > latest:
                raise
            say(f"Azure is busy with {name}; trying again")
            time.sleep(5)
    versions = [str(model.version) for model in made(client.models, name)]
    for version in versions:
        client.models.archive(name, version)
    stays = f"{len(versions)} archived versions of the model {name} and their files" if versions else "nothing"
    say(f"The endpoint {name} is gone. What stays: {stays}.")


def left(client: MLClient) -> list[str]:
    """The names of what comparisons made and nobody took away: endpoints, and models that aren't archived."""
    endpoints = {str(found.name) for found in made(client.online_endpoints)}
    models = {str(found.name) for found in client.models.list() if str(found.name).startswith(PREFIX)}
    return sorted(endpoints | {name for name in models if any(made(client.models, name))})


def made(things: Any, *of: str) -> Iterator[Any]:
    """Those in a list of the SDK's that carry the tag; none where there is no list."""
    from azure.core.exceptions import ResourceNotFoundError

    with suppress(ResourceNotFoundError):
        yield from (found for found in things.list(*of) if TAG.items() <= (found.tags or {}).items())


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
