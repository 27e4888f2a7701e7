"""A show with a known truth: who watches when and how, what they say, like and buy.

Everything happens at whole steps of a clock that the test holds, so that the truth is exact: a
moment belongs to whoever has come by then and not gone yet.
"""

import asyncio
import itertools
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from uuid import uuid4

import aiohttp
import msgspec

from tests.support.tokens import Person, person

EMOJIS = ("❤️", "🔥", "👏", "😂", "😮", "💎")
COUNTRIES = {"DE": "192.0.2.", "FR": "198.51.100.", "BR": "203.0.113."}
NETWORKS = {f"{prefix}0/24": {"country": {"iso_code": c}} for c, prefix in COUNTRIES.items()}
ANSWER_S = 60.0
AT_ONCE = 40
MISSED_S = 40.0
"""After so long a player that does not ask any more has been missed; back before, it never went."""


@dataclass(eq=False)
class Fan:
    """A viewer: a user with a token, or a guest with the session that it was given.

    A guest without cookies is one viewer as long as it stays with one way of watching.
    """

    number: int
    user: Person | None
    country: str | None
    session: str = ""
    playing: str = ""
    returns_s: float = 0.0

    def ways(self, chance: random.Random) -> list[bool]:
        """What it opens when it comes: players (True) and tabs."""
        if self.user is None:
            return [self.number % 2 == 1]
        return chance.choice([[False], [True], [False, False], [False, True]])

    @property
    def headers(self) -> dict[str, str]:
        prefix = COUNTRIES.get(self.country or "", "10.0.0.")
        address = {"X-Forwarded-For": f"{prefix}{self.number % 250 + 1}"}
        return address | (self.user.headers if self.user else {})


@dataclass
class Truth:
    """What the analytics must come to; times are seconds since the start."""

    here: dict[Fan, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    reactions: Counter = field(default_factory=Counter)
    messages: int = 0
    events: Counter = field(default_factory=Counter)
    revenue: Counter = field(default_factory=Counter)

    def seconds(self, fan: Fan, until_s: float) -> float:
        total, covered = 0.0, 0.0
        for since, until in sorted(self.here[fan]):
            begin, end = max(since, covered), min(until, until_s)
            total += max(0.0, end - begin)
            covered = max(covered, end)
        return total

    def at(self, s: float) -> int:
        return sum(
            any(since <= s < until for since, until in stays) for stays in self.here.values()
        )

    def with_open(self, here: dict["Tab | Player", float], now_s: float) -> "Truth":
        """As it would be if everybody went now."""
        stays = defaultdict(list, {fan: [*known] for fan, known in self.here.items()})
        for one, since_s in here.items():
            stays[one.fan].append((since_s, now_s))
        return replace(self, here=stays)

    def figures(self, lasted_s: float) -> dict:
        moments = {since for stays in self.here.values() for since, _ in stays}
        watched = sum(self.seconds(fan, lasted_s) for fan in self.here)
        countries = Counter(fan.country for fan in self.here if fan.country)
        return {
            "duration": int(lasted_s),
            "peakViewers": max(self.at(s) for s in moments if s < lasted_s),
            "uniqueViewers": len(self.here),
            "averageWatchTime": round(watched / len(self.here), 3),
            "totalLikes": self.reactions.total(),
            "chatMessages": self.messages,
            "reactions": dict(self.reactions),
            "products": dict(self.events),
            "revenue": {currency: f"{amount:.2f}" for currency, amount in self.revenue.items()},
            "geography": dict(countries),
        }


def figures_of(answer: dict) -> dict:
    """The same figures as the API tells them."""
    basic, engagement = answer["basicStats"], answer["engagement"]
    events = Counter()
    for product in answer["products"]:
        for kind in ("clicks", "views", "inquiries", "purchases"):
            events[product["productId"], kind] += product[kind]
    return {
        **{name: basic[name] for name in ("duration", "peakViewers", "uniqueViewers")},
        "averageWatchTime": round(basic["averageWatchTime"], 3),
        "totalLikes": engagement["totalLikes"],
        "chatMessages": engagement["chatMessages"],
        "reactions": engagement["reactions"],
        "products": {key: count for key, count in events.items() if count},
        "revenue": answer["revenue"]["totals"],
        "geography": answer["geography"],
    }


class Tab:
    """A page with a socket."""

    def __init__(self, fan: Fan, daemon: int) -> None:
        self.fan = fan
        self.daemon = daemon
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future] = {}
        self._socket = None
        self._reader: asyncio.Task | None = None

    async def open(self, http: aiohttp.ClientSession, url: str, stream_id: str) -> None:
        query = {} if self.fan.user else {"session": self.fan.session}
        self._socket = await http.ws_connect(
            f"{url}/ws", params=query, headers=self.fan.headers, max_msg_size=0
        )
        self._reader = asyncio.create_task(self._read())
        await self.call("stream_join", stream_id=stream_id)

    async def call(self, event: str, **data) -> dict:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        frame = {"event": event, "data": data, "id": number}
        await self._socket.send_str(msgspec.json.encode(frame).decode())
        async with asyncio.timeout(ANSWER_S):
            found = await answer
        assert "ack" in found, found
        return found

    async def close(self) -> None:
        await self._socket.close()
        await self._reader

    async def lost(self) -> None:
        """Its daemon was killed."""
        async with asyncio.timeout(ANSWER_S):
            await self._reader
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            text = message.data
            if '"ack"' in text or '"id"' in text:
                frame = msgspec.json.decode(text)
                waiting = self._answers.pop(frame.get("ack") or frame.get("id"), None)
                if waiting is not None:
                    waiting.set_result(frame)
            elif not self.fan.session and "stream:joined" in text:
                self.fan.session = msgspec.json.decode(text)["data"]["session"] or ""


