"""Formats from an AudioSpecificConfig and from the header of an MP3 frame."""

import pytest

from ingest.errors import MalformedMedia
from ingest.media import Codec
from ingest.source.aac_config import aac_format
from ingest.source.flv import FlvReader
from ingest.source.mp3_header import mp3_format
from tests.support.flv import AUDIO, FlvTag, flv_file


def bits(*fields):
    text = "".join(f"{value:0{width}b}" for value, width in fields)
    text = text.ljust(-(-len(text) // 8) * 8, "0")
    return int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (bits((2, 5), (3, 4), (2, 4), (0, 3)), (48_000, 2, 1024)),
        (bits((2, 5), (4, 4), (1, 4), (0, 3)), (44_100, 1, 1024)),
        (bits((2, 5), (7, 4), (7, 4), (0, 3)), (22_050, 8, 1024)),
        (bits((2, 5), (3, 4), (2, 4), (1, 1), (0, 2)), (48_000, 2, 960)),
        (bits((2, 5), (15, 4), (37_800, 24), (2, 4), (0, 3)), (37_800, 2, 1024)),
        (bits((31, 5), (10, 6), (3, 4), (2, 4), (0, 3)), (48_000, 2, 1024)),
        # HE-AAC: the clock is the core's, 24 kHz, where the output has 48
        (bits((5, 5), (6, 4), (2, 4), (3, 4), (2, 5), (0, 3)), (24_000, 2, 1024)),
        # no channel configuration: stereo
        (bits((2, 5), (3, 4), (0, 4), (0, 3)), (48_000, 2, 1024)),
    ],
)
def test_an_audio_specific_config_is_read(config, expected):
    track = aac_format(config)
    assert (track.sample_rate, track.channels, track.frame_samples) == expected
    assert track.config == config
    assert track.codec is Codec.AAC


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"\x11",
        bits((2, 5), (13, 4), (2, 4), (0, 3)),
        bits((2, 5), (15, 4), (0, 24), (2, 4), (0, 3)),
        # rates that nothing plays: a frame of minutes, thousands of frames a second
        bits((2, 5), (15, 4), (7_349, 24), (2, 4), (0, 3)),
        bits((2, 5), (15, 4), (192_001, 24), (2, 4), (0, 3)),
        bits((2, 5), (3, 4), (9, 4), (0, 3)),
    ],
)
def test_an_audio_specific_config_that_tells_nothing_usable_is_malformed(config):
    with pytest.raises(MalformedMedia):
        aac_format(config)


def mp3_header(version, rate, mode, layer=1):
    return bits(
        (0x7FF, 11), (version, 2), (layer, 2), (1, 1), (9, 4), (rate, 2), (0, 2), (mode, 2), (0, 6)
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (mp3_header(3, 0, 0), (44_100, 2, 1152)),
        (mp3_header(3, 1, 1), (48_000, 2, 1152)),
        (mp3_header(3, 2, 3), (32_000, 1, 1152)),
        (mp3_header(2, 0, 3), (22_050, 1, 576)),
        (mp3_header(0, 2, 0), (8_000, 2, 576)),
    ],
)
def test_an_mp3_header_is_read(header, expected):
    track = mp3_format(header + bytes(100))
    assert (track.sample_rate, track.channels, track.frame_samples) == expected
    assert track.codec is Codec.MP3


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xff\xfb", bytes(10), mp3_header(1, 0, 0), mp3_header(3, 3, 0), mp3_header(3, 0, 0, 2)],
)
def test_what_is_no_mp3_frame_is_malformed(frame):
    with pytest.raises(MalformedMedia):
        mp3_format(frame)


def test_the_first_mp3_frame_tells_the_format_and_is_not_lost():
    """FLV's flags say 44.1 kHz, for they have no word for 48."""
    frame = mp3_header(3, 1, 0) + bytes(60)
    tags = [FlvTag(AUDIO, i * 24, b"\x2f" + frame) for i in range(3)]
    found = list(FlvReader().feed(flv_file(tags)))
    track, *packets = [item for _, item in found]
    assert track.sample_rate == 48_000
    assert [(p.dts_ms, p.data) for p in packets] == [(0, frame), (24, frame), (48, frame)]
    assert found[0][0] == found[1][0]


def test_an_mp3_tag_that_holds_no_frame_is_counted():
    reader = FlvReader()
    assert list(reader.feed(flv_file([FlvTag(AUDIO, 0, b"\x2f" + bytes(30))]))) == []
    assert reader.counters.malformed == 1
