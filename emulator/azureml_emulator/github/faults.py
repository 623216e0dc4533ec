"""Faults of the local GitHub, in the words of the others: what meets which calls, and how often."""

from typing import Any, Literal

from pydantic import Field, model_validator

from azureml_emulator.arm.documents import Document
from azureml_emulator.faults.fault import Fault, OnCalls

#: GitHub's own words; docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api.
ANSWERS: dict[str, Document] = {
    "RateLimit": {
        "status": 403,
        "message": "API rate limit exceeded for installation ID 1.",
        "headers": {"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "0"},
    },
    "SecondaryLimit": {  # app-sre/github-mirror#62; with Retry-After or without
        "status": 403,
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    },
    "TooManyRequests": {"status": 429, "message": "Too many requests.", "retry_after": 1},
    "NotFound": {"status": 404, "message": "Not Found"},
    "BadGateway": {"status": 502, "message": "Server Error"},  # cli/cli#10981
}


class Disturbance(OnCalls):
    when: Literal["before", "after"] = Field("before", description="before or after the call took effect.")


class Refuse(Disturbance):
    """Answer with a status and GitHub's envelope: one of ANSWERS, but for the fields that are given."""

    like: Literal["", "RateLimit", "SecondaryLimit", "TooManyRequests", "NotFound", "BadGateway"] = ""
    status: int = Field(503, ge=400, le=599)
    message: str = "It fails as it was told to"
    retry_after: int | None = Field(None, ge=0)
    headers: dict[str, str] = Field({})

    @model_validator(mode="before")
    @classmethod
    def _as_github_says(cls, given: Any) -> Any:
        return {**ANSWERS.get(given.get("like", ""), {}), **given}


class Drop(Disturbance):
    """Close the connection without an answer."""


KINDS: dict[str, type[Disturbance]] = {"refuse": Refuse, "drop": Drop}


def missed(faults: dict[int, Fault]) -> list[Document]:
    """Those that met nothing."""
    return [fault.document for fault in faults.values() if not fault.document["hit"]]
