"""Segments go to the object store from the journal, once each, whatever the store does."""

import asyncio

import pytest

from ingest.errors import ObjectStoreError
from ingest.journal_entries import segment_name
from ingest.session.stream_media import StreamMedia
from ingest.vod.local_store import LocalObjectStore
from ingest.vod.publisher import publish_vod
from ingest.vod.recorder import Recorder
from tests.support.executors import AtOnce
from tests.support.media_values import JournalScript
from tests.unit.ingest.vod.doubles import MemoryStore, uploading, write

WAIT_S = 20.0


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "uploads.db"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "live" / "show"


@pytest.fixture
def store():
    return MemoryStore()


async def record(recorder):
    await recorder.catch_up()
    await recorder.stored(WAIT_S)


async def test_init_sections_and_segments_are_stored_under_the_recordings_prefix(
    folder, ledger, store
):
    script = JournalScript(kinds=("video", "audio"))
    write(folder, script.start())
    write(folder, script.segment())
    write(folder, script.gap(2.0))
    async with uploading(ledger, store) as uploader:
        await record(Recorder("show", folder, uploader))
    assert {key: (data.rstrip(b"."), kind) for key, (data, kind) in store.objects.items()} == {
        "vods/show/video/init-0.mp4": (b"video/init-0.mp4", "video/mp4"),
        "vods/show/audio/init-1.mp4": (b"audio/init-1.mp4", "video/mp4"),
        "vods/show/video/segment-0.m4s": (b"video/segment-0.m4s", "video/iso.segment"),
        "vods/show/audio/segment-0.m4s": (b"audio/segment-0.m4s", "video/iso.segment"),
    }


async def test_what_is_stored_is_not_stored_again(folder, ledger, store):
    script = JournalScript()
    write(folder, script.start())
    async with uploading(ledger, store) as uploader:
        recorder = Recorder("show", folder, uploader)
        for _ in range(3):
            write(folder, script.segment())
            await asyncio.gather(recorder.catch_up(), recorder.catch_up())
        await recorder.stored(WAIT_S)
    async with uploading(ledger, store) as uploader:  # the daemon was restarted
        again = Recorder("show", folder, uploader)
        await record(again)
        assert again.offset == (folder / "journal.jsonl").stat().st_size
    assert len(store.puts) == len(set(store.puts)) == 4


async def test_a_store_that_was_away_gets_everything_in_order_when_it_is_back(
    folder, ledger, store
):
    script = JournalScript()
    write(folder, script.start())
    async with uploading(ledger, store, connections=1) as uploader:
        recorder = Recorder("show", folder, uploader)
        await record(recorder)
        store.away = True
        stored_until = recorder.offset
        for _ in range(3):
            write(folder, script.segment())
            await recorder.catch_up()
        with pytest.raises(ObjectStoreError, match="3 objects are yet to be stored: the store is"):
            await recorder.stored(0.05)
        assert recorder.offset == stored_until
        store.away = False
        await recorder.stored(WAIT_S)
        assert recorder.offset > stored_until
    assert [key for key in store.puts if "segment" in key] == [
        f"vods/show/video/segment-{msn}.m4s" for msn in range(3)
    ]


async def test_a_store_that_is_away_for_long_loses_nothing(folder, ledger, store):
    """Files leave the live window while they wait; none is removed before it is stored."""
    script = JournalScript()
    async with uploading(ledger, store, connections=1) as uploader:
        recorder = Recorder("show", folder, uploader)
        media = StreamMedia("show", folder, 12.0, recorder, AtOnce())
        write(folder, script.start())
        await record(recorder)
        media.refresh()
        store.away = True
        for _ in range(60):
            write(folder, script.segment())
            media.refresh()
            await recorder.catch_up()
        assert len(list((folder / "video").glob("segment-*"))) == 60
        assert len(list((folder / "video").glob("part-*"))) < 120, "parts are in no recording"
        store.away = False
        while recorder.offset < 30_000:  # in the middle of catching up
            await asyncio.sleep(0)
        write(folder, script.segment())
        media.refresh()
        await record(recorder)
        media.close()
    assert sum("segment" in key for key in store.objects) == 61


async def test_files_that_left_the_window_are_removed_once_they_are_recorded(
    folder, ledger, tmp_path
):
    script, store = JournalScript(), LocalObjectStore(tmp_path / "objects")
    async with uploading(ledger, store) as uploader:
        recorder = Recorder("show", folder, uploader)
        media = StreamMedia("show", folder, 12.0, recorder, AtOnce())
        write(folder, script.start())
        for _ in range(60):
            write(folder, script.segment())
            await record(recorder)
            media.refresh()
        media.close()
    assert not (folder / "video" / segment_name(0)).exists()
    assert len(list((folder / "video").glob("segment-*"))) < 30
    assert len(list((tmp_path / "objects/vods/show/video").glob("segment-*"))) == 60


async def test_a_segment_whose_file_is_gone_is_looked_up_on_the_store(folder, ledger, store):
    script = JournalScript()
    write(folder, [*script.start(), *script.segments(3)])
    async with uploading(ledger, store) as uploader:
        await record(Recorder("show", folder, uploader))
    ledger.unlink()  # somebody lost it, and the files have left the window since
    for number in (0, 1):
        (folder / "video" / segment_name(number)).unlink()
    del store.objects["vods/show/video/segment-1.m4s"]
    async with uploading(ledger, store) as uploader:
        await record(Recorder("show", folder, uploader))
        assert uploader.waiting("show") == 0, "what is nowhere keeps nobody waiting"


async def test_the_multivariant_playlist_is_published_last(folder, ledger, store):
    """Whoever finds it finds everything that it names."""
    script = JournalScript(kinds=("video", "audio"))
    write(folder, [*script.start(), *script.segment()])
    async with uploading(ledger, store) as uploader:
        recorder = Recorder("show", folder, uploader)
        await record(recorder)
        vod = await publish_vod("show", recorder.presentation(), uploader)
    assert vod is not None
    assert (vod.hls_key, vod.dash_key, vod.duration_s) == ("vods/show.m3u8", "vods/show.mpd", 2.0)
    assert store.puts[-1] == "vods/show.m3u8"
    assert set(store.puts[-4:]) == {
        "vods/show/video.m3u8", "vods/show/audio.m3u8", "vods/show.mpd", "vods/show.m3u8",
    }  # fmt: skip


async def test_a_stream_without_media_has_no_recording(folder, ledger, store):
    async with uploading(ledger, store) as uploader:
        recorder = Recorder("show", folder, uploader)
        assert await publish_vod("show", recorder.presentation(), uploader) is None
        write(folder, JournalScript().start())
        await record(recorder)
        assert await publish_vod("show", recorder.presentation(), uploader) is None
    assert not [key for key in store.puts if "m3u8" in key or "mpd" in key]
