"""Pictures of live streams: when they are made, and what one that crashes its process costs."""

from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from controller.api.public_urls import PublicUrls
from controller.publishing.thumbnails import THUMBNAIL_NAME, LiveThumbnails
from ingest import TaskCrashed, TaskTooExpensive
from ingest.journal_entries import InitWritten, PartWritten, PeriodStarted
from ingest.window.live_window import LiveWindow

INTERVAL_S = 20.0


class Streams:
    """Live streams with a keyframe in each of their parts."""

    def __init__(self, root: Path, count: int) -> None:
        self.root = root
        self.ids = [uuid4() for _ in range(count)]
        self.windows = {str(one): LiveWindow(60.0) for one in self.ids}
        self._parts = 0
        for window in self.windows.values():
            window.apply([PeriodStarted(period=0, wall_s=0.0, reason="test"), INIT])

    def keyframe(self) -> None:
        for window in self.windows.values():
            window.apply([part(self._parts)])
        self._parts += 1

    def window(self, stream_id):
        return self.windows.get(stream_id)

    def folder(self, stream_id):
        return self.root / stream_id

    def streams(self):
        return set(self.ids)


INIT = InitWritten(
    rendition="video",
    kind="video",
    init=0,
    codecs="avc1.64001f",
    timescale=90_000,
    part_target_s=0.21,
    target_duration_s=2,
)


def part(number):
    return PartWritten(
        rendition="video",
        msn=0,
        index=number,
        number=number,
        start=number * 18_000,
        duration=18_000,
        size=100,
        independent=True,
        sync_start=True,
    )


class Studio:
    """Makes the pictures that it is asked for, unless one of them is `hostile`."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.hostile = ""
        self.error = TaskCrashed("ended by SIGSEGV")
        self.now_s = 100.0
        self.told: dict = {}

    async def __call__(self, _target, request, _limits, _progress):
        outs = [picture["out"] for picture in request["pictures"]]
        self.rounds.append([picture["media"] for picture in request["pictures"]])
        if self.hostile and any(self.hostile in out for out in outs):
            raise self.error
        for out in outs:
            Path(out).parent.mkdir(parents=True, exist_ok=True)
            Path(out).write_bytes(b"picture")
        return {"made": [*range(len(outs))]}

    async def set_thumbnail(self, stream_id, url):
        self.told[stream_id] = url


@pytest.fixture
def studio():
    return Studio()


def thumbnails(streams, studio):
    return LiveThumbnails(
        streams,
        SimpleNamespace(streams=streams.streams),
        studio,
        PublicUrls("https://shop.test", "rtmp://shop.test", "https://vod.test"),
        INTERVAL_S,
        lambda: studio.now_s,
        studio,
    )


async def test_the_first_picture_is_made_at_once_and_the_stream_told_where_it_is(tmp_path, studio):
    streams = Streams(tmp_path, 3)
    making = thumbnails(streams, studio)
    await making.make_due()
    assert studio.rounds == []  # nothing has come yet
    streams.keyframe()
    await making.make_due()
    assert [len(one) for one in studio.rounds] == [3]  # one process for all
    for one in streams.ids:
        assert studio.told[one] == f"https://shop.test/live/{one}/{THUMBNAIL_NAME}"
        assert (tmp_path / str(one) / THUMBNAIL_NAME).exists()


async def test_a_picture_is_made_anew_after_the_interval_if_there_is_a_new_keyframe(
    tmp_path, studio
):
    streams = Streams(tmp_path, 1)
    making = thumbnails(streams, studio)
    for passed_s, new, rounds in ((0, True, 1), (19, True, 1), (1, False, 2), (60, False, 2)):
        studio.now_s += passed_s
        if new:
            streams.keyframe()
        await making.make_due()
        assert len(studio.rounds) == rounds, passed_s
    assert [media[0].rpartition("/")[2] for media in studio.rounds] == ["part-0.m4s", "part-1.m4s"]


@pytest.mark.parametrize("error", [TaskCrashed("ended by SIGSEGV"), TaskTooExpensive("too long")])
async def test_a_picture_that_ends_its_process_costs_the_others_nothing(tmp_path, studio, error):
    streams = Streams(tmp_path, 4)
    making = thumbnails(streams, studio)
    bad, studio.error = streams.ids[2], error
    studio.hostile = str(bad)
    streams.keyframe()
    await making.make_due()
    assert set(studio.told) == set(streams.ids) - {bad}

    studio.rounds.clear()
    for _ in range(3):  # for a while nobody is bothered with it again
        studio.now_s += INTERVAL_S
        streams.keyframe()
        await making.make_due()
    assert [len(one) for one in studio.rounds] == [3, 3, 3]
    studio.hostile = ""
    studio.now_s += 10 * INTERVAL_S
    await making.make_due()
    assert bad in studio.told


async def test_a_stream_that_has_gone_is_forgotten(tmp_path, studio):
    streams = Streams(tmp_path, 2)
    making = thumbnails(streams, studio)
    streams.keyframe()
    await making.make_due()
    gone = streams.ids.pop()
    studio.now_s += INTERVAL_S
    streams.keyframe()
    await making.make_due()
    assert all(str(gone) not in media for media in studio.rounds[-1])
