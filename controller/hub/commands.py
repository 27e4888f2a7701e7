"""What clients send: read strictly, refused with the sentences that they match on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from controller.domain.room import (
    MOST_MESSAGE_CHARACTERS,
    REACTIONS,
    ModerationKind,
    Position,
)
from controller.errors import StreamNotFound
from controller.hub.errors import (
    EmojiRequired,
    MalformedFrame,
    MessageRequired,
    MessageTooLong,
    ModerationMalformed,
    StreamIdRequired,
    UnknownEmoji,
    UnknownEvent,
)
from controller.hub.guest_networks import NETWORK_PREFIX
from controller.hub.guests import GUEST_PREFIX

_MOST_ID = 2**53
_MOST_WORDS = 200
_MOST_WORD_CHARACTERS = 50
_MOST_REASON_CHARACTERS = 200
_LONGEST_TIMEOUT_S = 30 * 86_400
_LONGEST_SLOW_MODE_S = 3_600
_CONTROLS = dict.fromkeys([*range(32), 127, *range(128, 160)])
_CONTROLS.update(dict.fromkeys([9, 10], 32))
_PLAIN_HEART = "\u2764"
_MOST_EPOCH_CHARACTERS = 64
_MOST_VIEWER = 64

AUTH = "auth"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it came: an event, what is in it, and the id to acknowledge."""

    event: str
    data: Mapping[str, Any]
    id: int | None


@dataclass(frozen=True, slots=True)
class Join:
    """Enter a room, or come back to it at `since`."""

    stream_id: UUID
    since: Position | None


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave a room."""

    stream_id: UUID


@dataclass(frozen=True, slots=True)
class Say:
    """A chat message, trimmed."""

    stream_id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class React:
    """One of the six emojis."""

    stream_id: UUID
    emoji: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """Ask whether the stream could start now."""

    stream_id: UUID


@dataclass(frozen=True, slots=True)
class Moderate:
    """An act of moderation as it was asked for."""

    stream_id: UUID
    kind: ModerationKind
    message_id: UUID | None = None
    viewer: str | None = None
    user_id: UUID | None = None
    duration_s: int = 0
    interval_s: int = 0
    words: tuple[str, ...] = ()
    reason: str = ""


Command = Join | Leave | Say | React | Prepare | Moderate


def read_frame(text: str | bytes) -> Frame:
    """The frame of the contract; MalformedFrame."""
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise MalformedFrame from None
    if not isinstance(raw, dict):
        raise MalformedFrame
    event, data, frame_id = raw.get("event"), raw.get("data", {}), raw.get("id")
    is_id = frame_id is None or (type(frame_id) is int and 0 <= frame_id <= _MOST_ID)
    if not isinstance(event, str) or not is_id:
        raise MalformedFrame
    if not isinstance(data, dict):
        raise MalformedFrame
    return Frame(event, data, frame_id)


def frame_id_of(text: str | bytes) -> int | None:
    """The id of a frame that cannot be carried out, if it has a good one."""
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    frame_id = raw.get("id") if isinstance(raw, dict) else None
    return frame_id if type(frame_id) is int and 0 <= frame_id <= _MOST_ID else None


def read_command(event: str, data: object) -> Command:
    """The command of an event; UnknownEvent, or what the command lacks."""
    reader = _READERS.get(event)
    if reader is None:
        raise UnknownEvent
    if not isinstance(data, dict):
        raise MalformedFrame
    return reader(data)


def read_position(epoch: object, offset: object) -> Position | None:
    """A client's last position; None, so a snapshot, for anything that is none."""
    if not isinstance(epoch, str) or not 0 < len(epoch) <= _MOST_EPOCH_CHARACTERS:
        return None
    if type(offset) is not int or not 0 <= offset <= _MOST_ID:
        return None
    return Position(epoch, offset)


def read_stream_id(data: Mapping[str, Any]) -> UUID:
    """The stream that the command is about; StreamIdRequired, StreamNotFound."""
    raw = data.get("stream_id")
    if not isinstance(raw, str) or not raw.strip():
        raise StreamIdRequired
    try:
        return UUID(raw)
    except ValueError:
        raise StreamNotFound from None


