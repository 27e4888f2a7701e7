"""The Media Initialization Section: the boxes that CMAF asks for, and a demuxer that opens it."""

import io
import struct

import av
import pytest

from ingest.media import AudioFormat, Codec, Sample, VideoFormat
from ingest.packaging.boxes import find, walk
from ingest.packaging.fragment import audio_chunk, audio_tfhd, video_chunk
from ingest.packaging.init_section import init_section
from tests.support.media_values import AVCC, MONO_44K, STEREO_48K, VIDEO

OPUS_HEAD = bytes.fromhex("0102380180bb0000000000")
OPUS = AudioFormat(Codec.OPUS, OPUS_HEAD, 48_000, 2, 960)
MP3 = AudioFormat(Codec.MP3, b"", 44_100, 2, 1152)
TRACKS = [VIDEO, STEREO_48K, MONO_44K, OPUS, MP3]

STSD_ENTRIES = 16
VISUAL_ENTRY, AUDIO_ENTRY = 86, 36


def stsd_entry(data: bytes) -> bytes:
    (stsd,) = find(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    return data[stsd.start + STSD_ENTRIES : stsd.end]


@pytest.mark.parametrize("track", TRACKS, ids=lambda t: str(t.codec))
def test_the_tree_is_what_cmaf_demands(track):
    data = init_section(track)
    assert [v.kind for v in walk(data)] == [b"ftyp", b"moov"]
    (moov,) = find(data, b"moov")
    assert [v.kind for v in walk(data, moov.payload, moov.end)] == [b"mvhd", b"trak", b"mvex"]
    (trak,) = find(data, b"moov", b"trak")  # one track a file (§7.3.1)
    # no edts: decode times are presentation times plus offset and nothing shifts them
    assert [v.kind for v in walk(data, trak.payload, trak.end)] == [b"tkhd", b"mdia"]
    (stbl,) = find(data, b"moov", b"trak", b"mdia", b"minf", b"stbl")
    assert [v.kind for v in walk(data, stbl.payload, stbl.end)] == [
        b"stsd", b"stts", b"stsc", b"stsz", b"stco",
    ]  # fmt: skip
    (trex,) = find(data, b"moov", b"mvex", b"trex")
    assert struct.unpack(">IIIIII", data[trex.payload : trex.end]) == (0, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("track", TRACKS, ids=lambda t: str(t.codec))
def test_the_brands_name_cmaf_and_the_timescale_is_the_tracks(track):
    data = init_section(track)
    (ftyp,) = find(data, b"ftyp")
    brands = data[ftyp.payload : ftyp.end]
    assert b"cmfc" in brands
    assert b"iso6" in brands
    (mdhd,) = find(data, b"moov", b"trak", b"mdia", b"mdhd")
    assert struct.unpack_from(">I", data, mdhd.payload + 12)[0] == track.timescale


def test_the_picture_size_stands_in_the_header_and_in_the_sample_entry():
    data = init_section(VIDEO)
    (tkhd,) = find(data, b"moov", b"trak", b"tkhd")
    assert struct.unpack(">II", data[tkhd.end - 8 : tkhd.end]) == (64 << 16, 48 << 16)
    entry = stsd_entry(data)
    assert entry[4:8] == b"avc1"
    assert struct.unpack_from(">HH", entry, 32) == (64, 48)
    (config,) = walk(entry, VISUAL_ENTRY)
    assert (config.kind, entry[config.payload : config.end]) == (b"avcC", AVCC)


def test_opus_gets_its_header_in_big_endian_with_version_0():
    """Opus in ISOBMFF §4.3.2: pre-skip 312, 48000 Hz, two channels."""
    entry = stsd_entry(init_section(OPUS))
    (dops,) = walk(entry, AUDIO_ENTRY)
    assert dops.kind == b"dOps"
    assert entry[dops.payload : dops.end] == struct.pack(">BBHIhB", 0, 2, 0x0138, 48_000, 0, 0)


def test_a_long_audio_configuration_gets_a_length_of_two_bytes():
    config = bytes.fromhex("1190") + bytes(200)
    entry = stsd_entry(init_section(AudioFormat(Codec.AAC, config, 48_000, 2, 1024)))
    (esds,) = walk(entry, AUDIO_ENTRY)
    body = entry[esds.payload + 4 : esds.end]
    assert body[0] == 0x03
    assert (body[1] & 0x7F) << 7 | body[2] == len(body) - 3
    assert config in body


def test_a_rate_that_does_not_fit_its_16_bits_is_left_out():
    entry = stsd_entry(init_section(AudioFormat(Codec.AAC, b"\x10\x10", 96_000, 2, 1024)))
    assert struct.unpack_from(">I", entry, 32)[0] == 0


def test_a_demuxer_reads_a_video_chunk_behind_it():
    idr, other = b"\0\0\0\x02\x65\x88", b"\0\0\0\x02\x41\x9a"
    samples = [Sample(i * 3000, 6000, i == 0, idr if i == 0 else other) for i in range(4)]
    with av.open(io.BytesIO(init_section(VIDEO) + video_chunk(0, samples, [3000] * 4))) as opened:
        (stream,) = opened.streams
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 64, 48)
        packets = [p for p in opened.demux() if p.size]
    assert [(p.dts, p.pts, p.is_keyframe) for p in packets] == [
        (0, 6000, True), (3000, 9000, False), (6000, 12000, False), (9000, 15000, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("track", "name"), [(STEREO_48K, "aac"), (MONO_44K, "aac"), (OPUS, "opus")]
)
def test_a_demuxer_reads_an_audio_chunk_behind_it(track, name):
    size = track.frame_samples
    samples = [Sample(i * size, 0, True, bytes(8)) for i in range(3)]
    chunk = audio_chunk(0, samples, audio_tfhd(size))
    with av.open(io.BytesIO(init_section(track) + chunk)) as opened:
        (stream,) = opened.streams
        context = stream.codec_context
        assert context.codec.canonical_name == name
        assert (context.sample_rate, context.channels) == (track.sample_rate, track.channels)
        packets = [p for p in opened.demux() if p.size]
    assert [p.dts for p in packets] == [0, size, 2 * size]


@pytest.mark.parametrize("codec", [Codec.HEVC, Codec.AV1])
def test_other_video_codecs_have_their_own_entry_and_configuration(codec):
    entry_kind, config_kind = {
        Codec.HEVC: (b"hvc1", b"hvcC"),
        Codec.AV1: (b"av01", b"av1C"),
    }[codec]
    entry = stsd_entry(init_section(VideoFormat(codec, b"config", 64, 48)))
    assert entry[4:8] == entry_kind
    (config,) = walk(entry, VISUAL_ENTRY)
    assert (config.kind, entry[config.payload : config.end]) == (config_kind, b"config")
