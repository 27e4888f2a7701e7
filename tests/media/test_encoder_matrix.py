"""What encoders send, through nginx-rtmp and a whole golive: nothing lost, all in sync, no
decoder that complains.

Every input is a live stream of its own on one server; several are pushed at once, as fast as
nginx takes them. GOLIVE_TEST_MATRIX_PLAYERS=1 plays every recording in three players.
"""

import asyncio
import dataclasses
import os
import re
import shutil
import subprocess
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import pytest

from ingest.media import MediaKind
from ingest.packaging.silence import silent_frame
from ingest.source.aac_config import aac_format
from ingest.source.mp3_header import mp3_format
from tests.support.flv import AUDIO, VIDEO, FlvTag
from tests.support.inputs import MATRIX, Encoders, Input
from tests.support.media import ffmpeg_complaints
from tests.support.players import DASH_JS, HLS_JS, SHAKA, Sample
from tests.support.processes import wait_until
from tests.support.recordings import RecordedTrack, read_recording, stretches
from tests.support.rtmp_publisher import RtmpPublication
from tests.support.screening import NoDecoder, Screening, Showing, played
from tests.support.servers import GoliveServer, LiveStream, golive_server

pytestmark = pytest.mark.e2e

AT_ONCE = 5
PAGES = 5
FLV_AAC, FLV_MP3 = 10, 2
CLOSE_S = 0.25
ROUNDING_S = 0.01
BREAK_S = 0.1
"""What a break may leave between its media: hls.js places it by decode times, so that it is as
long as pictures are reordered. Players step over it."""

PLAYBACK_RATE = 3.0
BY_NAME = {one.name: one for one in MATRIX}
PLAYED = (
    "two B-frames",
    "rotation",
    "audio comes back",
    "stamps across 2^32",
)
if os.environ.get("GOLIVE_TEST_MATRIX_PLAYERS"):
    PLAYED = tuple(BY_NAME)
COUNTED = (
    "dropped_before_start",
    "dropped_behind_silence",
    "dropped_behind_still",
    "tags_malformed",
    "tags_unsupported",
)
_KINDS = {MediaKind.VIDEO: VIDEO, MediaKind.AUDIO: AUDIO}


@dataclass(frozen=True)
class Delivered:
    """An input that went all the way."""

    sent: list
    stream: LiveStream
    tracks: dict[MediaKind, RecordedTrack]
    report: dict


class Matrix:
    """Pushes the inputs that tests ask for, all from one thread with one event loop."""

    def __init__(self, server: GoliveServer, encoders: Encoders, names: list[str]) -> None:
        self.server = server
        self._encoders = encoders
        self._results: dict[str, Future[Delivered]] = {name: Future() for name in names}
        self._encoding = threading.Lock()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._push_all()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    @property
    def vods(self) -> Path:
        """Where the recordings are."""
        return self.server.data_dir / "objects" / "vods"

    def __getitem__(self, name: str) -> Delivered:
        return self._results[name].result()

    async def _push_all(self) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> None:
            async with places:
                try:
                    self._results[name].set_result(await self._deliver(BY_NAME[name]))
                except BaseException as error:  # noqa: BLE001  the test that waits for it tells
                    self._results[name].set_exception(error)

        await asyncio.gather(*(one(name) for name in self._results))

    def _encode(self, wanted: Input) -> list:
        with self._encoding:
            return wanted.make(self._encoders)

    async def _deliver(self, wanted: Input) -> Delivered:
        tags = await asyncio.to_thread(self._encode, wanted)
        stream = await asyncio.to_thread(self.server.live_stream, f"m{MATRIX.index(wanted)}")
        publication = RtmpPublication(self.server.rtmp_port, "live", stream.key)
        await publication.open()
        clock = asyncio.get_running_loop().time
        start_s = clock()
        for tag in tags:
            if wanted.real_time:
                await asyncio.sleep(max(0.0, start_s + tag.time_ms / 1000 - clock()))
            await publication.send(tag)
        await publication.close()
        return await asyncio.to_thread(self._finish, tags, stream)

    def _finish(self, tags: list, stream: LiveStream) -> Delivered:
        ends = ('"after": "ended"', '"after": "failed"')

        def over() -> bool:
            told = (line for line in self.server.log.splitlines() if stream.id in line)
            return any(end in line for line in told for end in ends)

        wait_until(over, 30.0, f"the end of {stream.id}")
        self.server.end(stream)
        tracks = read_recording(self.vods, stream.id)

        def reports() -> list[dict]:
            found = self.server.events("session_report")
            return [one for one in found if one["stream_id"] == stream.id]

        wait_until(lambda: bool(reports()), 10, f"report of {stream.id}")
        return Delivered(tags, stream, tracks, reports()[-1])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with golive_server(tmp_path_factory.mktemp("golive")) as started:
        yield started


