"""What happens around every handler: request ids, problems, cross-origin rules."""

import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from controller.api.problems import problem_response
from controller.api.request_ids import HEADER, request_id_of, take_request_id
from controller.errors import (
    BadHttpRequest,
    ControllerError,
    InternalError,
    MethodNotAllowed,
    PayloadTooLarge,
    RouteNotFound,
)

ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
)
EXPOSED_HEADERS = (
    "Accept-Patch, Accept-Post, ETag, Idempotency-Replayed, Link, Location, Retry-After, "
    "X-Request-ID"
)
PREFLIGHT_LIFE_S = 7200
_SERVER_ERROR = 500

_log = structlog.get_logger(__name__)


def observe_requests() -> Middleware:
    """Outermost: gives the request its id, logs what it came to. Paths only, never queries:
    a query may carry a token.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=take_request_id(request)):
            response = await handler(request)
            log = _log.warning if response.status >= _SERVER_ERROR else _log.debug
            log(
                "request_answered",
                method=request.method,
                route=_route_of(request),
                status=response.status,
                duration_ms=round((time.perf_counter() - started) * 1000, 1),
            )
            return response

    return middleware


def answer_problems() -> Middleware:
    """Turns every exception into a problem: ours as they are, aiohttp's by meaning, and any other
    into a 500 whose reason is in the log alone.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ControllerError as error:
            if error.http_status >= _SERVER_ERROR:
                _log.warning("request_failed", code=error.code, exc_info=True)
            return problem_response(error, request_id_of(request))
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - a redirect is no problem
                raise
            return problem_response(_translate(error), request_id_of(request))
        except Exception:  # noqa: BLE001 - the last line: no stack trace leaves the server
            _log.exception("request_crashed", route=_route_of(request))
            return problem_response(InternalError(), request_id_of(request))

    return middleware


def answer_preflights(origins: Sequence[str]) -> Middleware:
    """Answers the browsers' CORS preflight requests; `decorate` does the rest."""
    allowed = frozenset(origins)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_preflight = (
            request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        )
        if not is_preflight or _allowed_origin(request, allowed) is None:
            return await handler(request)
        headers = {
            "Access-Control-Allow-Methods": ALLOWED_METHODS,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_LIFE_S),
        }
        return web.Response(status=204, headers=headers)

    return middleware


def decorate(
    origins: Sequence[str],
) -> Callable[[web.BaseRequest, web.StreamResponse], Awaitable[None]]:
    """The `on_response_prepare` hook: request id and CORS headers on every answer."""
    allowed = frozenset(origins)

    async def on_prepare(request: web.BaseRequest, response: web.StreamResponse) -> None:
        response.headers[HEADER] = request_id_of(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        origin = _allowed_origin(request, allowed)
        if origin is None:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if origin != "*":
            response.headers.add("Vary", "Origin")

    return on_prepare


def _allowed_origin(request: web.BaseRequest, allowed: frozenset[str]) -> str | None:
    origin = request.headers.get("Origin")
    if origin is None:
        return None
    if "*" in allowed:
        return "*"
    return origin if origin in allowed else None


def _translate(error: web.HTTPException) -> ControllerError:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(tuple(error.allowed_methods))
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return PayloadTooLarge()
    if isinstance(error, web.HTTPNotFound):
        return RouteNotFound()
    if error.status >= _SERVER_ERROR:
        return InternalError()
    return BadHttpRequest()


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical
