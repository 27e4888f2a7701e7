"""What a track's initialization section says, as far as a progressive MP4 needs it."""

import struct
from dataclasses import dataclass

from ingest.errors import MalformedMedia
from ingest.media import MediaKind
from ingest.packaging.boxes import find, walk

_VISUAL_ENTRY_BYTES = 78
"""VisualSampleEntry before its boxes (ISO/IEC 14496-12 §12.1.3)."""

_HANDLERS = {b"vide": MediaKind.VIDEO, b"soun": MediaKind.AUDIO}


@dataclass(frozen=True, slots=True)
class TrackInit:
    """`entry` is the sample entry, a box; `width` and `height` as a track header has them.

    `parameter_sets`: the decoder configuration as length-prefixed NAL units, which may stand in
    front of a keyframe; empty where the codec has none.
    """

    kind: MediaKind
    timescale: int
    entry: bytes
    width: int
    height: int
    parameter_sets: bytes = b""

    @property
    def coding(self) -> bytes:
        """The sample entry's four letters: avc1, hvc1, av01, mp4a, Opus."""
        return self.entry[4:8]


def read_track_init(data: bytes) -> TrackInit:
    """Read a Media Initialization Section that we wrote. Raises MalformedMedia."""
    try:
        (tkhd,) = find(data, b"moov", b"trak", b"tkhd")
        (mdhd,) = find(data, b"moov", b"trak", b"mdia", b"mdhd")
        (hdlr,) = find(data, b"moov", b"trak", b"mdia", b"hdlr")
        (stsd,) = find(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
        entry = next(walk(data, stsd.payload + 8, stsd.end))
        (timescale,) = struct.unpack_from(">I", data, mdhd.payload + 12)
        width, height = struct.unpack_from(">II", data, tkhd.end - 8)
        kind = _HANDLERS[data[hdlr.payload + 8 : hdlr.payload + 12]]
        sample_entry = data[entry.start : entry.end]
        sets = _parameter_sets(sample_entry) if kind is MediaKind.VIDEO else b""
    except (ValueError, KeyError, StopIteration, struct.error, IndexError) as error:
        raise MalformedMedia(f"the initialization section cannot be read: {error!r}") from error
    return TrackInit(kind, timescale, sample_entry, width >> 16, height >> 16, sets)


def _parameter_sets(entry: bytes) -> bytes:
    for view in walk(entry, 8 + _VISUAL_ENTRY_BYTES):
        config = entry[view.payload : view.end]
        if view.kind == b"avcC":
            return _of_avcc(config)
        if view.kind == b"hvcC":
            return _of_hvcc(config)
    return b""


def _of_avcc(config: bytes) -> bytes:
    """AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3)."""
    prefix = (config[4] & 3) + 1
    found, position = b"", 5
    for mask in (0x1F, 0xFF):  # sequence parameter sets, then picture parameter sets
        count, position = config[position] & mask, position + 1
        units, position = _units(config, position, count, prefix)
        found += units
    return found


def _of_hvcc(config: bytes) -> bytes:
    """HEVCDecoderConfigurationRecord (§8.3.3)."""
    prefix = (config[21] & 3) + 1
    found, position = b"", 23
    for _ in range(config[22]):
        (count,) = struct.unpack_from(">H", config, position + 1)
        units, position = _units(config, position + 3, count, prefix)
        found += units
    return found


def _units(config: bytes, position: int, count: int, prefix: int) -> tuple[bytes, int]:
    """`count` NAL units with 16-bit lengths, with lengths of `prefix` bytes; where they end."""
    found = b""
    for _ in range(count):
        (length,) = struct.unpack_from(">H", config, position)
        found += length.to_bytes(prefix, "big") + config[position + 2 : position + 2 + length]
        position += 2 + length
    return found, position
