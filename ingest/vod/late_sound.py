"""Silence for a recording whose sound begins a Period later than its picture: players that are told
of a track wait for it, and hls.js shows nothing without it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ingest.journal_entries import segment_name
from ingest.media import AudioFormat, Codec, MediaKind, Sample
from ingest.packaging.fragment import audio_chunk, audio_tfhd
from ingest.packaging.silence import silent_frame
from ingest.presentation import InitSection, Presentation, Rendition, Segment

_MOST_S = 60.0
"""A picture that was alone for longer was meant to be."""

_AAC_LC = "mp4a.40.2"
_FRAME_SAMPLES = 1024
_OBJECT_TYPE_LC = 2


class SilentSegment(NamedTuple):
    """A Media Segment that nobody sent: `name` is relative to the recording's folder."""

    name: str
    data: bytes


def with_silence_first(recorded: Presentation) -> tuple[Presentation, list[SilentSegment]]:
    """The same, with silence where the picture began before the sound, and the segments that hold
    it; AAC-LC only."""
    renditions, made = [], []
    pictures = next(iter(recorded.of_kind(MediaKind.VIDEO)), None)
    for rendition in recorded.renditions:
        alone = _alone(pictures, rendition) if pictures is not None else []
        frame = _silent_frame(rendition.init_of(rendition.segments[0])) if alone else None
        if frame is None:
            renditions.append(rendition)
            continue
        segments, files = _silence(rendition, alone, frame)
        renditions.append(
            replace(rendition, segments=(*segments, *rendition.segments), totals=None)
        )
        made += files
    return replace(recorded, renditions=tuple(renditions)), made


def _alone(pictures: Rendition, rendition: Rendition) -> list[Segment]:
    """The segments of pictures from before the sound, if it may be filled."""
    if rendition.kind is not MediaKind.AUDIO:
        return []
    first_msn = rendition.segments[0].msn
    alone: list[Segment] = []
    for segment in pictures.segments:
        if segment.msn >= first_msn:
            return alone
        alone.append(segment)
        if segment.gap or alone[-1].wall_s - alone[0].wall_s > _MOST_S:
            return []
    return alone


def _silent_frame(init: InitSection) -> bytes | None:
    if init.codecs != _AAC_LC:
        return None
    config = bytes([_OBJECT_TYPE_LC << 3, 0])  # the rest of it does not matter here
    return silent_frame(
        AudioFormat(Codec.AAC, config, init.sample_rate, init.channels, _FRAME_SAMPLES)
    )


def _silence(
    rendition: Rendition, alone: Sequence[Segment], frame: bytes
) -> tuple[list[Segment], list[SilentSegment]]:
    """Beside each of the segments `alone`, whole frames until its end or a little later."""
    init = rendition.init_of(rendition.segments[0])
    tfhd = audio_tfhd(_FRAME_SAMPLES)
    segments, files = [], []
    for _, same in groupby(alone, attrgetter("period")):
        start = -1
        for beside in same:
            if start < 0:
                start = round(beside.start_s * init.timescale)
            end = (beside.start_s + beside.duration_s) * init.timescale
            count = max(1, -(-int(end - start) // _FRAME_SAMPLES))
            samples = [Sample(start + i * _FRAME_SAMPLES, 0, True, frame) for i in range(count)]
            data = audio_chunk(beside.msn, samples, tfhd)
            start_s, lasts = start / init.timescale, count * _FRAME_SAMPLES
            segments.append(
                beside._replace(
                    init=init.init,
                    start_ticks=start,
                    duration_ticks=lasts,
                    start_s=start_s,
                    duration_s=lasts / init.timescale,
                    wall_s=beside.wall_s + (start_s - beside.start_s),
                    size=len(data),
                    independent=True,
                    parts=(),
                )
            )
            files.append(SilentSegment(f"{rendition.name}/{segment_name(beside.msn)}", data))
            start += lasts
    return segments, files
