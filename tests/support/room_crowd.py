"""A crowd in one room that does what crowds do, and keeps books of what must have come of it."""

import asyncio
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

from tests.support.room_client import RoomClient
from tests.support.tokens import Person, person

_EMOJIS = ("❤️", "🔥", "👏", "😂", "😮", "💎")
_JOIN_S = 60.0
_ACK_S = 30.0


@dataclass(eq=False)
class Someone:
    """A viewer: a user with a token, or a guest who gets a session at its first visit."""

    user: Person | None
    token: str = ""
    session: str = ""
    tabs: set["Tab"] = field(default_factory=set)

    @property
    def credentials(self) -> str:
        return RoomClient.credentials(self.token, self.session)


@dataclass
class Books:
    """What all clients together know."""

    log: dict[int, str] = field(default_factory=dict)
    epochs: set[str] = field(default_factory=set)
    joined: set[Someone] = field(default_factory=set)
    said: list[tuple[float, int, str]] = field(default_factory=list)
    reactions_sent: Counter = field(default_factory=Counter)
    reactions_taken: list[tuple[float, int]] = field(default_factory=list)
    refused: Counter = field(default_factory=Counter)
    recoveries: int = 0
    presence: list[tuple[float, Someone, bool]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def came(self, who: Someone) -> None:
        self.presence.append((time.monotonic(), who, True))

    def went(self, who: Someone) -> None:
        self.presence.append((time.monotonic(), who, False))

    def most_at_once(self, lag_s: float) -> int:
        """The most who were there at once, if each going takes so long to be noticed."""
        events = [(at + (0 if is_in else lag_s), is_in, who) for at, who, is_in in self.presence]
        here: Counter = Counter()
        present = most = 0
        for _, is_in, who in sorted(events, key=lambda one: (one[0], not one[1])):
            here[who] += 1 if is_in else -1
            present += (here[who] == 1) if is_in else -(here[who] == 0)
            most = max(most, present)
        return most


class Tab:
    """One connection of somebody's, which comes back where it was when it is lost."""

    def __init__(self, crowd: "Crowd", who: Someone) -> None:
        self.crowd = crowd
        self.who = who
        self.heard: list[int] = []
        self.position: dict = {}
        self.first_offset: int | None = None
        self.is_there = False
        self.is_wanted = True
        self.daemon = 0
        self.client: RoomClient | None = None
        self._joined: asyncio.Future | None = None
        self._ids = itertools.count(1)
        self._pending: dict[int, tuple[str, asyncio.Future]] = {}

    async def come(self) -> None:
        """Connect to any daemon that is there, and join; again until it works."""
        loop = asyncio.get_running_loop()
        self.crowd.books.came(self.who)
        self.who.tabs.add(self)
        async with asyncio.timeout(_JOIN_S):
            while self.is_wanted:
                self.daemon = self.crowd.some_daemon()
                self._joined = loop.create_future()
                try:
                    _, self.client = await loop.create_connection(
                        lambda: RoomClient(self.who.credentials, self._hear, self._lose),
                        "127.0.0.1",
                        self.crowd.ports[self.daemon],
                    )
                    self.client.send("stream_join", stream_id=self.crowd.stream_id, **self.position)
                    await self._joined
                except OSError:
                    await asyncio.sleep(self.crowd.chance.uniform(0.1, 0.5))
                else:
                    return

    async def call(self, event: str, **data) -> dict | None:
        """The answer; None when the connection was lost before it came."""
        number = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._pending[number] = (event, answer)
        self.client.send(event, number, stream_id=self.crowd.stream_id, **data)
        async with asyncio.timeout(_ACK_S):
            return await answer

    def kill(self) -> None:
        self.is_there = False
        self.client.kill()

    async def leave(self) -> None:
        """For good: politely, or by closing the tab."""
        self.is_wanted = self.is_there = False
        if self.crowd.chance.random() < 0.5:
            await self.call("stream_leave")
        self.client.close()
        self.gone()

    def gone(self) -> None:
        self.who.tabs.discard(self)
        self.crowd.books.went(self.who)

    def audit(self) -> None:
        """What a tab has heard is the log between its first and its last position, each once."""
        if self.first_offset is None:
            return
        last = self.position["offset"]
        expected = [o for o in sorted(self.crowd.books.log) if self.first_offset < o <= last]
        if self.heard != expected:
            lost = sorted(set(expected) - set(self.heard))[:5]
            doubled = [o for o, n in Counter(self.heard).items() if n > 1][:5]
            self.crowd.books.faults.append(f"lost {lost}, doubled {doubled}")

    def _enter(self, data: dict) -> None:
        """Before what was missed, which comes right behind."""
        self.is_there = True
        self.who.session = data["session"] or ""
        self.crowd.books.joined.add(self.who)
        self.crowd.books.epochs.add(data["epoch"])
        if self.first_offset is None:
            self.first_offset = data["offset"]
            self.position = {"offset": data["offset"], "epoch": data["epoch"]}
        elif data["recovered"]:
            self.crowd.books.recoveries += 1
        else:
            theirs = data["epoch"], data["offset"]
            self.crowd.books.faults.append(f"not recovered from {self.position} at {theirs}")

    def _hear(self, frame: dict) -> None:
        if frame.get("event") == "stream:joined":
            if not self._joined.done():
                self._enter(frame["data"])
                self._joined.set_result(None)
            return
        if "ack" in frame or ("id" in frame and frame.get("event") == "error"):
            event, answer = self._pending.pop(frame.get("ack") or frame["id"])
            if "ack" in frame and event == "stream_reaction":
                self.crowd.books.reactions_taken.append((time.monotonic(), self.daemon))
            elif "ack" not in frame:
                self.crowd.books.refused[frame["data"]["code"]] += 1
            if not answer.done():
                answer.set_result(frame)
            return
        if "offset" not in frame:
            return
        if frame["event"] == "chat:message":
            self.heard.append(frame["offset"])
            known = self.crowd.books.log.setdefault(frame["offset"], frame["data"]["messageId"])
            if known != frame["data"]["messageId"]:
                self.crowd.books.faults.append("two messages at one offset")
        self.position = {"offset": frame["offset"], "epoch": frame["epoch"]}

    def _lose(self) -> None:
        self.is_there = False
        if self._joined is not None and not self._joined.done():
            self._joined.set_exception(ConnectionResetError())
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_result(None)
        self._pending.clear()
        if self.is_wanted:
            self.crowd.start(self._come_back())

    async def _come_back(self) -> None:
        await asyncio.sleep(self.crowd.chance.uniform(0.0, 1.5))
        if self.is_wanted:
            async with self.crowd.door:
                await self._again()

    async def _again(self) -> None:
        """The same tab: it was never counted out."""
        await self.come()
        self.crowd.books.went(self.who)  # `come` has counted it twice


class Crowd:
    """`tabs` connections of fewer people, of whom some always wait outside."""

    def __init__(self, stream_id: str, ports: list[int], tabs: int, seed: int) -> None:
        self.stream_id = stream_id
        self.ports = ports
        self.books = Books()
        self.chance = random.Random(seed)
        self.door = asyncio.Semaphore(40)
        self.dead: set[int] = set()
        self.tabs: set[Tab] = set()
        self.past: list[Tab] = []
        self._size = tabs
        self._tasks: set[asyncio.Task] = set()
        people = int(tabs * 1.3)
        self.people = [self._someone(n) for n in range(people)]

    def _someone(self, number: int) -> Someone:
        if number % 2:
            return Someone(None)
        user = person("buyer", f"fan-{number}-{uuid4().hex[:4]}")
        return Someone(user, user.token)

    def some_daemon(self) -> int:
        return self.chance.choice([n for n in range(len(self.ports)) if n not in self.dead])

    def start(self, work) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.books.faults.append(repr(task.exception()))

    async def fill(self) -> None:
        """All tabs open: a fifth of them second ones of somebody who is there."""
        await asyncio.gather(*(self._open() for _ in range(self._size)))

    async def _open(self) -> None:
        async with self.door:
            tab = Tab(self, self._whom())
            self.tabs.add(tab)
            await tab.come()

    def _whom(self) -> Someone:
        outside = [one for one in self.people if not one.tabs]
        inside = [one for one in self.people if one.tabs and one.token]
        if inside and (not outside or self.chance.random() < 0.2):
            return self.chance.choice(inside)
        return self.chance.choice(outside)

    async def mix(self, seconds: float, actions_per_s: float) -> None:
        """Random acts of random tabs for so long."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            await asyncio.sleep(self.chance.expovariate(actions_per_s))
            tabs = [tab for tab in self.tabs if tab.is_there]
            if tabs:
                self.start(self._act(self.chance.choice(tabs)))

    async def _act(self, tab: Tab) -> None:
        dice = self.chance.random()
        if dice < 0.25:
            tab.kill()
        elif dice < 0.5:
            self.tabs.discard(tab)
            self.past.append(tab)
            await tab.leave()
            await self._open()
        elif not tab.who.token:
            return
        elif dice < 0.65:
            await tab.call("stream_chat", message=f"said {uuid4().hex[:8]}")
        else:
            self.books.reactions_sent[tab.daemon] += 1
            await tab.call("stream_reaction", emoji=self.chance.choice(_EMOJIS))

    async def settle(self) -> None:
        """Wait until everybody who wants to be there is."""
        while self._tasks or not all(tab.is_there for tab in self.tabs):
            await asyncio.sleep(0.05)

    async def until_all_heard(self, offset: int) -> None:
        while not all(tab.heard and tab.heard[-1] >= offset for tab in self.tabs):
            await asyncio.sleep(0.05)

    async def shrink(self, to: int) -> None:
        """Some go for good; answers nothing, leaves `to` tabs."""
        while len(self.tabs) > to:
            some = [self.tabs.pop() for _ in range(min(100, len(self.tabs) - to))]
            self.past += some
            await asyncio.gather(*(tab.leave() for tab in some))

    @property
    def viewers(self) -> int:
        return len({tab.who for tab in self.tabs})

    def audit(self) -> None:
        for tab in [*self.tabs, *self.past]:
            tab.audit()
