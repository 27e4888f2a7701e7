"""The `Realtime` of several daemons, on Redis: one connection that listens, a few that ask.

A room's log has the last word: whenever its channel is subscribed, for the first time or again
after a lost connection, the log is read, so nothing is missed between the two.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from controller.domain.room import Allowance, Departures, Position, PresenceChange
from controller.domain.room_ports import RoomListener
from controller.hub import redis_scripts as scripts
from controller.hub.cancellation import heeding_cancellation
from controller.hub.errors import RealtimeUnavailable
from controller.hub.redis_scripts import PREFIX, ROOMS, room_key
from controller.hub.room_feed import RoomFeed

_ANSWER_S = 1.0
_READY_S = 3.0
_RETRY_S = 0.5
_SILENCE_S = 5.0
_LIFE_S = 24 * 3600
_COMMAND_CONNECTIONS = 4
_DAEMONS_CHANNEL = f"{PREFIX}daemons"

T = TypeVar("T")


class RedisRealtime:
    """See `Realtime`; `daemon_id` is this process', never used again."""

    def __init__(self, url: str, daemon_id: str, *, lease_s: float, log_events: int) -> None:
        self._daemon_id = daemon_id
        self._own_channel = f"{PREFIX}daemon:{daemon_id}"
        self._lease_ms = int(lease_s * 1000)
        self._log_events = log_events
        # Whoever asks decides what comes after a failure: nothing is retried behind their back.
        self._options: dict[str, Any] = {
            "socket_timeout": _ANSWER_S,
            "socket_connect_timeout": _ANSWER_S,
            "retry": Retry(NoBackoff(), 0),
        }
        self._url = url
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_COMMAND_CONNECTIONS, timeout=_ANSWER_S, **self._options
        )
        self._redis = Redis.from_pool(pool)
        register = self._redis.register_script
        self._publish = register(scripts.PUBLISH)
        self._read_log = register(scripts.READ_LOG)
        self._change = register(scripts.CHANGE_PRESENCE)
        self._renew = register(scripts.RENEW)
        self._release = register(scripts.RELEASE_EXPIRED)
        self._take = register(scripts.TAKE)
        self._feeds: dict[bytes, tuple[UUID, RoomFeed]] = {}
        self._holding: set[UUID] = set()
        self._up = asyncio.Event()
        self._is_closing = False
        self._is_closed = False
        self._asking = 0
        self._nothing_asked = asyncio.Event()
        self._nothing_asked.set()
        self._state_watchers: list[Callable[[], None]] = []
        self._presence_watchers: list[Callable[[], None]] = []
        self._log = structlog.get_logger(__name__)

    @property
    def is_up(self) -> bool:
        """Whether events arrive."""
        return self._up.is_set()

    def watch_state(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever `is_up` changes."""
        self._state_watchers.append(changed)

    def watch(self, presence_lost: Callable[[], None]) -> None:
        """See `Realtime.watch`."""
        self._presence_watchers.append(presence_lost)

    async def ready(self) -> None:
        """See `Realtime.ready`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_S):
                await self._up.wait()

    async def probe(self) -> None:
        """Raise RealtimeUnavailable unless a command is answered."""
        await self._ask(self._redis.echo("golive"))

    # --- the log

    async def open_room(self, stream_id: UUID, listener: RoomListener) -> Position:
        """See `Realtime.open_room`."""
        feed = RoomFeed(listener)
        channel = room_key(stream_id, "events").encode()
        self._feeds[channel] = (stream_id, feed)
        try:
            async with asyncio.timeout(2 * _ANSWER_S):
                await self._wake_listener()
                await feed.caught_up.wait()
        except (TimeoutError, RealtimeUnavailable) as error:
            self._feeds.pop(channel, None)
            raise RealtimeUnavailable from error
        return Position(feed.epoch, feed.offset)

    async def close_room(self, stream_id: UUID) -> None:
        """See `Realtime.close_room`."""
        known = self._feeds.pop(room_key(stream_id, "events").encode(), None)
        if known is not None:
            with suppress(RealtimeUnavailable):
                await self._wake_listener()

    def has_room(self, stream_id: UUID) -> bool:
        """Whether the room is open, or will be as soon as Redis is there."""
        return room_key(stream_id, "events").encode() in self._feeds

    async def publish(self, stream_id: UUID, name: str, data: bytes) -> None:
        """See `Realtime.publish`."""
        keys = [room_key(stream_id, "head"), room_key(stream_id, "log")]
        channel = room_key(stream_id, "events")
        args: list[str | bytes | int] = [
            uuid4().hex[:12],
            name,
            data,
            self._log_events,
            _LIFE_S,
            channel,
        ]
        await self._ask(self._publish(keys=keys, args=args))

    # --- presence

    async def change_presence(
        self,
        stream_id: UUID,
        joined: Sequence[str],
        left: Sequence[str],
        *,
        whole: bool = False,
    ) -> PresenceChange:
        """See `Realtime.change_presence`."""
        parts = ("viewers", "daemons", "peak", f"at:{self._daemon_id}")
        keys = [room_key(stream_id, part) for part in parts]
        lists = [msgspec.json.encode(viewers) for viewers in (joined, left)]
        args: list[str | bytes | int] = [
            self._daemon_id,
            self._lease_ms,
            _LIFE_S,
            int(whole),
            *lists,
        ]
        if stream_id not in self._holding:
            # Before the room has viewers, so that whoever sweeps cannot overlook them.
            await self._list_rooms([stream_id])
        come, gone, viewers, peak, holds = await self._ask(self._change(keys=keys, args=args))
        (self._holding.add if holds else self._holding.discard)(stream_id)
        return PresenceChange(_words(come), _words(gone), int(viewers), int(peak))

    async def renew_lease(self) -> None:
        """See `Realtime.renew_lease`."""
        holding = [*self._holding]
        if not holding:
            return
        await self._list_rooms(holding)
        lost = False
        for stream_id in holding:
            parts = ("viewers", "daemons", f"at:{self._daemon_id}", "peak")
            keys = [room_key(stream_id, part) for part in parts]
            args: list[str | int] = [self._daemon_id, self._lease_ms, _LIFE_S]
            renewed = await self._ask(self._renew(keys=keys, args=args))
            lost = lost or (not renewed and stream_id in self._holding)
        if lost:
            # We were slower than our lease, or Redis has forgotten everything.
            self._log.warning("room_lease_lost")
            for watcher in self._presence_watchers:
                watcher()

    async def release_expired(self) -> Sequence[Departures]:
        """See `Realtime.release_expired`."""
        released = []
        seconds, _ = await self._ask(self._redis.time())
        await self._ask(self._redis.zremrangebyscore(ROOMS, "-inf", int(seconds) - _LIFE_S))
        names: list[Any] = await self._ask(self._redis.zrange(ROOMS, 0, -1))
        for name in names:
            stream_id = UUID(name.decode())
            keys = [room_key(stream_id, part) for part in ("viewers", "daemons")]
            gone, viewers = await self._ask(
                self._release(keys=keys, args=[room_key(stream_id, "at:")])
            )
            if gone:
                released.append(Departures(stream_id, _words(gone), int(viewers)))
        return released

    async def viewers(self, stream_id: UUID) -> int:
        """See `Realtime.viewers`."""
        return int(await self._ask(self._redis.hlen(room_key(stream_id, "viewers"))))

    async def take(self, key: str, allowance: Allowance) -> bool:
        """See `Realtime.take`."""
        args = [allowance.burst, allowance.per_s]
        return bool(await self._ask(self._take(keys=[f"{PREFIX}bucket:{key}"], args=args)))

    # --- the connection that listens

    async def run(self) -> None:
        """See `Realtime.run`."""
        while not self._is_closing:
            try:
                with heeding_cancellation():
                    await self._listen()
            except (RedisError, OSError, TimeoutError, RealtimeUnavailable) as error:
                self._set_up(up=False, reason=type(error).__name__)
            if not self._is_closing:
                await asyncio.sleep(_RETRY_S)

    async def close(self) -> None:
        """See `Realtime.close`."""
        self._is_closing = True
        with suppress(RealtimeUnavailable, TimeoutError):
            async with asyncio.timeout(2 * _ANSWER_S):
                for stream_id in [*self._holding]:
                    await self.change_presence(stream_id, (), (), whole=True)
        # The pool connects anew for whoever asks it after its end, and nobody would close that.
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * _ANSWER_S):
                await self._nothing_asked.wait()
        await _let_go(self._redis)

    async def _listen(self) -> None:
        # A client of its own each time: nothing of a broken connection lives on in the next one.
        client = Redis.from_url(self._url, max_connections=1, **self._options)
        pubsub = client.pubsub()
        subscribed: dict[bytes, RoomFeed] = {}
        waiting = set(self._feeds)
        try:
            async with asyncio.timeout(2 * _ANSWER_S):
                await pubsub.subscribe(_DAEMONS_CHANNEL, self._own_channel)
            while not self._is_closing:
                with heeding_cancellation():
                    await self._follow_rooms(pubsub, subscribed)
                    message = await self._next_message(pubsub)
                    await self._hear(message)
                waiting.discard(message["channel"])
                # A room that was given up meanwhile is not waited for.
                if not self.is_up and not any(channel in self._feeds for channel in waiting):
                    self._set_up(up=True)
        finally:
            for held in (pubsub, client):
                await _let_go(held)

    async def _follow_rooms(self, pubsub: PubSub, subscribed: dict[bytes, RoomFeed]) -> None:
        """Subscribe to the rooms that were opened, unsubscribe from those that were closed.

        Only the task that reads from this connection writes to it: the client closes and opens
        it anew within either, under the feet of the other.
        """
        wanted = {channel: feed for channel, (_, feed) in self._feeds.items()}
        opened = [channel for channel, feed in wanted.items() if subscribed.get(channel) != feed]
        closed = subscribed.keys() - wanted.keys()
        if opened:
            await pubsub.subscribe(*opened)
        if closed:
            await pubsub.unsubscribe(*closed)
        subscribed.clear()
        subscribed.update(wanted)

    async def _wake_listener(self) -> None:
        """Have the task that listens look at the rooms; RealtimeUnavailable when it is away."""
        if not await self._ask(self._redis.publish(self._own_channel, b"")):
            raise RealtimeUnavailable

    async def _next_message(self, pubsub: PubSub) -> dict[str, Any]:
        message: dict[str, Any] | None = await pubsub.get_message(timeout=_SILENCE_S)
        if message is None:
            # Nothing said for a while: ask, so that a dead peer is noticed.
            await self._ask(self._redis.publish(_DAEMONS_CHANNEL, self._daemon_id))
            message = await pubsub.get_message(timeout=_ANSWER_S)
        if message is None:
            raise RealtimeUnavailable
        return message

    async def _hear(self, message: dict[str, Any]) -> None:
        known = self._feeds.get(message["channel"])
        if known is None:
            return
        stream_id, feed = known
        if message["type"] == "message":
            feed.give(message["data"])
        elif message["type"] == "subscribe":
            keys = [room_key(stream_id, part) for part in ("head", "log")]
            epoch, offset, entries = await self._ask(
                self._read_log(keys=keys, args=[uuid4().hex[:12], _LIFE_S])
            )
            for entry in entries:
                feed.give(entry)
            feed.epoch, feed.offset = epoch.decode(), int(offset)
            feed.caught_up.set()

    def _set_up(self, *, up: bool, reason: str = "") -> None:
        if up is self.is_up:
            return
        if up:
            self._up.set()
            self._log.info("realtime_connected")
        else:
            self._up.clear()
            if not self._is_closing:
                self._log.warning("realtime_lost", reason=reason)
        for watcher in self._state_watchers:
            watcher()

    async def _list_rooms(self, stream_ids: Sequence[UUID]) -> None:
        seconds, _ = await self._ask(self._redis.time())
        scores = {str(stream_id): int(seconds) for stream_id in stream_ids}
        await self._ask(self._redis.zadd(ROOMS, scores))

    async def _ask(self, answer: Awaitable[T]) -> T:
        if self._is_closed:
            if isinstance(answer, Coroutine):
                answer.close()
            raise RealtimeUnavailable
        self._asking += 1
        self._nothing_asked.clear()
        try:
            with heeding_cancellation():
                async with asyncio.timeout(1.5 * _ANSWER_S):
                    return await answer
        except (RedisError, OSError, TimeoutError) as error:
            raise RealtimeUnavailable from error
        finally:
            self._asking -= 1
            if not self._asking:
                self._nothing_asked.set()


async def _let_go(client: Redis | PubSub) -> None:
    with suppress(RedisError, OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            await client.aclose()


def _words(raw: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(word.decode() for word in raw)
