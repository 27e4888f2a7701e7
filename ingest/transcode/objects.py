"""What an uploaded video is made into, by name: for those who start the task and store its files.
Imports no libav."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest.ports import ObjectKind
from ingest.transcode.limits import MediaLimits

VIDEO_TASK = "ingest.transcode.upload:process"
"""What `run_task` calls it; its request is a VideoRequest as plain JSON values."""

HLS_NAME = "index.m3u8"
DASH_NAME = "manifest.mpd"
POSTER_NAME = "poster.jpg"

_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_A_DAY = "public, max-age=86400"
_KINDS = {
    ".m3u8": ObjectKind("application/vnd.apple.mpegurl", _FOR_A_DAY),
    ".mpd": ObjectKind("application/dash+xml", _FOR_A_DAY),
    ".mp4": ObjectKind("video/mp4", _FOR_EVER),
    ".m4s": ObjectKind("video/iso.segment", _FOR_EVER),
    ".jpg": ObjectKind("image/jpeg", _FOR_EVER),
}
_LISTS = (".m3u8", ".mpd")


class VideoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of which file. poster_s: the moment of the poster; the last picture when the
    video is shorter. wall_s: what its start is called in HLS (Unix seconds)."""

    source: str
    folder: str
    poster_s: float
    wall_s: float
    limits: MediaLimits


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file to store: where it is, what it is called relative to the rest, and as what."""

    path: Path
    name: str
    kind: ObjectKind


def made_files(folder: Path) -> tuple[Sequence[MadeFile], Sequence[MadeFile]]:
    """Media, in any order; then what lists them, to be stored after them and in this order."""
    files = [
        MadeFile(path, path.relative_to(folder).as_posix(), _KINDS[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in _KINDS
    ]
    media = [file for file in files if file.path.suffix not in _LISTS]
    lists = [file for file in files if file.path.suffix in _LISTS]
    return media, sorted(lists, key=lambda file: (file.name == HLS_NAME, file.name))
