"""WebRTC's worker processes with real peers, over real spool files; aiortc is the other side."""

import asyncio
import contextlib
import os
import re
import signal
from fractions import Fraction

import psutil
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
from ingest.webrtc.errors import NoMediaYet, NotForwardable, OfferMalformed, WorkerLost
from ingest.webrtc.messages import (
    Begin,
    Closed,
    Connected,
    Follow,
    Hangup,
    Offer,
    Record,
    Refused,
    SourceLost,
)
from ingest.webrtc.settings import WebRtcNetwork
from ingest.webrtc.whep_worker import WhepWorker
from ingest.webrtc.worker_link import WHEP_MODULE, WHIP_MODULE, WorkerLink
from tests.support.flv import flv_file, flv_tag
from tests.support.inputs import Encoders
from tests.support.webrtc import (
    PUBLISH_OFFER,
    WATCH_OFFER,
    Relay,
    Weather,
    host_candidates,
    relayed_answer,
)

HALF_OPEN = int(os.environ.get("GOLIVE_TEST_HALF_OPEN", "20"))
"""Viewers who never send a packet; 200 for the full number."""

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

    async def wait_closed(self, count: int) -> None:
        """Until so many sessions are over."""
        async with asyncio.timeout(_WAIT_S):
            while sum(isinstance(message, Closed) for message in self.messages) < count:
                self._news.clear()
                await self._news.wait()

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


@pytest.mark.parametrize("order", ["video audio", "audio video"])
async def test_a_viewer_sees_the_last_pictures_and_then_those_that_come(tmp_path, tags, order):
    spool = tmp_path / "p_1.flv"
    behind = [tag for tag in tags if tag.time_ms > 2_500]
    spool.write_bytes(flv_file(tag for tag in tags if tag.time_ms <= 2_500))
    async with worker(WHEP_MODULE) as (link, told), peer() as viewer:
        for kind in order.split():
            viewer.addTransceiver(kind, direction="recvonly")
        link.tell(Follow(spool=str(spool), offset=0))
        answer = await connect(viewer, link)
        assert "VP8" not in answer
        await told.wait(Connected)
        tracks = {each.kind: each.receiver.track for each in viewer.getTransceivers()}
        video, audio = tracks["video"], tracks["audio"]

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


async def test_candidates_may_come_in_quick_succession(tmp_path, tags):
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(flv_file(tags))
    fragment = "a=ice-ufrag:EsAw\r\na=candidate:1 1 udp 2113937151 198.51.100.{} 51000 typ host\r\n"
    async with worker(WHEP_MODULE) as (link, _):
        link.tell(Follow(spool=str(spool), offset=0))
        await link.answer("s", WATCH_OFFER)
        await asyncio.gather(*(link.trickle("s", fragment.format(host)) for host in range(5)))


async def test_a_viewer_who_never_comes_is_given_up(tmp_path, tags):
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(flv_file(tags))
    async with worker(WHEP_MODULE, connect_s=1.0) as (link, told):
        link.tell(Follow(spool=str(spool), offset=0))
        await link.answer("s", WATCH_OFFER)
        assert await told.wait(Closed) == Closed(session="s", reason="not_connected")


async def test_many_who_never_come_leave_nothing_behind(tmp_path, tags):
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(flv_file(tags))
    async with worker(WHEP_MODULE, connect_s=2.0) as (link, told):
        link.tell(Follow(spool=str(spool), offset=0))
        process = psutil.Process(link.pid)
        held = []
        for turn in range(3):
            opened = 0
            while opened < HALF_OPEN:
                names = [f"{turn}-{opened + index}" for index in range(20)]
                asked = (link.answer(name, WATCH_OFFER) for name in names)
                answers = await asyncio.gather(*asked)
                assert all(answer.startswith("v=0") for answer in answers)
                opened += len(answers)
            await told.wait_closed((turn + 1) * opened)
            memory_mb = process.memory_info().rss / 1e6
            held.append((process.num_fds(), process.num_threads(), memory_mb))
        print(f"after each {HALF_OPEN}: descriptors, threads, MB: {held}")
        assert held[2][0] <= held[0][0]
        assert held[2][1] <= held[0][1]
        assert held[2][2] < held[0][2] + 40  # the allocator's, which grows no further


class Line:
    """The worker's end of a socket pair, without the sockets: it runs in the test's own loop."""

    def __init__(self) -> None:
        self.told = Told()
        self._to_worker: asyncio.Queue[object] = asyncio.Queue()

    def say(self, message: object) -> None:
        self._to_worker.put_nowait(message)

    def tell(self, message: object) -> None:
        self.told.hear(message)

    async def messages(self):
        while (message := await self._to_worker.get()) is not None:
            yield message


