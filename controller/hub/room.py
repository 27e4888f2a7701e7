"""A room on this daemon: its members, what they are sent and in which writes."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import msgspec

from controller.domain.people import Identity
from controller.domain.room import ChatMessage, Position, RoomEvent
from controller.hub import payloads
from controller.hub.codecs import Batch, Message
from controller.hub.connection import Connection
from controller.hub.errors import Banned
from controller.hub.limits import HubLimits
from controller.hub.room_state import RoomState
from controller.hub.statistics import HubStatistics

_NOT_MISSED = payloads.PASSING | payloads.UNSENT | payloads.MODERATORS_ONLY | payloads.HOST_ONLY
_NEVER = datetime.min.replace(tzinfo=UTC)


class Pacer(Protocol):
    """Time as the room needs it: now, a call later, and between two rounds of its upkeep."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def call_later(self, delay_s: float, call: Callable[[], None]) -> object:
        """Call once, `delay_s` from now."""
        ...

    async def rest(self, rest_s: float) -> None:
        """Come back after `rest_s`, for the next round."""
        ...


class Room:
    """Members, the tail of the log, and the pending batch.

    The first event after a rest goes out at once; what follows within the rest goes out together
    at its end (`HubLimits.rest_per_member_s`), in writes of at most `HubLimits.write_bytes` with a
    rest after each, unless more than `HubLimits.pending_bytes` waits. A joining member gets the
    state as it is, then every later event: none twice, none missing.
    """

    def __init__(
        self,
        state: RoomState,
        limits: HubLimits,
        pacer: Pacer,
        evicted: Callable[["Room", Connection], None],
        statistics: HubStatistics | None = None,
    ) -> None:
        self.state = state
        self._statistics = statistics or HubStatistics()
        self.position = Position("", 0)
        self.holds = 0
        self.idle_since_s = pacer.monotonic_s()
        self._limits = limits
        self._pacer = pacer
        self._evicted = evicted
        self._members: dict[Connection, None] = {}
        self._tail: deque[RoomEvent] = deque(maxlen=limits.log_events)
        self._pending: deque[Message] = deque()
        self._pending_bytes = 0
        self._knows: dict[Connection, int] = {}
        self._rests_until_s = 0.0
        self._is_waiting = False
        self._news: asyncio.Event | None = None

    @property
    def stream_id(self) -> UUID:
        """The stream that the room is around."""
        return self.state.stream.id

    @property
    def members(self) -> Sequence[Connection]:
        """The connections on this daemon, in order of joining."""
        return [*self._members]

    def receive(self, event: RoomEvent) -> None:
        """Take in the log's next event and pass it on."""
        if event.position.epoch != self.position.epoch:
            self._tail.clear()
        elif event.position.offset != self.position.offset + 1:
            # The log had moved on beyond what it keeps: nobody shall miss that silently.
            self._tail.clear()
            self._pacer.call_later(0, self._show_anew)
        self.position = event.position
        self._tail.append(event)
        if self._news is not None:
            self._news.set()
            self._news = None
        if not self.state.apply(event):
            return
        if event.name == payloads.VIEWER_SANCTIONED:
            self.evict_banned()
        if event.name not in payloads.UNSENT:
            self._pass_on(event)

    def _pass_on(self, event: RoomEvent) -> None:
        """Send it to whom it is for: to everybody with what else is pending."""
        message = Message.from_log(event)
        if event.name in payloads.MODERATORS_ONLY:
            self._send_to_moderators(message)
        elif event.name in payloads.HOST_ONLY:
            self._send_to_host(message)
        elif self._members:
            self._statistics.events += 1
            self._pending.append(message)
            self._pending_bytes += message.about_bytes
            if self._pending_bytes > self._limits.pending_bytes:
                self.flush()
            self._arrange_flush()

    async def reach(self, since: Position | None) -> None:
        """Wait for what the client has had from another daemon; the caller bounds it.

        Else it would be told once more what it knows, or be taken for a stranger.
        """
        while since is not None and self.position.epoch == since.epoch:
            if since.offset <= self.position.offset:
                return
            self._news = self._news or asyncio.Event()
            await self._news.wait()

    def admit(self, connection: Connection, since: Position | None) -> None:
        """Make a member of the connection: `stream:joined`, what it missed, then what comes."""
        if self._pending_bytes <= self._limits.write_bytes:
            self.flush()
        data = self.state.snapshot()
        missed = self._missed(since)
        if missed is not None:
            data["history"] = []
        data |= {
            "recovered": missed is not None,
            "viewerId": connection.viewer,
            "session": connection.guest_token,
            "offset": self.position.offset,
            "epoch": self.position.epoch,
        }
        messages = [Message.of(payloads.STREAM_JOINED, data)]
        messages += [Message.from_log(event) for event in missed or ()]
        if connection.identity is not None and self.may_moderate(connection.identity):
            messages += [
                Message.of(payloads.CHAT_HELD, payloads.chat_message(held))
                for held in self.state.held.values()
            ]
        if connection.user_id == self.state.stream.owner_id:
            messages += [
                Message.of(payloads.STREAM_ADVICE, advice) for advice in self.state.advice.values()
            ]
        connection.send_batch(Batch(messages))
        self._members[connection] = None
        if self._pending:
            self._knows[connection] = len(self._pending)
        connection.rooms.add(self.stream_id)

    def dismiss(self, connection: Connection) -> bool:
        """End a membership; False when there was none."""
        if connection not in self._members:
            return False
        del self._members[connection]
        self._knows.pop(connection, None)
        connection.rooms.discard(self.stream_id)
        self.idle_since_s = self._pacer.monotonic_s()
        return True

    def evict_banned(self) -> None:
        """End the membership of whoever is banned; their other rooms are no business of ours."""
        banned = {viewer for viewer, until in self.state.sanctions.items() if until is None}
        for member in self.members:
            is_banned = member.viewer in banned or self.is_network_banned(member)
            if is_banned and self.dismiss(member):
                refusal = Banned()
                member.send(
                    Message.of(payloads.ERROR, payloads.error(refusal.detail, refusal.code))
                )
                self._evicted(self, member)

    def is_network_banned(self, connection: Connection) -> bool:
        """Whether the connection is a guest's from a network whose guest was banned here."""
        network = connection.network
        if connection.identity is not None or network is None:
            return False
        return self.state.sanctions.get(network, _NEVER) is None

    def logged_messages(self) -> Sequence[ChatMessage]:
        """The chat messages that the log still has, as far as they were not held."""
        started_at = self.state.stream.started_at
        return [
            payloads.chat_message_from(msgspec.json.decode(event.data), started_at=started_at)
            for event in self._tail
            if event.name == payloads.CHAT_MESSAGE
        ]

    def has(self, connection: Connection) -> bool:
        """Whether the connection is a member."""
        return connection in self._members

    def may_moderate(self, identity: Identity) -> bool:
        """True for the host, administrators and the moderators whom the host has appointed."""
        return (
            identity.is_admin
            or identity.user_id == self.state.stream.owner_id
            or identity.user_id in self.state.moderators
        )

    def flush(self) -> None:
        """Send all that is pending now, without a rest between the writes."""
        while self._pending:
            self._write()

    def _write(self) -> None:
        """Send as much of what is pending as one write takes, and rest."""
        batch = Batch(self._take())
        members = self.members
        for member in members:
            if member in self._knows:
                self._send_unknown(member, batch)
            else:
                member.send_batch(batch)
        self._statistics.writes += len(members)
        self._statistics.deliveries += len(members) * len(batch.messages)
        rest_s = min(self._limits.most_rest_s, len(members) * self._limits.rest_per_member_s)
        if self._pending:
            rest_s = max(rest_s, self._limits.full_write_rest_s)
        self._rests_until_s = self._pacer.monotonic_s() + rest_s

    def _take(self) -> list[Message]:
        taken = [self._pending.popleft()]
        size = taken[0].about_bytes
        while self._pending and size + self._pending[0].about_bytes <= self._limits.write_bytes:
            taken.append(self._pending.popleft())
            size += taken[-1].about_bytes
        self._pending_bytes -= size
        return taken

    def _send_unknown(self, member: Connection, batch: Batch) -> None:
        """To a member that came when some of it was pending, and so knows that."""
        known = self._knows.pop(member)
        if known > len(batch.messages):
            self._knows[member] = known - len(batch.messages)
        elif known < len(batch.messages):
            member.send_batch(Batch(batch.messages[known:]))

    def _arrange_flush(self) -> None:
        if self._is_waiting or not self._pending:
            return
        self._is_waiting = True
        # Never at once: what one turn of the loop brings belongs together.
        self._pacer.call_later(
            max(0.0, self._rests_until_s - self._pacer.monotonic_s()), self._rested
        )

    def _rested(self) -> None:
        self._is_waiting = False
        if self._pending:
            self._write()
        self._arrange_flush()

    def _show_anew(self) -> None:
        for member in self.members:
            self.admit(member, None)

    def _missed(self, since: Position | None) -> Sequence[RoomEvent] | None:
        """The events after `since` that are still worth sending; None when some are lost."""
        if since is None or since.epoch != self.position.epoch:
            return None
        first = self.position.offset - len(self._tail)
        if not first <= since.offset <= self.position.offset:
            return None
        return [
            event
            for event in self._tail
            if event.position.offset > since.offset and event.name not in _NOT_MISSED
        ]

    def _send_to_moderators(self, message: Message) -> None:
        for member in self.members:
            if member.identity is not None and self.may_moderate(member.identity):
                member.send(message)

    def _send_to_host(self, message: Message) -> None:
        for member in self.members:
            if member.user_id == self.state.stream.owner_id:
                member.send(message)
