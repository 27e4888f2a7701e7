"""Codec strings by RFC 6381, from configurations that encoders wrote."""

import pytest

from ingest.errors import MalformedMedia
from ingest.media import AudioFormat, Codec, VideoFormat
from ingest.packaging.codec_strings import codec_string

# libx265, Main, level 1.0: the head of its hvcC, whose NAL units tell nothing here
HVCC_MAIN = "0101600000009000000000001ef000fcfdf8f800000f04"
HVCC_MAIN10_HIGH_TIER = "012220000000b0000000000096f000fcfdfafa00000f00"
AV1C_SVT = "81000c000a0a00000002aff7805f0008"


def video(codec: Codec, config: str) -> VideoFormat:
    return VideoFormat(codec, bytes.fromhex(config), 64, 48)


def audio(codec: Codec, config: str) -> AudioFormat:
    return AudioFormat(codec, bytes.fromhex(config), 48_000, 2, 1024)


@pytest.mark.parametrize(
    ("expected", "track"),
    [
        ("avc1.64001f", video(Codec.H264, "0164001fffe10000")),
        ("avc1.42c00a", video(Codec.H264, "0142c00affe10000")),
        ("hvc1.1.6.L30.90", video(Codec.HEVC, HVCC_MAIN)),
        ("hvc1.2.4.H150.B0", video(Codec.HEVC, HVCC_MAIN10_HIGH_TIER)),
        # constraint bytes: trailing zeros are left out, those in between are not (§E.3)
        ("hvc1.A1.6.L93.B0.0.1", video(Codec.HEVC, "014160000000b000010000005d")),
        ("av01.0.00M.08", video(Codec.AV1, AV1C_SVT)),
        ("av01.0.08M.10", video(Codec.AV1, "81084c00")),
        ("av01.2.19H.12", video(Codec.AV1, "8153e000")),
        ("mp4a.40.2", audio(Codec.AAC, "1190")),
        ("mp4a.40.5", audio(Codec.AAC, "2b920800")),
        ("mp4a.40.29", audio(Codec.AAC, "eb8a0800")),
        ("mp4a.40.42", audio(Codec.AAC, "f9480000")),
        ("opus", audio(Codec.OPUS, "")),
        # by objectTypeIndication, as the sample entry has it; browsers know no mp4a.40.34
        ("mp4a.6B", audio(Codec.MP3, "")),
        ("mp4a.69", AudioFormat(Codec.MP3, b"", 22_050, 2, 576)),
    ],
)
def test_the_string_tells_profile_and_level(expected, track):
    assert codec_string(track) == expected


@pytest.mark.parametrize(
    "track",
    [
        video(Codec.H264, "016400"),
        video(Codec.HEVC, HVCC_MAIN[:24]),
        video(Codec.AV1, "81000c"),
        audio(Codec.AAC, "11"),
    ],
)
def test_a_configuration_that_is_too_short_is_malformed(track):
    with pytest.raises(MalformedMedia, match="at least"):
        codec_string(track)