async def test_those_who_never_come_leave_no_task_behind(tmp_path, tags):
    """Those who wait for ICE, those whose offer is refused, and those who hang up meanwhile."""
    spool = tmp_path / "p_1.flv"
    spool.write_bytes(flv_file(tags))
    line = Line()
    begin = Begin(network=WebRtcNetwork(), connect_s=1.0, silence_s=30.0)
    running = asyncio.create_task(WhepWorker(line, begin).run())
    line.say(Follow(spool=str(spool), offset=0))
    line.say(Offer(session="first", sdp=WATCH_OFFER))
    await line.told.wait_closed(1)
    before = len(asyncio.all_tasks())
    for number in range(0, HALF_OPEN, 2):
        line.say(Offer(session=f"waits {number}", sdp=WATCH_OFFER))
        line.say(Offer(session=f"hangs up {number}", sdp=WATCH_OFFER))
        line.say(Offer(session=f"garbage {number}", sdp="v=0"))
        line.say(Hangup(session=f"hangs up {number}"))
    await line.told.wait_closed(1 + HALF_OPEN)
    refused = [message for message in line.told.messages if isinstance(message, Refused)]
    assert len(refused) == HALF_OPEN // 2
    async with asyncio.timeout(_WAIT_S):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.02)
    line.say(None)
    await running


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


@pytest.mark.parametrize(("loss", "jitter_s"), [(0.02, 0.0), (0.05, 0.0), (0.0, 0.1)])
async def test_a_publishers_picture_recovers_from_a_bad_network(tmp_path, loss, jitter_s):
    spool = tmp_path / "w_1.flv"
    weather = Weather()
    async with worker(WHIP_MODULE) as (link, _), peer() as publisher:
        publisher.addTrack(Picture())
        publisher.addTrack(Sound())
        await publisher.setLocalDescription(await publisher.createOffer())
        offer = publisher.localDescription.sdp
        hidden = [line for line in offer.splitlines() if not line.startswith("a=candidate")]
        answer = await link.answer("s", "\r\n".join(hidden) + "\r\n")
        host, port = host_candidates(answer)[0]
        relay = Relay(host, (host, port), weather, seed=11)
        try:
            relayed = relayed_answer(answer, host, port, relay.port)
            await publisher.setRemoteDescription(RTCSessionDescription(relayed, "answer"))
            link.tell(Record(spool=str(spool)))
            await spool_items(spool, pictures=30)

            began_s = asyncio.get_running_loop().time()
            weather.loss, weather.jitter_s = loss, jitter_s
            await asyncio.sleep(3)
            weather.loss = weather.jitter_s = 0.0
            lasted_s = asyncio.get_running_loop().time() - began_s
            took_s = await moves_again_s(spool)
        finally:
            relay.close()
        print(
            f"loss {loss:.0%}, jitter {jitter_s} s: {weather.dropped} datagrams lost, "
            f"{weather.reordered} out of order; even again after {took_s:.2f} s"
        )
        assert weather.dropped or weather.reordered
        assert took_s < lasted_s
        if os.environ.get("GOLIVE_TEST_LATENCY"):
            assert took_s < 1.0


@pytest.mark.parametrize("profile", ["42001f", "42e01f", "4d401f", "640c1f", "64001f"])
async def test_every_profile_of_h264_is_taken_from_a_publisher(profile):
    async with worker(WHIP_MODULE) as (link, _):
        answer = await link.answer("s", PUBLISH_OFFER.replace("42e01f", profile))
    assert re.search(f"a=fmtp:102 .*profile-level-id={profile[:2]}", answer)
    assert "a=rtpmap:103 rtx/90000" in answer


async def test_what_is_no_offer_is_refused():
    async with worker(WHIP_MODULE) as (link, told):
        with pytest.raises(OfferMalformed):
            await link.answer("s", "v=0 garbage")
        assert await told.wait(Closed) == Closed(session="s", reason="refused")


async def test_a_failed_handshake_is_told_from_a_connection_that_is_lost():
    """Here because the certificate is not the one that was offered."""
    async with worker(WHIP_MODULE) as (link, told), peer() as publisher:
        publisher.addTrack(Picture())
        await publisher.setLocalDescription(await publisher.createOffer())
        offer = re.sub("(fingerprint:sha-[0-9]+ )..:", r"\1:", publisher.localDescription.sdp)
        answer = await link.answer("s", offer)
        await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        assert await told.wait(Closed) == Closed(session="s", reason="handshake_failed")


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


async def moves_again_s(spool):
    """From now until pictures have come for half a second without a gap of 200 ms."""
    loop = asyncio.get_running_loop()
    began_s = even_s = last_s = loop.time()
    seen = 0
    async with asyncio.timeout(_WAIT_S):
        while last_s - even_s < 0.5:
            await asyncio.sleep(0.01)
            with SpoolTail(spool, 0) as tail:
                items = [item for _, item in FlvReader().feed(tail.read())]
            count = sum(isinstance(one, Packet) and one.kind is MediaKind.VIDEO for one in items)
            now_s = loop.time()
            if count > seen:
                if now_s - last_s > 0.2:
                    even_s = now_s
                seen, last_s = count, now_s
    return even_s - began_s


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
