"""What becomes of recordings: real files, journals, ledger and database; encoders are not needed."""

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from controller.domain.recordings import RecordingState, RetentionRules
from controller.domain.states import EndReason
from controller.errors import NothingToSave
from controller.publishing.recordings import Recordings, VodAddresses
from controller.publishing.retention import Retention
from ingest import (
    Admission,
    Keep,
    LocalObjectStore,
    PackagingSettings,
    SessionBudget,
    SessionSupervisor,
    SplitStore,
    Thrift,
    Uploader,
    UploadLedger,
)
from ingest.errors import ObjectStoreError
from tests.support.media_values import JournalScript
from tests.support.waiting import until
from tests.unit.ingest.vod.doubles import QUICK, write

ADDRESSES = VodAddresses("https://cdn.test", "https://shop.test")
WINDOW_S = 12.0


class Room:
    """How much space there is."""

    may_record = True


class Away(LocalObjectStore):
    """A folder that may be out of reach."""

    away = False

    async def keys(self, prefix):
        if self.away:
            raise ObjectStoreError("the store is away")
        return await super().keys(prefix)


@dataclass
class Site:
    """The recordings of one daemon."""

    world: object
    root: object
    room: Room
    store: Away
    uploader: Uploader
    supervisor: SessionSupervisor
    recordings: Recordings
    retention: Retention

    async def live(self, **options):
        """A live stream whose first media have come."""
        stream_id = await self.world.live(await self.world.user(), **options)
        stream = await self.world.stores.streams.get(stream_id)
        self.media = self.supervisor.open_stream(str(stream_id), await self.recordings.plan(stream))
        self.script = JournalScript(kinds=("video", "audio"))
        write(self.media.folder, self.script.start())
        return stream

    async def go_on(self, segments):
        for _ in range(segments):
            write(self.media.folder, self.script.segment())
            self.media.refresh()
            if self.media.recorder is not None:
                await self.media.recorder.catch_up()

    async def end(self, stream):
        ended = await self.world.stores.streams.end(stream.id, EndReason.HOST)
        await self.recordings.finish(ended)
        return await self.world.stores.streams.get(stream.id)

    async def state(self, stream):
        return (await self.world.stores.recordings.find(stream.id)).state

    def here(self, stream):
        return sorted((self.root / "live" / str(stream.id)).glob("video/segment-*"))

    def stored(self, stream):
        return sorted((self.root / "objects/vods" / str(stream.id)).glob("video/segment-*"))

    def playlist(self, stream):
        return (self.root / "objects/vods" / str(stream.id) / "video.m3u8").read_text()


@asynccontextmanager
async def opened(world, root, **rules):
    store, room, ruled = Away(root / "objects"), Room(), RetentionRules(**rules)
    uploader = Uploader(UploadLedger(root / "uploads.db"), SplitStore(store, store), 4, QUICK)
    packaging = PackagingSettings()
    supervisor = SessionSupervisor(
        root / "live", uploader, None, packaging, WINDOW_S, Admission(SessionBudget(60.0))
    )
    stores = world.stores
    recordings = Recordings(
        stores.streams, stores.recordings, supervisor, room, ruled, ADDRESSES, world.clock
    )
    retention = Retention(stores.streams, stores.recordings, recordings, ruled, world.clock)
    try:
        yield Site(world, root, room, store, uploader, supervisor, recordings, retention)
    finally:
        await recordings.close()
        await supervisor.close()
        await uploader.close()


async def test_of_a_stream_that_is_not_recorded_nothing_is_left(world, tmp_path):
    async with opened(world, tmp_path) as site:
        stream = await site.live(record_stream=False)
        await site.go_on(40)

        async def little_is_here():
            await site.go_on(1)
            return len(site.here(stream)) < 20

        await until(little_is_here, "nothing stays behind the live window")
        ended = await site.end(stream)
        assert ended.vod_url is None
        assert await site.state(stream) is RecordingState.OFF
        with pytest.raises(NothingToSave):
            await site.recordings.save(ended)
        await site.recordings.release_lingering()
        assert [*(tmp_path / "live").iterdir()] == []
        assert not (tmp_path / "objects").exists()


async def test_for_some_hours_all_of_it_can_be_saved(world, tmp_path):
    async with opened(world, tmp_path, save_hours=2.0) as site:
        stream = await site.live(record_stream=False)
        await site.go_on(40)
        ended = await site.end(stream)
        assert (ended.vod_url, await site.state(stream)) == (None, RecordingState.UNSAVED)
        assert not (tmp_path / "objects").exists(), "nobody else can see it"
        await site.recordings.release_lingering()
        assert len(site.here(stream)) == 40
    async with opened(world, tmp_path, save_hours=2.0) as site:  # the daemon was restarted
        await site.recordings.recover(but=set())
        url = await site.recordings.save(ended)
        assert url == f"https://cdn.test/vods/{stream.id}.m3u8"
        assert await site.state(stream) is RecordingState.READY
        assert len(site.stored(stream)) == 40
        assert site.playlist(stream).count("#EXTINF") == 40
        with pytest.raises(NothingToSave):
            await site.recordings.save(ended)


