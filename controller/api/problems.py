"""Errors as RFC 9457 problems: the only shape in which anything is refused."""

from aiohttp import web

from controller.api.answers import FieldProblem, Problem
from controller.errors import (
    ControllerError,
    InvalidRequest,
    MethodNotAllowed,
    NotAuthenticated,
    StoreUnavailable,
    TooManyFailures,
)

PROBLEM_JSON = "application/problem+json"
STORE_RETRY_AFTER_S = 2


def problem_response(error: ControllerError, request_id: str) -> web.Response:
    """The response for an error."""
    problem = Problem(
        type=f"/docs#error-{error.code}",
        title=error.title,
        status=error.http_status,
        detail=error.detail,
        code=error.code,
        retryable=error.retryable,
        request_id=request_id,
        errors=_field_problems(error),
    )
    headers = {"Cache-Control": "no-store", **_headers_of(error)}
    return web.Response(
        status=error.http_status,
        body=problem.model_dump_json(exclude_none=True).encode(),
        content_type=PROBLEM_JSON,
        headers=headers,
    )


def _field_problems(error: ControllerError) -> list[FieldProblem] | None:
    if not isinstance(error, InvalidRequest):
        return None
    return [
        FieldProblem.model_validate(
            {
                "location": refused.location,
                "field": refused.field,
                "message": refused.message,
                "code": refused.code,
            }
        )
        for refused in error.errors
    ]


def _headers_of(error: ControllerError) -> dict[str, str]:
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="golive"'}
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, TooManyFailures):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, StoreUnavailable):
        return {"Retry-After": str(STORE_RETRY_AFTER_S)}
    return {}