@pytest.fixture(scope="module")
def matrix(request, server, tmp_path_factory):
    wanted = {}
    for item in request.session.items:
        if item.module is request.module and "name" in getattr(item, "callspec", item).__dict__.get(
            "params", {}
        ):
            wanted[item.callspec.params["name"]] = None
    with Matrix(server, Encoders(tmp_path_factory.mktemp("inputs")), list(wanted)) as started:
        yield started


def _rows():
    return [
        pytest.param(
            one.name,
            marks=[pytest.mark.xfail(strict=True, reason=one.fails)] if one.fails else [],
        )
        for one in MATRIX
    ]


@pytest.mark.parametrize("name", _rows())
def test_everything_arrives_and_stays_in_sync(matrix, name):
    wanted, delivered = BY_NAME[name], matrix[name]
    shifts: list[list[float]] = [[] for _ in range(wanted.periods)]
    missing: list[FlvTag] = []
    for kind, number in _KINDS.items():
        sent = [t for t in delivered.sent if t.kind == number and t.unit]
        track = delivered.tracks.get(kind)
        assert (track is not None) == bool(sent), kind
        if track is None:
            continue
        assert len(track.periods) <= wanted.periods
        assert max(map(round, track.durations_s)) <= track.target_duration_s, track.durations_s
        missing += _match(sent, track, shifts, _silence(delivered.sent))
    assert max(len(track.periods) for track in delivered.tracks.values()) == wanted.periods
    missing = [tag for tag in missing if tag not in _before_keyframe(delivered.sent)]
    report = delivered.report
    counted = [report[name] for name in COUNTED]
    assert len(missing) == sum(counted), [(t.kind, t.time_ms) for t in missing]
    spreads = [max(one) - min(one) for one in shifts if one]
    assert max(spreads) <= wanted.spread_ms, spreads


def _silence(sent: list[FlvTag]) -> bytes:
    """What a pause of the sound is filled with."""
    for tag in sent:
        if tag.kind == AUDIO and tag.data[0] >> 4 == FLV_AAC and tag.is_header:
            return silent_frame(aac_format(tag.data[2:])) or b""
        if tag.kind == AUDIO and tag.data[0] >> 4 == FLV_MP3:
            return silent_frame(mp3_format(tag.data[1:])) or b""
    return b""


def _match(
    sent: list[FlvTag], track: RecordedTrack, shifts: list[list[float]], silence: bytes
) -> list[FlvTag]:
    """Find every recorded unit among those sent, in order; answers those that are not there.

    Pauses are filled: with silence, or with the last keyframe.
    """
    missing = []
    left = iter(sent)
    for period, units in enumerate(track.periods):
        still = None
        for unit in units:
            if unit.data in (silence, still):
                continue
            if unit.is_sync and sent[0].kind == VIDEO:
                still = unit.data
            for tag in left:
                if tag.unit.data == unit.data:
                    shifts[period].append(unit.pts_ms - tag.at_ms - tag.unit.cts_ms)
                    break
                missing.append(tag)
            else:
                raise AssertionError(f"the unit at {unit.pts_ms} ms was never sent")
    return [*missing, *left]


def _before_keyframe(sent: list[FlvTag]) -> list[FlvTag]:
    """Video that nobody can decode; nginx-rtmp's recorder leaves it out."""
    video = [tag for tag in sent if tag.kind == VIDEO and tag.unit]
    first = next((i for i, tag in enumerate(video) if tag.is_key), 0)
    return video[:first]


