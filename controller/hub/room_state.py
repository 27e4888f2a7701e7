"""What a room's log adds up to: the same on every daemon that has read the same events."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from controller.domain.room import (
    HISTORY_MESSAGES,
    ActivePin,
    ChatMessage,
    KeptRoom,
    PinnedProduct,
    RoomEvent,
)
from controller.domain.states import IngestState, StreamStatus
from controller.domain.streams import Stream
from controller.hub import payloads

_HELD_MESSAGES = 200
_SEEN_IDS = 1_000


class RoomState:
    """Stream, chat history, rules and pins of one room."""

    def __init__(self, stream: Stream, kept: KeptRoom) -> None:
        self.stream = stream
        self.history: OrderedDict[UUID, ChatMessage] = OrderedDict()
        self.held: OrderedDict[UUID, ChatMessage] = OrderedDict()
        self.pinned_message = kept.rules.pinned_message
        self.pinned_product = kept.pinned_product
        self.active_pin = kept.active_pin
        self.advice: dict[str, dict[str, Any]] = {}
        self.slow_mode_s = kept.rules.slow_mode_s
        self.blocked_words = kept.rules.blocked_words
        self.moderators = set(kept.rules.moderators)
        self.sanctions: dict[str, datetime | None] = dict(kept.rules.sanctions)
        self.viewers_now = 0
        self.is_count_doubtful = False
        self._seen: OrderedDict[UUID, None] = OrderedDict()
        for message in kept.history:
            self._remember(message)
        for message in kept.held:
            self.held[message.id] = message
        self._appliers: dict[str, Callable[[dict[str, Any]], bool]] = {
            payloads.CHAT_MESSAGE: self._said,
            payloads.CHAT_DELETED: self._deleted,
            payloads.CHAT_HELD: self._was_held,
            payloads.CHAT_PINNED: self._pinned,
            payloads.CHAT_SETTINGS: self._settings,
            payloads.VIEWER_SANCTIONED: self._sanctioned,
            payloads.VIEWER_JOINED: self._counted,
            payloads.VIEWER_LEFT: self._counted,
            payloads.VIEWER_COUNT: self._counted,
            payloads.PRODUCT_TAGGED: self._tagged,
            payloads.PRODUCT_PINNED: self._shown,
            payloads.PRODUCT_UNPINNED: self._hidden,
            payloads.STREAM_ADVICE: self._advised,
            payloads.ROLES_CHANGED: self._roles,
            payloads.STREAM_STARTED: self._started,
            payloads.STREAM_ENDED: self._ended,
            payloads.STREAM_INTERRUPTED: self._interrupted,
            payloads.STREAM_RESUMED: self._resumed,
        }

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be broadcast."""
        return self.stream.status in {StreamStatus.ENDED, StreamStatus.CANCELLED}

    def apply(self, event: RoomEvent) -> bool:
        """Take the event in; False when it was taken in before and must not be shown again."""
        applier = self._appliers.get(event.name)
        return applier is None or applier(msgspec.json.decode(event.data))

    def sanction_of(self, viewer: str, now: datetime) -> tuple[bool, bool]:
        """Whether the viewer is banned, and whether it is timed out."""
        if viewer not in self.sanctions:
            return False, False
        until = self.sanctions[viewer]
        return until is None, until is not None and until > now

    def snapshot(self) -> dict[str, Any]:
        """What a client needs that knows nothing: the part of `stream:joined` that all share."""
        return {
            "streamId": str(self.stream.id),
            "viewerCount": self.viewers_now,
            "history": [payloads.chat_message(message) for message in self.history.values()],
            "status": str(self.stream.status),
            "ingestState": str(self.stream.ingest_state),
            "chatEnabled": self.stream.options.enable_chat and not self.is_over,
            "commentsEnabled": self.stream.options.enable_comments,
            "slowMode": self.slow_mode_s,
            "pinnedMessage": self.pinned_message and payloads.chat_message(self.pinned_message),
            "pinnedProduct": self.pinned_product and payloads.pinned_product(self.pinned_product),
            "activePin": None if self.is_over else self._shown_now(),
        }

    def _shown_now(self) -> Any:
        return self.active_pin and payloads.active_pin(self.active_pin)

    def _remember(self, message: ChatMessage) -> None:
        self.history[message.id] = message
        while len(self.history) > HISTORY_MESSAGES:
            self.history.popitem(last=False)
        self._seen[message.id] = None
        while len(self._seen) > _SEEN_IDS:
            self._seen.popitem(last=False)

    def _said(self, data: dict[str, Any]) -> bool:
        message = payloads.chat_message_from(data)
        if message.id in self._seen:
            return False
        self.held.pop(message.id, None)
        self._remember(message)
        return True

    def _deleted(self, data: dict[str, Any]) -> bool:
        message_id = UUID(data["messageId"])
        self.history.pop(message_id, None)
        self.held.pop(message_id, None)
        if self.pinned_message is not None and self.pinned_message.id == message_id:
            self.pinned_message = None
        return True

    def _was_held(self, data: dict[str, Any]) -> bool:
        message = payloads.chat_message_from(data, is_held=True)
        self.held[message.id] = message
        while len(self.held) > _HELD_MESSAGES:
            self.held.popitem(last=False)
        return True

    def _pinned(self, data: dict[str, Any]) -> bool:
        message = data["message"]
        self.pinned_message = None if message is None else payloads.chat_message_from(message)
        return True

    def _settings(self, data: dict[str, Any]) -> bool:
        self.slow_mode_s = int(data["slowMode"])
        return True

    def _sanctioned(self, data: dict[str, Any]) -> bool:
        viewer, until = data["viewerId"], data["until"]
        if data["action"] == "unban":
            self.sanctions.pop(viewer, None)
        else:
            self.sanctions[viewer] = None if until is None else datetime.fromisoformat(until)
        return True

    def _counted(self, data: dict[str, Any]) -> bool:
        self.viewers_now = int(data["viewerCount"])
        # Daemons tell of what they have changed one after the other, not in the order in which
        # they have changed it.
        self.is_count_doubtful = True
        return True

    def _tagged(self, data: dict[str, Any]) -> bool:
        self.pinned_product = PinnedProduct(
            UUID(data["productId"]), data["x"], data["y"], data["timestamp"]
        )
        return True

    def _shown(self, data: dict[str, Any]) -> bool:
        self.active_pin = ActivePin(UUID(data["productId"]), datetime.fromisoformat(data["at"]))
        return True

    def _hidden(self, data: dict[str, Any]) -> bool:
        if self.active_pin is not None and self.active_pin.product_id == UUID(data["productId"]):
            self.active_pin = None
        return True

    def _advised(self, data: dict[str, Any]) -> bool:
        if data["state"] == "raised":
            self.advice[data["code"]] = data
        else:
            self.advice.pop(data["code"], None)
        return True

    def _roles(self, data: dict[str, Any]) -> bool:
        self.moderators = {UUID(moderator) for moderator in data["moderators"]}
        self.blocked_words = tuple(data["blockedWords"])
        return True

    def _started(self, data: dict[str, Any]) -> bool:
        options = replace(
            self.stream.options,
            enable_chat=bool(data["chatEnabled"]),
            enable_comments=bool(data["commentsEnabled"]),
        )
        # What the log repeats must not take a stream back.
        if self.stream.status is StreamStatus.SCHEDULED:
            self.stream = replace(
                self.stream,
                status=StreamStatus.LIVE,
                started_at=_time(data["startedAt"]),
                options=options,
            )
        return True

    def _ended(self, data: dict[str, Any]) -> bool:
        self.stream = replace(
            self.stream,
            status=StreamStatus.ENDED,
            ingest_state=IngestState.FINISHED,
            ended_at=_time(data["endedAt"]),
        )
        return True

    def _interrupted(self, _data: dict[str, Any]) -> bool:
        self.stream = replace(self.stream, ingest_state=IngestState.INTERRUPTED)
        return True

    def _resumed(self, _data: dict[str, Any]) -> bool:
        self.stream = replace(self.stream, ingest_state=IngestState.CONNECTED)
        return True


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
