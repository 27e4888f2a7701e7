"""What an encoder is turned away with, over RTMP and over WebRTC alike."""

from dataclasses import dataclass

from controller.domain.states import StreamStatus
from controller.errors import AlreadyPublishing, ControllerError, KeyRevoked, StreamNotLive
from controller.publishing.lifecycle import NoCapacity, SessionNotStarted


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: `code` and `sentence` are for logs and answers and never hold the key; HTTP's status."""

    code: str
    sentence: str
    status: int = 403


class PublishRefused(Exception):
    """The encoder is not let in."""

    def __init__(self, reason: Reason) -> None:
        self.code, self.reason, self.status = reason.code, reason.sentence, reason.status
        super().__init__(reason.sentence)


UNKNOWN_KEY = Reason("unknown_key", "no stream has this key")
REVOKED_KEY = Reason("revoked_key", "the key was replaced by a new one")
NO_SPACE = Reason("no_space", "the disk is nearly full", 503)
NO_SPOOL = Reason("no_spool", "publishing over WebRTC needs the spool", 503)
NOT_LIVE = {
    status: Reason(f"stream_{status}", f"the stream is {status}, not live")
    for status in StreamStatus
    if status is not StreamStatus.LIVE
}


def late(error: type[ControllerError] | ControllerError) -> Reason:
    """The key was good when it was looked up, and is not any more: refused as a bad one is."""
    detail = error.detail if isinstance(error, ControllerError) else error.default_detail
    return Reason(error.code, detail)


def failed(error: type[ControllerError] | ControllerError) -> Reason:
    """What went wrong, with its own status."""
    detail = error.detail if isinstance(error, ControllerError) else error.default_detail
    return Reason(error.code, detail, error.http_status)


PUBLISH_REFUSALS = (
    *(UNKNOWN_KEY, REVOKED_KEY, *NOT_LIVE.values()),
    *map(late, (AlreadyPublishing, KeyRevoked, StreamNotLive)),
    *(NO_SPACE, NO_SPOOL, failed(NoCapacity), failed(SessionNotStarted)),
)
"""All of them, beside those of the store and of whoever guesses keys."""
