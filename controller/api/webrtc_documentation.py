"""What the OpenAPI document says of publishing (WHIP) and watching (WHEP) over WebRTC."""

from collections.abc import Mapping
from typing import Any

from controller.api.registry import DocumentedRoute, Refusal, RefusalKind
from controller.api.sdp_exchange import (
    FRAGMENT_TYPE,
    PUBLISH_TITLE,
    SDP_TYPE,
    WEBRTC_TITLE,
    is_passing,
)
from controller.errors import (
    EtagMismatch,
    InternalError,
    InvalidRequest,
    NotAuthenticated,
    NotYourSession,
    PayloadTooLarge,
    PlaybackTokenNeeded,
    StoreUnavailable,
    StreamNotFound,
    TooManyFailures,
    UnsupportedMediaType,
)
from controller.publishing.refusals import PUBLISH_REFUSALS
from ingest import WEBRTC_REFUSALS

_TEXT = {"type": "string"}
_ETAG = {"description": "Of the ICE session (RFC 9725 §4.3.1)", "schema": _TEXT}
_LINK = {"description": "An ICE server for each, with `rel=ice-server`", "schema": _TEXT}
_CREATED = {
    "description": "The session, with the SDP answer",
    "headers": {
        "Location": {"description": "Of the session: PATCH it, DELETE it", "schema": _TEXT},
        "ETag": _ETAG,
        "Accept-Patch": {"schema": _TEXT},
        "Link": _LINK,
    },
    "content": {SDP_TYPE: {"schema": _TEXT}},
}
_OFFERED = {
    "description": "What may be posted",
    "headers": {"Accept-Post": {"schema": _TEXT}, "Allow": {"schema": _TEXT}, "Link": _LINK},
}
_STREAM = {
    "name": "stream_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}
_SESSION = {
    "name": "session",
    "in": "path",
    "required": True,
    "description": "Out of `Location`; a secret",
    "schema": _TEXT,
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The session's `ETag`",
    "schema": _TEXT,
}
_BODY: tuple[RefusalKind, ...] = (PayloadTooLarge, UnsupportedMediaType, InvalidRequest)


def _of_webrtc(*codes: str) -> tuple[Refusal, ...]:
    """As the media plane's classes tell it."""
    return tuple(
        Refusal(kind.code, kind.status, WEBRTC_TITLE, _first_line(kind), kind.retryable)
        for kind in map(WEBRTC_REFUSALS.__getitem__, codes)
    )


def _of_publishing() -> tuple[Refusal, ...]:
    """As encoders are turned away over RTMP, too."""
    return tuple(
        Refusal(one.code, one.status, PUBLISH_TITLE, one.sentence, is_passing(one.status))
        for one in PUBLISH_REFUSALS
    )


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0].removesuffix(".")


def _route(
    method: str,
    path: str,
    operation: Mapping[str, Any],
    refusals: tuple[RefusalKind, ...] = (),
    body: str = "",
) -> DocumentedRoute:
    parameters = [_STREAM] * ("{stream_id}" in path) + [_SESSION] * ("{session}" in path)
    parameters += [_IF_MATCH] * (method == "PATCH")
    entry: dict[str, Any] = {"tags": ["WebRTC"], "parameters": parameters, **operation}
    if body:
        entry["requestBody"] = {"required": True, "content": {body: {"schema": _TEXT}}}
    return DocumentedRoute(
        method=method,
        path=path,
        operation=entry,
        refusals=(*refusals, InternalError) if refusals else (),
        at_root=True,
    )


def _operation(
    name: str, summary: str, description: str, status: str, response: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "responses": {status: response},
        **more,
    }


_OPEN: dict[str, Any] = {"security": [{}]}
_WITH_KEY: dict[str, Any] = {"security": [{"bearer": []}]}
_WITH_TOKEN: dict[str, Any] = {"security": [{}, {"bearer": []}]}
_TAKEN = {"description": "The candidates were taken"}
_OVER = {"description": "The session is over"}
_ASKED = "The ICE servers are in `Link`."
_TRICKLED = "RFC 9725 §4.3: candidates alone. A restart of ICE is refused; a new session does that."

WEBRTC_ROUTES = (
    _route(
        "POST",
        "/live/whip",
        _operation(
            "whipPublish",
            "Publish over WebRTC (RFC 9725)",
            "The bearer token is the stream key. Video is H.264 or VP8, sound is Opus.",
            "201",
            _CREATED,
            **_WITH_KEY,
        ),
        (
            *(NotAuthenticated, *_BODY),
            *_of_webrtc("offer_malformed", "offer_unacceptable", "webrtc_worker_lost"),
            *_of_publishing(),
            *(TooManyFailures, StoreUnavailable),
        ),
        SDP_TYPE,
    ),
    _route(
        "OPTIONS",
        "/live/whip",
        _operation("whipOptions", "Ask what WHIP takes", _ASKED, "204", _OFFERED, **_OPEN),
    ),
    _route(
        "PATCH",
        "/live/whip/{session}",
        _operation("whipTrickle", "Add candidates", _TRICKLED, "204", _TAKEN, **_WITH_KEY),
        (
            *(NotAuthenticated, NotYourSession, EtagMismatch, *_BODY),
            *_of_webrtc("fragment_malformed", "no_such_session", "ice_restart_unsupported"),
            *_of_webrtc("webrtc_worker_lost"),
        ),
        FRAGMENT_TYPE,
    ),
    _route(
        "DELETE",
        "/live/whip/{session}",
        _operation(
            "whipEnd",
            "End the publication",
            "The stream is `interrupted`; the same key resumes it within the grace time.",
            "200",
            _OVER,
            **_WITH_KEY,
        ),
        (NotAuthenticated, NotYourSession, *_of_webrtc("no_such_session")),
    ),
    _route(
        "POST",
        "/live/{stream_id}/whep",
        _operation(
            "whepWatch",
            "Watch over WebRTC (WHEP)",
            "A stream that is not for everyone needs its playback token as the bearer token, or "
            "in front of the path: `/~{token}/live/…`. What cannot be watched this way is refused "
            "with the address of the HLS playlist, in `detail` and as an alternate `Link`.",
            "201",
            _CREATED,
            **_WITH_TOKEN,
        ),
        (
            *(PlaybackTokenNeeded, StreamNotFound, *_BODY),
            *_of_webrtc("offer_malformed", "offer_unacceptable", "not_forwardable", "no_media_yet"),
            *_of_webrtc("viewers_full", "webrtc_worker_lost"),
            StoreUnavailable,
        ),
        SDP_TYPE,
    ),
    _route(
        "OPTIONS",
        "/live/{stream_id}/whep",
        _operation("whepOptions", "Ask what WHEP takes", _ASKED, "204", _OFFERED, **_OPEN),
    ),
    _route(
        "PATCH",
        "/live/{stream_id}/whep/{session}",
        _operation("whepTrickle", "Add candidates", _TRICKLED, "204", _TAKEN, **_OPEN),
        (
            *(StreamNotFound, EtagMismatch, *_BODY),
            *_of_webrtc("fragment_malformed", "no_such_session", "ice_restart_unsupported"),
            *_of_webrtc("webrtc_worker_lost"),
        ),
        FRAGMENT_TYPE,
    ),
    _route(
        "DELETE",
        "/live/{stream_id}/whep/{session}",
        _operation(
            "whepEnd", "Stop watching", "Whoever knows the session may.", "200", _OVER, **_OPEN
        ),
        (StreamNotFound, *_of_webrtc("no_such_session")),
    ),
)
