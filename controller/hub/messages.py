"""The models of what goes over the room's wires: what `payloads` makes, what `commands` reads.

Keys of server events are camelCase, those of commands snake_case: clients know them so. The
AsyncAPI document is generated from here.
"""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

from controller.domain.coach import AdviceCode, Severity
from controller.domain.room import HISTORY_MESSAGES, MOST_MESSAGE_CHARACTERS, REACTIONS, Need

Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Moment = Annotated[
    str, Meta(description="RFC 3339, in UTC", extra_json_schema={"format": "date-time"})
]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Emoji = Annotated[str, Meta(extra_json_schema={"enum": [*REACTIONS]})]
Viewer = Annotated[
    str, Meta(max_length=64, description="A user's id, or `anon-…` for an anonymous viewer")
]
Epoch = Annotated[str, Meta(max_length=64)]


class ChatMessage(TypedDict):
    """Somebody has said something; also in the history."""

    streamId: Id
    userId: Id
    username: str
    avatarUrl: str | None
    message: Annotated[str, Meta(min_length=1, max_length=MOST_MESSAGE_CHARACTERS)]
    timestamp: Moment
    messageId: Id


class ChatDeleted(TypedDict):
    """A message was taken back by a moderator."""

    streamId: Id
    messageId: Id


class ChatPinned(TypedDict):
    """A moderator has pinned a message, or (null) taken the pin away."""

    streamId: Id
    message: ChatMessage | None


class ChatSettings(TypedDict):
    """Slow mode: seconds between two messages of one viewer, 0 for off."""

    streamId: Id
    slowMode: Annotated[int, Meta(ge=0, le=3600)]


class ViewerJoined(TypedDict):
    """A viewer has come whom nobody's connection held before; small rooms only."""

    streamId: Id
    viewerId: Viewer
    viewerCount: Count
    timestamp: Moment


class ViewerLeft(TypedDict):
    """A viewer's last connection has gone; small rooms only."""

    streamId: Id
    viewerId: Viewer
    viewerCount: Count


class ViewerCount(TypedDict):
    """How many are watching: what big rooms tell instead of who came and went."""

    streamId: Id
    viewerCount: Count


class ViewerSanctioned(TypedDict):
    """A moderator has silenced (until a moment) or banned (until null) a viewer, or let it in."""

    streamId: Id
    viewerId: Viewer
    action: Literal["timeout", "ban", "unban"]
    until: Moment | None


class ReactionNew(TypedDict):
    """Reactions; in big rooms `count` of them at once, the last one this user's."""

    streamId: Id
    userId: Id
    emoji: Emoji
    timestamp: Moment
    count: Annotated[int, Meta(ge=1)]


class PinnedProduct(TypedDict):
    """The product that the host has shown last; `timestamp` is seconds since the start."""

    productId: Id
    x: Share
    y: Share
    timestamp: Count


class ProductTagged(TypedDict):
    """The host shows a product; x and y are its place in the picture."""

    streamId: Id
    productId: Id
    x: Share
    y: Share
    timestamp: Count


class ActivePin(TypedDict):
    """The product that is shown beside the picture, since a moment of the media."""

    productId: Id
    at: Moment


class ProductPin(TypedDict):
    """The host shows a product beside the picture, or has taken it away. `at` is the moment of
    the media, as in EXT-X-PROGRAM-DATE-TIME: a viewer who is behind sees it later."""

    streamId: Id
    productId: Id
    at: Moment


class StreamAdvice(TypedDict):
    """To the host alone: something about the encoder that should be changed, or that is right
    again. `obs` and `phone` say what to change where."""

    streamId: Id
    code: Annotated[str, Meta(extra_json_schema={"enum": [*AdviceCode]})]
    state: Literal["raised", "cleared"]
    severity: Annotated[str, Meta(extra_json_schema={"enum": [*Severity]})]
    title: str
    why: str
    obs: str
    phone: str
    timestamp: Moment


