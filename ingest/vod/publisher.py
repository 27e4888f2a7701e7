"""Writes the playlists of a recording from its journal, when all its segments are stored."""

from dataclasses import dataclass
from pathlib import Path

from ingest.manifest.dash_mpd import vod_mpd
from ingest.manifest.hls_playlist import multivariant_playlist, vod_playlist
from ingest.ports import ObjectStore
from ingest.presentation import Presentation
from ingest.vod.journal import JournalReader
from ingest.vod.recorder import vod_folder
from ingest.window.live_window import LiveWindow

_HLS_TYPE = "application/vnd.apple.mpegurl"
_DASH_TYPE = "application/dash+xml"
_WHOLE_STREAM_S = 10 * 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class Vod:
    """A published recording: object keys of its playlists, and its length in seconds."""

    hls_key: str
    dash_key: str
    duration_s: float


def recorded_presentation(folder: Path) -> Presentation:
    """Everything that the journal in `folder` tells, as one presentation."""
    window = LiveWindow(_WHOLE_STREAM_S)
    with JournalReader(folder) as reader:
        window.apply(reader.read_new())
    return window.presentation()


async def publish_vod(stream_id: str, folder: Path, store: ObjectStore) -> Vod | None:
    """Write `vods/{id}.m3u8` and `.mpd`, the multivariant playlist last; None without media.

    The segments must be stored already. Raises ObjectStoreError.
    """
    presentation = recorded_presentation(folder)
    if not presentation.renditions:
        return None
    prefix = vod_folder(stream_id)
    for rendition in presentation.renditions:
        text = vod_playlist(rendition)
        await store.put_bytes(f"{prefix}/{rendition.name}.m3u8", text.encode(), _HLS_TYPE)
    base = f"{stream_id}/"
    dash_key, hls_key = f"{prefix}.mpd", f"{prefix}.m3u8"
    await store.put_bytes(dash_key, vod_mpd(presentation, base).encode(), _DASH_TYPE)
    await store.put_bytes(hls_key, multivariant_playlist(presentation, base).encode(), _HLS_TYPE)
    duration_s = max(rendition.duration_s for rendition in presentation.renditions)
    return Vod(hls_key, dash_key, duration_s)
