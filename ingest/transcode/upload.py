"""A media task: one uploaded video into poster, ladder and sound, as CMAF for HLS and DASH.

Runs in a process of its own (`ingest.tasks`).
"""

import os
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from ingest.errors import MediaRefused
from ingest.transcode.encoders import (
    AAC_SAMPLE_RATE,
    AudioEncoder,
    VideoEncoder,
    start_ticks,
)
from ingest.transcode.filters import Resampler, Scaler
from ingest.transcode.ladder import Picture, ladder, output_rate, upright
from ingest.transcode.objects import POSTER_NAME, VideoRequest
from ingest.transcode.package import LadderPackage, VideoRendition
from ingest.transcode.source import Source

_JPEG_QUALITY = "3"
_MOST_THREADS = 16
_MOST_EARLY_FRAMES = 2000


class RenditionMade(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One size of the ladder."""

    name: str
    width: int
    height: int


class VideoMade(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the video was, and what was made of it.

    width, height: of the source, upright. damaged: something could not be read.
    """

    duration: float
    width: int
    height: int
    frame_rate: float
    rotation: int
    video_codec: str
    audio_codec: str | None
    audio_channels: int
    damaged: bool
    renditions: list[RenditionMade]


def process(request: dict[str, Any], report: Callable[[float], None]) -> dict[str, Any]:
    """See `VideoRequest` and `VideoMade`. Raises MediaRefused."""
    wanted = msgspec.convert(request, VideoRequest)
    with Source(wanted.source, wanted.limits) as source:
        made = _Transcoding(source, wanted, report).run()
    answer: dict[str, Any] = msgspec.to_builtins(made)
    return answer


class _Transcoding:
    """One upload's way through decoders, filters, encoders and packager."""

    def __init__(
        self, source: Source, wanted: VideoRequest, report: Callable[[float], None]
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._report = report
        self._folder = Path(wanted.folder)
        self._fps = output_rate(source.facts.fps)
        self._poster_number = int(wanted.poster_s * self._fps)
        self._poster: VideoFrame | None = None
        self._poster_written = False
        self._numbers: list[int] = []
        self._scaler: Scaler | None = None
        sound = source.audio_facts
        channels = min(2, sound.channels) if sound else 0
        start = round(start_ticks(self._fps, AAC_SAMPLE_RATE))
        self._audio = AudioEncoder(channels, start) if sound else None
        self._resampler = (
            Resampler(source.audio, channels, source.origin_s) if source.audio and sound else None
        )
        # Sound before the first picture; what is older is silence.
        self._early: deque[AudioFrame] = deque(maxlen=_MOST_EARLY_FRAMES)

    def run(self) -> VideoMade:
        for frame in self._source.frames():
            if isinstance(frame, VideoFrame):
                self._take_picture(frame)
            else:
                self._take_sound(frame)
        if self._scaler is None:
            raise MediaRefused("damaged", "key", "No picture of the video can be decoded")
        self._take_picture(None)
        self._take_sound(None)
        for index, encoder in enumerate(self._encoders):
            for sample in encoder.finish():
                self._package.video(index, sample)
        if self._poster is not None and not self._poster_written:
            self._write_poster(self._poster)
        return self._made(self._package.finish())

    def _start(self, first: VideoFrame) -> Scaler:
        facts, source = self._source.facts, self._source
        self._rotation = first.rotation % 360
        self._size = upright(
            first.width, first.height, source.video.sample_aspect_ratio, self._rotation
        )
        rungs = ladder(Picture(*self._size, self._fps))
        threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        self._encoders = [VideoEncoder(rung, self._fps, threads) for rung in rungs]
        self._numbers = [0] * len(rungs)
        self._package = LadderPackage(
            self._folder,
            [VideoRendition(encoder.rung.name, encoder.format) for encoder in self._encoders],
            self._audio.format if self._audio else None,
            self._wanted.wall_s,
        )
        self._duration_s = facts.duration_s
        return Scaler(first, rungs, self._fps, source.origin_s)

    def _take_picture(self, frame: VideoFrame | None) -> None:
        if frame is not None and self._scaler is None:
            self._scaler = self._start(frame)
            while self._early:
                self._take_sound(self._early.popleft())
        if self._scaler is None:
            return
        for index, picture in self._scaler.push(frame):
            number = self._numbers[index]
            self._numbers[index] += 1
            if index == 0:
                self._note_picture(picture, number)
            for sample in self._encoders[index].encode(picture, number):
                self._package.video(index, sample)

    def _take_sound(self, frame: AudioFrame | None) -> None:
        if self._audio is None or self._resampler is None:
            return
        if self._scaler is None:
            if frame is not None:
                self._early.append(frame)
            return
        for sound in self._resampler.push(frame):
            for sample in self._audio.encode(sound):
                self._package.audio(sample)
        if frame is None:
            for sample in self._audio.encode(None):
                self._package.audio(sample)

    def _note_picture(self, picture: VideoFrame, number: int) -> None:
        if self._duration_s:
            self._report(min(100.0, float(100 * number / self._fps) / self._duration_s))
        if number == self._poster_number:
            self._write_poster(picture)
        elif number < self._poster_number:
            self._poster = picture

    def _write_poster(self, picture: VideoFrame) -> None:
        self._poster_written = True
        jpeg = picture.reformat(format="yuvj420p")
        context = av.CodecContext.create("mjpeg", "w")
        context.width, context.height, context.pix_fmt = jpeg.width, jpeg.height, "yuvj420p"
        context.time_base = Fraction(1, 25)
        context.options = {"qmin": _JPEG_QUALITY, "qmax": _JPEG_QUALITY}
        jpeg.pts, jpeg.time_base = 0, context.time_base
        packets = [*context.encode(jpeg), *context.encode(None)]
        (self._folder / POSTER_NAME).write_bytes(b"".join(bytes(packet) for packet in packets))

    def _made(self, duration_s: float) -> VideoMade:
        sound = self._source.audio_facts
        rungs = [encoder.rung for encoder in self._encoders]
        return VideoMade(
            duration=round(duration_s, 3),
            width=self._size[0],
            height=self._size[1],
            frame_rate=round(float(self._fps), 3),
            rotation=self._rotation,
            video_codec=self._source.facts.codec,
            audio_codec=sound.codec if sound else None,
            audio_channels=sound.channels if sound else 0,
            damaged=self._source.is_damaged,
            renditions=[
                RenditionMade(name=rung.name, width=rung.width, height=rung.height)
                for rung in rungs
            ],
        )
