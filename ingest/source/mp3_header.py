"""Sample rate and channels from the header of an MPEG audio frame (ISO/IEC 11172-3 §2.4.1.3)."""

from ingest.errors import MalformedMedia
from ingest.media import AudioFormat, Codec

_RATES = (44_100, 48_000, 32_000)
_HEADER_BYTES = 4
_SYNC = 0x7FF
_LAYER_3 = 1
_MONO = 3
_VERSION_1 = 3
_DIVISORS = {3: 1, 2: 2, 0: 4}
"""MPEG-1; MPEG-2 (ISO/IEC 13818-3) halves the sample rates; "MPEG-2.5" halves them again."""


def mp3_format(frame: bytes) -> AudioFormat:
    """The track that `frame` belongs to. Raises MalformedMedia for what is no layer III."""
    if len(frame) < _HEADER_BYTES:
        raise MalformedMedia("the MP3 frame is cut off")
    header = int.from_bytes(frame[:_HEADER_BYTES], "big")
    divisor = _DIVISORS.get(header >> 19 & 3)
    index = header >> 10 & 3
    layer = header >> 17 & 3
    if header >> 21 != _SYNC or divisor is None or index >= len(_RATES) or layer != _LAYER_3:
        raise MalformedMedia("this is no MP3 frame")
    channels = 1 if header >> 6 & 3 == _MONO else 2
    samples = 1152 if header >> 19 & 3 == _VERSION_1 else 576
    return AudioFormat(Codec.MP3, b"", _RATES[index] // divisor, channels, samples)
