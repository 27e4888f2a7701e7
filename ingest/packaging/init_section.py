"""The Media Initialization Section: ftyp + moov of a CMAF track (ISO/IEC 23000-19 §7.3.1)."""

import struct

from ingest.media import AudioFormat, Codec, TrackFormat, VideoFormat
from ingest.packaging.boxes import box, full_box
from ingest.packaging.codec_strings import mp3_object_type

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDEFINED_LANGUAGE = 0x55C4  # "und" packed in 5-bit letters (ISO/IEC 14496-12 §8.4.2.3)
_SAMPLE_ENTRIES = {
    Codec.H264: (b"avc1", b"avcC"),
    Codec.HEVC: (b"hvc1", b"hvcC"),
    Codec.AV1: (b"av01", b"av1C"),
}
_AAC_OBJECT_TYPE = 0x40


def init_section(track: TrackFormat) -> bytes:
    """ftyp + moov for `track`, without samples and without an edit list."""
    return _ftyp() + box(b"moov", _mvhd(), _trak(track), box(b"mvex", _trex()))


def _ftyp() -> bytes:
    return box(b"ftyp", b"iso6", _u32(0), b"iso6", b"cmfc", b"mp41", b"dash")


def _mvhd() -> bytes:
    times = struct.pack(">IIII", 0, 0, 1000, 0)
    rate_and_volume = struct.pack(">IHHII", 0x10000, 0x0100, 0, 0, 0)
    return full_box(b"mvhd", 0, 0, times, rate_and_volume, _MATRIX, bytes(24), _u32(2))


def _trak(track: TrackFormat) -> bytes:
    return box(b"trak", _tkhd(track), box(b"mdia", _mdhd(track), _hdlr(track), _minf(track)))


def _tkhd(track: TrackFormat) -> bytes:
    width, height, volume = 0, 0, 0x0100
    if isinstance(track, VideoFormat):
        width, height, volume = track.width << 16, track.height << 16, 0
    head = struct.pack(">IIIII", 0, 0, 1, 0, 0)
    layout = struct.pack(">IIHHHH", 0, 0, 0, 0, volume, 0)
    enabled_in_movie = 0x000003
    size = struct.pack(">II", width, height)
    return full_box(b"tkhd", 0, enabled_in_movie, head, layout, _MATRIX, size)


def _mdhd(track: TrackFormat) -> bytes:
    return full_box(
        b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, track.timescale, 0, _UNDEFINED_LANGUAGE, 0)
    )


def _hdlr(track: TrackFormat) -> bytes:
    handler = b"vide" if isinstance(track, VideoFormat) else b"soun"
    return full_box(b"hdlr", 0, 0, _u32(0), handler, bytes(12), b"golive\0")


def _minf(track: TrackFormat) -> bytes:
    if isinstance(track, VideoFormat):
        media_header = full_box(b"vmhd", 0, 1, bytes(8))
        entry = _visual_sample_entry(track)
    else:
        media_header = full_box(b"smhd", 0, 0, bytes(4))
        entry = _audio_sample_entry(track)
    in_this_file = full_box(b"url ", 0, 1)
    data_info = box(b"dinf", full_box(b"dref", 0, 0, _u32(1), in_this_file))
    table = box(
        b"stbl",
        full_box(b"stsd", 0, 0, _u32(1), entry),
        full_box(b"stts", 0, 0, _u32(0)),
        full_box(b"stsc", 0, 0, _u32(0)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, _u32(0)),
    )
    return box(b"minf", media_header, data_info, table)


def _trex() -> bytes:
    return full_box(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, 0, 0, 0))


def _visual_sample_entry(track: VideoFormat) -> bytes:
    """VisualSampleEntry (ISO/IEC 14496-12 §12.1.3) with the codec's configuration box."""
    entry, config = _SAMPLE_ENTRIES[track.codec]
    head = struct.pack(">6xH16xHH", 1, track.width, track.height)
    resolution_72_dpi = struct.pack(">III", 0x480000, 0x480000, 0)
    tail = struct.pack(">H32sHh", 1, b"", 0x0018, -1)
    return box(entry, head, resolution_72_dpi, tail, box(config, track.config))


def _audio_sample_entry(track: AudioFormat) -> bytes:
    """AudioSampleEntry (ISO/IEC 14496-12 §12.2.3) with esds or dOps."""
    opus = track.codec is Codec.OPUS
    rate = track.sample_rate if track.sample_rate <= 0xFFFF else 0  # noqa: PLR2004  16.16 fixed
    head = struct.pack(">6xH8xHHHHI", 1, track.channels, 16, 0, 0, rate << 16)
    if opus:
        return box(b"Opus", head, box(b"dOps", _dops(track)))
    return box(b"mp4a", head, _esds(track))


def _dops(track: AudioFormat) -> bytes:
    """OpusSpecificBox: OpusHead with version 0 and big-endian fields (Opus in ISOBMFF §4.3.2)."""
    head = track.config
    if len(head) < 11:  # noqa: PLR2004  no header came: two channels, no pre-skip
        return struct.pack(">BBHIhB", 0, track.channels, 0, track.sample_rate, 0, 0)
    channels, pre_skip, rate, gain, family = struct.unpack_from("<xBHIhB", head)
    return struct.pack(">BBHIhB", 0, channels, pre_skip, rate, gain, family) + head[11:]


def _esds(track: AudioFormat) -> bytes:
    """ES_Descriptor (ISO/IEC 14496-1 §7.2.6.5) for AAC and MP3 in MPEG-4 audio."""
    mp3 = track.codec is Codec.MP3
    object_type = mp3_object_type(track) if mp3 else _AAC_OBJECT_TYPE
    audio_stream = 0x15
    specific = b"" if mp3 else _descriptor(0x05, track.config)
    decoder = _descriptor(0x04, struct.pack(">BB3xII", object_type, audio_stream, 0, 0), specific)
    mp4_sync_layer = _descriptor(0x06, b"\x02")
    return full_box(b"esds", 0, 0, _descriptor(0x03, b"\0\0\0", decoder, mp4_sync_layer))


def _descriptor(tag: int, *payload: bytes) -> bytes:
    """A descriptor with its length in base-128, most significant group first."""
    body = b"".join(payload)
    length = len(body)
    groups = [length & 0x7F]
    while length := length >> 7:
        groups.append(length & 0x7F | 0x80)
    return bytes([tag, *reversed(groups)]) + body


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")
