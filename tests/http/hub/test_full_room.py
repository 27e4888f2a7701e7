"""Five hundred users at every limit of the room, over real connections, at the real limits."""

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager

from controller.hub.limits import HubLimits
from controller.hub.realtime_memory import MemoryRealtime
from tests.http.hub.running_hub import RunningHub, run_hub
from tests.support.room_client import RoomClient
from tests.support.waiting import until
from tests.unit.controller.hub.doubles import HeldTime, a_user

BANNED, TIMED_OUT, SPEAKERS = 50, 50, 400
MOST_CHARACTERS = 200
ALLOWED, TOO_MANY = 10, 2
# What is said holds no quotes. Frames are not taken apart: that would be most of the test's time.
_HEARD = re.compile(rb'"message":"([^"]*)".{,80}?"messageId":"([0-9a-f-]{36})"')
_REFUSED = re.compile(rb'"code":"([a-z_]+)"')
_ACKNOWLEDGED = re.compile(rb'\{"ack":(\d+)\}')


class Listener(RoomClient):
    """Keeps what it hears, in order, and counts what it is refused."""

    def __init__(self, token: str) -> None:
        super().__init__(self.credentials(token), self._begin, lambda: None)
        self.heard: list[bytes] = []
        self.texts: list[str] = []
        self.refused: Counter[str] = Counter()
        self.acknowledged = 0
        self.keeps_texts = False

    def _begin(self, frame: dict) -> None:
        """What has come with the upgrade's answer."""
        self.acknowledged += "ack" in frame

    def data_received(self, data: bytes) -> None:
        if not self._is_upgraded:
            super().data_received(data)
            return
        self._buffer += data
        end = 0
        for found in _HEARD.finditer(self._buffer):
            self.heard.append(found[2])
            if self.keeps_texts:
                self.texts.append(found[1].decode())
            end = found.end()
        for kind in (_REFUSED, _ACKNOWLEDGED):
            for found in kind.finditer(self._buffer):
                if kind is _REFUSED:
                    self.refused[found[1].decode()] += 1
                else:
                    self.acknowledged += 1
                end = max(end, found.end())
        self._buffer = self._buffer[end:]
        assert len(self._buffer) < 1 << 20


class FullRoom:
    """The host and everybody else, joined."""

    def __init__(self, hub: RunningHub, time: HeldTime) -> None:
        self.hub = hub
        self.time = time
        self.users = [a_user(f"user{n}") for n in range(BANNED + TIMED_OUT + SPEAKERS)]
        self.listeners: list[Listener] = []
        host = a_user("host")
        self.stream = str(hub.place.streams.add(owner_id=host.user_id).id)
        self.host = Listener(hub.tokens.add(host))
        self.host.keeps_texts = True
        self._number = 0

    @property
    def groups(self) -> tuple[list[Listener], list[Listener], list[Listener]]:
        """The banned, the timed out, the others."""
        out = BANNED + TIMED_OUT
        return self.listeners[:BANNED], self.listeners[BANNED:out], self.listeners[out:]

    async def fill(self) -> None:
        self.listeners = [Listener(self.hub.tokens.add(user)) for user in self.users]
        for one in (self.host, *self.listeners):
            await asyncio.get_running_loop().create_connection(
                lambda one=one: one, "127.0.0.1", self.hub.client.server.port
            )
            one.send("stream_join", frame_id=1, stream_id=self.stream)
        everybody = [self.host, *self.listeners]
        await until(lambda: all(one.acknowledged for one in everybody), "joined")

    async def moderate(self, action: str, **more) -> None:
        before = self.host.acknowledged
        self.host.send("stream_moderate", frame_id=2, stream_id=self.stream, action=action, **more)
        await until(lambda: self.host.acknowledged > before, action)

    def say(self, listener: Listener, text: str) -> None:
        listener.send("stream_chat", stream_id=self.stream, message=text)

    async def answered(self, count: int) -> None:
        """Until each of so many messages was refused or heard, and nobody is sent any more."""

        def outcomes() -> int:
            return sum(one.refused.total() for one in self.listeners) + len(self.host.heard)

        await until(lambda: outcomes() >= count, "answered")
        # The last message of all is behind every other: who has heard it has heard all.
        self.say(self.host, "that is all")
        hearing = [self.host, *self.groups[1], *self.groups[2]]
        await until(
            lambda: (
                all(one.heard and one.heard[-1] == self.host.heard[-1] for one in hearing)
                and self.host.texts[-1] == "that is all"
            ),
            "heard",
        )
        assert outcomes() == count + 1

    def forget(self) -> None:
        for one in (self.host, *self.listeners):
            one.heard.clear()
            one.texts.clear()
            one.refused.clear()

    def check_all_heard_the_same(self) -> None:
        banned, timed_out, speakers = self.groups
        assert len({*self.host.heard}) == len(self.host.heard)
        assert all(one.heard == self.host.heard for one in (*timed_out, *speakers))
        assert all(one.heard == [] for one in banned)
        connections = self.hub.place.hub.connections
        assert len(connections) == 1 + len(self.users)
        assert all(one.is_open and one.dropped == 0 for one in connections)


