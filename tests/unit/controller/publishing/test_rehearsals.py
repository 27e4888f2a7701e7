"""What is over is ended wherever that was decided; what a crash left on disk is removed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from controller.domain.ports import EndedMedia
from controller.domain.rehearsals import Rehearsal, new_rehearsal_id
from controller.domain.states import IngestState, StreamStatus
from controller.errors import StoreUnavailable
from controller.publishing.rehearsals import NothingKept, Rehearsals, RehearsedStreams
from ingest import Keep

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def rehearsal(*, is_over: bool = False) -> Rehearsal:
    return Rehearsal(
        new_rehearsal_id(), uuid4(), uuid4(), NOW, NOW, IngestState.CONNECTED, NOW, is_over
    )


class Clock:
    def now(self):
        return NOW


class Store:
    """Rehearsals in memory."""

    def __init__(self, *known: Rehearsal):
        self.known = {one.id: one for one in known}

    async def all(self):
        return [*self.known.values()]

    async def find(self, rehearsal_id):
        return self.known.get(rehearsal_id)

    async def forget(self, rehearsal_id):
        self.known.pop(rehearsal_id, None)


class Lifecycle:
    """Ends one after the other, when it may."""

    def __init__(self):
        self.ended: list[UUID] = []
        self.failure: Exception | None = None
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def end_stream(self, stream_id):
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        self.ended.append(stream_id)
        return EndedMedia(None)


class Supervisor:
    """Open media and their folders."""

    def __init__(self, root, *served: UUID):
        self.root = root
        self.served = [str(one) for one in served]
        self.finished: list[str] = []

    def open_streams(self):
        return self.served

    def is_open(self, media):
        return media in self.served

    def folder(self, name):
        return self.root / name

    async def finish_stream(self, media, plan, *, reason):
        assert (plan.keep, reason) == (Keep.NOTHING, "rehearsal over")
        self.finished.append(media)

    async def forget_stream(self, media, *, remove_files):
        assert remove_files
        (self.root / media).rmdir()


async def test_what_is_over_or_unknown_is_ended_and_streams_are_left_alone(tmp_path):
    runs, over, unknown = rehearsal(), rehearsal(is_over=True), new_rehearsal_id()
    lifecycle = Lifecycle()
    supervisor = Supervisor(tmp_path, runs.id, over.id, unknown, uuid4())
    rehearsals = Rehearsals(Store(runs, over), lifecycle, supervisor)
    await rehearsals.look()
    assert set(lifecycle.ended) == {over.id, unknown}


async def test_each_is_ended_once_at_a_time_and_tried_again(tmp_path):
    over = rehearsal(is_over=True)
    lifecycle = Lifecycle()
    rehearsals = Rehearsals(Store(over), lifecycle, Supervisor(tmp_path))
    lifecycle.failure = StoreUnavailable()
    await rehearsals.look()
    assert lifecycle.ended == []
    lifecycle.failure = None
    lifecycle.may_end.clear()
    waiting = [asyncio.create_task(rehearsals.end(over.id, "test")) for _ in range(3)]
    await asyncio.sleep(0)
    lifecycle.may_end.set()
    await asyncio.gather(*waiting)
    assert lifecycle.ended == [over.id]
    await rehearsals.close()


async def test_nothing_is_kept_of_one(tmp_path):
    over = rehearsal(is_over=True)
    store, supervisor = Store(over), Supervisor(tmp_path, over.id)
    (tmp_path / str(over.id)).mkdir()
    kept = NothingKept(store, supervisor)
    stream = await RehearsedStreams(store, Clock()).get(over.id)
    assert (await kept.plan(stream)).private
    assert (await kept.finish(stream)).vod_url is None
    assert supervisor.finished == [str(over.id)]
    assert [*tmp_path.iterdir()] == []
    assert store.known == {}


async def test_a_start_removes_the_media_of_those_that_are_over(tmp_path):
    runs, over, visited = rehearsal(), rehearsal(is_over=True), new_rehearsal_id()
    unknown, stream_id = new_rehearsal_id(), uuid4()
    for one in (runs.id, over.id, visited, unknown, stream_id, "not-an-id"):
        (tmp_path / str(one)).mkdir()
    await NothingKept(Store(runs, over), Supervisor(tmp_path)).recover(but={visited})
    left = {folder.name for folder in tmp_path.iterdir()}
    assert left == {str(runs.id), str(visited), str(stream_id), "not-an-id"}


@pytest.mark.parametrize("is_known", [True, False])
async def test_one_is_live_until_it_is_over_and_over_when_it_is_unknown(is_known):
    runs = rehearsal()
    over = replace(runs, is_over=True)
    streams = RehearsedStreams(Store(runs), Clock())
    assert (await streams.get(runs.id)).status is StreamStatus.LIVE
    assert [one.id for one in await streams.live_streams()] == [runs.id]
    streams = RehearsedStreams(Store(over) if is_known else Store(), Clock())
    assert (await streams.get(runs.id)).status is StreamStatus.ENDED
    assert await streams.live_streams() == []
