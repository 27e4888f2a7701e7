"""What a recording's objects are called on the store, and how they are served.

    vods/{stream}.m3u8, .mpd                 multivariant playlist and MPD
    vods/{stream}/{rendition}.m3u8           Media Playlists
    vods/{stream}/{rendition}/init-….mp4, segment-….m4s

Those of streams that not everybody may play have `private/` in front, by which they are told
apart on their way to the store (`SplitStore`), and shared caches may not keep them.

Names are never given a second content, so caches may keep media for ever.
"""

from dataclasses import replace

from ingest.journal_entries import (
    InitWritten,
    JournalEntry,
    SegmentWritten,
    init_name,
    segment_name,
)
from ingest.ports import ObjectKind

_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_A_DAY = "public, max-age=86400"
PRIVATE = "private/"

HLS_PLAYLIST = ObjectKind("application/vnd.apple.mpegurl", _FOR_A_DAY)
DASH_MPD = ObjectKind("application/dash+xml", _FOR_A_DAY)
INIT_SECTION = ObjectKind("video/mp4", _FOR_EVER)
MEDIA_SEGMENT = ObjectKind("video/iso.segment", _FOR_EVER)


def vod_folder(stream_id: str, *, private: bool = False) -> str:
    """Key prefix of a recording's media, without the trailing slash."""
    return f"{PRIVATE if private else ''}vods/{stream_id}"


def media_key(stream_id: str, name: str, *, private: bool = False) -> str:
    """Key of a file of the stream's folder, named relative to it."""
    return f"{vod_folder(stream_id, private=private)}/{name}"


def media_kind(key: str) -> ObjectKind:
    """How a recorded file is served."""
    return kind_of(INIT_SECTION if key.endswith(".mp4") else MEDIA_SEGMENT, key)


def kind_of(kind: ObjectKind, key: str) -> ObjectKind:
    """`kind`, out of reach of shared caches where the key is a private one."""
    if not key.startswith(PRIVATE):
        return kind
    return replace(kind, cache_control=kind.cache_control.replace("public", "private", 1))


def recorded_file(entry: JournalEntry) -> tuple[str, int] | None:
    """The file that `entry` announces for the recording, relative to the stream's folder, and its
    size where the journal tells it (-1 otherwise); None when it announces none."""
    match entry:
        case InitWritten():
            return f"{entry.rendition}/{init_name(entry.init)}", -1
        case SegmentWritten() if entry.parts:
            return f"{entry.rendition}/{segment_name(entry.msn)}", entry.size
    return None


def is_recorded(name: str) -> bool:
    """Whether the file of the stream's folder is part of its recording: a part is not."""
    return not name.rpartition("/")[2].startswith("part-")
