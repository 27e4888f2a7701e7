"""Peak, watch time and viewers over time, against the same sums by brute force."""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from controller.domain.room import Leaving, RoomFigures, Visit
from controller.stores.room import SqlRooms
from controller.stores.schema import streams
from controller.stores.watching import BRIDGED_MS, MOST_POINTS

SECOND = timedelta(seconds=1)


class Show:
    """A live stream, told about by several daemons; times are seconds since its start."""

    def __init__(self, world, stream_id, started_at) -> None:
        self.world = world
        self.stream_id = stream_id
        self.started_at = started_at
        self.rooms = SqlRooms(world.stores.database, world.clock)
        self._numbers = iter(range(1, 10_000))

    def at(self, s: float) -> datetime:
        return self.started_at + s * SECOND

    async def stay(self, viewer, since_s, until_s=None, holder="one", *, is_cut=False):
        await self.stays(holder, [(viewer, since_s, until_s)], is_cut=is_cut)

    async def stays(self, holder, stays, *, is_cut=False):
        """All that one daemon has to tell, at once."""
        visits, leavings = [], []
        for viewer, since_s, until_s in stays:
            number, joined_at = next(self._numbers), self.at(since_s)
            visits.append(Visit(viewer, None, joined_at, number))
            if until_s is not None:
                left_at = self.at(until_s)
                leavings.append(Leaving(viewer, None, joined_at, left_at, number, is_cut=is_cut))
        told = RoomFigures(0, 0, (*visits,), (*leavings,), holder=holder, number=number)
        await self.rooms.record(self.stream_id, told)

    async def end(self, s: float) -> None:
        async with self.world.stores.database.write() as connection:
            await connection.execute(
                update(streams)
                .where(streams.c.id == self.stream_id)
                .values(status="ended", ended_at=self.at(s), duration_s=int(s))
            )
        await self.rooms.sum_up(self.stream_id)

    async def figures(self):
        return await self.world.stores.engagement.figures(self.stream_id)

    async def watched(self) -> tuple[int, float]:
        found = (await self.figures()).watched
        return found.peak_viewers, found.watched_s


@pytest.fixture
async def show(world):
    host = await world.user()
    stream_id = await world.live(host)
    started_at = (await world.stores.streams.get(stream_id)).started_at
    return Show(world, stream_id, started_at)


async def test_a_viewer_with_tabs_on_two_daemons_counts_each_moment_once(show):
    await show.stay("ann", 0, 60, "one")
    await show.stay("ann", 10, 30, "other")
    await show.stay("ann", 50, 90, "other")
    await show.stay("bob", 80, 100)
    await show.end(120)
    assert await show.watched() == (2, 110.0)
    counters = (await show.world.stores.streams.get(show.stream_id)).counters
    assert (counters.peak_viewers, counters.average_watch_time_s) == (2, 55.0)


async def test_the_peak_never_falls_while_live_and_is_exact_in_the_end(show):
    async def peak() -> int:
        return (await show.world.stores.streams.get(show.stream_id)).counters.peak_viewers

    await show.stay("ann", 0, 60)
    seen = RoomFigures(1, 3, holder="one", number=1_000)
    await show.rooms.record(show.stream_id, seen)
    await show.rooms.sum_up(show.stream_id)
    assert await peak() == 3
    await show.end(60)
    assert await peak() == 1
    await show.rooms.record(show.stream_id, replace(seen, number=1_001))
    assert await peak() == 1


async def test_only_what_is_live_is_watch_time(show):
    await show.stay("early", -50, 20)
    await show.stay("late", 90, 400)
    await show.stay("never", -50, -10)
    await show.end(100)
    assert await show.watched() == (1, 30.0)


async def test_a_stay_that_nobody_ended_lasts_until_its_daemon_was_last_heard_of(show):
    await show.stay("ann", 0)
    await show.stay("bob", 5, holder="unheard")
    await show.rooms.beat("one", show.at(40))
    await show.rooms.beat("one", show.at(30))  # overtaken
    assert await show.watched() == (1, 40.0)
    await show.rooms.beat("unheard", show.at(6))
    assert await show.watched() == (2, 41.0)


