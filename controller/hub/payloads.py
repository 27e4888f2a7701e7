"""The names of the server's events, and what is in them: camelCase, as the clients know it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from controller.domain.coach import Change
from controller.domain.people import Identity
from controller.domain.products import ProductTag
from controller.domain.room import ActivePin, ChatMessage, Need, PinnedProduct
from controller.domain.showcase import ProductPin
from controller.domain.streams import Stream
from controller.hub import messages

STREAM_JOINED = "stream:joined"
STREAM_READY = "stream:ready"
STREAM_STARTED = "stream:started"
STREAM_INTERRUPTED = "stream:interrupted"
STREAM_RESUMED = "stream:resumed"
STREAM_ENDED = "stream:ended"
VIEWER_JOINED = "viewer:joined"
VIEWER_LEFT = "viewer:left"
VIEWER_COUNT = "viewer:count"
VIEWER_SANCTIONED = "viewer:sanctioned"
CHAT_MESSAGE = "chat:message"
CHAT_DELETED = "chat:deleted"
CHAT_PINNED = "chat:pinned"
CHAT_SETTINGS = "chat:settings"
CHAT_HELD = "chat:held"
REACTION_NEW = "reaction:new"
PRODUCT_TAGGED = "product:tagged"
PRODUCT_PINNED = "product:pinned"
PRODUCT_UNPINNED = "product:unpinned"
STREAM_ADVICE = "stream:advice"
ROLES_CHANGED = "room:roles"
AUTH_EXPIRING = "auth:expiring"
ERROR = "error"

PASSING = frozenset({VIEWER_JOINED, VIEWER_LEFT, VIEWER_COUNT, REACTION_NEW})
"""Events that are worth nothing later: whoever comes back gets the present count instead."""

MODERATORS_ONLY = frozenset({CHAT_HELD})
"""Events that only moderators are sent."""

HOST_ONLY = frozenset({STREAM_ADVICE})
"""Events that only the stream's owner is sent."""

UNSENT = frozenset({ROLES_CHANGED})
"""Events from daemon to daemon."""


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return at.isoformat(timespec="milliseconds")


def chat_message(message: ChatMessage) -> messages.ChatMessage:
    """`chat:message`, also in the history."""
    return {
        "streamId": str(message.stream_id),
        "userId": str(message.user_id),
        "username": message.username,
        "avatarUrl": message.avatar_url,
        "message": message.text,
        "timestamp": timestamp(message.sent_at),
        "messageId": str(message.id),
    }


def chat_message_from(
    data: Mapping[str, Any], *, is_held: bool = False, started_at: datetime | None = None
) -> ChatMessage:
    """The message that `chat_message` described, in a stream that began at `started_at`."""
    sent_at = datetime.fromisoformat(data["timestamp"])
    return ChatMessage(
        id=UUID(data["messageId"]),
        stream_id=UUID(data["streamId"]),
        user_id=UUID(data["userId"]),
        username=data["username"],
        avatar_url=data["avatarUrl"],
        text=data["message"],
        sent_at=sent_at,
        stream_time_s=None if started_at is None else (sent_at - started_at).total_seconds(),
        is_held=is_held,
    )


def viewer_joined(
    stream_id: UUID, viewer_id: str, viewers: int, at: datetime
) -> messages.ViewerJoined:
    """`viewer:joined`."""
    return {
        "streamId": str(stream_id),
        "viewerId": viewer_id,
        "viewerCount": viewers,
        "timestamp": timestamp(at),
    }


def viewer_left(stream_id: UUID, viewer_id: str, viewers: int) -> messages.ViewerLeft:
    """`viewer:left`."""
    return {"streamId": str(stream_id), "viewerId": viewer_id, "viewerCount": viewers}


def viewer_count(stream_id: UUID, viewers: int) -> messages.ViewerCount:
    """`viewer:count`."""
    return {"streamId": str(stream_id), "viewerCount": viewers}


def reaction(
    stream_id: UUID, user: Identity, emoji: str, at: datetime, count: int
) -> messages.ReactionNew:
    """`reaction:new`; in big rooms it stands for `count` of them, the last one this user's."""
    return {
        "streamId": str(stream_id),
        "userId": str(user.user_id),
        "emoji": emoji,
        "timestamp": timestamp(at),
        "count": count,
    }


def product_tagged(tag: ProductTag) -> messages.ProductTagged:
    """`product:tagged`."""
    return {
        "streamId": str(tag.stream_id),
        "productId": str(tag.product_id),
        "x": tag.x,
        "y": tag.y,
        "timestamp": tag.timestamp_s,
    }


def pinned_product(pin: PinnedProduct) -> messages.PinnedProduct:
    """The pin as `stream:joined` shows it."""
    return {
        "productId": str(pin.product_id),
        "x": pin.x,
        "y": pin.y,
        "timestamp": pin.timestamp_s,
    }


def active_pin(pin: ActivePin) -> messages.ActivePin:
    """The product that is shown now, as `stream:joined` tells it."""
    return {"productId": str(pin.product_id), "at": timestamp(pin.at)}


def product_pin(pin: ProductPin) -> messages.ProductPin:
    """`product:pinned` and `product:unpinned`."""
    moment = pin.since if pin.until is None else pin.until
    return {
        "streamId": str(pin.stream_id),
        "productId": str(pin.product_id),
        "at": timestamp(moment.at),
    }


def stream_advice(stream_id: UUID, change: Change, at: datetime) -> messages.StreamAdvice:
    """`stream:advice`."""
    words = change.advice.words
    return {
        "streamId": str(stream_id),
        "code": change.advice.code,
        "state": "raised" if change.is_raised else "cleared",
        "severity": words.severity,
        "title": words.title,
        "why": words.why,
        "obs": words.obs,
        "phone": words.phone,
        "timestamp": timestamp(at),
    }


def stream_started(stream: Stream) -> messages.StreamStarted:
    """`stream:started`."""
    at = stream.started_at
    return {
        "streamId": str(stream.id),
        "startedAt": None if at is None else timestamp(at),
        "chatEnabled": stream.options.enable_chat,
        "commentsEnabled": stream.options.enable_comments,
    }


def stream_ended(stream: Stream) -> messages.StreamEnded:
    """`stream:ended`."""
    at = stream.ended_at
    return {
        "streamId": str(stream.id),
        "endedAt": None if at is None else timestamp(at),
        "duration": stream.duration_s,
        "vodUrl": stream.vod_url,
        "commentsEnabled": stream.options.enable_comments,
    }


def stream_state(stream_id: UUID, at: datetime) -> messages.StreamState:
    """`stream:interrupted` and `stream:resumed`."""
    return {"streamId": str(stream_id), "timestamp": timestamp(at)}


def stream_ready(
    stream_id: UUID, latency_s: float | None, problems: Sequence[Need]
) -> messages.StreamReady:
    """`stream:ready`; latency in seconds, null where none can be measured."""
    return {
        "streamId": str(stream_id),
        "estimatedLatency": latency_s,
        "status": "not_ready" if problems else "ready",
        "problems": list(problems),
    }


def auth_expiring(expires_at: datetime) -> messages.AuthExpiring:
    """`auth:expiring`: send `auth` with a new token before that, or be closed."""
    return {"expiresAt": timestamp(expires_at)}


def error(message: str, code: str) -> messages.Refusal:
    """`error`."""
    return {"message": message, "code": code}
