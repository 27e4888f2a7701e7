"""Pictures of a recording: its poster, and the storyboard that players show while seeking."""

from collections.abc import Callable
from pathlib import Path

from ingest.derive.cut import Cutter, Files
from ingest.derive.jpeg import Sheet, encode_jpeg, fitted, scaled
from ingest.derive.keyframes import Shot, shots
from ingest.derive.recording import RecordedTrack, Recording
from ingest.derive.requests import POSTER_NAME, STORYBOARD_NAME, Pictures, StoryboardRules
from ingest.media import MediaKind

_POSTER_SIZE = (1280, 1280)
_POSTER_SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.0)
_JUDGED_SIZE = (160, 160)
_JUDGED_QUALITY = 8
_SHORTEST_INTERVAL_S = 2.0
_SHEET_QUALITY = 6


def write_pictures(
    recording: Recording,
    files: Files,
    folder: Path,
    rules: StoryboardRules,
    progress: Callable[[float], None] = lambda _: None,
) -> Pictures:
    """Write `poster.jpg`, `storyboard.vtt` and its sheets into `folder`, from keyframes only.
    `progress` hears of shares from 0 to 1. Raises MalformedMedia, OSError."""
    track = recording.of_kind(MediaKind.VIDEO)
    if track is None:
        return Pictures(None, (), 0.0)
    cutter = Cutter(recording, files)
    poster = _write_poster(track, cutter, files, folder / POSTER_NAME)
    progress(0.1)
    board = _Storyboard(folder, rules, track.pieces[-1].end_s)
    positions = board.positions()
    for done, shot in enumerate(shots(track, cutter, files, positions), 1):
        board.take(shot)
        progress(0.1 + 0.9 * done / len(positions))
    return Pictures(poster, board.finish(), board.interval_s)


def _write_poster(
    track: RecordedTrack, cutter: Cutter, files: Files, path: Path
) -> tuple[int, int] | None:
    """The candidate with the most to see: JPEG needs the most bytes for it."""
    length_s = track.pieces[-1].end_s
    candidates = shots(track, cutter, files, sorted(share * length_s for share in _POSTER_SHARES))
    best = max(candidates, key=_detail, default=None)
    if best is None:
        return None
    picture = best.picture
    width, height = fitted(picture.width, picture.height, *_POSTER_SIZE)
    path.write_bytes(encode_jpeg(scaled(picture.frame, width, height)))
    return width, height


def _detail(shot: Shot) -> int:
    picture = shot.picture
    size = fitted(picture.width, picture.height, *_JUDGED_SIZE)
    return len(encode_jpeg(scaled(picture.frame, *size), _JUDGED_QUALITY))


class _Storyboard:
    """Writes sheets as they fill up, and the WebVTT file that tells what is where."""

    def __init__(self, folder: Path, rules: StoryboardRules, length_s: float) -> None:
        self._folder = folder
        self._rules = rules
        self._length_s = length_s
        self.interval_s = max(_SHORTEST_INTERVAL_S, length_s / rules.most_tiles)
        self._tile_size: tuple[int, int] | None = None
        self._sheet: Sheet | None = None
        self._sheets: list[str] = []
        self._places: list[tuple[float, str]] = []

    def positions(self) -> list[float]:
        """The times to show."""
        count = max(1, int(self._length_s / self.interval_s))
        return [i * self.interval_s for i in range(count)]

    def take(self, shot: Shot) -> None:
        """Add a tile; all have the size of the first one, whatever the picture's shape becomes."""
        picture, side = shot.picture, self._rules.tile_px
        if self._tile_size is None:
            self._tile_size = fitted(picture.width, picture.height, side, side)
        width, height = self._tile_size
        if self._sheet is None:
            self._sheet = Sheet(width, height, self._rules.columns)
            self._sheets.append(f"storyboard-{len(self._sheets)}.jpg")
        row, column = divmod(self._sheet.count, self._rules.columns)
        place = f"{self._sheets[-1]}#xywh={column * width},{row * height},{width},{height}"
        self._places.append((shot.at_s, place))
        self._sheet.add(scaled(picture.frame, width, height))
        if self._sheet.count == self._rules.columns * self._rules.rows:
            self._write_sheet()

    def finish(self) -> tuple[str, ...]:
        """Write what is open; answers the sheets' names."""
        self._write_sheet()
        if self._places:
            (self._folder / STORYBOARD_NAME).write_text(self._cues(), "utf-8")
        return tuple(self._sheets)

    def _write_sheet(self) -> None:
        if self._sheet is not None:
            data = encode_jpeg(self._sheet.picture(), _SHEET_QUALITY)
            (self._folder / self._sheets[-1]).write_bytes(data)
            self._sheet = None

    def _cues(self) -> str:
        """A cue for each tile, from its picture to the next one's (WebVTT; Media Fragments §4)."""
        starts = [max(0.0, at_s) for at_s, _ in self._places]
        starts[0] = 0.0
        ends = [*starts[1:], max(self._length_s, starts[-1] + self.interval_s)]
        cues = [
            f"{_stamp(start)} --> {_stamp(end)}\n{place}\n"
            for start, end, (_, place) in zip(starts, ends, self._places, strict=True)
            if _stamp(start) < _stamp(end)
        ]
        return "WEBVTT\n\n" + "\n".join(cues)


def _stamp(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