async def test_who_is_back_soon_after_a_crash_was_there_all_the_time(show):
    back_s = 40 + BRIDGED_MS / 1000
    for viewer in ("soon", "late", "elsewhere", "gone"):
        await show.stay(viewer, 0, holder="killed")
    await show.rooms.beat("killed", show.at(40))
    await show.stay("soon", back_s, 100, "next")
    await show.stay("late", back_s + 1, 100, "next")
    await show.stay("elsewhere", 10, 20, "other")
    await show.stay("elsewhere", 45, 100, "other")
    await show.end(200)
    assert await show.watched() == (4, 100.0 + (40 + 29) + 100.0 + 40.0)
    # Who has gone and come back by itself was away.
    await show.stay("ann", 0, 50)
    await show.stay("ann", 60, 70)
    assert (await show.watched())[1] == 309.0 + 60.0


async def test_a_daemon_that_stops_leaves_its_viewers_stays_open(show):
    await show.stay("ann", 0, 40, "stopped", is_cut=True)
    await show.rooms.beat("stopped", show.at(40))
    await show.stay("ann", 43, 60, "next")
    await show.end(100)
    assert await show.watched() == (1, 60.0)


async def test_the_last_to_go_and_the_next_to_come_are_not_there_at_once(show):
    await show.stay("ann", 0, 10)
    await show.stay("bob", 10, 20)
    await show.end(20)
    assert await show.watched() == (1, 20.0)


async def test_without_stays_the_figures_are_what_they_were(show):
    await show.end(10)
    figures = await show.figures()
    assert figures.watched is None
    assert figures.timeline == []


@dataclass
class Truth:
    """Who was there, second by second."""

    lasted_s: int
    viewers: dict[str, set[int]] = field(default_factory=dict)

    def stay(self, viewer: str, since_s: int, until_s: int) -> None:
        seconds = range(max(0, since_s), min(self.lasted_s, until_s))
        self.viewers.setdefault(viewer, set()).update(seconds)

    def at(self, s: int) -> int:
        return sum(s in seconds for seconds in self.viewers.values())


@pytest.mark.parametrize(("lasted_s", "seed"), [(600, 1), (2_400, 2), (7_211, 3)])
async def test_random_stays_add_up_as_by_brute_force(show, lasted_s, seed):
    chance = random.Random(seed)
    truth = Truth(lasted_s)
    stays: dict[str, list] = {"one": [], "other": [], "third": []}
    for number in range(150):
        viewer = f"viewer-{number % 40}"
        since_s = chance.randrange(-60, lasted_s)
        until_s = since_s + int(chance.expovariate(5 / lasted_s))
        stays[chance.choice([*stays])].append((viewer, since_s, until_s))
        truth.stay(viewer, since_s, until_s)
    for holder, theirs in stays.items():
        await show.stays(holder, theirs)
    await show.end(lasted_s)
    figures = await show.figures()
    assert figures.watched.watched_s == sum(map(len, truth.viewers.values()))
    assert figures.watched.peak_viewers == max(truth.at(s) for s in range(lasted_s))
    assert 40 < len(figures.timeline) <= MOST_POINTS
    for sample in figures.timeline[:-1]:
        second = int((sample.at - show.started_at).total_seconds())
        assert sample.viewers == truth.at(second), second


async def test_a_live_timeline_ends_where_the_books_may_be_behind(show):
    await show.stay("ann", 0)
    show.world.clock.ahead = timedelta(seconds=100)
    await show.rooms.beat("one", show.at(99))
    timeline = (await show.figures()).timeline
    assert [int((one.at - show.started_at).total_seconds()) for one in timeline] == [
        *range(0, 96, 5)
    ]
    assert {one.viewers for one in timeline} == {1}
