"""Silent frames for sound that pauses: a player that is promised sound waits for it.

Each is the shortest access unit of its codec that decodes to silence, made from the track's own
configuration; pure.
"""

from ingest.media import AudioFormat, Codec

_SINGLE, _PAIR, _LOW = 0, 1, 3  # id_syn_ele: SCE, CPE, LFE (ISO/IEC 14496-3 §4.5.2.1.1)
_AAC_ELEMENTS = {
    1: (_SINGLE,),
    2: (_PAIR,),
    3: (_SINGLE, _PAIR),
    4: (_SINGLE, _PAIR, _SINGLE),
    5: (_SINGLE, _PAIR, _PAIR),
    6: (_SINGLE, _PAIR, _PAIR, _LOW),
    8: (_SINGLE, _PAIR, _PAIR, _PAIR, _LOW),
}
"""Syntactic elements of a raw data block, by number of channels (ISO/IEC 14496-3 §1.6.3.4)."""

_AAC_OBJECT_TYPES = frozenset({2, 5, 29})  # LC, and SBR and PS on top of it
_OPUS_FRAME_SAMPLES = 960
_MP3_KBIT_S = {1152: 32, 576: 8}
_MP3_RATES = (44_100, 48_000, 32_000)


def silent_frame(track: AudioFormat) -> bytes | None:
    """An access unit of `track` with nothing to hear; None where none is known."""
    if track.codec is Codec.AAC:
        return _aac(track)
    if track.codec is Codec.OPUS:
        return _opus(track)
    return _mp3(track)


def _aac(track: AudioFormat) -> bytes | None:
    """A raw data block (§4.4.2.1) whose channels have no scale factor band at all."""
    object_type = track.config[0] >> 3 if track.config else 0
    if object_type not in _AAC_OBJECT_TYPES or track.channels not in _AAC_ELEMENTS:
        return None
    bits, seen = "", {_SINGLE: 0, _PAIR: 0, _LOW: 0}
    global_gain, ics_info, no_tools = "0" * 8, "0" * 11, "000"
    for element in _AAC_ELEMENTS[track.channels]:
        channel = global_gain + ics_info + no_tools
        body = "0" + channel + channel if element == _PAIR else channel
        bits += f"{element:03b}{seen[element]:04b}" + body
        seen[element] += 1
    bits += "111"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _opus(track: AudioFormat) -> bytes | None:
    """20 ms of CELT at full band that code nothing (RFC 6716 §3.1 for the first byte)."""
    if track.frame_samples != _OPUS_FRAME_SAMPLES or track.channels not in {1, 2}:
        return None
    return bytes([0xF8 | (track.channels == 2) << 2, 0xFF, 0xFE])  # noqa: PLR2004  stereo


def _mp3(track: AudioFormat) -> bytes | None:
    """A frame of layer III at the lowest bit rate, its side information all zero: no granule has
    anything coded (ISO/IEC 11172-3 §2.4.1.3)."""
    divisor = next((d for d in (1, 2, 4) if track.sample_rate * d in _MP3_RATES), 0)
    if not divisor or (divisor == 1) != (track.frame_samples == 1152):  # noqa: PLR2004  MPEG-1
        return None
    version = {1: 3, 2: 2, 4: 0}[divisor]
    mono = track.channels == 1
    header = (0x7FF << 21) | version << 19 | 1 << 17 | 1 << 16 | 1 << 12
    header |= _MP3_RATES.index(track.sample_rate * divisor) << 10 | (3 if mono else 0) << 6
    size = track.frame_samples // 8 * _MP3_KBIT_S[track.frame_samples] * 1000 // track.sample_rate
    return header.to_bytes(4, "big").ljust(size, b"\0")
