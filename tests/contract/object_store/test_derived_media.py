"""What is derived from a recording, from and to every kind of store."""

import pytest

from ingest.derive.cut import Span
from ingest.derive.maker import ClipOrder, DerivedMedia, stage
from ingest.errors import FilesMissing
from ingest.ports import ObjectKind
from ingest.vod.object_keys import vod_folder
from tests.support.media import ClipLibrary, StreamPackager, ffmpeg_complaints

PREFIX = vod_folder("show")
KIND = ObjectKind("application/octet-stream", "no-cache")


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return ClipLibrary(tmp_path_factory.mktemp("clips")).clip(seconds=6, b_frames=2)


@pytest.fixture
async def recorded(opened, clip, tmp_path):
    """A recording on the store, as (packager, store)."""
    packager = StreamPackager(tmp_path / "origin")
    packager.run(clip.tracks, clip.packets)
    published = await packager.publish()
    for path in published.store_root.rglob("*"):
        if path.is_file():
            key = str(path.relative_to(published.store_root))
            await opened.store.put_file(key, path, KIND)
    return packager, opened


async def test_mp4_poster_and_storyboard_are_made_beside_the_recording(recorded, tmp_path):
    _, opened = recorded
    before = set(opened.contents())
    derived, progress = DerivedMedia(opened.store), []
    source = tmp_path / "source"
    source.mkdir()
    fetched = await derived.fetch(PREFIX, source, progress.append)
    pictures = await derived.make_pictures(PREFIX, fetched, tmp_path / "pictures", progress.append)
    out = tmp_path / "out.mp4"
    mp4 = await derived.make_mp4(PREFIX, fetched, out, progress.append)

    contents = opened.contents()
    assert set(contents) - before == {
        "vods/show.mp4",
        "vods/show/poster.jpg",
        "vods/show/storyboard.vtt",
        "vods/show/storyboard-0.jpg",
    }
    assert pictures.sheets == ("storyboard-0.jpg",)
    assert len(contents["vods/show.mp4"]) == mp4.size
    stored = tmp_path / "stored.mp4"
    stored.write_bytes(contents["vods/show.mp4"])
    assert ffmpeg_complaints(stored) == ""
    assert contents["vods/show/poster.jpg"][:2] == b"\xff\xd8"
    assert contents["vods/show/storyboard.vtt"].startswith(b"WEBVTT\n")
    assert max(progress) == pytest.approx(100)


async def test_a_clip_is_cut_from_what_is_staged_and_what_is_on_the_store(recorded, tmp_path):
    packager, opened = recorded
    derived, folder = DerivedMedia(opened.store), tmp_path / "clip"
    folder.mkdir()
    recording = await derived.look_up(PREFIX, folder)
    (packager.folder / "video/segment-0.m4s").unlink()  # it has left the live window
    staged = tmp_path / "staged" / "a"
    stage(recording, packager.folder, staged)
    assert not (staged / "video/segment-0.m4s").exists()
    order = ClipOrder("a", recording, Span(1.0, 4.0), exact=False, staged=staged)
    made = await derived.make_clip(PREFIX, order, folder, lambda _: None)

    assert made.clip.span.start_s == pytest.approx(0, abs=0.01)
    assert made.has_poster
    stored = tmp_path / "stored.mp4"
    stored.write_bytes(opened.contents()["vods/show/clips/a.mp4"])
    assert stored.stat().st_size == made.clip.mp4.size
    assert ffmpeg_complaints(stored) == ""
    assert "vods/show/clips/a.jpg" in opened.contents()


async def test_what_is_nowhere_is_tried_again_later(recorded, tmp_path):
    _, opened = recorded
    derived = DerivedMedia(opened.store)
    with pytest.raises(FilesMissing) as caught:
        await derived.look_up("vods/another", tmp_path)
    assert caught.value.retryable
    folder = tmp_path / "clip"
    folder.mkdir()
    recording = await derived.look_up(PREFIX, folder)
    order = ClipOrder("a", recording, Span(1.0, 4.0), exact=False)
    with pytest.raises(FilesMissing):
        await derived.make_clip("vods/another", order, folder, lambda _: None)
