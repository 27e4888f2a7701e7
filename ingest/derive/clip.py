"""Cuts a clip out of a recording: by copy at chunk precision, or at the very frame."""

from collections.abc import Callable
from pathlib import Path

from ingest.derive.cut import Cutter, Files, Span, SpanSelection
from ingest.derive.mp4 import write_mp4
from ingest.derive.recording import Recording
from ingest.derive.requests import Clip


def cut_at_chunks(
    recording: Recording,
    files: Files,
    wanted: Span,
    out: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> Clip:
    """Copy `wanted` to `out`, from the keyframe at or before its start to the end of the chunk in
    which it ends. Raises MalformedMedia, OSError."""
    span = Cutter(recording, files).chunk_span(wanted.start_s, wanted.end_s)
    mp4 = write_mp4(
        recording.between(span.start_s, span.end_s),
        files,
        out,
        selection=SpanSelection(span),
        end_s=span.duration_s,
        progress=progress,
    )
    return Clip(span, mp4)
