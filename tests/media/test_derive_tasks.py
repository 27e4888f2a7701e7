"""What is derived, as the tasks that run in processes of their own."""

import msgspec
import pytest

from ingest.derive.cut import Span
from ingest.derive.requests import (
    ClipRequest,
    LivePicture,
    PicturesRequest,
    RecordingRequest,
    StoryboardRules,
    ThumbnailsRequest,
)
from ingest.errors import MediaRefused
from ingest.tasks.process import TaskLimits, run_task
from tests.support.derived import journalled
from tests.support.media import StreamPackager, ffmpeg_complaints

LIMITS = TaskLimits(time_s=60.0, memory_bytes=2 << 30, file_bytes=1 << 30)


@pytest.fixture
def show(tmp_path, clips):
    clip = clips.clip(seconds=6, b_frames=2)
    packager = StreamPackager(tmp_path)
    packager.run(clip.tracks, clip.packets)
    return packager.folder


async def run(task, request, progress=lambda _: None):
    return await run_task(
        f"ingest.derive.tasks:{task}", msgspec.to_builtins(request), LIMITS, progress
    )


async def test_an_mp4_is_made_in_a_process_of_its_own(show, tmp_path):
    out = tmp_path / "show.mp4"
    request = RecordingRequest(recording=journalled(show), folder=str(show), out=str(out))
    answer = await run("make_mp4", request)
    assert answer["size"] == out.stat().st_size
    assert (answer["width"], answer["height"]) == (64, 48)
    assert ffmpeg_complaints(out) == ""


async def test_pictures_are_made_in_a_process_of_its_own(show, tmp_path):
    out = tmp_path / "pictures"
    out.mkdir()
    request = PicturesRequest(
        recording=journalled(show), folder=str(show), out=str(out), rules=StoryboardRules()
    )
    answer = await run("make_pictures", request)
    assert answer["poster"] == [64, 48]
    names = {path.name for path in out.iterdir()}
    assert names == {"poster.jpg", "storyboard.vtt", *answer["sheets"]}


@pytest.mark.parametrize("exact", [False, True])
async def test_a_clip_is_cut_in_a_process_of_its_own(show, tmp_path, exact):
    out, poster, scratch = (tmp_path / name for name in ("clip.mp4", "clip.jpg", "scratch"))
    scratch.mkdir()
    request = ClipRequest(
        recording=journalled(show),
        folder=str(show),
        out=str(out),
        span=Span(2.5, 4.5),
        exact=exact,
        poster=str(poster),
        scratch=str(scratch),
    )
    answer = await run("cut_clip", request)
    assert answer["clip"]["span"]["start_s"] == pytest.approx(2.5 if exact else 2.0, abs=0.002)
    assert answer["poster"]
    assert poster.read_bytes()[:2] == b"\xff\xd8"
    assert ffmpeg_complaints(out) == ""


async def test_a_file_that_is_no_media_is_refused_not_crashed_over(show, tmp_path):
    (show / "video/segment-1.m4s").write_bytes(b"\0\0\0\x04moof" + bytes(100))
    request = RecordingRequest(
        recording=journalled(show), folder=str(show), out=str(tmp_path / "show.mp4")
    )
    with pytest.raises(MediaRefused) as caught:
        await run("make_mp4", request)
    assert caught.value.reason == "not_readable"


async def test_a_live_picture_that_cannot_be_had_does_not_keep_the_others(show, tmp_path):
    outs = [tmp_path / f"{i}.jpg" for i in range(3)]
    media = ["video/part-0.m4s", "video/part-1.m4s", "video/gone.m4s"]
    pictures = [
        LivePicture(init=str(show / "video/init-0.mp4"), media=str(show / name), out=str(out))
        for name, out in zip(media, outs, strict=True)
    ]
    answer = await run("make_thumbnails", ThumbnailsRequest(pictures=pictures))
    assert answer == {"made": [0]}  # the second part has no keyframe
    assert [out.exists() for out in outs] == [True, False, False]
