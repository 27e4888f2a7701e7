"""AAC or MP3 to Opus, once for all viewers of a stream."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from ingest.media import AudioFormat, Codec

OPUS_RATE = 48_000
_FRAME_SAMPLES = 960
_BIT_RATE = 96_000
_HOLE_SAMPLES = 4_800
"""A stamp that is a tenth of a second away from the count of samples starts it anew."""

_DECODERS = {Codec.AAC: "aac", Codec.MP3: "mp3float"}


class OpusTranscoder:
    """Frames of one track in, Opus frames of 20 ms out.

    Codecs other than AAC and MP3 are left out: `can_read`.
    """

    def __init__(self, track: AudioFormat) -> None:
        self._decoder = _decoder(track)
        self._encoder = _encoder()
        self._resampler = AudioResampler(
            format="s16", layout="stereo", rate=OPUS_RATE, frame_size=_FRAME_SAMPLES
        )
        self._next: int | None = None
        self.broken = 0

    @staticmethod
    def can_read(track: AudioFormat) -> bool:
        """Whether there is a decoder for it."""
        return track.codec in _DECODERS

    def feed(self, data: bytes, stamp_ms: int) -> Iterator[tuple[int, bytes]]:
        """Opus frames with their timestamps in ticks of 1/48000 s, on the clock of `stamp_ms`."""
        packet = av.Packet(data)
        expected = stamp_ms * OPUS_RATE // 1000
        if self._next is None or abs(expected - self._next) > _HOLE_SAMPLES:
            self._next = expected
        try:
            for decoded in self._decoder.decode(packet):
                decoded.pts = None
                for frame in self._resampler.resample(decoded):
                    frame.pts = None
                    for encoded in self._encoder.encode(frame):
                        yield self._next, bytes(encoded)
                        self._next += _FRAME_SAMPLES
        except av.FFmpegError:
            self.broken += 1


def _decoder(track: AudioFormat) -> AudioCodecContext:
    decoder = av.CodecContext.create(_DECODERS[track.codec], "r")
    assert isinstance(decoder, AudioCodecContext)  # noqa: S101  both are
    if track.config:
        decoder.extradata = track.config
    decoder.sample_rate = track.sample_rate
    decoder.layout = "stereo" if track.channels == 2 else "mono"  # noqa: PLR2004
    return decoder


def _encoder() -> AudioCodecContext:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)  # noqa: S101  it is
    encoder.sample_rate = OPUS_RATE
    encoder.layout = "stereo"
    encoder.format = "s16"
    encoder.bit_rate = _BIT_RATE
    encoder.time_base = Fraction(1, OPUS_RATE)
    encoder.options = {"frame_duration": "20", "application": "lowdelay"}
    return encoder
