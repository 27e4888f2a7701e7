"""From encoded samples to a folder of CMAF that HLS and DASH both list, whole."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.journal_entries import (
    InitWritten,
    JournalEntry,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
    init_name,
    segment_name,
)
from ingest.manifest.dash_mpd import vod_mpd
from ingest.manifest.hls_playlist import multivariant_playlist, vod_playlist
from ingest.media import VIDEO_TIMESCALE, AudioFormat, MediaKind, Sample, TrackFormat, VideoFormat
from ingest.packaging.codec_strings import codec_string
from ingest.packaging.init_section import init_section
from ingest.packaging.open_track import PartReady, SegmentReady
from ingest.packaging.segmenter import Segmenter
from ingest.settings import PackagingSettings
from ingest.transcode.objects import DASH_NAME, HLS_NAME
from ingest.window.live_window import LiveWindow

_SEGMENT_S = 4.0
_WHOLE_S = 10 * 365 * 86_400.0
_AUDIO = "audio"
_MOST_APART_S = 30.0
"""How far sound and picture may be apart in the file before one goes on without the other."""


@dataclass(frozen=True, slots=True)
class VideoRendition:
    """A rung's name and track."""

    name: str
    format: VideoFormat


class LadderPackage:
    """Writes `{rendition}/init-0.mp4`, `{rendition}/segment-{n}.m4s` and the playlists.

    Renditions' video must have its keyframes at the same frames, so that all are cut alike; the
    sound follows the first. wall_s: what time 0 is called in HLS (Unix seconds).
    """

    def __init__(
        self,
        folder: Path,
        videos: Sequence[VideoRendition],
        audio: AudioFormat | None,
        wall_s: float,
    ) -> None:
        self._folder = folder
        self._window = LiveWindow(_WHOLE_S)
        self._window.apply([PeriodStarted(period=0, wall_s=wall_s, reason="")])
        # One chunk a segment: nobody plays it while it is made.
        settings = PackagingSettings(part_target_s=_SEGMENT_S + 0.2, segment_target_s=_SEGMENT_S)
        self._segmenters = []
        for index, video in enumerate(videos):
            self._start(video.name, video.format, settings)
            names = {MediaKind.VIDEO: video.name, MediaKind.AUDIO: _AUDIO}
            sink = _Sink(folder, self._window, names)
            tracks: list[TrackFormat] = (
                [video.format, audio] if audio is not None and index == 0 else [video.format]
            )
            self._segmenters.append(Segmenter(tracks, settings, sink))
        if audio is not None:
            self._start(_AUDIO, audio, settings)
        self._merge = _Merge(self._segmenters[0], audio)

    def video(self, index: int, sample: Sample) -> None:
        """A sample of the rendition of that index."""
        if index == 0:
            self._merge.video(sample)
        else:
            self._segmenters[index].video(sample)

    def audio(self, sample: Sample) -> None:
        """A frame of sound."""
        self._merge.audio(sample)

    def finish(self) -> float:
        """Write what is open, then the playlists; answers the duration in seconds."""
        self._merge.finish()
        for segmenter in self._segmenters:
            segmenter.finish()
        presentation = self._window.presentation()
        for rendition in presentation.renditions:
            self._write(f"{rendition.name}.m3u8", vod_playlist(rendition))
        self._write(DASH_NAME, vod_mpd(presentation))
        self._write(HLS_NAME, multivariant_playlist(presentation))
        return max((r.duration_s for r in presentation.renditions), default=0.0)

    def _start(
        self, name: str, track: VideoFormat | AudioFormat, settings: PackagingSettings
    ) -> None:
        (self._folder / name).mkdir(parents=True)
        (self._folder / name / init_name(0)).write_bytes(init_section(track))
        video = track if isinstance(track, VideoFormat) else None
        audio = track if isinstance(track, AudioFormat) else None
        self._window.apply(
            [
                InitWritten(
                    rendition=name,
                    kind=track.kind.value,
                    init=0,
                    codecs=codec_string(track),
                    timescale=track.timescale,
                    part_target_s=settings.part_limit_s,
                    target_duration_s=settings.target_duration_s,
                    width=video.width if video else 0,
                    height=video.height if video else 0,
                    channels=audio.channels if audio else 0,
                    sample_rate=audio.sample_rate if audio else 0,
                )
            ]
        )

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, "utf-8")


class _Sink:
    """Writes Media Segments, and tells the window that lists them."""

    def __init__(self, folder: Path, window: LiveWindow, names: dict[MediaKind, str]) -> None:
        self._folder = folder
        self._window = window
        self._names = names
        self._open: dict[MediaKind, list[PartReady]] = {}

    def part(self, part: PartReady) -> None:
        self._open.setdefault(part.kind, []).append(part)

    def segment(self, segment: SegmentReady) -> None:
        rendition = self._names[segment.kind]
        parts = self._open.pop(segment.kind, [])
        entries: list[JournalEntry] = [_part_entry(rendition, part) for part in parts]
        if parts:
            data = b"".join(part.data for part in parts)
            (self._folder / rendition / segment_name(segment.msn)).write_bytes(data)
        entries.append(
            SegmentWritten(
                rendition=rendition,
                msn=segment.msn,
                init=0,
                start=segment.start,
                duration=segment.duration,
                size=sum(len(part.data) for part in parts),
                parts=segment.parts,
            )
        )
        self._window.apply(entries)


def _part_entry(rendition: str, part: PartReady) -> PartWritten:
    return PartWritten(
        rendition=rendition,
        msn=part.msn,
        index=part.index,
        number=part.number,
        start=part.start,
        duration=part.duration,
        size=len(part.data),
        independent=part.independent,
        sync_start=part.sync_start,
    )


class _Merge:
    """Sound and picture into one segmenter in the order of their times, however the file and the
    encoders hold them back."""

    def __init__(self, segmenter: Segmenter, audio: AudioFormat | None) -> None:
        self._segmenter = segmenter
        self._audio_scale = audio.timescale if audio else 0
        self._videos: deque[tuple[float, Sample]] = deque()
        self._sounds: deque[tuple[float, Sample]] = deque()

    def video(self, sample: Sample) -> None:
        if not self._audio_scale:
            self._segmenter.video(sample)
            return
        self._videos.append((sample.dts / VIDEO_TIMESCALE, sample))
        self._feed()

    def audio(self, sample: Sample) -> None:
        self._sounds.append((sample.dts / self._audio_scale, sample))
        self._feed()

    def finish(self) -> None:
        while self._videos or self._sounds:
            self._next()

    def _feed(self) -> None:
        while self._videos and self._sounds:
            self._next()
        for waiting in (self._videos, self._sounds):
            while waiting and waiting[-1][0] - waiting[0][0] > _MOST_APART_S:
                self._next()

    def _next(self) -> None:
        if not self._sounds or (self._videos and self._videos[0][0] <= self._sounds[0][0]):
            self._segmenter.video(self._videos.popleft()[1])
        else:
            self._segmenter.audio(self._sounds.popleft()[1])
