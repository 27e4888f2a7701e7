"""Sample rate and channels from an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1)."""

from ingest.errors import MalformedMedia
from ingest.media import AudioFormat, Codec

_RATES = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
)  # fmt: skip
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
_EXPLICIT_RATE = 15
_LOWEST_RATE, _HIGHEST_RATE = _RATES[-1], 192_000
"""A rate of its own has 24 bits. What no decoder plays is a damaged configuration: taken at its
word, a second of it would be thousands of frames, or a frame would last for minutes."""

_FRAME_SAMPLES = 1024
_FRAME_SAMPLES_960 = 960


def aac_format(config: bytes) -> AudioFormat:
    """The track that `config` describes, on the clock of its core coder.

    HE-AAC's core runs at half the output rate; a frame lasts as long either way. Raises
    MalformedMedia when the configuration is too short or names no rate that can be played.
    """
    bits = int.from_bytes(config[:8].ljust(8, b"\0"), "big")
    if len(config) < 2:  # noqa: PLR2004
        raise MalformedMedia("the AudioSpecificConfig is cut off")
    position = 5
    if bits >> 59 == 31:  # noqa: PLR2004  escape: six more bits of object type
        position += 6
    index = bits >> (60 - position) & 0xF
    position += 4
    if index == _EXPLICIT_RATE:
        rate = bits >> (40 - position) & 0xFFFFFF
        position += 24
    elif index < len(_RATES):
        rate = _RATES[index]
    else:
        raise MalformedMedia(f"the AudioSpecificConfig has no sample rate {index}")
    channels = bits >> (60 - position) & 0xF
    position += 4
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE or channels >= len(_CHANNELS):
        raise MalformedMedia("the AudioSpecificConfig is not usable")
    short_frames = bits >> (63 - position) & 1
    samples = _FRAME_SAMPLES_960 if short_frames and bits >> 59 == 2 else _FRAME_SAMPLES  # noqa: PLR2004
    # No channel configuration: a program config element tells, and stereo is what encoders mean.
    return AudioFormat(Codec.AAC, config, rate, _CHANNELS[channels] or 2, samples)
