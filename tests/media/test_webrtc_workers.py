"""WebRTC's worker processes with real peers, over real spool files; aiortc is the other side."""

import asyncio
import contextlib
import os
import signal
from fractions import Fraction

import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from ingest.media import AudioFormat, Codec, MediaKind, Packet, VideoFormat
from ingest.source.flv import FlvReader
from ingest.source.spool import SpoolTail
from ingest.webrtc.errors import NoMediaYet, NotForwardable, WorkerLost
from ingest.webrtc.messages import Begin, Closed, Connected, Follow, Record, SourceLost
from ingest.webrtc.settings import WebRtcNetwork
from ingest.webrtc.worker_link import WHEP_MODULE, WHIP_MODULE, WorkerLink
from tests.support.flv import flv_file, flv_tag
from tests.support.inputs import Encoders
from tests.support.webrtc import WATCH_OFFER

_WAIT_S = 60
_SIZE = "128x96"


@pytest.fixture(scope="module")
def tags(tmp_path_factory):
    """Four seconds of H.264 without B-frames, and AAC."""
    return encoded(tmp_path_factory, bf=0)


@pytest.fixture(scope="module")
def reordered(tmp_path_factory):
    """The same with B-frames."""
    return encoded(tmp_path_factory, bf=2)


class Told:
    """What a worker says of its own accord."""

    def __init__(self) -> None:
        self.messages: list[object] = []
        self.lost = asyncio.Event()
        self._news = asyncio.Event()

    def hear(self, message: object) -> None:
        self.messages.append(message)
        self._news.set()

    async def wait(self, kind: type) -> object:
        async with asyncio.timeout(_WAIT_S):
            while True:
                for message in self.messages:
                    if isinstance(message, kind):
                        return message
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def worker(module, *, connect_s=30.0, silence_s=30.0):
    told = Told()
    begin = Begin(network=WebRtcNetwork(), connect_s=connect_s, silence_s=silence_s)
    link = await WorkerLink.spawn(module, begin, told.hear, told.lost.set)
    try:
        yield link, told
    finally:
        await link.close()


@contextlib.asynccontextmanager
async def peer():
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        yield connection
    finally:
        await connection.close()


