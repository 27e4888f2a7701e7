"""What happens around every handler: request ids, problems, cross-origin rules."""

import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from controller.api.client_address import ClientAddress
from controller.api.problems import problem_response
from controller.api.request_ids import HEADER, USER_ID, request_id_of, take_request_id
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
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_API = "/api/"
_BEACONS = frozenset({"/api/v1/streams/{stream_id}/watching"})
_STREAM = "/api/v1/streams/{stream_id}"
_IDS = ("stream_id", "job_id")
PROBLEM_CODE = web.RequestKey("problem_code", str)

OnAnswered = Callable[[str, str, int, float], None]
"""Method, the route's pattern, status, seconds."""

_log = structlog.get_logger(__name__)


def observe_requests(
    client_address: ClientAddress, on_answered: OnAnswered | None = None
) -> Middleware:
    """Outermost: gives the request its id, logs in one line what it came to, and calls
    `on_answered` with method, route, status and seconds. Routes only, never addresses: those may
    carry a token. What players and pages ask for again and again is told at debug.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=take_request_id(request)):
            response = await handler(request)
            duration_s, route = time.perf_counter() - started, _route_of(request)
            if on_answered is not None:
                on_answered(request.method, route, response.status, duration_s)
            is_routine = _is_asked_again(request.method, route, response.status)
            log = _log.debug if is_routine else _log.info
            if response.status >= _SERVER_ERROR:
                log = _log.warning
            forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
            log(
                "request_answered",
                method=request.method,
                route=route,
                **{name: request.match_info[name] for name in _IDS if name in request.match_info},
                status=response.status,
                code=request.get(PROBLEM_CODE),
                user_id=request.get(USER_ID),
                address=client_address.of(request.remote, forwarded),
                bytes=response.body_length,
                duration_ms=round(duration_s * 1000, 1),
            )
            return response

    return middleware


def _is_asked_again(method: str, route: str, status: int) -> bool:
    """Media, beacons, and the state of a stream, which every watch page reads every two seconds."""
    if not route.startswith(_API) or route in _BEACONS:
        return True
    return method == hdrs.METH_GET and route == _STREAM and status < _CLIENT_ERROR


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
            request[PROBLEM_CODE] = error.code
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
