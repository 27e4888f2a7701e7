"""Why the server closes a connection: WebSocket close codes of the private range (RFC 6455, 7.4.2).

A client reconnects after every code but `BAD_CREDENTIALS`, with its last position and after a
random delay; after `TOKEN_EXPIRED` with a new token.
"""

from enum import IntEnum


class CloseCode(IntEnum):
    """The code; its reason goes out beside it."""

    SERVER_STOPPING = 4000
    BAD_CREDENTIALS = 4001
    PROTOCOL_VIOLATION = 4003
    TOO_SLOW = 4008
    TOKEN_EXPIRED = 4010
    FLOODING = 4029
    SERVER_FULL = 4053

    @property
    def reason(self) -> str:
        """A few words for the close frame and the log."""
        return _REASONS[self]


_REASONS = {
    CloseCode.SERVER_STOPPING: "server stopping",
    CloseCode.BAD_CREDENTIALS: "bad credentials",
    CloseCode.PROTOCOL_VIOLATION: "too many malformed frames",
    CloseCode.TOO_SLOW: "reading too slowly",
    CloseCode.TOKEN_EXPIRED: "token expired",
    CloseCode.FLOODING: "too many frames",
    CloseCode.SERVER_FULL: "server full",
}