@asynccontextmanager
async def full_room():
    """What refills with time stands still until the test says so; all else is as it is."""
    limits, time = HubLimits(heartbeat_s=600.0), HeldTime()
    realtime = MemoryRealtime(time.monotonic_s, limits.log_events)
    async with run_hub(limits, realtime) as hub:
        room = FullRoom(hub, time)
        try:
            await room.fill()
            yield room
        finally:
            for one in (room.host, *room.listeners):
                one.kill()
            await until(lambda: not hub.place.hub.connections, "gone")


async def test_five_hundred_users_at_every_limit_hear_exactly_what_was_allowed():
    async with full_room() as room:
        for number, user in enumerate(room.users[: BANNED + TIMED_OUT]):
            if number < BANNED:
                await room.moderate("ban", user_id=str(user.user_id))
            else:
                await room.moderate("timeout", user_id=str(user.user_id), duration_s=600)
        banned, timed_out, speakers = room.groups
        await until(lambda: all(one.refused["banned"] for one in banned), "evicted")
        room.forget()
        await everybody_talks(room)
        each = ALLOWED + TOO_MANY
        too_long = {"message_too_long": 1}
        assert all(one.refused == {"banned": each, **too_long} for one in banned)
        assert all(one.refused == {"timed_out": each, **too_long} for one in timed_out)
        assert all(one.refused == {"rate_limited": TOO_MANY, **too_long} for one in speakers)

        room.forget()
        await everybody_talks_slowly(room)
        assert all(one.refused == {"rate_limited": 2} for one in speakers)


async def everybody_talks(room: FullRoom) -> None:
    """Two messages too many and one too long, all at once."""
    each = ALLOWED + TOO_MANY
    for number, listener in enumerate(room.listeners):
        for turn in range(each):
            room.say(listener, f"{number}:{turn:02}:".ljust(MOST_CHARACTERS, "x"))
        room.say(listener, "y" * (MOST_CHARACTERS + 1))
    await room.answered((each + 1) * len(room.listeners))
    heard = Counter(text.split(":")[0] for text in room.host.texts[:-1])
    speaking = range(BANNED + TIMED_OUT, len(room.listeners))
    assert heard == {str(number): ALLOWED for number in speaking}
    assert {len(text) for text in room.host.texts[:-1]} == {MOST_CHARACTERS}
    room.check_all_heard_the_same()


async def everybody_talks_slowly(room: FullRoom) -> None:
    """The minute's allowance is there again, but slow mode lets one through, and one later."""
    speakers = room.groups[2]
    room.time.pass_by(600)
    await room.moderate("slow_mode", interval_s=30)
    for number, listener in enumerate(speakers):
        for turn in range(3):
            room.say(listener, f"{number}:{turn}")
    sent = 3 * len(speakers)
    await until(
        lambda: sum(one.refused.total() for one in speakers) + len(room.host.heard) == sent, "slow"
    )
    room.time.pass_by(30)
    for number, listener in enumerate(speakers):
        room.say(listener, f"{number}:later")
    await room.answered(sent + len(speakers))
    heard = Counter(text.split(":")[0] for text in room.host.texts[:-1])
    assert heard == {str(number): 2 for number in range(len(speakers))}
    room.check_all_heard_the_same()
