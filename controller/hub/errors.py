"""What the room says no with; `detail` is the `message` and `code` the `code` of an `error` event.

ControllerError
├── BadRequest (400)
│   ├── StreamIdRequired · MessageRequired · EmojiRequired · MessageTooLong · UnknownEmoji
│   ├── MalformedFrame · UnknownEvent · ModerationMalformed · MessageNotFound
│   └── AlreadyIdentified · TooManyRooms
├── Forbidden (403)
│   └── ChatDisabled · CommentsDisabled · TimedOut · Banned · MessageHeld · NotModerator
├── TokenExpired (401)
├── RateLimitExceeded (429, retryable)
└── RealtimeUnavailable (503, retryable)
"""

from controller.errors import BadRequest, ControllerError, Forbidden


class StreamIdRequired(BadRequest):
    """The command names no stream."""

    code = "stream_id_required"
    default_detail = "stream_id required"


class MessageRequired(BadRequest):
    """A chat message without stream or without text."""

    code = "message_required"
    default_detail = "stream_id and message required"


class EmojiRequired(BadRequest):
    """A reaction without stream or without emoji."""

    code = "emoji_required"
    default_detail = "stream_id and emoji required"


class UnknownEmoji(BadRequest):
    """The emoji is not one of the six."""

    code = "unknown_emoji"
    default_detail = "Unknown emoji"


class MessageTooLong(BadRequest):
    """The message exceeds the limit after trimming."""

    code = "message_too_long"
    default_detail = "Message too long (max 200 chars)"


class MalformedFrame(BadRequest):
    """The frame is not a JSON object with an event name."""

    code = "malformed_frame"
    default_detail = "Malformed frame"


class UnknownEvent(BadRequest):
    """No such command."""

    code = "unknown_event"
    default_detail = "Unknown event"


class ModerationMalformed(BadRequest):
    """The act of moderation is unknown, or lacks what it needs."""

    code = "moderation_malformed"
    default_detail = "Unknown or incomplete moderation action"


class MessageNotFound(BadRequest):
    """The message to act on is not in the room's history."""

    code = "message_not_found"
    default_detail = "Message not found"


class AlreadyIdentified(BadRequest):
    """`auth` comes first: who is in a room, or known, stays who they are; it renews their token."""

    code = "already_identified"
    default_detail = "Already authenticated"


class TooManyRooms(BadRequest):
    """One connection watches a few streams, not all of them."""

    code = "too_many_rooms"
    default_detail = "Too many rooms"


class ChatDisabled(Forbidden):
    """The host has switched the chat off, or there is nothing to talk about any more."""

    code = "chat_disabled"
    default_detail = "Chat is disabled"


class CommentsDisabled(Forbidden):
    """The host has switched comments under the recording off."""

    code = "comments_disabled"
    default_detail = "Comments are disabled"


class TokenExpired(ControllerError):
    """The connection's token has run out, and no new one came."""

    code = "token_expired"
    http_status = 401
    title = "Not authenticated"
    default_detail = "Token expired"


class TimedOut(Forbidden):
    """A moderator has silenced the user for a time."""

    code = "timed_out"
    default_detail = "You are timed out"


class Banned(Forbidden):
    """A moderator has banned the user from the room."""

    code = "banned"
    default_detail = "You are banned"


class MessageHeld(Forbidden):
    """The message waits for a moderator."""

    code = "message_held"
    default_detail = "Message held for review"


class NotModerator(Forbidden):
    """Only the host, their moderators and administrators moderate."""

    code = "not_moderator"
    default_detail = "Not a moderator"


class RateLimitExceeded(ControllerError):
    """Too many in too short a time."""

    code = "rate_limited"
    http_status = 429
    retryable = True
    title = "Too many requests"
    default_detail = "Rate limit exceeded"


class RealtimeUnavailable(ControllerError):
    """The shared realtime side did not answer in time."""

    code = "realtime_unavailable"
    http_status = 503
    retryable = True
    title = "Service unavailable"
    default_detail = "The realtime service is not available"
