"""What the rules refuse, as Azure's resource manager names it; `server.py` alone turns these into HTTP."""


class ApiError(Exception):
    """A refusal: `status` is the HTTP status, `code` and the text go into ARM's error envelope."""

    status, code = 500, "InternalServerError"

    def __init__(self, message: str, code: str | None = None):
        super().__init__(message)
        self.code = code or self.code


class BadRequest(ApiError):
    status, code = 400, "BadRequest"


class Unauthorized(ApiError):
    status, code = 401, "AuthenticationFailed"


class NotFound(ApiError):
    status, code = 404, "UserError"


class MethodNotAllowed(ApiError):
    status, code = 405, "MethodNotAllowed"


class Conflict(ApiError):
    status, code = 409, "Conflict"


class TooLarge(ApiError):
    status, code = 413, "RequestEntityTooLarge"
