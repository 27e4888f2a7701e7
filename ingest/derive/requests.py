"""What the tasks of `ingest.derive.tasks` are asked for, and the values that go with it.

Apart from them, so that whoever asks does not import libav.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest.derive.cut import Files, Span
from ingest.derive.recording import Recording

TASKS = "ingest.derive.tasks"
THUMBNAILS_TASK = f"{TASKS}:make_thumbnails"
POSTER_NAME = "poster.jpg"
STORYBOARD_NAME = "storyboard.vtt"


@dataclass(frozen=True, slots=True)
class StoryboardRules:
    """Tiles fit into a square of `tile_px`; no more than `most_tiles` in all."""

    tile_px: int = 160
    columns: int = 10
    rows: int = 10
    most_tiles: int = 400


@dataclass(frozen=True, slots=True)
class Pictures:
    """What was written into the folder: the poster's size, the names of the sheets, the seconds
    between two tiles at least.

    `poster` is None and `sheets` is empty where no keyframe could be decoded.
    """

    poster: tuple[int, int] | None
    sheets: tuple[str, ...]
    interval_s: float


@dataclass(frozen=True, slots=True)
class Mp4:
    """What was written: size in bytes, length in seconds, picture size (0 without video)."""

    size: int
    duration_s: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that was cut: the stretch of the recording that it really shows, and its file."""

    span: Span
    mp4: Mp4


class RecordingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`folder` has the files of the recording. `out`: the MP4, or a folder for pictures."""

    recording: Recording
    folder: str
    out: str

    @property
    def files(self) -> Files:
        """Where the recording's files are."""
        folder = Path(self.folder)
        return lambda name: folder / name


class PicturesRequest(RecordingRequest, frozen=True, kw_only=True):
    """Poster, storyboard and its sheets."""

    rules: StoryboardRules


class ClipRequest(RecordingRequest, frozen=True, kw_only=True):
    """`poster`: a JPEG of the first frame; `scratch`: an empty folder."""

    span: Span
    exact: bool
    poster: str
    scratch: str


class LivePicture(msgspec.Struct, frozen=True, kw_only=True):
    """A file of chunks with a keyframe in it, and its initialization section; `out`: a JPEG."""

    init: str
    media: str
    out: str


class ThumbnailsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest keyframes of live streams."""

    pictures: list[LivePicture]
