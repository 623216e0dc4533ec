"""What the rules refuse, as Azure's resource manager names it; `server.py` alone turns these into HTTP."""

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from azureml_emulator.arm.names import LOCATION

#: The few codes that the service behind the resource manager answers with; what it means stands deeper. All others
#: are the manager's own, which says no more than a code and a message.
OF_THE_SERVICE = ("UserError", "BadRequest", "NotFound", "ServiceError")


class ApiError(Exception):
    """A refusal: `status` is the HTTP status, `code` and the text go into ARM's error envelope.

    `more` is what else the error says there: `details`, `innererror`.
    """

    status, code = 500, "InternalServerError"
    means = ""  # what the service adds as its inner error
    enveloped = True  # in `error`, as nearly everything is

    def __init__(self, message: str, code: str | None = None, **more: Any):
        super().__init__(message)
        self.code = code or self.code
        self.more = more

    @property
    def body(self) -> dict[str, Any]:
        inner = {"innererror": {"code": self.means}} if self.means and self.code in OF_THE_SERVICE else {}
        return envelope(self.code, str(self), **{**inner, **self.more})

    @property
    def outcome(self) -> str:
        """How an operation ends with it, and what the resource reads then."""
        return "Canceled" if self.code == "OperationCanceled" else "Failed"


class BadRequest(ApiError):
    status, code = 400, "UserError"


class Unauthorized(ApiError):
    status, code = 401, "AuthenticationFailed"


class Forbidden(ApiError):
    status, code = 403, "AuthorizationFailed"

    @classmethod
    def to(cls, client: str, action: str, scope: str) -> "Forbidden":
        """In the resource manager's words, which name a managed identity twice (Azure/azure-sdk-for-python#39980)."""
        return cls(
            f"The client '{client}' with object id '{client}' does not have authorization to perform action "
            f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
            "your credentials."
        )


class NotFound(ApiError):
    status, code, means = 404, "UserError", "NotFoundError"

    @classmethod
    def of(cls, id: str) -> "NotFound":
        """A tracked resource, which the resource manager itself knows isn't there (recorded by the SDK's own tests)."""
        group, _, path = id.partition("/providers/")
        more = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        where = f"under resource group '{group.rpartition('/')[2]}'"
        return cls(f"The Resource '{path}' {where} was not found. {more}", "ResourceNotFound")

    @classmethod
    def above(cls, *names: str) -> "NotFound":
        """What something is to be below (MicrosoftLearning/mslearn-azure-ml#27)."""
        what = f"Can not perform requested operation on nested resource. Parent resource '{'/'.join(names)}' not found."
        return cls(what, "ParentResourceNotFound")


class MethodNotAllowed(ApiError):
    status, code = 405, "MethodNotAllowed"


class Conflict(ApiError):
    status, code = 409, "UserError"

    @classmethod
    def elsewhere(cls, name: str, group: str, place: str, asked: str) -> "Conflict":
        """A tracked resource never moves (Azure/azure-service-operator#784)."""
        return cls(
            f"The resource '{name}' already exists in location '{place}' in resource group '{group}'. A resource with "
            f"the same name cannot be created in location '{asked}'. Please select a new resource name.",
            "InvalidResourceLocation",
        )


class TooLarge(ApiError):
    status, code = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    status, code = 415, "UnsupportedMediaType"


def envelope(
    code: str,
    message: str,
    details: Sequence[dict[str, Any]] = (),
    innererror: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An error as its sender writes it, recorded by the SDK's own tests: the service adds where and when it failed."""
    if code not in OF_THE_SERVICE:
        more = {"details": list(details), "innererror": innererror}
        return {"code": code, "message": message, **{name: value for name, value in more.items() if value}}
    told = {
        "ComponentName": "managementfrontend",
        "Correlation": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]},
        "Environment": LOCATION,
        "Location": LOCATION,
        "Time": datetime.now(timezone.utc).isoformat(),
        **({"InnerError": _inner(innererror)} if innererror else {}),
    }
    return {
        "code": code,
        "message": message,
        "details": [{**detail, "details": [], "additionalInfo": []} for detail in details],
        "additionalInfo": [{"type": name, "info": {"value": value}} for name, value in told.items()],
    }


def _inner(error: dict[str, Any] | None) -> dict[str, Any] | None:
    return {"code": error["code"], "innerError": _inner(error.get("innererror"))} if error else None


def passed_on(call: str, field: str, message: str) -> list[dict[str, Any]]:
    """The details in which a refusal of the service behind the resource manager is passed on: JSON in a text.

    Seen in MicrosoftLearning/mslearn-azure-ml#30.
    """
    title = "One or more validation errors occurred."
    problem = json.dumps({"errors": {field: [message]}, "title": title, "status": 400, "traceId": "00-1-01"})
    return [{"code": call, "message": f"InferencingClient HttpRequest error, error detail: {problem}"}]