@pytest.mark.parametrize("protocol", ["hls", "dash"])
@pytest.mark.parametrize("name", [one.name for one in MATRIX if not one.fails])
def test_a_decoder_has_nothing_to_say(matrix, tmp_path, name, protocol):
    vods, stream_id = matrix.vods, matrix[name].stream.id
    if protocol == "hls" and BY_NAME[name].new_init:
        for kind in MediaKind:
            files = stretches(vods, stream_id, kind, tmp_path)
            assert len(files) > 1
            assert [ffmpeg_complaints(path) for path in files] == [""] * len(files)
    else:
        suffix = "m3u8" if protocol == "hls" else "mpd"
        assert ffmpeg_complaints(vods / f"{stream_id}.{suffix}") == ""


SHOWINGS = [
    Showing(name, player, suffix, 1.0 if BY_NAME[name].heavy else PLAYBACK_RATE)
    for name in PLAYED
    for player, suffix in ((HLS_JS, "m3u8"), (DASH_JS, "mpd"), (SHAKA, "mpd"))
]


@pytest.fixture(scope="module")
def screening(matrix):
    def address(showing: Showing) -> str:
        return matrix.server.vod(matrix[showing.name].stream.id, showing.suffix)

    def codecs(showing: Showing) -> list[str]:
        playlist = matrix.vods / f"{matrix[showing.name].stream.id}.m3u8"
        found = re.findall(r'CODECS="([^"]+)"', playlist.read_text())
        return [codec for one in found for codec in one.split(",")]

    def is_fine(sample: Sample) -> bool:
        return not sample.errors and played(sample) and not stalls(sample)

    with Screening(
        SHOWINGS, address, codecs, is_fine=is_fine, at_once=PAGES, timeout_s=35.0
    ) as started:
        yield started


def _unable(name: str, player: str):
    """A player that cannot play it is to be heard of once it can."""
    reasons = dict(BY_NAME[name].not_in)
    return [pytest.mark.xfail(strict=True, reason=reasons[player])] if player in reasons else []


@pytest.mark.alone
@pytest.mark.parametrize(
    ("name", "showing"),
    [pytest.param(one.name, one, marks=_unable(one.name, one.player)) for one in SHOWINGS],
)
def test_players_play_it_to_the_end(screening, name, showing, record_property):
    try:
        sample = screening.last_sample(showing)
    except NoDecoder as codec:
        pytest.skip(f"this Chromium does not decode {codec}")
    record_property("played", dataclasses.asdict(sample))
    assert sample.errors == []
    assert played(sample), sample
    assert stalls(sample) == [], sample
    found = holes(sample)
    assert BY_NAME[name].periods > 1 or not found, sample
    assert all(end - start <= BREAK_S for start, end in found), sample


def holes(sample: Sample) -> list[tuple[float, float]]:
    """Where nothing is between media, as far as the player knows."""
    return [(one[1], other[0]) for one, other in pairwise(sample.buffered)]


def stalls(sample: Sample) -> list[list[float]]:
    """Waits for media. With a frame and more in the buffer it is the machine that is slow; close
    to the end it is the player that has not heard of it yet; a hole is counted as such."""
    end_s = (sample.duration_s or 0.0) - CLOSE_S
    edges = [start for start, _ in holes(sample)]
    return [
        [at, ahead]
        for at, ahead in sample.stalled_at
        if ahead < CLOSE_S
        and at < end_s
        and not any(abs(at + ahead - edge) < ROUNDING_S for edge in edges)
    ]


@pytest.mark.skipif(shutil.which("gst-launch-1.0") is None, reason="GStreamer is not installed")
@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        pytest.param(name, suffix, marks=_unable(name, f"gstreamer {suffix}"))
        for name in PLAYED
        for suffix in ("m3u8", "mpd")
    ],
)
def test_gstreamer_plays_it_to_the_end(matrix, name, suffix):
    url = matrix.server.vod(matrix[name].stream.id, suffix)
    sinks = ["video-sink=fakesink sync=false", "audio-sink=fakesink sync=false"]
    argv = ["gst-launch-1.0", "-q", "playbin3", f"uri={url}", *sinks]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    # it has no caps for the CODECS of MP3, says so, and plays it all the same
    said = [line for line in done.stderr.splitlines() if line and "gst_caps" not in line]
    assert (done.returncode, said) == (0, [])
