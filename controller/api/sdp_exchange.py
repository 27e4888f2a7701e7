"""The HTTP that WHIP (RFC 9725) and WHEP have in common: SDP in, SDP out, and refusals."""

from collections.abc import Sequence

from aiohttp import web

from controller.api.answers import Problem
from controller.api.problems import PROBLEM_JSON
from controller.api.request_ids import request_id_of
from controller.errors import (
    EtagMismatch,
    EtagNeeded,
    FieldError,
    InvalidRequest,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from ingest import PeerSession, WebRtcRefused

SDP_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
_MOST_BYTES = 32_768
_RETRY_AFTER_S = 2


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
    """Raise unless the request names the ICE session that there is (RFC 9725 §4.3.1)."""
    sent = request.headers.get("If-Match")
    if sent is None:
        raise EtagNeeded
    if sent.strip() not in {etag, "*"}:
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


def refused(request: web.Request, error: WebRtcRefused, hls_url: str = "") -> web.Response:
    """The problem; with `hls_url` it says where the stream can be watched instead."""
    detail = f"{error}: {hls_url}" if hls_url else str(error)
    problem = Problem(
        type=f"/docs#error-{error.code}",
        title="WebRTC refused",
        status=error.status,
        detail=detail,
        code=error.code,
        retryable=error.retryable,
        request_id=request_id_of(request),
        errors=None,
    )
    headers = {"Cache-Control": "no-store"}
    if error.retryable:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    if hls_url:
        headers["Link"] = f'<{hls_url}>; rel="alternate"; type="application/vnd.apple.mpegurl"'
    return web.Response(
        status=error.status,
        body=problem.model_dump_json(exclude_none=True).encode(),
        content_type=PROBLEM_JSON,
        headers=headers,
    )


def _linked(response: web.Response, links: Sequence[str]) -> web.Response:
    for link in links:
        response.headers.add("Link", link)
    return response
