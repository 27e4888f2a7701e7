"""Which file has the newest keyframe of a live stream."""

from collections.abc import Iterator
from typing import NamedTuple

from ingest.journal_entries import init_name, part_name, segment_name
from ingest.media import MediaKind
from ingest.presentation import Presentation, Rendition, Segment


class NewestKeyframe(NamedTuple):
    """Files, relative to the stream's folder: the initialization section and the media that begin
    with the keyframe."""

    init: str
    media: str


def newest_keyframe(presentation: Presentation) -> NewestKeyframe | None:
    """Of the window's video; None without any."""
    for rendition in presentation.of_kind(MediaKind.VIDEO):
        for segment in reversed(rendition.segments):
            for name in _names(rendition, segment):
                init = f"{rendition.name}/{init_name(segment.init)}"
                return NewestKeyframe(init, f"{rendition.name}/{name}")
    return None


def _names(rendition: Rendition, segment: Segment) -> Iterator[str]:
    """Files of the segment that begin with a keyframe, the newest first."""
    if segment.gap:
        return
    if not segment.finished or segment.msn >= rendition.parts_from_msn:
        for part in reversed(segment.parts):
            if part.sync_start:
                yield part_name(part.number)
    if segment.finished and segment.independent:
        yield segment_name(segment.msn)
