"""Errors of the API, in the form that OpenAI's clients understand."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from danlu.recipe.errors import UserError
from danlu.serving.worker import EngineFailed, Unavailable


class BadRequest(Exception):
    """A request that cannot be answered as it stands; `param` is the field to mend, if it is one."""

    def __init__(self, reason: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(reason)
        self.param = param
        self.code = code
        self.status = status


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """`{"error": {...}}` as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_response(error: Exception) -> JSONResponse:
    """The response of an error of this room; anything else becomes a 500 that tells nothing of the inside."""
    if isinstance(error, BadRequest):
        kind = "not_found_error" if error.status == 404 else "invalid_request_error"
        return JSONResponse(error_body(str(error), kind, error.param, error.code), error.status)
    if isinstance(error, UserError):
        code = "context_length_exceeded" if "context" in error.reason else None
        return JSONResponse(error_body(f"{error.reason}; {error.fix}", "invalid_request_error", "messages", code), 400)
    if isinstance(error, Unavailable):
        headers = None if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return JSONResponse(error_body(str(error), "server_error", code=error.code), 503, headers)
    message = str(error) if isinstance(error, EngineFailed) else "something went wrong inside the server"
    return JSONResponse(error_body(message, "server_error", code="internal_error"), 500)
