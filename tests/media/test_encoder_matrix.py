"""What encoders send, through nginx-rtmp and a whole golive: nothing lost, all in sync, no
decoder that complains.

Every input is a live stream of its own on one server; several are pushed at once, as fast as
nginx takes them. GOLIVE_TEST_MATRIX_PLAYERS=1 plays every recording in three players.
"""

import asyncio
import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from ingest.media import MediaKind
from tests.support.flv import AUDIO, VIDEO
from tests.support.inputs import MATRIX, Encoders, Input
from tests.support.processes import wait_until
from tests.support.recordings import RecordedTrack, read_recording
from tests.support.rtmp_publisher import RtmpPublication
from tests.support.servers import GoliveServer, LiveStream, golive_server

pytestmark = pytest.mark.e2e

AT_ONCE = 5
BY_NAME = {one.name: one for one in MATRIX}
PLAYED = (
    "two B-frames",
    "rotation",
    "audio comes back",
    "stamps across 2^32",
)
if os.environ.get("GOLIVE_TEST_MATRIX_PLAYERS"):
    PLAYED = tuple(BY_NAME)
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

    def __enter__(self) -> "Matrix":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

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
        self.server.wait_ingest(stream, "interrupted", 15.0)
        self.server.end(stream)
        tracks = read_recording(self.server.data_dir / "objects" / "vods", stream.id)

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


@pytest.mark.parametrize("name", BY_NAME)
def test_everything_arrives_and_stays_in_sync(matrix, name):
    wanted, delivered = BY_NAME[name], matrix[name]
    shifts: list[list[float]] = [[] for _ in range(wanted.periods)]
    missing = 0
    for kind, number in _KINDS.items():
        sent = [t for t in delivered.sent if t.kind == number and t.unit]
        track = delivered.tracks.get(kind)
        assert (track is not None) == bool(sent), kind
        if track is None:
            continue
        assert len(track.periods) == wanted.periods
        assert max(map(round, track.durations_s)) <= track.target_duration_s
        position = 0
        for period, units in enumerate(track.periods):
            for unit in units:
                start = position
                while sent[position].unit.data != unit.data:
                    position += 1
                    assert position < len(sent), f"{kind}: {unit} was never sent"
                missing += position - start
                tag = sent[position]
                position += 1
                shifts[period].append(unit.pts_ms - tag.at_ms - tag.unit.cts_ms)
        missing += len(sent) - position
    spreads = [max(one) - min(one) for one in shifts if one]
    report = delivered.report
    left_out = report["dropped_before_start"] + report["tags_malformed"] + report["tags_unsupported"]
    assert missing == left_out
    assert max(spreads) <= wanted.spread_ms, spreads


@pytest.mark.parametrize("protocol", ["hls", "dash"])
@pytest.mark.parametrize("name", BY_NAME)
def test_a_decoder_has_nothing_to_say(matrix, name, protocol):
    suffix = "m3u8" if protocol == "hls" else "mpd"
    vods = matrix.server.data_dir / "objects" / "vods"
    assert ffmpeg_complaints(vods / f"{matrix[name].stream.id}.{suffix}") == ""
