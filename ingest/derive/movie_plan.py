"""Where each sample of a recording goes in a progressive MP4: tables, and what to copy.

What changes within a recording is taken over as it is: Periods follow one another, a changed
decoder configuration of video stands in front of its keyframes, one of sound gets a sample entry
of its own. Only another codec cannot be had in the same track.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from ingest.derive.chunks import Chunk, load_chunks
from ingest.derive.recording import Piece, Recording
from ingest.derive.sample_table import SampleTable
from ingest.derive.track_init import TrackInit, read_track_init
from ingest.errors import MalformedMedia
from ingest.media import MediaKind


class Selection(Protocol):
    """Which samples of a recording are wanted. Asked again, it answers the same."""

    def of(self, kind: MediaKind, piece: Piece, init: TrackInit, chunk: Chunk) -> Chunk | None:
        """The wanted part of the chunk; None for nothing of it."""
        ...


class Everything:
    """All samples."""

    def of(self, kind: MediaKind, piece: Piece, init: TrackInit, chunk: Chunk) -> Chunk | None:
        """The chunk as it is."""
        del kind, piece, init
        return chunk


class Extent(NamedTuple):
    """Bytes of a file to copy, behind `prefix`."""

    name: str
    offset: int
    size: int
    prefix: bytes


class MoviePlan:
    """Reads the tables of all chunks once. Raises MalformedMedia, also when nothing is selected,
    and MediaRefused when a track changes its codec.

    The movie's time starts with its first picture, or its first sound where there is none.
    """

    def __init__(
        self, recording: Recording, files: Callable[[str], Path], selection: Selection
    ) -> None:
        self._recording = recording
        self._files = files
        self._selection = selection
        names = {piece.init for track in recording.tracks for piece in track.pieces}
        self._inits = {name: read_track_init(files(name).read_bytes()) for name in names}
        self._in_band = _changing_codings(self._inits.values())
        self.tables: dict[MediaKind, SampleTable] = {}
        self.starts: dict[MediaKind, int] = {}
        """When each track is shown first, in its ticks of movie time."""
        self.extents: list[Extent] = []
        self.media_bytes = 0
        self._bases: dict[MediaKind, int] = {}  # movie time → media time, in the track's ticks
        self._shift_s = 0.0  # the Period's time → movie time

    def read(self, progress: Callable[[float], None]) -> None:
        """Collect the samples of all Periods, in the order in which players need them."""
        pieces = [(track.kind, piece) for track in self._recording.tracks for piece in track.pieces]
        pieces.sort(key=lambda one: (one[1].period, one[1].start_s, one[0] is MediaKind.AUDIO))
        period = None
        for done, (kind, piece) in enumerate(pieces):
            chunks = self._chunks(kind, piece)
            if chunks and piece.period != period:
                period = piece.period
                self._begin_period(period)
            if chunks:
                self._add(kind, piece, chunks)
            progress((done + 1) / len(pieces))
        if not self.tables:
            raise MalformedMedia("there are no samples in this part of the recording")

    def _chunks(self, kind: MediaKind, piece: Piece) -> list[Chunk]:
        init = self._inits[piece.init]
        chunks = load_chunks(self._files(piece.name))
        selected = (self._selection.of(kind, piece, init, chunk) for chunk in chunks)
        return [chunk for chunk in selected if chunk is not None]

    def _begin_period(self, period: int) -> None:
        """Put the Period behind what there is: as close as decoding times allow."""
        firsts = self._firsts(period)
        leader = firsts.get(MediaKind.VIDEO) or next(iter(firsts.values()))
        origin_s = leader[1].first_pts / leader[0].timescale
        at_s = self._end_s()
        for kind, (init, chunk) in firsts.items():
            if kind in self.tables:
                at_s = max(at_s, self._earliest_s(kind) + origin_s - chunk.dts / init.timescale)
        self._shift_s = at_s - origin_s
        for kind, (init, chunk) in firsts.items():
            if kind not in self.tables:
                self.tables[kind] = SampleTable(init)
                shift = round(self._shift_s * init.timescale)
                self.starts[kind] = chunk.first_pts + shift
                self._bases[kind] = -(chunk.dts + shift)

    def _firsts(self, period: int) -> dict[MediaKind, tuple[TrackInit, Chunk]]:
        """Each track's first selected chunk of the Period."""
        found = {}
        for track in self._recording.tracks:
            for piece in track.pieces:
                if piece.period == period and (chunks := self._chunks(track.kind, piece)):
                    found[track.kind] = (self._inits[piece.init], chunks[0])
                    break
        return found

    def _end_s(self) -> float:
        """Where what there is ends, in movie time."""
        ends = ((t.end_pts - self._bases[kind]) / t.timescale for kind, t in self.tables.items())
        return max(ends, default=0.0)

    def _earliest_s(self, kind: MediaKind) -> float:
        """The movie time at which the track's next sample may be decoded."""
        table = self.tables[kind]
        return (table.last_dts + 1 - self._bases[kind]) / table.timescale

    def _add(self, kind: MediaKind, piece: Piece, chunks: list[Chunk]) -> None:
        table, init = self.tables[kind], self._inits[piece.init]
        prefix = init.parameter_sets if init.coding in self._in_band else b""
        base = round(self._shift_s * table.timescale) + self._bases[kind]
        start, samples = self.media_bytes, 0
        for chunk in chunks:
            dts = round(chunk.dts * table.timescale / init.timescale) + base
            if table.samples:
                dts = max(dts, table.last_dts + 1)
            table.add(chunk, dts, init.timescale, len(prefix))
            self._copy(piece.name, chunk, prefix)
            samples += len(chunk.sizes)
        table.place(start, samples, table.describe(init, in_band=bool(prefix)))

    def _copy(self, name: str, chunk: Chunk, prefix: bytes) -> None:
        """List the chunk's bytes, cut where a prefix goes in."""
        cuts = [*chunk.syncs] if prefix else []
        if not cuts or cuts[0]:
            cuts.insert(0, 0)
        offset = chunk.offset
        for cut, end in zip(cuts, [*cuts[1:], len(chunk.sizes)], strict=True):
            size = sum(chunk.sizes[cut:end])
            own = prefix if cut in chunk.syncs else b""
            self.extents.append(Extent(name, offset, size, own))
            offset += size
            self.media_bytes += size + len(own)


def _changing_codings(inits: Iterable[TrackInit]) -> frozenset[bytes]:
    """Codings with more than one configuration: it then stands before each keyframe, too."""
    found: dict[bytes, set[bytes]] = {}
    for init in inits:
        if init.parameter_sets:
            found.setdefault(init.coding, set()).add(init.parameter_sets)
    return frozenset(coding for coding, sets in found.items() if len(sets) > 1)