def _join(data: Mapping[str, Any]) -> Join:
    return Join(read_stream_id(data), read_position(data.get("epoch"), data.get("offset")))


def _leave(data: Mapping[str, Any]) -> Leave:
    return Leave(read_stream_id(data))


def _say(data: Mapping[str, Any]) -> Say:
    message = data.get("message")
    if not isinstance(message, str) or not data.get("stream_id"):
        raise MessageRequired
    # PostgreSQL keeps no NUL, and nobody's screen needs the other controls.
    text = message.translate(_CONTROLS).strip()
    if not text:
        raise MessageRequired
    if len(text) > MOST_MESSAGE_CHARACTERS:
        raise MessageTooLong
    try:
        return Say(read_stream_id(data), text)
    except StreamIdRequired:
        raise MessageRequired from None


def _react(data: Mapping[str, Any]) -> React:
    emoji = data.get("emoji")
    if not isinstance(emoji, str) or not emoji or not data.get("stream_id"):
        raise EmojiRequired
    if emoji == _PLAIN_HEART:
        emoji = REACTIONS[0]
    if emoji not in REACTIONS:
        raise UnknownEmoji
    return React(read_stream_id(data), emoji)


def _prepare(data: Mapping[str, Any]) -> Prepare:
    return Prepare(read_stream_id(data))


def _moderate(data: Mapping[str, Any]) -> Moderate:
    stream_id = read_stream_id(data)
    try:
        kind = ModerationKind(str(data.get("action")))
    except ValueError:
        raise ModerationMalformed from None
    act = Moderate(
        stream_id,
        kind,
        message_id=_uuid(data.get("message_id")),
        viewer=_viewer(data.get("user_id")),
        user_id=_uuid(data.get("user_id")),
        duration_s=_whole(data.get("duration_s", 0), _LONGEST_TIMEOUT_S),
        interval_s=_whole(data.get("interval_s", 0), _LONGEST_SLOW_MODE_S),
        words=_words(data.get("words", [])),
        reason=_reason(data.get("reason", "")),
    )
    if not _is_complete(act):
        raise ModerationMalformed
    return act


def _is_complete(act: Moderate) -> bool:
    match act.kind:
        case ModerationKind.DELETE | ModerationKind.PIN | ModerationKind.APPROVE:
            return act.message_id is not None
        case ModerationKind.TIMEOUT:
            return act.viewer is not None and act.duration_s > 0
        case ModerationKind.BAN | ModerationKind.UNBAN:
            return act.viewer is not None
        case ModerationKind.APPOINT | ModerationKind.DISMISS:
            return act.user_id is not None
        case _:
            return True


def _uuid(raw: object) -> UUID | None:
    try:
        return UUID(raw) if isinstance(raw, str) else None
    except ValueError:
        return None


def _viewer(raw: object) -> str | None:
    """A user's id, an anonymous viewer's or a banned network's, as the events show them."""
    user_id = _uuid(raw)
    if user_id is not None:
        return str(user_id)
    is_guest = isinstance(raw, str) and raw.startswith((GUEST_PREFIX, NETWORK_PREFIX))
    return raw if isinstance(raw, str) and is_guest and len(raw) <= _MOST_VIEWER else None


def _whole(raw: object, most: int) -> int:
    if type(raw) is not int or not 0 <= raw <= most:
        raise ModerationMalformed
    return raw


def _words(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or len(raw) > _MOST_WORDS:
        raise ModerationMalformed
    words = [word.translate(_CONTROLS).strip().casefold() for word in raw if isinstance(word, str)]
    if len(words) != len(raw) or any(not 0 < len(one) <= _MOST_WORD_CHARACTERS for one in words):
        raise ModerationMalformed
    return tuple(dict.fromkeys(words))


def _reason(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > _MOST_REASON_CHARACTERS:
        raise ModerationMalformed
    return raw.translate(_CONTROLS).strip()


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Command]] = {
    "stream_join": _join,
    "stream_leave": _leave,
    "stream_chat": _say,
    "stream_reaction": _react,
    "stream_prepare": _prepare,
    "stream_moderate": _moderate,
}
