"""Loads model/job.yml as the SDK does, and says of each key that is wrong why, and what to write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scripts.lib.azure import loading
from scripts.lib.azure.training import FILE, read
from scripts.lib.azure.workspace import hush, uncollected
from scripts.lib.decisions import file_rules, job_file
from scripts.lib.decisions.state import Refused


def checked() -> dict[str, Any]:
    """What it says. Raises Refused where that can't train, before Azure is asked."""
    job = read()
    hush()
    with uncollected():
        from azure.ai.ml import load_job
        from marshmallow import ValidationError
    hush()
    try:
        load_job(FILE)
    except ValidationError as error:
        cause: Any = error
        while isinstance(cause.__context__, ValidationError):  # the SDK's own words, as a text, are around it
            cause = cause.__context__
        told = dict(_first(cause.messages, ""))
        wrong = {key: loading.reason(said, key, file_rules.at(job, key), job_file.KEYS) for key, said in told.items()}
        wrong = {key: why if why[:1].islower() else f"can't be used: {why}" for key, why in wrong.items()}
        raise Refused("\n".join(loading.sentences(FILE, wrong))) from error
    except Exception as error:  # of a file it didn't expect it raises what comes
        raise Refused(f"{FILE} can't be loaded: {' '.join(str(error).split())}") from error
    return job


def _first(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each key with what is said of it: of what may be one of several things, of the first."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _first(inner, path if key in ("_schema", "value", None) else f"{path}.{key}".lstrip("."))
    else:
        yield from [(path, messages[0])] if isinstance(messages[0], str) else _first(messages[0], path)