class StreamJoined(TypedDict):
    """The answer to `stream_join`: the room as of `offset` in `epoch`. When `recovered`, what was
    missed follows as events and `history` is empty; else this is all that there is to know."""

    streamId: Id
    viewerCount: Count
    history: Annotated[list[ChatMessage], Meta(max_length=HISTORY_MESSAGES)]
    status: Literal["scheduled", "live", "ended"]
    ingestState: Literal["idle", "connected", "interrupted", "finished"]
    chatEnabled: bool
    commentsEnabled: bool
    slowMode: Annotated[int, Meta(ge=0, le=3600)]
    pinnedMessage: ChatMessage | None
    pinnedProduct: PinnedProduct | None
    activePin: ActivePin | None
    recovered: bool
    viewerId: Viewer
    session: Annotated[
        str | None, Meta(description="An anonymous viewer's token to come back with as `session`")
    ]
    offset: Count
    epoch: Epoch


class StreamReady(TypedDict):
    """The answer to `stream_prepare`, measured at the call."""

    streamId: Id
    estimatedLatency: Annotated[
        float | None,
        Meta(
            description="Seconds: the stream's own when it is live, else the median of those that "
            "are; null when none is"
        ),
    ]
    status: Literal["ready", "not_ready"]
    problems: Annotated[
        list[Annotated[str, Meta(extra_json_schema={"enum": [*Need]})]],
        Meta(description="What is missing; empty when ready"),
    ]


class StreamStarted(TypedDict):
    """The host has gone live."""

    streamId: Id
    startedAt: Moment | None
    chatEnabled: bool
    commentsEnabled: bool


class StreamState(TypedDict):
    """The encoder has gone and may come back, or it is back."""

    streamId: Id
    timestamp: Moment


class StreamEnded(TypedDict):
    """The stream is over; `vodUrl` is null until the recording is complete."""

    streamId: Id
    endedAt: Moment | None
    duration: Count | None
    vodUrl: str | None
    commentsEnabled: bool


class AuthExpiring(TypedDict):
    """The token runs out: send `auth` with a new one before, or be closed with 4010."""

    expiresAt: Moment


class Refusal(TypedDict):
    """What was refused, in the words that clients match on, and as a stable code."""

    message: str
    code: str


class Auth(TypedDict):
    """Say who one is, before any room is joined; later, renew the token."""

    token: str


class StreamJoin(TypedDict):
    """Enter a room; with the last position that was seen, come back to it."""

    stream_id: Id
    offset: NotRequired[Count]
    epoch: NotRequired[Epoch]


class StreamOnly(TypedDict):
    """The stream that the command is about."""

    stream_id: Id


class StreamChat(TypedDict):
    """Say something. Control characters are taken out, the length counts after trimming."""

    stream_id: Id
    message: Annotated[str, Meta(min_length=1, max_length=MOST_MESSAGE_CHARACTERS)]


class StreamReaction(TypedDict):
    """React."""

    stream_id: Id
    emoji: Emoji


class StreamModerate(TypedDict):
    """Moderate: the host, administrators, and whom the host has appointed.

    delete, pin, approve: `message_id` · timeout: `user_id`, `duration_s` · ban, unban: `user_id`
    (a viewer's id) · slow_mode: `interval_s` · block_words: `words` · appoint, dismiss: `user_id`.
    """

    stream_id: Id
    action: Literal[
        "delete", "timeout", "ban", "unban", "slow_mode", "pin", "unpin", "block_words",
        "approve", "appoint", "dismiss",
    ]  # fmt: skip
    message_id: NotRequired[Id]
    user_id: NotRequired[Viewer]
    duration_s: NotRequired[Annotated[int, Meta(ge=1, le=2_592_000)]]
    interval_s: NotRequired[Annotated[int, Meta(ge=0, le=3600)]]
    words: NotRequired[
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=50)]], Meta(max_length=200)]
    ]
    reason: NotRequired[Annotated[str, Meta(max_length=200)]]
