"""Recordings for what is derived from them, and a look at the frames of what came out."""

from pathlib import Path

import av

from ingest.derive.recording import Recording, recording_of
from ingest.vod.journal import JournalReader
from ingest.window.live_window import LiveWindow


def journalled(folder: Path) -> Recording:
    """Everything that the journal in `folder` tells of."""
    window = LiveWindow(1e9)
    with JournalReader(folder) as reader:
        window.apply(reader.read_new())
    return recording_of(window.presentation())


def brightness(path: Path) -> list[tuple[float, int]]:
    """Time and brightness of each frame that is shown, in order; edit lists are honored."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            middle = plane.line_size * (frame.height // 2) + frame.width // 2
            found.append((float(frame.time), bytes(plane)[middle]))
    return found
