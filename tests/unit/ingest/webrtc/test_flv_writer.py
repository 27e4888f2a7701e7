"""A publisher's spool, as a packager reads it."""

import fcntl
import multiprocessing

import pytest

from ingest.media import AudioFormat, MediaKind, Packet, VideoFormat
from ingest.source.flv import FlvReader
from ingest.source.spool import SpoolTail
from ingest.webrtc.annex_b import access_unit
from ingest.webrtc.flv_writer import FlvSpool
from ingest.webrtc.publisher_codecs import OpusToAac
from tests.support.inputs import Encoders


@pytest.fixture(scope="module")
def avcc(tmp_path_factory):
    """A real encoder's configuration."""
    encoders = Encoders(tmp_path_factory.mktemp("avcc"))
    tags = encoders.flv(seconds=1, size="64x48")
    return next(tag.data[5:] for tag in tags if tag.kind == 9 and tag.data[1] == 0)


def read(path):
    with SpoolTail(path, 0) as tail:
        return [item for _, item in FlvReader().feed(tail.read())]


def test_what_is_written_is_read(tmp_path, avcc):
    path = tmp_path / "w_1.flv"
    spool = FlvSpool(path)
    spool.video_config(avcc, 1_000)
    spool.audio_config(OpusToAac().config, 1_000)
    spool.video(b"\0\0\0\2\x65\x80", 1_000, is_key=True)
    spool.audio(b"\x21\x10", 1_011)
    spool.video(b"\0\0\0\2\x41\x80", (1 << 24) + 7, is_key=False)
    spool.close()

    picture, sound, *packets = read(path)

    assert isinstance(picture, VideoFormat)
    assert (picture.width, picture.height) == (64, 48)
    assert isinstance(sound, AudioFormat)
    assert (sound.sample_rate, sound.channels, sound.frame_samples) == (48_000, 2, 1_024)
    assert packets == [
        Packet(MediaKind.VIDEO, 1_000, 1_000, True, b"\0\0\0\2\x65\x80"),
        Packet(MediaKind.AUDIO, 1_011, 1_011, True, b"\x21\x10"),
        Packet(MediaKind.VIDEO, (1 << 24) + 7, (1 << 24) + 7, False, b"\0\0\0\2\x41\x80"),
    ]


def test_stamps_of_a_track_never_go_back(tmp_path):
    path = tmp_path / "w_1.flv"
    spool = FlvSpool(path)
    spool.audio_config(OpusToAac().config, 0)
    spool.audio(b"\x21", 50)
    spool.audio(b"\x22", 40)
    spool.close()

    assert [packet.dts_ms for packet in read(path)[1:]] == [50, 50]


def hold(path, ready, finish):
    spool = FlvSpool(path)
    ready.set()
    finish.wait(30)
    spool.close()


def test_it_is_locked_for_as_long_as_it_is_open(tmp_path):
    path = tmp_path / "w_1.flv"
    context = multiprocessing.get_context("spawn")
    ready, finish = context.Event(), context.Event()
    writer = context.Process(target=hold, args=(path, ready, finish))
    writer.start()
    try:
        assert ready.wait(30)
        with SpoolTail(path, 0) as tail:
            assert not tail.writer_gone()
            finish.set()
            writer.join(30)
            assert tail.writer_gone()
    finally:
        finish.set()
        writer.join(30)
        writer.close()


def test_a_name_is_used_once(tmp_path):
    path = tmp_path / "w_1.flv"
    FlvSpool(path).close()

    with pytest.raises(FileExistsError):
        FlvSpool(path)


def test_a_spool_that_another_holds_is_refused(tmp_path, monkeypatch):
    def refuse(*_):
        raise BlockingIOError

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(BlockingIOError):
        FlvSpool(tmp_path / "w_1.flv")


def test_access_units_of_a_browser_make_a_picture(avcc):
    sps_size = int.from_bytes(avcc[6:8])
    sps = avcc[8 : 8 + sps_size]
    pps_at = 8 + sps_size + 1
    pps = avcc[pps_at + 2 : pps_at + 2 + int.from_bytes(avcc[pps_at : pps_at + 2])]

    unit = access_unit(b"\0\0\0\1" + sps + b"\0\0\0\1" + pps + b"\0\0\1\x65\x88\x80")

    assert unit.config[6 : 8 + sps_size] == avcc[6 : 8 + sps_size]
    assert unit.is_key
