"""A show of known truth under a held clock: each figure of its analytics is the truth.

A small one by default; `GOLIVE_TEST_SHOW_VIEWERS=300 GOLIVE_TEST_SHOW_MINUTES=40` for the whole
of it, `GOLIVE_TEST_SHOW_SEED` for another.
"""

import asyncio
import os
import time
from contextlib import suppress
from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import update

from controller.domain.people import Identity, Role
from controller.domain.states import IngestState
from controller.stores.opening import open_stores
from controller.stores.schema import streams
from ingest.vod.journal import JournalWriter
from tests.contract.room.redis_server import own_redis  # noqa: F401 - a fixture
from tests.contract.store_world import World
from tests.support.databases import DatabaseFactory, postgres_server
from tests.support.geo_database import write_geo_database
from tests.support.held_time import Rounds, SharedTime
from tests.support.media_values import JournalScript
from tests.support.room_daemons import RoomDaemon
from tests.support.show import MISSED_S, NETWORKS, Show, figures_of
from tests.support.show_daemon import CLOCK, ROUNDS
from tests.support.tokens import Person, person

VIEWERS = int(os.environ.get("GOLIVE_TEST_SHOW_VIEWERS", "24"))
MINUTES = float(os.environ.get("GOLIVE_TEST_SHOW_MINUTES", "4"))
SEED = int(os.environ.get("GOLIVE_TEST_SHOW_SEED", "1"))
STEP_S = 10.0
STEPS = int(MINUTES * 60 / STEP_S)
START_S = time.time() // 1000 * 1000
KILLS = (STEPS // 4, STEPS * 3 // 4)
CONVERGED_S = 60.0
MODULE = ("tests.support.show_daemon",)
ALONE, SHARED = "realtime_alone", "realtime_shared"


class Stage:
    """A stream on air, before its daemons start; they find its media in their folders."""

    def __init__(self, folder, database_url: str, redis_url: str, daemons: int) -> None:
        self.clock = SharedTime(folder / "clock", START_S)
        self.rounds = Rounds(folder / "rounds")
        geo = write_geo_database(folder / "countries.mmdb", NETWORKS)
        self.folders = [folder / str(number) for number in range(daemons)]
        self.daemons = [
            RoomDaemon(
                data,
                database_url,
                redis_url,
                MODULE,
                **{
                    CLOCK: str(folder / "clock"),
                    ROUNDS: str(self.rounds.path),
                    "GOLIVE_GEO_DATABASE": str(geo),
                },
            )
            for data in self.folders
        ]
        self.host: Person = person("seller", "host")
        self.stores = open_stores(database_url, self.clock)

    async def on_air(self) -> tuple[str, dict[str, Decimal]]:
        world = World(self.stores, self.clock, "")
        host = Identity(self.host.id, self.host.username, Role.BOTH)
        await self.stores.users.ensure(host)
        prices = [Decimal("12.5"), Decimal(3)]
        products = {await world.product(host, price=price): price for price in prices}
        stream_id = await world.stream(host, *products, record_stream=False)
        await self.stores.streams.go_live(stream_id)
        async with self.stores.database.write() as connection:
            interrupted = update(streams).where(streams.c.id == stream_id)
            await connection.execute(
                interrupted.values(
                    ingest_state=IngestState.INTERRUPTED, ingest_state_since=self.clock.now()
                )
            )
        for folder in self.folders:
            script = JournalScript()
            with JournalWriter(folder / "live" / str(stream_id)) as journal:
                journal.append(*script.start(), *script.segments(3))
        return str(stream_id), {str(one): price for one, price in products.items()}

    async def raise_price(self, show: Show) -> None:
        """What was sold stays sold for what it cost."""
        product = next(iter(show.prices))
        price = show.prices[product] + Decimal("0.37")
        body = {"title": "Mug", "price": float(price), "currency": "EUR"}
        await self.call(show, "PUT", f"/products/{product}", body)
        show.prices[product] = price

    async def call(self, show: Show, method: str, path: str, json=None) -> dict:
        base = next(one for n, one in enumerate(self.daemons) if n not in show.dead).url
        request = show.http.request(method, f"{base}{path}", json=json, headers=self.host.headers)
        async with request as answer:
            found = await answer.json()
            assert answer.status < 300, found
            return found["data"]

    async def analytics(self, show: Show) -> dict:
        return await self.call(show, "GET", f"/streams/{show.stream_id}/analytics")

    async def totals(self, show: Show) -> dict:
        """What the stream tells of itself, by the names of the analytics."""
        stream = await self.call(show, "GET", f"/streams/{show.stream_id}")
        return {
            "peakViewers": stream["peak_viewers"],
            "uniqueViewers": stream["unique_viewers"],
            "averageWatchTime": round(stream["average_watch_time"], 3),
        }

    async def start(self, number: int) -> None:
        self.daemons[number].start()
        await self.daemons[number].ready()

    async def go_round(self, show: Show) -> None:
        """Every daemon that lives counts and writes all that it has seen."""
        living = [one.pid for n, one in enumerate(self.daemons) if n not in show.dead]
        await self.rounds.make(living)


@pytest.fixture
async def stage(tmp_path):
    staged = []

    def make(database_url: str, redis_url: str, daemons: int) -> Stage:
        staged.append(Stage(tmp_path, database_url, redis_url, daemons))
        return staged[-1]

    yield make
    for one in staged:
        for daemon in one.daemons:
            daemon.kill()
        await one.rounds.close()


@pytest.fixture
async def database(request, tmp_path):
    """A URL for a kind of database."""
    made = []

    async def make(kind: str) -> str:
        server = postgres_server(request.config) if kind == "postgresql" else None
        factory = DatabaseFactory(kind, tmp_path, server)
        made.append((factory, await factory.fresh()))
        return made[-1][1]

    yield make
    for factory, url in made:
        await factory.dispose(url)


@pytest.mark.timeout(int(MINUTES * 30 + 300))
async def test_every_figure_is_the_truth(stage, database):
    """One daemon, nothing else: the embedded defaults."""
    theatre = stage(await database("sqlite"), "", 1)
    await perform(theatre, Disturbances(theatre))


@pytest.mark.timeout(int(MINUTES * 30 + 300))
async def test_every_figure_is_the_truth_though_daemons_and_redis_are_killed(
    stage,
    database,
    own_redis,  # noqa: F811
):
    """Two daemons, both killed, one after the other, and the Redis between them."""
    theatre = stage(await database("postgresql"), own_redis.url, 2)
    await perform(theatre, Disturbances(theatre, own_redis))


class Disturbances:
    """What happens to the servers, at a quarter, at half and at three quarters of the show.

    A daemon is killed when it has answered what its viewers said and written none of it, and
    comes back a step later, and they with it. Redis comes back empty.
    """

    def __init__(self, theatre: Stage, redis=None) -> None:
        self._theatre = theatre
        self._redis = redis
        self._outages: list[int] = []
        self.away: int | None = None

    async def before(self, step: int, show: Show) -> None:
        if self._redis is None:
            return
        if self.away is not None and step - 2 in KILLS:
            await self._theatre.start(self.away)
            await show.come_back(self.away)
            self.away = None
        if step == STEPS // 2:
            self._outages = [one.text.count(ALONE) for one in self._theatre.daemons]
            self._redis.kill()
        if step == STEPS // 2 + 1:
            self._redis.start()
            async with asyncio.timeout(CONVERGED_S):
                while not self._is_shared_again():
                    await asyncio.sleep(0.05)

    async def after(self, step: int, show: Show) -> None:
        if self._redis is not None and step in KILLS:
            self.away = int(step > STEPS // 2)
            await show.kill(self.away)

    def _is_shared_again(self) -> bool:
        return all(
            one.text.count(ALONE) > before and one.text.rfind(SHARED) > one.text.rfind(ALONE)
            for one, before in zip(self._theatre.daemons, self._outages, strict=True)
        )


async def perform(theatre: Stage, disturbances: Disturbances) -> None:
    stream_id, prices = await theatre.on_air()
    await theatre.rounds.open()
    for daemon in theatre.daemons:
        daemon.start()
    for daemon in theatre.daemons:
        await daemon.ready()
    show = Show(theatre.daemons, stream_id, prices, SEED)
    show.invite(VIEWERS)
    try:
        for step in range(STEPS):
            show.now_s = step * STEP_S
            theatre.clock.set(START_S + show.now_s)
            await disturbances.before(step, show)
            await theatre.go_round(show)
            if disturbances.away is None:
                # A player that goes is missed later: not just before figures are compared, or its
                # daemon is killed, which then has not seen it go.
                next_s = [(at - step) * STEP_S for at in (STEPS // 3, *KILLS)]
                is_near = any(0 <= s < MISSED_S for s in next_s)
                await show.come_and_go(players_stay=is_near)
            await show.play()
            if disturbances.away is None:
                await show.speak()
                await show.repeat_events()
            if step == STEPS // 3:
                await theatre.raise_price(show)
                await agree(theatre, show, show.figures(), "while it is live")
            await disturbances.after(step, show)
        await finish(theatre, show)
    finally:
        await show.close()
        await theatre.stores.database.close()
    assert not any("Traceback" in daemon.text for daemon in theatre.daemons)


async def finish(theatre: Stage, show: Show) -> None:
    """Some watch to the end, and longer."""
    show.now_s = lasted_s = STEPS * STEP_S
    theatre.clock.set(START_S + lasted_s)
    await theatre.go_round(show)
    await show.play()
    truth = show.figures()
    stats = (await theatre.call(show, "POST", f"/streams/{show.stream_id}/end"))["stats"]
    assert stats["totalLikes"] == truth["totalLikes"]
    theatre.clock.set(START_S + lasted_s + MISSED_S)
    await agree(theatre, show, truth, "after the end")
    theatre.clock.set(START_S + lasted_s + 300)
    await show.together(*(partial(show.go, tab) for tab in [*show.tabs]))
    answer = await agree(theatre, show, truth, "long after the end")
    points = {point["t"]: point["viewers"] for point in answer["timeline"]}
    whole = show.truth.with_open(show.players, lasted_s)
    assert len(points) > 10
    assert {t: whole.at(t) for t in points if t < lasted_s} == {
        t: viewers for t, viewers in points.items() if t < lasted_s
    }
    await sum_up(theatre, show, truth)
    print(f"\n{VIEWERS} viewers, {MINUTES:g} minutes in {STEPS} steps: {truth}")


async def agree(theatre: Stage, show: Show, truth: dict, when: str) -> dict:
    """The analytics come to the truth, by rounds alone: the time stands still."""
    await theatre.go_round(show)
    answer: dict = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(CONVERGED_S):
            while figures_of(answer := await theatre.analytics(show)) != truth:
                await theatre.go_round(show)
    assert figures_of(answer) == truth, when
    return answer


async def sum_up(theatre: Stage, show: Show, truth: dict) -> None:
    """The stream itself comes to the same, when each daemon has heard that it is over."""
    told: dict = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(CONVERGED_S):
            while (told := await theatre.totals(show)) != {name: truth[name] for name in told}:
                await theatre.go_round(show)
    assert told == {name: truth[name] for name in told}
