"""An uploaded file, opened: what it holds, and its decoded frames. Media tasks only."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ingest.errors import MediaRefused
from ingest.transcode.limits import MediaLimits, VideoFacts, check_duration, check_video

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "flv", "asf", "ogg",
)  # fmt: skip
"""Containers only: a playlist would make libavformat read other files, or the network."""

_MOST_BROKEN = 200
"""Packets that cannot be decoded, one after the other, before the rest is given up."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What the container says of the sound."""

    codec: str
    sample_rate: int
    channels: int


class Source:
    """One upload, read from its start to its end. A context manager.

    Opening raises MediaRefused for what is no video, or more than `limits`; nothing of the video
    is decoded before that is settled, but what libavformat itself needs to know the codec.
    """

    def __init__(self, path: str, limits: MediaLimits) -> None:
        self._path = path
        self._limits = limits
        self.is_damaged = False
        """Whether something could not be read or decoded, up to now."""

    def __enter__(self) -> Self:
        """Open and check it."""
        self._container = _open(self._path)
        try:
            self._find_streams()
        except BaseException:
            self._container.close()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        """Close it."""
        self._container.close()

    def frames(self) -> Iterator[VideoFrame | AudioFrame]:
        """Frames of both kinds as they come, until the end or until nothing can be read."""
        broken = 0
        for packet in self._packets():
            try:
                for frame in packet.decode():
                    if isinstance(frame, VideoFrame | AudioFrame):
                        self._check_time(frame)
                        yield frame
                broken = 0
            except (av.InvalidDataError, av.ArgumentError, av.PatchWelcomeError):
                self.is_damaged = True
                broken += 1
                if broken > _MOST_BROKEN:
                    return

    @property
    def origin_s(self) -> Fraction:
        """Time stamp of the presentation's start, in seconds."""
        return min(
            (
                Fraction(stream.time_base) * stream.start_time
                for stream in self._streams
                if stream.start_time is not None and stream.time_base is not None
            ),
            default=Fraction(0),
        )

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(*self._streams)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.EOFError):
                return
            except (av.FFmpegError, OSError):
                self.is_damaged = True
                for stream in self._streams:  # what the decoders still hold
                    with contextlib.suppress(av.FFmpegError):
                        yield _Flush(stream)
                return
            if packet.is_corrupt:
                self.is_damaged = True
            yield packet

    def _find_streams(self) -> None:
        streams = self._container.streams
        videos = [s for s in streams.video if not s.disposition & s.disposition.attached_pic]
        if not videos:
            raise MediaRefused("no_video", "key", "The file has no video")
        self.video: VideoStream = videos[0]
        self.audio: AudioStream | None = next(
            (
                s
                for s in streams.audio
                if s.codec_context is not None and s.codec_context.sample_rate
            ),
            None,
        )
        self._streams = [s for s in (self.video, self.audio) if s is not None]
        self.facts = self._facts()
        check_video(self.facts, self._limits)
        self.video.thread_type = "AUTO"

    def _facts(self) -> VideoFacts:
        video, context = self.video, self.video.codec_context
        length = self._container.duration
        duration_s = None if length is None or length < 0 else length / av.time_base
        rate = video.average_rate or video.guessed_rate
        name = "unknown" if context is None else context.name
        width, height = (0, 0) if context is None else (context.width, context.height)
        return VideoFacts(name, width, height, Fraction(rate) if rate else None, duration_s)

    @property
    def audio_facts(self) -> AudioFacts | None:
        """What there is to hear; None without sound."""
        if self.audio is None:
            return None
        context = self.audio.codec_context
        return AudioFacts(context.name, context.sample_rate, context.channels)

    def _check_time(self, frame: VideoFrame | AudioFrame) -> None:
        if frame.time is not None:
            check_duration(frame.time - float(self.origin_s), self._limits)


class _Flush:
    """The end of a stream whose packets ended in an error."""

    def __init__(self, stream: VideoStream | AudioStream) -> None:
        self._stream = stream

    def decode(self) -> list[Any]:
        """What the decoder has left."""
        return list(self._stream.codec_context.decode(None))


def _open(path: str) -> InputContainer:
    options = {"format_whitelist": ",".join(_FORMATS), "protocol_whitelist": "file"}
    try:
        return av.open(path, options=options)
    except (av.FFmpegError, OSError) as error:
        raise MediaRefused("not_media", "key", "The file is no video that can be read") from error