async def test_what_nobody_saved_is_deleted_when_its_hours_are_over(world, tmp_path):
    async with opened(world, tmp_path, save_hours=2.0) as site:
        stream = await site.live(record_stream=False)
        await site.go_on(3)
        ended = await site.end(stream)
        await site.retention.sweep()
        assert await site.state(stream) is RecordingState.UNSAVED
        world.clock.ahead += timedelta(hours=2, seconds=1)
        with pytest.raises(NothingToSave):
            await site.recordings.save(ended)
        await site.retention.sweep()
        assert await site.state(stream) is RecordingState.DELETED
        assert site.retention.deleted == {"age": 1}
        assert [*(tmp_path / "live").iterdir()] == []


async def test_want_of_space_takes_what_nobody_saved_first(world, tmp_path):
    async with opened(world, tmp_path, save_hours=2.0) as site:
        kept = await site.live()
        await site.go_on(3)
        await site.end(kept)
        unsaved = await site.live(record_stream=False)
        await site.go_on(3)
        await site.end(unsaved)
        await site.retention.prune()
        assert await site.state(unsaved) is RecordingState.DELETED
        assert await site.state(kept) is RecordingState.READY
        assert [*(tmp_path / "live").iterdir()] == [], "nor do live files linger"
        assert len(site.stored(kept)) == 3


async def test_without_space_a_stream_goes_on_unrecorded_and_stays_so(world, tmp_path):
    async with opened(world, tmp_path) as site:
        site.room.may_record = False
        stream = await site.live()
        assert await site.state(stream) is RecordingState.NO_SPACE
        site.room.may_record = True
        assert (await site.recordings.plan(stream)).keep is Keep.NOTHING
        await site.go_on(3)
        assert (await site.end(stream)).vod_url is None
        assert await site.state(stream) is RecordingState.NO_SPACE


async def test_a_running_recording_pauses_while_there_is_no_space_at_all(world, tmp_path):
    async with opened(world, tmp_path) as site:
        stream = await site.live()
        await site.go_on(5)
        site.supervisor.economize(Thrift.LIVE_ONLY)
        await site.go_on(30)
        assert len(site.here(stream)) < 15, "live takes no more than it needs"
        site.supervisor.economize(Thrift.NONE)
        await site.go_on(5)
        await site.end(stream)
        text = site.playlist(stream)
        assert text.count("#EXTINF") == len(site.stored(stream)) == 10
        assert text.count("#EXT-X-DISCONTINUITY\n") == 1
        assert site.uploader.figures.left_out == 60


async def test_a_segment_that_was_lost_is_counted_and_left_out(world, tmp_path):
    async with opened(world, tmp_path) as site:
        stream = await site.live()
        await site.go_on(2)
        write(site.media.folder, site.script.segment())
        (site.media.folder / "audio/segment-2.m4s").unlink()
        await site.go_on(2)
        ended = await site.end(stream)
        assert ended.vod_url is not None
        assert site.uploader.figures.lost == 1
        assert "segment-2.m4s" not in site.playlist(stream)
        assert site.playlist(stream).count("#EXTINF") == 4


async def test_the_rules_remove_what_is_published(world, tmp_path):
    async with opened(world, tmp_path, keep_days=30) as site:
        stream = await site.live()
        await site.go_on(3)
        await site.end(stream)
        await site.retention.sweep()
        assert len(site.stored(stream)) == 3
        world.clock.ahead += timedelta(days=31)
        site.store.away = True
        await site.retention.sweep()
        assert await site.state(stream) is RecordingState.DELETED
        assert (await world.stores.streams.get(stream.id)).vod_url is None
        assert len(site.stored(stream)) == 3, "the store did not answer"
        site.store.away = False
        await site.retention.sweep()
        assert [*(tmp_path / "objects").rglob("*.*")] == []
        assert await world.stores.recordings.kept() == []


async def test_what_is_not_for_everyone_is_published_here(world, tmp_path):
    async with opened(world, tmp_path) as site:
        stream = await site.live(audience="followers")
        await site.go_on(1)
        assert (await site.end(stream)).vod_url == f"https://shop.test/vods/{stream.id}.m3u8"
