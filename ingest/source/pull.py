"""The pull: PyAV reads a publication from nginx-rtmp over loopback.

libavformat on a stranger's bytes: only a worker process imports this module. The puller joins
before the encoder's first packet, so nothing is lost and HEVC and AV1 come with their headers.
"""

from collections.abc import Iterator
from typing import Any, Self, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet as AvPacket
from av.video.stream import VideoStream

from ingest.errors import SourceUnavailable, UnsupportedMedia
from ingest.media import AudioFormat, Codec, MediaKind, Packet, TrackFormat, VideoFormat

_CODECS = {
    "h264": Codec.H264,
    "hevc": Codec.HEVC,
    "av1": Codec.AV1,
    "libdav1d": Codec.AV1,
    "aac": Codec.AAC,
    "opus": Codec.OPUS,
    "libopus": Codec.OPUS,
    "mp3": Codec.MP3,
    "mp3float": Codec.MP3,
}
_AV1C_START = b"\x81"
_FRAME_SAMPLES = {Codec.AAC: 1024, Codec.OPUS: 960, Codec.MP3: 1152}


class RtmpPull:
    """One publication, read to its end. A context manager; `tracks` is known once entered.

    `read_timeout_s` bounds every wait for the network. Raises SourceUnavailable when the
    publication cannot be opened or the connection breaks, UnsupportedMedia for codecs without a
    place in CMAF.
    """

    def __init__(self, url: str, read_timeout_s: float) -> None:
        self._url = url
        self._read_timeout_s = read_timeout_s
        self._container: InputContainer | None = None
        self._kinds: dict[int, MediaKind] = {}
        self.tracks: tuple[TrackFormat, ...] = ()

    def __enter__(self) -> Self:
        """Join the publication and wait for its tracks."""
        options = {
            "rtmp_live": "live",
            # Probing for a frame rate costs seconds and tells nothing that the packets do not.
            "fpsprobesize": "0",
            # Long enough for both tracks' headers; `nobuffer` would throw the probed packets away.
            "analyzeduration": "2000000",
            # libavformat's own bound: PyAV's interrupt callback would take the GIL at every poll.
            "rw_timeout": str(int(self._read_timeout_s * 1_000_000)),
        }
        try:
            self._container = av.open(self._url, options=options)
        except (av.FFmpegError, OSError) as error:
            raise SourceUnavailable(
                f"nginx-rtmp did not give the stream: {_reason(error)}"
            ) from error
        try:
            self.tracks = self._find_tracks(self._container)
        except BaseException:
            self._container.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the publication."""
        if self._container is not None:
            self._container.close()

    def packets(self) -> Iterator[Packet]:
        """Access units in the order in which they arrive, until the publication ends."""
        container = self._container
        if container is None:
            raise ValueError("the pull is not open")
        try:
            for packet in container.demux():
                unit = self._packet(packet)
                if unit is not None:
                    yield unit
        except IndexError as error:  # PyAV: a track showed up that was not there when it opened
            raise SourceUnavailable("a track appeared after the stream was opened") from error
        except av.EOFError:
            return
        except (av.FFmpegError, OSError) as error:
            raise SourceUnavailable(f"the pull broke: {_reason(error)}") from error

    def _packet(self, packet: "AvPacket[Any]") -> Packet | None:
        kind = self._kinds.get(packet.stream_index)
        if kind is None or packet.dts is None or packet.size == 0:
            return None
        pts = packet.dts if packet.pts is None else packet.pts
        return Packet(kind, packet.dts, pts, packet.is_keyframe, bytes(packet))

    def _find_tracks(self, container: InputContainer) -> tuple[TrackFormat, ...]:
        found: dict[MediaKind, TrackFormat] = {}
        for stream in container.streams:
            if stream.type == "video" and MediaKind.VIDEO not in found:
                found[MediaKind.VIDEO] = _video_format(cast("VideoStream", stream))
                self._kinds[stream.index] = MediaKind.VIDEO
            elif stream.type == "audio" and MediaKind.AUDIO not in found:
                found[MediaKind.AUDIO] = _audio_format(cast("AudioStream", stream))
                self._kinds[stream.index] = MediaKind.AUDIO
        if not found:
            raise UnsupportedMedia("the stream has neither video nor audio")
        return tuple(found.values())


def _video_format(stream: VideoStream) -> VideoFormat:
    context = stream.codec_context
    codec = _codec(context.name)
    config = bytes(context.extradata or b"")
    # Without its header in time libavformat keeps what it finds in the first frame, which is no
    # av1C: that begins with marker and version.
    headless = codec is Codec.AV1 and config[:1] != _AV1C_START
    if not config or not context.width or headless:
        raise SourceUnavailable(f"the {codec} stream came without its decoder configuration")
    return VideoFormat(codec, config, context.width, context.height)


def _audio_format(stream: AudioStream) -> AudioFormat:
    context = stream.codec_context
    codec = _codec(context.name)
    samples = context.frame_size or _FRAME_SAMPLES[codec]
    config = bytes(context.extradata or b"").removeprefix(b"OpusHead")
    return AudioFormat(codec, config, context.sample_rate, context.channels, samples)


def _codec(name: str) -> Codec:
    try:
        return _CODECS[name]
    except KeyError:
        raise UnsupportedMedia(
            f"{name} cannot be packaged; send H.264, HEVC or AV1 with AAC"
        ) from None


def _reason(error: Exception) -> str:
    """The error without its URL, which names the publication."""
    return getattr(error, "strerror", None) or type(error).__name__
