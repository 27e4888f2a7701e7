"""Segments go to the object store from the journal, once each, whatever the store does."""

import asyncio

import pytest

from ingest.errors import ObjectStoreError
from ingest.journal_entries import InitWritten, PartWritten, SegmentWritten, init_name, segment_name
from ingest.session.stream_media import StreamMedia
from ingest.vod.journal import JournalWriter
from ingest.vod.local_store import LocalObjectStore
from ingest.vod.publisher import publish_vod
from ingest.vod.recorder import Recorder
from tests.support.media_values import JournalScript


class MemoryStore:
    """An ObjectStore that keeps what it is given, unless it is told to be away."""

    def __init__(self):
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.away = False
        self.puts: list[str] = []

    async def put_file(self, key, path, content_type):
        try:
            await self.put_bytes(key, path.read_bytes(), content_type)
        except FileNotFoundError as error:
            raise ObjectStoreError(f"{key} could not be stored") from error

    async def put_bytes(self, key, data, content_type):
        await asyncio.sleep(0)
        if self.away:
            raise ObjectStoreError("the store is away")
        self.puts.append(key)
        self.objects[key] = (data, content_type)

    async def size(self, key):
        return len(self.objects[key][0]) if key in self.objects else None


def write(folder, entries):
    """Append to the journal, and make the files that it tells of."""
    for entry in entries:
        name = ""
        if isinstance(entry, InitWritten):
            name = f"{entry.rendition}/{init_name(entry.init)}"
        elif isinstance(entry, SegmentWritten) and entry.parts:
            name = f"{entry.rendition}/{segment_name(entry.msn)}"
        elif isinstance(entry, PartWritten):
            name = f"{entry.rendition}/part-{entry.number}.m4s"
        if name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(name.encode())
    with JournalWriter(folder) as journal:
        journal.append(*entries)


async def test_init_sections_and_segments_are_stored_under_the_recordings_prefix(tmp_path):
    script, store = JournalScript(kinds=("video", "audio")), MemoryStore()
    write(tmp_path, script.start())
    write(tmp_path, script.segment())
    write(tmp_path, script.gap(2.0))
    await Recorder("show", tmp_path, store).catch_up()
    assert store.objects == {
        "vods/show/video/init-0.mp4": (b"video/init-0.mp4", "video/mp4"),
        "vods/show/audio/init-1.mp4": (b"audio/init-1.mp4", "video/mp4"),
        "vods/show/video/segment-0.m4s": (b"video/segment-0.m4s", "video/iso.segment"),
        "vods/show/audio/segment-0.m4s": (b"audio/segment-0.m4s", "video/iso.segment"),
    }


async def test_what_is_stored_is_not_stored_again(tmp_path):
    script, store = JournalScript(), MemoryStore()
    write(tmp_path, script.start())
    recorder = Recorder("show", tmp_path, store)
    for _ in range(3):
        write(tmp_path, script.segment())
        await asyncio.gather(recorder.catch_up(), recorder.catch_up())
    assert len(store.puts) == len(set(store.puts)) == 4


async def test_a_store_that_was_away_gets_everything_when_it_is_back(tmp_path):
    script, store = JournalScript(), MemoryStore()
    write(tmp_path, script.start())
    recorder = Recorder("show", tmp_path, store)
    await recorder.catch_up()
    store.away = True
    for _ in range(3):
        write(tmp_path, script.segment())
        with pytest.raises(ObjectStoreError):
            await recorder.catch_up()
    store.away = False
    await recorder.catch_up()
    assert [key for key in store.puts if "segment" in key] == [
        f"vods/show/video/segment-{msn}.m4s" for msn in range(3)
    ]


async def test_a_store_that_is_away_for_long_loses_nothing(tmp_path):
    script, store = JournalScript(), MemoryStore()
    folder = tmp_path / "show"
    recorder = Recorder("show", folder, store)
    media = StreamMedia("show", folder, 12.0, recorder)
    write(folder, script.start())
    store.away = True
    for _ in range(60):
        write(folder, script.segment())
        media.refresh()
    store.away = False
    try:
        await recorder.catch_up()
        assert sum("segment" in key for key in store.objects) == 60
    finally:
        media.close()


async def test_files_that_left_the_window_are_removed_once_they_are_recorded(tmp_path):
    script, store = JournalScript(), LocalObjectStore(tmp_path / "objects")
    folder = tmp_path / "show"
    recorder = Recorder("show", folder, store)
    media = StreamMedia("show", folder, 12.0, recorder)
    write(folder, script.start())
    for _ in range(60):
        write(folder, script.segment())
        await recorder.catch_up()
        media.refresh()
    assert not (folder / "video" / segment_name(0)).exists()
    assert len(list((folder / "video").glob("segment-*"))) < 30
    assert len(list((tmp_path / "objects/vods/show/video").glob("segment-*"))) == 60
    media.close()


async def test_the_multivariant_playlist_is_published_last(tmp_path):
    """Whoever finds it finds everything that it names."""
    script, store = JournalScript(kinds=("video", "audio")), MemoryStore()
    write(tmp_path, script.start())
    write(tmp_path, script.segment())
    vod = await publish_vod("show", tmp_path, store)
    assert vod is not None
    assert (vod.hls_key, vod.dash_key, vod.duration_s) == ("vods/show.m3u8", "vods/show.mpd", 2.0)
    assert store.puts[-1] == "vods/show.m3u8"
    assert set(store.puts) == {
        "vods/show/video.m3u8", "vods/show/audio.m3u8", "vods/show.mpd", "vods/show.m3u8",
    }  # fmt: skip


async def test_a_stream_without_media_has_no_recording(tmp_path):
    store = MemoryStore()
    assert await publish_vod("show", tmp_path, store) is None
    write(tmp_path, JournalScript().start())
    assert await publish_vod("show", tmp_path, store) is None
    assert store.puts == []
