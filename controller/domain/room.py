"""The room around a stream: what is said, who is there, and what it adds up to (frozen values)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

REACTIONS = ("❤️", "🔥", "👏", "😂", "😮", "💎")
MOST_MESSAGE_CHARACTERS = 200
HISTORY_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class Allowance:
    """A token bucket: `burst` at once, refilled at `per_s`."""

    burst: int
    per_s: float


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a room's log; offsets are comparable only within one epoch."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """One event of a room's log; `data` is its payload as JSON, encoded once for everybody."""

    name: str
    data: bytes
    position: Position


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """What a change came to: the viewers whom nobody held before, or holds any more."""

    joined: tuple[str, ...]
    left: tuple[str, ...]
    viewers: int
    peak: int


@dataclass(frozen=True, slots=True)
class Departures:
    """Viewers of a daemon that stopped renewing its lease."""

    stream_id: UUID
    viewers: tuple[str, ...]
    viewers_now: int


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message; `stream_time_s` is its place in the recording, None when it was said before the
    stream started or, as a comment, after it ended."""

    id: UUID
    stream_id: UUID
    user_id: UUID
    username: str
    avatar_url: str | None
    text: str
    sent_at: datetime
    stream_time_s: float | None = None
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class PinnedProduct:
    """The product that the host has shown last."""

    product_id: UUID
    x: float
    y: float
    timestamp_s: int


@dataclass(frozen=True, slots=True)
class ActivePin:
    """The product that is shown beside the picture, since a moment of the media."""

    product_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class RoomRules:
    """What moderators have laid down; a sanction until None is a ban, else a time-out."""

    slow_mode_s: int = 0
    pinned_message: ChatMessage | None = None
    blocked_words: tuple[str, ...] = ()
    moderators: frozenset[UUID] = frozenset()
    sanctions: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptRoom:
    """What a room starts from: its last messages, oldest first, its rules, its last pin."""

    history: tuple[ChatMessage, ...] = ()
    held: tuple[ChatMessage, ...] = ()
    rules: RoomRules = field(default_factory=RoomRules)
    pinned_product: PinnedProduct | None = None
    active_pin: ActivePin | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A viewer's coming; `user_id` is None for an anonymous one.

    `number` is the stay's own among all of its holder's; `country` is None when it is not known.
    """

    viewer: str
    user_id: UUID | None
    joined_at: datetime
    number: int = 0
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A viewer's going: the end of the stay that its visit has begun.

    `is_cut`: the daemon stopped, not the viewer, who is likely to be back in a moment.
    """

    viewer: str
    user_id: UUID | None
    joined_at: datetime
    left_at: datetime
    number: int = 0
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class RoomFigures:
    """What one daemon has to add to a stream's figures, and what it has seen of the whole.

    `reaction_moments` counts reactions by the time of the recording, in steps, and by emoji.
    `holder` is the daemon's run, and `number` that of this addition among all of its own: the
    store adds each once, however often it is told. 0: an addition without a number, always added.
    `viewers_now` is None when the teller does not know.
    """

    viewers_now: int | None
    peak_viewers: int
    visits: tuple[Visit, ...] = ()
    leavings: tuple[Leaving, ...] = ()
    reactions: Mapping[str, int] = field(default_factory=dict)
    messages: tuple[ChatMessage, ...] = ()
    holder: str = ""
    number: int = 0
    reaction_moments: Mapping[tuple[int, str], int] = field(default_factory=dict)


class ModerationKind(StrEnum):
    """What a moderator may do; the words of `stream_moderate`."""

    DELETE = "delete"
    TIMEOUT = "timeout"
    BAN = "ban"
    UNBAN = "unban"
    SLOW_MODE = "slow_mode"
    PIN = "pin"
    UNPIN = "unpin"
    BLOCK_WORDS = "block_words"
    APPROVE = "approve"
    APPOINT = "appoint"
    DISMISS = "dismiss"


@dataclass(frozen=True, slots=True)
class Moderation:
    """One act of moderation, as it is carried out and audited."""

    id: UUID
    stream_id: UUID
    actor_id: UUID
    kind: ModerationKind
    at: datetime
    message_id: UUID | None = None
    viewer: str | None = None
    user_id: UUID | None = None
    until: datetime | None = None
    interval_s: int = 0
    words: tuple[str, ...] = ()
    reason: str = ""


class Need(StrEnum):
    """What a stream needs of the installation to go on air and to be recorded."""

    RTMP = "nginx-rtmp"
    DATABASE = "database"
    SLOT = "free-slot"
    STORE = "object-store"
    SPACE = "disk-space"
    RECORDING_SPACE = "recording-space"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a stream could start now; `problems` names what is missing, latency is measured."""

    problems: tuple[Need, ...] = ()
    latency_s: float | None = None
