"""One CMAF chunk: a moof and its mdat (ISO/IEC 23000-19 §7.3.2.3), one track, track_ID 1."""

import struct
from array import array
from collections.abc import Sequence
from sys import byteorder

from ingest.media import Sample

# sample_flags (ISO/IEC 14496-12 §8.8.3.1)
SYNC = 0x02000000  # sample_depends_on = 2: depends on no other
NON_SYNC = 0x01010000  # sample_depends_on = 1, sample_is_non_sync_sample

_TRUN_DATA_OFFSET = 0x000001
_TRUN_FIRST_FLAGS = 0x000004
_TRUN_DURATION = 0x000100
_TRUN_SIZE = 0x000200
_TRUN_FLAGS = 0x000400
_TRUN_CTS = 0x000800

_U32 = struct.Struct(">I")
_MOOF_MFHD_TRAF = struct.Struct(">I4sI4sIII4s")
_TFDT = struct.Struct(">I4sIQ")
_TRUN = struct.Struct(">I4sIII")
_MDAT = struct.Struct(">I4s")

# default-base-is-moof | default-sample-flags present
_TFHD_VIDEO = struct.pack(">I4sIII", 20, b"tfhd", 0x020020, 1, NON_SYNC)


def audio_tfhd(frame_samples: int) -> bytes:
    """tfhd with the usual sample duration, which then leaves the trun."""
    return struct.pack(">I4sIIII", 24, b"tfhd", 0x020028, 1, frame_samples, SYNC)


def video_chunk(number: int, samples: Sequence[Sample], durations: Sequence[int]) -> bytes:
    """moof + mdat of video `samples` (one or more), `durations` in ticks, as long as `samples`.

    tfdt is the first sample's dts; composition offsets are signed (trun version 1).
    """
    flags = _TRUN_DATA_OFFSET | _TRUN_DURATION | _TRUN_SIZE | _TRUN_CTS
    late_key = any(sample.is_key for sample in samples[1:])
    entries = array("I")
    for sample, duration in zip(samples, durations, strict=True):
        entries.append(duration)
        entries.append(len(sample.data))
        if late_key:
            entries.append(SYNC if sample.is_key else NON_SYNC)
        entries.append(sample.cts_offset & 0xFFFFFFFF)
    if late_key:
        flags |= _TRUN_FLAGS
        return _chunk(number, samples, _TFHD_VIDEO, flags, b"", entries)
    first_flags = _U32.pack(SYNC if samples[0].is_key else NON_SYNC)
    return _chunk(number, samples, _TFHD_VIDEO, flags | _TRUN_FIRST_FLAGS, first_flags, entries)


def audio_chunk(
    number: int, samples: Sequence[Sample], tfhd: bytes, durations: Sequence[int] | None = None
) -> bytes:
    """moof + mdat of audio `samples`; `tfhd` from `audio_tfhd` gives their duration, unless
    `durations` (ticks, as long as `samples`) say otherwise."""
    if durations is None:
        entries = array("I", [len(sample.data) for sample in samples])
        return _chunk(number, samples, tfhd, _TRUN_DATA_OFFSET | _TRUN_SIZE, b"", entries)
    entries = array("I")
    for sample, duration in zip(samples, durations, strict=True):
        entries.append(duration)
        entries.append(len(sample.data))
    flags = _TRUN_DATA_OFFSET | _TRUN_DURATION | _TRUN_SIZE
    return _chunk(number, samples, tfhd, flags, b"", entries)


def _chunk(
    number: int,
    samples: Sequence[Sample],
    tfhd: bytes,
    trun_flags: int,
    first_flags: bytes,
    entries: "array[int]",
) -> bytes:
    if byteorder == "little":
        entries.byteswap()
    table = entries.tobytes()
    trun_size = 20 + len(first_flags) + len(table)
    traf_size = 8 + len(tfhd) + _TFDT.size + trun_size
    moof_size = 8 + 16 + traf_size
    pieces = [
        _MOOF_MFHD_TRAF.pack(moof_size, b"moof", 16, b"mfhd", 0, number, traf_size, b"traf"),
        tfhd,
        _TFDT.pack(_TFDT.size, b"tfdt", 0x01000000, samples[0].dts),
        _TRUN.pack(trun_size, b"trun", 0x01000000 | trun_flags, len(samples), moof_size + 8),
        first_flags,
        table,
        b"",  # mdat's header, once the payload's length is known
    ]
    header = len(pieces)
    pieces.extend(sample.data for sample in samples)
    payload_size = sum(map(len, pieces[header:]))
    pieces[header - 1] = _MDAT.pack(8 + payload_size, b"mdat")
    return b"".join(pieces)
