"""The HTTP that WHIP (RFC 9725) and WHEP have in common: SDP in, SDP out, and refusals."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from controller.api.answers import Problem
from controller.api.problems import PROBLEM_JSON
from controller.api.request_ids import request_id_of
from controller.errors import (
    EtagMismatch,
    FieldError,
    InvalidRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from controller.publishing.refusals import PublishRefused
from ingest import PeerSession, WebRtcRefused

SDP_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
PUBLISH_TITLE, WEBRTC_TITLE = "Publishing refused", "WebRTC refused"
_MOST_BYTES = 32_768
_RETRY_AFTER_S = 2
_PASSING = frozenset({429, 503})


async def read_sdp(request: web.Request, media_type: str = SDP_TYPE) -> str:
    """The body's text; UnsupportedMediaType, PayloadTooLarge or InvalidRequest for another."""
    if request.content_type != media_type:
        raise UnsupportedMediaType(f"The body must be {media_type}")
    body = await request.content.read(_MOST_BYTES + 1)
    while len(body) <= _MOST_BYTES and (more := await request.content.read(_MOST_BYTES)):
        body += more
    if len(body) > _MOST_BYTES:
        raise PayloadTooLarge
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest([FieldError("body", "body", "must be UTF-8", "not_utf8")]) from error


def require_etag(request: web.Request, etag: str) -> None:
    """Raise when the request names another ICE session than there is (RFC 9725 §4.3.1).

    One that names none is let through: there is never a second one, and its fragment's ufrag says
    which it means. Clients exist that do not send it.
    """
    if request.headers.get("If-Match", "*").strip() not in {etag, "*"}:
        raise EtagMismatch


def created(session: PeerSession, location: str, links: Sequence[str]) -> web.Response:
    """201: the answer, and where the session is."""
    response = web.Response(
        status=201,
        body=session.answer.encode(),
        content_type=SDP_TYPE,
        headers={
            "Location": location,
            "ETag": session.etag,
            "Accept-Patch": FRAGMENT_TYPE,
            "Cache-Control": "no-store",
        },
    )
    return _linked(response, links)


def options(links: Sequence[str]) -> web.Response:
    """204: what may be posted, and the ICE servers, for clients that ask before."""
    headers = {"Accept-Post": SDP_TYPE, "Allow": "OPTIONS, POST", "Cache-Control": "no-store"}
    return _linked(web.Response(status=204, headers=headers), links)


def no_content() -> web.Response:
    """204."""
    return web.Response(status=204)


def only(*methods: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Refuses every other method."""

    async def refuse(_request: web.Request) -> web.Response:
        raise MethodNotAllowed(methods)

    return refuse


def refused(request: web.Request, error: WebRtcRefused, hls_url: str = "") -> web.Response:
    """The problem; with `hls_url` it says where the stream can be watched instead."""
    detail = f"{error}: {hls_url}" if hls_url else str(error)
    response = _problem(
        request, error.status, error.code, WEBRTC_TITLE, detail, retryable=error.retryable
    )
    if hls_url:
        link = f'<{hls_url}>; rel="alternate"; type="application/vnd.apple.mpegurl"'
        response.headers["Link"] = link
    return response


def is_passing(status: int) -> bool:
    """Whether a publisher who is refused with it may be let in later."""
    return status in _PASSING


def publish_refused(request: web.Request, refusal: PublishRefused) -> web.Response:
    """The problem of a publisher who is not let in, as every encoder gets it."""
    return _problem(
        request,
        refusal.status,
        refusal.code,
        PUBLISH_TITLE,
        refusal.reason,
        retryable=is_passing(refusal.status),
    )


def _problem(
    request: web.Request, status: int, code: str, title: str, detail: str, *, retryable: bool
) -> web.Response:
    problem = Problem(
        type=f"/docs#error-{code}",
        title=title,
        status=status,
        detail=detail,
        code=code,
        retryable=retryable,
        request_id=request_id_of(request),
        errors=None,
    )
    headers = {"Cache-Control": "no-store"}
    if retryable:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    return web.Response(
        status=status,
        body=problem.model_dump_json(exclude_none=True).encode(),
        content_type=PROBLEM_JSON,
        headers=headers,
    )


def _linked(response: web.Response, links: Sequence[str]) -> web.Response:
    for link in links:
        response.headers.add("Link", link)
    return response
