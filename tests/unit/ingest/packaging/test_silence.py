"""Frames of silence, as a decoder hears them."""

import math
from array import array
from itertools import pairwise

import av
import pytest

from ingest.media import AudioFormat, Codec
from ingest.packaging.silence import silent_frame
from ingest.source.aac_config import aac_format
from ingest.source.mp3_header import mp3_format

FRAMES = 12


def decoded(track: AudioFormat, name: str, frame: bytes, count: int):
    context = av.CodecContext.create(name, "r")
    if track.config:
        head = b"OpusHead" if track.codec is Codec.OPUS else b""
        context.extradata = head + track.config
    pieces = []
    for _ in range(count):
        pieces += context.decode(av.Packet(frame))
    pieces += context.decode(None)
    return pieces


def peak(frames):
    """The loudest sample of planar floats."""
    values = (array("f", bytes(plane)[: f.samples * 4]) for f in frames for plane in f.planes)
    return max(abs(value) for plane in values for value in plane)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("rate_index", [3, 4, 7, 8, 11])
def test_aac_is_silent_in_every_layout(channels, rate_index):
    config = int(f"{2:05b}{rate_index:04b}{channels:04b}000", 2).to_bytes(2, "big")
    track = aac_format(config)
    frames = decoded(track, "aac", silent_frame(track), FRAMES)
    assert sum(f.samples for f in frames) == FRAMES * track.frame_samples
    assert {f.layout.nb_channels for f in frames} == {channels}
    assert peak(frames) == 0


def test_he_aac_gets_a_silent_core():
    bits = f"{5:05b}{6:04b}{2:04b}{3:04b}{2:05b}{0:03b}".ljust(32, "0")
    track = aac_format(int(bits, 2).to_bytes(4, "big"))
    frames = decoded(track, "aac", silent_frame(track), FRAMES)
    assert peak(frames) == 0
    lasted_s = sum(f.samples / f.sample_rate for f in frames)
    assert lasted_s == pytest.approx(FRAMES * track.frame_samples / track.sample_rate)


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_is_silent(channels):
    head = bytes([1, channels]) + bytes([0, 0]) + (48_000).to_bytes(4, "little") + bytes(3)
    track = AudioFormat(Codec.OPUS, head, 48_000, channels, 960)
    frames = decoded(track, "opus", silent_frame(track), FRAMES)
    assert sum(f.samples for f in frames) == FRAMES * 960
    assert peak(frames) < 1e-4


@pytest.mark.parametrize("rate", [44_100, 48_000, 32_000, 22_050, 24_000, 16_000, 11_025, 8_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_is_silent_and_of_the_same_track(rate, channels):
    track = AudioFormat(Codec.MP3, b"", rate, channels, 1152 if rate >= 32_000 else 576)
    frame = silent_frame(track)
    assert mp3_format(frame) == track
    frames = decoded(track, "mp3float", frame, FRAMES)
    assert sum(f.samples for f in frames) == FRAMES * track.frame_samples
    assert peak(frames) == 0


@pytest.mark.parametrize(
    "track",
    [
        AudioFormat(Codec.AAC, bytes.fromhex("f9480000"), 48_000, 2, 1024),  # xHE-AAC
        AudioFormat(Codec.AAC, b"", 48_000, 2, 1024),
        AudioFormat(Codec.OPUS, b"", 48_000, 2, 480),
        AudioFormat(Codec.MP3, b"", 12_345, 2, 1152),
    ],
)
def test_what_is_not_known_has_no_silence(track):
    assert silent_frame(track) is None


def test_silence_between_sounds_leaves_them_alone():
    """A frame of silence in the place of a missing one: the decoder goes on without complaint."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "stereo", "fltp"
    packets = []
    for start in range(0, 1024 * 40, 1024):
        tone = array("f", (math.sin(i / 20) / 2 for i in range(start, start + 1024)))
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        frame.sample_rate = 48_000
        for plane in frame.planes:
            plane.update(tone.tobytes())
        packets += [bytes(p) for p in encoder.encode(frame)]
    track = aac_format(bytes(encoder.extradata))
    sent = [*packets[:15], *[silent_frame(track)] * 10, *packets[25:]]
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = track.config
    heard = [f for data in sent for f in decoder.decode(av.Packet(data))]
    loud = [peak([f]) for f in heard]
    assert len(heard) == len(sent)
    assert min(loud[3:15]) > 0.3
    assert max(loud[16:25]) == 0
    assert min(loud[26:]) > 0.3
    assert sum(a > 0.3 >= b for a, b in pairwise(loud[3:])) == 1