class Player:
    """An HLS player without a socket; a guest's gets its session from the first playlist."""

    def __init__(self, fan: Fan, daemon: int) -> None:
        self.fan = fan
        self.daemon = daemon

    async def ask(self, http: aiohttp.ClientSession, base: str, stream_id: str) -> None:
        """As every few seconds: the first time for both playlists, then for the media's."""
        if self.fan.user and not self.fan.playing:
            path = f"{base}/api/v1/streams/{stream_id}/watching"
            async with http.post(path, json={}, headers=self.fan.headers) as answer:
                self.fan.playing = f"?session={(await answer.json())['data']['session']}"
        live = f"{base}/live/{stream_id}"
        if not self.fan.playing:
            text = await self._get(http, f"{live}/index.m3u8")
            self.fan.playing = re.search(r"video\.m3u8(\?session=[^\s\"]+)", text)[1]
        await self._get(http, f"{live}/video.m3u8{self.fan.playing}")

    async def _get(self, http: aiohttp.ClientSession, url: str) -> str:
        async with http.get(url, headers=self.fan.headers) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return text


class Show:
    """The audience in front of `daemons`; `now_s` is the time since the start."""

    def __init__(self, daemons, stream_id: str, products: dict[str, Decimal], seed: int) -> None:
        self.daemons = daemons
        self.stream_id = stream_id
        self.prices = products
        self.truth = Truth()
        self.now_s = 0.0
        self.chance = random.Random(seed)
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self.tabs: dict[Tab, float] = {}
        self.players: dict[Player, float] = {}
        self.dead: set[int] = set()
        self.outside: list[Fan] = []
        self._door = asyncio.Semaphore(AT_ONCE)
        self._keys: list[tuple[Fan, str, dict]] = []

    async def close(self) -> None:
        await asyncio.gather(*(tab.close() for tab in self.tabs))
        await self.http.close()

    def invite(self, count: int) -> None:
        """So many wait outside; a third of them are guests."""
        for number in range(count):
            is_user = number % 6 > 1
            user = person("buyer", f"fan-{number}-{uuid4().hex[:4]}") if is_user else None
            self.outside.append(Fan(number, user, self.chance.choice([*COUNTRIES, None])))

    async def come_and_go(self, *, players_stay: bool) -> None:
        """Some go, and perhaps come back later; some come, by a tab, a player, or two of them."""
        may_go = [*self.tabs] if players_stay else [*self.tabs, *self.players]
        leavers = [one for one in may_go if self.chance.random() < 0.05]
        await self.play(one for one in leavers if isinstance(one, Player))
        await self.together(*(partial(self.go, one) for one in leavers))
        ready = [fan for fan in self.outside if fan.returns_s <= self.now_s]
        comers = [fan for fan in ready if self.chance.random() < 0.15]
        self.outside = [fan for fan in self.outside if fan not in comers]
        for one in leavers:
            still_here = {other.fan for other in [*self.tabs, *self.players]}
            if one.fan not in still_here | {*self.outside}:
                self.outside.append(one.fan)
        await self.together(
            *(
                partial(self.come, fan, by_player=by_player)
                for fan in comers
                for by_player in fan.ways(self.chance)
            )
        )

    async def speak(self) -> None:
        """Some of the users do something, one thing each."""
        speakers = {tab.fan: tab for tab in self.tabs if tab.fan.user}
        some = [tab for tab in speakers.values() if self.chance.random() < 0.2]
        await self.together(*(partial(self.act, tab) for tab in some))

    def figures(self) -> dict:
        """What the analytics must be now."""
        here = self.tabs | self.players
        return self.truth.with_open(here, self.now_s).figures(self.now_s)

    async def together(self, *work) -> None:
        async def in_turn(one) -> None:
            async with self._door:
                await one()

        await asyncio.gather(*map(in_turn, work))

    def _some_daemon(self) -> int:
        return self.chance.choice([n for n in range(len(self.daemons)) if n not in self.dead])

    async def come(self, fan: Fan, *, by_player: bool) -> None:
        if by_player:
            self.players[Player(fan, self._some_daemon())] = self.now_s
            return
        tab = Tab(fan, self._some_daemon())
        await tab.open(self.http, self.daemons[tab.daemon].url, self.stream_id)
        self.tabs[tab] = self.now_s

    async def go(self, one: Tab | Player) -> None:
        if isinstance(one, Player):
            # It was last seen at this step, and is missed later.
            self.truth.here[one.fan].append((self.players.pop(one), self.now_s))
            one.fan.returns_s = self.now_s + MISSED_S
            return
        await one.call("stream_leave", stream_id=self.stream_id)
        self.truth.here[one.fan].append((self.tabs.pop(one), self.now_s))
        await one.close()

    async def play(self, players: Iterable[Player] | None = None) -> None:
        """Some players ask for a playlist, or all."""
        await self.together(
            *(
                partial(player.ask, self.http, self._base(player.daemon), self.stream_id)
                for player in (self.players if players is None else players)
                if player.daemon not in self.dead
            )
        )

    async def act(self, tab: Tab) -> None:
        """Say something, react, or do something with a product."""
        dice = self.chance.random()
        if dice < 0.3:
            await tab.call("stream_chat", stream_id=self.stream_id, message=uuid4().hex)
            self.truth.messages += 1
        elif dice < 0.6:
            emoji = self.chance.choice(EMOJIS)
            await tab.call("stream_reaction", stream_id=self.stream_id, emoji=emoji)
            self.truth.reactions[emoji] += 1
        else:
            await self._shop(tab.fan)

    async def _shop(self, fan: Fan) -> None:
        product = self.chance.choice([*self.prices])
        kind = self.chance.choice(["click", "view", "inquiry", "purchase"])
        body = {"type": kind, "quantity": self.chance.randrange(1, 4)}
        key = uuid4().hex
        assert await self._tell(fan, product, body, key)
        self._keys.append((fan, product, body | {"key": key}))
        many = {"click": "clicks", "view": "views", "inquiry": "inquiries"}.get(kind, "purchases")
        is_sale = kind == "purchase"
        self.truth.events[product, many] += body["quantity"] if is_sale else 1
        if is_sale:
            self.truth.revenue["EUR"] += self.prices[product] * body["quantity"]

    async def repeat_events(self) -> None:
        """Apps that got no answer tell once more what they told."""
        for fan, product, told in self.chance.sample(self._keys, min(10, len(self._keys))):
            body = {name: value for name, value in told.items() if name != "key"}
            assert not await self._tell(fan, product, body, told["key"])

    async def _tell(self, fan: Fan, product: str, body: dict, key: str) -> bool:
        base = self.daemons[self._some_daemon()].url
        path = f"{base}/streams/{self.stream_id}/products/{product}/events"
        headers = fan.headers | {"Idempotency-Key": key}
        async with self.http.post(path, json=body, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == 202, found
            return found["data"]["counted"]

    async def kill(self, number: int) -> None:
        """`kill -9`; its viewers are there all the time, and back as soon as it is."""
        self.dead.add(number)
        self.daemons[number].kill()
        await asyncio.gather(*(tab.lost() for tab in self.tabs if tab.daemon == number))

    async def come_back(self, number: int) -> None:
        """To the daemon that was killed, which is there again."""
        self.dead.discard(number)
        url = self.daemons[number].url
        await self.together(
            *(
                partial(tab.open, self.http, url, self.stream_id)
                for tab in self.tabs
                if tab.daemon == number
            )
        )

    def _base(self, daemon: int) -> str:
        return self.daemons[daemon].url.removesuffix("/api/v1")
