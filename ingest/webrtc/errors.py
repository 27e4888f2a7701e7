"""What WebRTC says no with.

AnsweredError
└── WebRtcRefused             a request that gets no session, or none any more
    ├── OfferMalformed            no SDP, or a broken one
    ├── OfferUnacceptable         an SDP offer that asks for what there is not
    ├── NotForwardable            the stream cannot be sent as it is; HLS can
    ├── NoMediaYet                the stream has no picture to begin with (retryable)
    ├── ViewersFull               as many viewers as the settings allow (retryable)
    ├── NoSuchWebRtcSession       it is over, or never was
    ├── RestartUnsupported        an ICE restart: a new session does the same
    ├── FragmentMalformed         a trickled fragment that cannot be read
    └── WorkerLost                the worker died, or did not answer in time (retryable)
"""

from collections.abc import Mapping

from ingest.errors import AnsweredError


class WebRtcRefused(AnsweredError):
    """A request that gets no session."""

    code = "webrtc_refused"


class OfferMalformed(WebRtcRefused):
    """The body is no SDP offer."""

    code = "offer_malformed"
    status = 400


class OfferUnacceptable(WebRtcRefused):
    """An offer without what is needed, or with what is not served (RFC 9725 §4.2)."""

    code = "offer_unacceptable"
    status = 422


class NotForwardable(WebRtcRefused):
    """The encoder sends what WebRTC cannot carry as it is."""

    code = "not_forwardable"
    status = 409


class NoMediaYet(WebRtcRefused):
    """The stream has no picture to begin with."""

    code = "no_media_yet"
    status = 409
    retryable = True


class ViewersFull(WebRtcRefused):
    """As many viewers as the settings allow are there."""

    code = "viewers_full"
    status = 503
    retryable = True


class NoSuchWebRtcSession(WebRtcRefused):
    """The session is over, or never was."""

    code = "no_such_session"
    status = 404


class RestartUnsupported(WebRtcRefused):
    """ICE is not restarted: a new session does the same (RFC 9725 §4.3.3)."""

    code = "ice_restart_unsupported"
    status = 422


class FragmentMalformed(WebRtcRefused):
    """The body is no SDP fragment with candidates (RFC 8840)."""

    code = "fragment_malformed"
    status = 400


class WorkerLost(WebRtcRefused):
    """The worker died or did not answer in time."""

    code = "webrtc_worker_lost"
    status = 503
    retryable = True


WEBRTC_REFUSALS: Mapping[str, type[WebRtcRefused]] = {
    kind.code: kind
    for kind in (
        OfferMalformed,
        OfferUnacceptable,
        NotForwardable,
        NoMediaYet,
        ViewersFull,
        NoSuchWebRtcSession,
        RestartUnsupported,
        FragmentMalformed,
        WorkerLost,
    )
}
"""By their codes."""


def refusal(code: str, detail: str) -> WebRtcRefused:
    """The error that a worker named."""
    return WEBRTC_REFUSALS.get(code, WebRtcRefused)(detail)
