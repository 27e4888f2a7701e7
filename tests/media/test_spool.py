"""The spool: an FLV file read in pieces, by packagers that may die at any byte of it."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.media import MediaKind, Packet
from ingest.session.spool_session import SpoolSession
from ingest.settings import PackagingSettings
from ingest.source.flv import FlvReader
from ingest.vod.journal import JournalReader
from ingest.window.live_window import LiveWindow
from tests.support.flv import AUDIO, FILE_HEADER, VIDEO, flv_tag, read_tags
from tests.support.media_values import HeldClock

V, A = MediaKind.VIDEO, MediaKind.AUDIO


def read_in(pieces):
    reader = FlvReader()
    return [item for piece in pieces for _, item in reader.feed(piece)], reader


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"b_frames": 2}, id="B-frames"),
        pytest.param({"layout": "mono", "sample_rate": 44_100}, id="mono at 44.1 kHz"),
        pytest.param({"audio": False, "b_frames": 2}, id="video only"),
        pytest.param({"video": False}, id="audio only"),
    ],
)
def test_the_reader_finds_what_a_pull_finds(clips, changes):
    clip = clips.clip(**changes)
    items, reader = read_in([clip.path.read_bytes()])
    assert [i for i in items if isinstance(i, Packet)] == list(clip.packets)
    assert {i.kind: i for i in items if not isinstance(i, Packet)} == {
        track.kind: track for track in clip.tracks
    }
    assert reader.offset == clip.path.stat().st_size
    assert (reader.counters.malformed, reader.counters.unsupported) == (0, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.lists(st.integers(0, 40_000), max_size=30))
def test_however_the_bytes_come_the_packets_are_the_same(clips, cuts):
    data = clips.clip(b_frames=2, seconds=2).path.read_bytes()
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    whole, _ = read_in([data])
    pieces, _ = read_in([data[a:b] for a, b in pairwise(edges)])
    assert pieces == whole


class Spool:
    """A publication's spool, and the packagers that read it one after the other."""

    def __init__(self, root, data):
        self.path = root / "s_1.flv"
        self.folder = root / "show"
        root.mkdir(parents=True)
        self._data = data
        self.path.write_bytes(b"")

    def package(self, until=None, *, finish=False):
        """One packager's life: it reads what there is, and ends properly or not at all."""
        with self.path.open("ab") as file:
            file.write(self._data[file.tell() : until])
        session = SpoolSession(
            self.path,
            self.folder,
            PackagingSettings(),
            HeldClock(),
            lambda: None,
            reason="publish",
        )
        while session.poll():
            pass
        if finish:
            session.finish()
        session.close()

    def files(self):
        """Every media file, and what the journal makes of them for players."""
        media = {
            path.relative_to(self.folder): path.read_bytes()
            for path in self.folder.rglob("*.m*")
            if path.suffix in {".m4s", ".mp4"}
        }
        window = LiveWindow(3600.0)
        with JournalReader(self.folder) as reader:
            window.apply(reader.read_new())
        renditions = window.presentation().renditions
        return media, [(r.name, r.segments, r.next_part) for r in renditions]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"b_frames": 2}, id="GOP of 2 s"),
        pytest.param({"b_frames": 2, "gop_s": 0.5}, id="GOP of 0.5 s"),
        pytest.param({"gop_s": 10.0}, id="GOP of 10 s"),
        pytest.param({"vfr": True, "b_frames": 2}, id="variable frame rate"),
        pytest.param({"sample_rate": 44_100, "layout": "mono"}, id="mono at 44.1 kHz"),
        pytest.param({"audio": False}, id="video only"),
        pytest.param({"video": False}, id="audio only"),
    ],
)
def test_a_packager_that_dies_anywhere_leaves_no_trace(tmp_path, clips, changes):
    """Its successor makes the same files byte for byte: no gap, no discontinuity, nothing twice."""
    data = clips.clip(seconds=7, **changes).path.read_bytes()
    undisturbed = Spool(tmp_path / "undisturbed", data)
    undisturbed.package(finish=True)
    expected = undisturbed.files()
    assert len(expected[0]) > 30
    for deaths in range(1, 18, 2):
        spool = Spool(tmp_path / f"{deaths}-deaths", data)
        for death in range(1, deaths + 1):
            spool.package(until=len(data) * death // (deaths + 1))
        spool.package(finish=True)
        assert spool.files() == expected


@pytest.mark.parametrize(
    ("kinds", "from_ms", "until_ms"),
    [
        pytest.param({AUDIO}, 1_500, 4_700, id="the sound pauses"),
        pytest.param({AUDIO}, 3_100, 9_000, id="the sound stops"),
        pytest.param({AUDIO}, 0, 2_900, id="the sound starts late"),
        pytest.param({VIDEO}, 1_500, 5_300, id="the picture pauses"),
        pytest.param({VIDEO}, 3_100, 9_000, id="the picture stops"),
        pytest.param({AUDIO, VIDEO}, 1_500, 5_000, id="both pause"),
    ],
)
def test_a_packager_that_dies_in_a_pause_leaves_no_trace(tmp_path, clips, kinds, from_ms, until_ms):
    """What was made up for the pause is made up again."""
    clip = clips.clip(seconds=7, gop_s=1.0, b_frames=2)
    tags = [
        tag
        for tag in read_tags(clip.path)
        if tag.kind not in kinds or tag.is_header or not from_ms < tag.time_ms < until_ms
    ]
    data = FILE_HEADER + b"".join(map(flv_tag, tags))
    undisturbed = Spool(tmp_path / "undisturbed", data)
    undisturbed.package(finish=True)
    expected = undisturbed.files()
    for deaths in (1, 3, 6, 11, 16):
        spool = Spool(tmp_path / f"{deaths}-deaths", data)
        for death in range(1, deaths + 1):
            spool.package(until=len(data) * death // (deaths + 1))
        spool.package(finish=True)
        assert spool.files() == expected


def test_a_packager_that_dies_leaves_a_journal_that_tells_each_part_once(tmp_path, clips):
    data = clips.clip(seconds=7, b_frames=2).path.read_bytes()
    spool = Spool(tmp_path / "spool", data)
    for percent in (20, 45, 46, 80):
        spool.package(until=len(data) * percent // 100)
    spool.package(finish=True)
    with JournalReader(spool.folder) as reader:
        parts = [e for e in reader.read_new() if type(e).__name__ == "PartWritten"]
    told = [(e.rendition, e.number) for e in parts]
    assert len(told) == len(set(told))
