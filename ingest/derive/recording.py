"""A recording as what is derived from it sees it: files of whole chunks on one timeline.

The timeline is the one that players show for the VOD: seconds of media, Periods one after the
other, without the time in which no encoder was there. Positions select files; exact times are in
the files themselves.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ingest.errors import MalformedMedia
from ingest.journal_entries import init_name, part_name, segment_name
from ingest.media import MediaKind
from ingest.presentation import Presentation, Rendition, Segment

_MAP = re.compile(r'#EXT-X-MAP:URI="([^"]+)"')
_LEADERS = (MediaKind.VIDEO, MediaKind.AUDIO)


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of whole chunks, and the initialization section that it needs; names are relative to
    the stream's folder. `start_s` is on the timeline."""

    name: str
    init: str
    period: int
    start_s: float
    duration_s: float

    @property
    def end_s(self) -> float:
        """Where it ends on the timeline."""
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True)
class RecordedTrack:
    """One kind of media from the recording's start to its end."""

    kind: MediaKind
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """What there is of a recording; no track is empty."""

    tracks: tuple[RecordedTrack, ...]

    @property
    def start_s(self) -> float:
        """Where the media begin; not 0 when only the live window is left of them."""
        return min((track.pieces[0].start_s for track in self.tracks), default=0.0)

    @property
    def end_s(self) -> float:
        """Where the media end: the shortest track's end, so that all have something there."""
        return min((track.pieces[-1].end_s for track in self.tracks), default=0.0)

    def of_kind(self, kind: MediaKind) -> RecordedTrack | None:
        """The track of that kind."""
        return next((track for track in self.tracks if track.kind is kind), None)

    def between(self, start_s: float, end_s: float) -> "Recording":
        """The pieces that have something between the two positions."""
        cut = (
            replace(
                track,
                pieces=tuple(p for p in track.pieces if p.end_s > start_s and p.start_s < end_s),
            )
            for track in self.tracks
        )
        return Recording(tuple(track for track in cut if track.pieces))

    def files(self) -> Iterator[str]:
        """Every file that it names, each once, oldest first."""
        names: dict[str, None] = {}
        for track in self.tracks:
            for piece in track.pieces:
                names[piece.init] = names[piece.name] = None
        return iter(names)


def recording_of(presentation: Presentation, *, forgotten_s: float = 0.0) -> Recording:
    """What a window or a recorder knows; the segment that grows by its parts.

    `forgotten_s`: seconds of media that came before the first segment of the presentation.
    """
    found = {
        rendition.kind: [
            piece for segment in rendition.segments for piece in _pieces(rendition, segment)
        ]
        for rendition in presentation.renditions
    }
    return _on_one_timeline(found, forgotten_s)


def recording_from_playlists(playlists: Mapping[MediaKind, str]) -> Recording:
    """What the Media Playlists of a published recording tell; MalformedMedia."""
    return _on_one_timeline(
        {kind: _parsed(kind.value, text) for kind, text in playlists.items()}, 0.0
    )


def _pieces(rendition: Rendition, segment: Segment) -> Iterator[Piece]:
    """Files with their start on the Period's timeline."""
    if segment.gap:
        return
    init = f"{rendition.name}/{init_name(segment.init)}"
    if segment.finished:
        name = f"{rendition.name}/{segment_name(segment.msn)}"
        yield Piece(name, init, segment.period, segment.start_s, segment.duration_s)
        return
    start_s = segment.start_s
    for part in segment.parts:
        name = f"{rendition.name}/{part_name(part.number)}"
        yield Piece(name, init, segment.period, start_s, part.duration_s)
        start_s += part.duration_s


def _parsed(rendition: str, text: str) -> list[Piece]:
    """The playlist's files; starts are wall times here, which advance with each Period's media."""
    pieces = []
    period, init, wall_s, duration_s, gap = 0, "", 0.0, 0.0, False
    try:
        for line in text.splitlines():
            name, _, value = line.partition(":")
            if name in {"#EXT-X-DISCONTINUITY-SEQUENCE", "#EXT-X-DISCONTINUITY"}:
                period += int(value or 1)
            elif name == "#EXT-X-MAP":
                init = f"{rendition}/{_file_name(_MAP.findall(line)[0])}"
            elif name == "#EXT-X-PROGRAM-DATE-TIME":
                wall_s = datetime.fromisoformat(value).timestamp()
            elif name == "#EXT-X-GAP":
                gap = True
            elif name == "#EXTINF":
                duration_s = float(value.partition(",")[0])
            elif line and not line.startswith("#"):
                if not gap:
                    path = f"{rendition}/{_file_name(line)}"
                    pieces.append(Piece(path, init, period, wall_s, duration_s))
                gap = False
    except (ValueError, IndexError) as error:
        raise MalformedMedia(f"the playlist of {rendition} cannot be read: {error}") from error
    return pieces


def _file_name(uri: str) -> str:
    return uri.rpartition("/")[2]


def _on_one_timeline(found: Mapping[MediaKind, Sequence[Piece]], forgotten_s: float) -> Recording:
    """Put Periods one behind the other; the leading track tells how long each is."""
    tracks = {kind: pieces for kind, pieces in found.items() if pieces}
    leading = [kind for kind in _LEADERS if kind in tracks]
    shifts: dict[int, float] = {}
    at_s = forgotten_s
    for period in sorted({piece.period for pieces in tracks.values() for piece in pieces}):
        for kind in leading:
            own = [piece for piece in tracks[kind] if piece.period == period]
            if own:
                shifts[period] = at_s - own[0].start_s
                at_s += own[-1].end_s - own[0].start_s
                break
    return Recording(
        tuple(
            RecordedTrack(
                kind,
                tuple(replace(p, start_s=p.start_s + shifts[p.period]) for p in tracks[kind]),
            )
            for kind in leading
        )
    )