async def connect(connection, link, session="s") -> str:
    await connection.setLocalDescription(await connection.createOffer())
    answer = await link.answer(session, connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return answer


async def frames_of(track, count):
    async with asyncio.timeout(_WAIT_S):
        return [await track.recv() for _ in range(count)]


async def test_a_viewer_sees_the_last_pictures_and_then_those_that_come(tmp_path, tags):
    spool = tmp_path / "p_1.flv"
    behind = [tag for tag in tags if tag.time_ms > 2_500]
    spool.write_bytes(flv_file(tag for tag in tags if tag.time_ms <= 2_500))
    async with worker(WHEP_MODULE) as (link, told), peer() as viewer:
        viewer.addTransceiver("video", direction="recvonly")
        viewer.addTransceiver("audio", direction="recvonly")
        link.tell(Follow(spool=str(spool), offset=0))
        answer = await connect(viewer, link)
        assert "VP8" not in answer
        await told.wait(Connected)
        video, audio = (each.receiver.track for each in viewer.getTransceivers())

        past = await frames_of(video, 10)  # nothing new has come: it is the group of pictures
        assert all(frame.width == 128 for frame in past)
        assert past[-1].pts - past[0].pts < 10 * 3_000 / 4  # squeezed

        with spool.open("ab") as file:
            for tag in behind:
                file.write(flv_tag(tag))
        assert len(await frames_of(video, 25)) == 25
        heard = await frames_of(audio, 20)
        assert {frame.sample_rate for frame in heard} == {48_000}

        link.hangup("s")
        assert await told.wait(Closed) == Closed(session="s", reason="hangup")


async def test_b_frames_are_refused(tmp_path, reordered):
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(flv_file(reordered))
    async with worker(WHEP_MODULE) as (link, _):
        link.tell(Follow(spool=str(spool), offset=0))
        with pytest.raises(NotForwardable, match="B-frames"):
            await link.answer("s", WATCH_OFFER)


async def test_a_stream_without_a_picture_is_refused(tmp_path, tags):
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(flv_file(tag for tag in tags if tag.kind != 9))
    async with worker(WHEP_MODULE) as (link, _):
        link.tell(Follow(spool=str(spool), offset=0))
        with pytest.raises(NoMediaYet):
            await link.answer("s", WATCH_OFFER)


@pytest.mark.parametrize("offset", [4_096, 10**9])
async def test_a_spool_that_was_given_back_is_asked_for_again(tmp_path, offset):
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(bytes(10_000))
    async with worker(WHEP_MODULE) as (link, told):
        link.tell(Follow(spool=str(spool if offset < 10**9 else tmp_path / "gone"), offset=offset))
        assert await told.wait(SourceLost)


async def test_a_viewer_who_never_comes_is_given_up(tmp_path, tags):
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(flv_file(tags))
    async with worker(WHEP_MODULE, connect_s=1.0) as (link, told):
        link.tell(Follow(spool=str(spool), offset=0))
        await link.answer("s", WATCH_OFFER)
        assert await told.wait(Closed) == Closed(session="s", reason="not_connected")


async def test_a_worker_that_dies_refuses_those_who_wait(tmp_path):
    async with worker(WHEP_MODULE) as (link, told):
        link.tell(Follow(spool=str(tmp_path / "gone"), offset=0))
        waiting = asyncio.create_task(link.answer("s", WATCH_OFFER))
        await told.wait(SourceLost)
        os.kill(link.pid, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            await waiting
        async with asyncio.timeout(_WAIT_S):
            await told.lost.wait()


class Picture(MediaStreamTrack):
    """Grey pictures at 30 a second, for as long as anybody wants them."""

    kind = "video"
    count = 0

    async def recv(self):
        await asyncio.sleep(1 / 30)
        frame = VideoFrame(128, 96, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([self.count % 200]) * plane.buffer_size)
        frame.pts, frame.time_base = self.count * 3_000, Fraction(1, 90_000)
        self.count += 1
        return frame


class Sound(MediaStreamTrack):
    """Silence in frames of 20 ms."""

    kind = "audio"
    count = 0

    async def recv(self):
        await asyncio.sleep(0.02)
        frame = AudioFrame("s16", "stereo", 960)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate = 48_000
        frame.pts, frame.time_base = self.count * 960, Fraction(1, 48_000)
        self.count += 1
        return frame


@pytest.mark.parametrize("codec", ["video/H264", "video/VP8"])
async def test_what_a_publisher_sends_is_in_its_spool(tmp_path, codec):
    spool = tmp_path / "w_1.flv"
    async with worker(WHIP_MODULE) as (link, told), peer() as publisher:
        publisher.addTrack(Picture())
        publisher.addTrack(Sound())
        transceiver = publisher.getTransceivers()[0]
        capabilities = transceiver.sender.getCapabilities("video").codecs
        wanted = [one for one in capabilities if one.mimeType in {codec, "video/rtx"}]
        transceiver.setCodecPreferences(wanted)
        await connect(publisher, link)
        link.tell(Record(spool=str(spool)))
        await told.wait(Connected)

        items = await spool_items(spool, pictures=45)
        formats = [item for item in items if not isinstance(item, Packet)]
        packets = [item for item in items if isinstance(item, Packet)]
        video = [packet for packet in packets if packet.kind is MediaKind.VIDEO]
        picture = next(one for one in formats if isinstance(one, VideoFormat))
        assert (picture.codec, picture.width, picture.height) == (Codec.H264, 128, 96)
        sound = next(one for one in formats if isinstance(one, AudioFormat))
        assert (sound.codec, sound.sample_rate) == (Codec.AAC, 48_000)
        assert video[0].is_key
        assert all(packet.pts_ms == packet.dts_ms for packet in video)
        assert len(packets) > len(video)

        with SpoolTail(spool, 0) as tail:
            assert not tail.writer_gone()
            link.hangup("s")
            assert await told.wait(Closed) == Closed(session="s", reason="hangup")
            assert tail.writer_gone()


async def test_a_publisher_who_goes_silent_is_gone(tmp_path):
    spool = tmp_path / "w_1.flv"
    async with worker(WHIP_MODULE, silence_s=1.0) as (link, told), peer() as publisher:
        sound, picture = Sound(), Picture()
        publisher.addTrack(picture)
        publisher.addTrack(sound)
        await connect(publisher, link)
        link.tell(Record(spool=str(spool)))
        await spool_items(spool, pictures=5)

        for sender in publisher.getSenders():
            sender.replaceTrack(None)
        with contextlib.suppress(MediaStreamError):
            picture.stop()
        assert await told.wait(Closed) == Closed(session="s", reason="silent")
        with SpoolTail(spool, 0) as tail:
            assert tail.writer_gone()


async def spool_items(spool, *, pictures):
    """What is in the spool once it has so many pictures, and sound."""
    async with asyncio.timeout(_WAIT_S):
        while True:
            await asyncio.sleep(0.1)
            if not spool.exists():
                continue
            with SpoolTail(spool, 0) as tail:
                items = [item for _, item in FlvReader().feed(tail.read())]
            kinds = [item.kind for item in items if isinstance(item, Packet)]
            if kinds.count(MediaKind.VIDEO) >= pictures and MediaKind.AUDIO in kinds:
                return items


def encoded(tmp_path_factory, *, bf):
    encoders = Encoders(tmp_path_factory.mktemp(f"bf{bf}"))
    return encoders.flv(seconds=4, size=_SIZE, b_frames=bf)
