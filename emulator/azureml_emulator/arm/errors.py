"""What the rules refuse, as Azure's resource manager names it; `server.py` alone turns these into HTTP."""

import json
from typing import Any


class ApiError(Exception):
    """A refusal: `status` is the HTTP status, `code` and the text go into ARM's error envelope.

    `more` is what else the error says there: `details`, `innererror`.
    """

    status, code = 500, "InternalServerError"

    def __init__(self, message: str, code: str | None = None, **more: Any):
        super().__init__(message)
        self.code = code or self.code
        self.more = more

    @property
    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": str(self), **self.more}

    @property
    def outcome(self) -> str:
        """How an operation ends with it, and what the resource reads then."""
        return "Canceled" if self.code == "OperationCanceled" else "Failed"


class BadRequest(ApiError):
    status, code = 400, "BadRequest"


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
    status, code = 404, "UserError"


class MethodNotAllowed(ApiError):
    status, code = 405, "MethodNotAllowed"


class Conflict(ApiError):
    status, code = 409, "Conflict"


class TooLarge(ApiError):
    status, code = 413, "RequestEntityTooLarge"


def passed_on(call: str, field: str, message: str) -> list[dict[str, Any]]:
    """The details in which a refusal of the service behind the resource manager is passed on: JSON in a text.

    Seen in MicrosoftLearning/mslearn-azure-ml#30.
    """
    title = "One or more validation errors occurred."
    problem = json.dumps({"errors": {field: [message]}, "title": title, "status": 400, "traceId": "00-1-01"})
    return [{"code": call, "message": f"InferencingClient HttpRequest error, error detail: {problem}"}]
