"""The sample table of a progressive MP4's track (ISO/IEC 14496-12 §8.5 to §8.7), and its trak.

Millions of samples fit: everything is in arrays, run-length coded where the format is.
"""

import struct
from array import array
from collections.abc import Sequence
from sys import byteorder

from ingest.derive.chunks import Chunk
from ingest.derive.track_init import TrackInit
from ingest.errors import MediaRefused
from ingest.media import MediaKind
from ingest.packaging.boxes import box, full_box

MOVIE_TIMESCALE = 1000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDEFINED_LANGUAGE = 0x55C4
_MOST_32_BITS = 0xFFFFFFFF


class _Runs:
    """Values in runs: (count, value) pairs."""

    def __init__(self) -> None:
        self.pairs = array("I")

    def add(self, value: int, count: int = 1) -> None:
        value &= _MOST_32_BITS
        if self.pairs and self.pairs[-1] == value:
            self.pairs[-2] += count
        else:
            self.pairs.extend((count, value))

    def box(self, kind: bytes, version: int) -> bytes:
        return full_box(kind, version, 0, _u32(len(self.pairs) // 2), _big_endian(self.pairs))


class SampleTable:
    """Collects a track's samples in decode order; then `trak` writes them down.

    Times are in ticks of `timescale` since the track's first sample was decoded. Samples of
    another sample entry than the first are described by their own.
    """

    def __init__(self, init: TrackInit) -> None:
        self.kind = init.kind
        self.timescale = init.timescale
        self.width, self.height = init.width, init.height
        self.last_dts = -1
        self.end_pts = 0
        self.first_pts = 0
        self._entries = [init.entry]
        self._durations = _Runs()
        self._offsets = _Runs()
        self._signed = False
        self._sizes = array("I")
        self._syncs = array("I")
        self._chunk_offsets = array("Q")
        self._chunk_runs: list[tuple[int, int, int]] = []  # first chunk, samples, entry
        self._last_duration = 0
        self._media_end = 0

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self._sizes)

    def describe(self, init: TrackInit, *, in_band: bool) -> int:
        """Index of the sample entry, from 1 on; with its configuration `in_band`, one of the same
        coding will do. Raises MediaRefused for another coding than the track's: no player would
        show it."""
        for index, entry in enumerate(self._entries, 1):
            if entry == init.entry or (in_band and entry[4:8] == init.coding):
                return index
        if init.coding != self._entries[0][4:8]:
            raise MediaRefused(
                "codec_changed", "", "The encoder changed its codec, which one MP4 cannot hold"
            )
        self._entries.append(init.entry)
        return len(self._entries)

    def add(self, chunk: Chunk, dts: int, timescale: int, extra: int) -> None:
        """Add samples whose first is decoded at `dts`; the chunk's own ticks are of `timescale`.

        Each keyframe is `extra` bytes larger than the chunk says.
        """
        if self.samples:
            self._durations.add(dts - self.last_dts)
        else:
            self.first_pts = dts + _rescaled(chunk.cts_offsets[0], timescale, self.timescale)
        self._add_syncs(chunk.syncs)
        sizes = chunk.sizes
        if extra:
            sizes = array("I", sizes)
            for index in chunk.syncs:
                sizes[index] += extra
        self._sizes.extend(sizes)
        ticks = 0
        for index, duration in enumerate(chunk.durations):
            at = dts + _rescaled(ticks, timescale, self.timescale)
            offset = _rescaled(chunk.cts_offsets[index], timescale, self.timescale)
            if index:
                self._durations.add(at - self.last_dts)
            self._offsets.add(offset)
            self._signed = self._signed or offset < 0
            ticks += duration
            self.last_dts = at
            self._media_end = dts + _rescaled(ticks, timescale, self.timescale)
            self.end_pts = max(self.end_pts, self._media_end + offset)
        self._last_duration = max(0, self._media_end - self.last_dts)

    def _add_syncs(self, syncs: Sequence[int]) -> None:
        if self.kind is MediaKind.VIDEO:
            before = self.samples
            self._syncs.extend(before + 1 + index for index in syncs)

    def place(self, offset: int, samples: int, entry: int) -> None:
        """The next `samples` samples lie together at `offset` of the media data."""
        self._chunk_offsets.append(offset)
        runs = self._chunk_runs
        if not runs or runs[-1][1:] != (samples, entry):
            runs.append((len(self._chunk_offsets), samples, entry))

    def trak(self, number: int, starts_at: int, end_s: float | None, base: int) -> bytes:
        """The track box. `starts_at`: when the first sample is shown, in ticks of movie time
        (negative: the track begins before the movie); `end_s`: where the movie ends, if not with
        its media; `base`: where the media data begin in the file.
        """
        self._close()
        length = self._shown(starts_at, end_s)
        end = max(0, starts_at) + length
        tkhd = self._tkhd(number, _to_movie(end, self.timescale))
        mdia = box(b"mdia", self._mdhd(), self._hdlr(), self._minf(base))
        return box(b"trak", tkhd, box(b"edts", self._elst(starts_at, length)), mdia)

    def movie_end(self, starts_at: int, end_s: float | None) -> int:
        """Where the track's presentation ends, in ticks of the movie's timescale."""
        return _to_movie(max(0, starts_at) + self._shown(starts_at, end_s), self.timescale)

    def _shown(self, starts_at: int, end_s: float | None) -> int:
        """How long the track is shown, in its ticks."""
        end = starts_at + self.end_pts - self.first_pts
        if end_s is not None:
            end = min(end, round(end_s * self.timescale))
        return max(0, end - max(0, starts_at))

    def _close(self) -> None:
        """The last sample has its own duration."""
        if self._last_duration:
            self._durations.add(self._last_duration)
            self._last_duration = 0

    def _elst(self, starts_at: int, length: int) -> bytes:
        edits = []
        if _to_movie(starts_at, self.timescale) > 0:
            edits.append(struct.pack(">IiI", _to_movie(starts_at, self.timescale), -1, 0x10000))
        skipped = self.first_pts + max(0, -starts_at)
        edits.append(struct.pack(">IiI", _to_movie(length, self.timescale), skipped, 0x10000))
        return full_box(b"elst", 0, 0, _u32(len(edits)), *edits)

    def _tkhd(self, number: int, duration: int) -> bytes:
        video = self.kind is MediaKind.VIDEO
        head = struct.pack(">IIIII", 0, 0, number, 0, duration)
        layout = struct.pack(">IIHHHH", 0, 0, 0, 0 if video else 1, 0 if video else 0x0100, 0)
        size = struct.pack(">II", self.width << 16, self.height << 16)
        return full_box(b"tkhd", 0, 3, head, layout, _MATRIX, size)

    def _mdhd(self) -> bytes:
        if self._media_end > _MOST_32_BITS:
            times = struct.pack(">QQIQ", 0, 0, self.timescale, self._media_end)
            return full_box(b"mdhd", 1, 0, times, struct.pack(">HH", _UNDEFINED_LANGUAGE, 0))
        times = struct.pack(">IIII", 0, 0, self.timescale, self._media_end)
        return full_box(b"mdhd", 0, 0, times, struct.pack(">HH", _UNDEFINED_LANGUAGE, 0))

    def _hdlr(self) -> bytes:
        handler = b"vide" if self.kind is MediaKind.VIDEO else b"soun"
        return full_box(b"hdlr", 0, 0, _u32(0), handler, bytes(12), b"golive\0")

    def _minf(self, base: int) -> bytes:
        video = self.kind is MediaKind.VIDEO
        header = full_box(b"vmhd", 0, 1, bytes(8)) if video else full_box(b"smhd", 0, 0, bytes(4))
        in_this_file = full_box(b"url ", 0, 1)
        data_info = box(b"dinf", full_box(b"dref", 0, 0, _u32(1), in_this_file))
        return box(b"minf", header, data_info, self._stbl(base))

    def _stbl(self, base: int) -> bytes:
        tables = [
            full_box(b"stsd", 0, 0, _u32(len(self._entries)), *self._entries),
            self._durations.box(b"stts", 0),
        ]
        if any(self._offsets.pairs[1::2]):
            tables.append(self._offsets.box(b"ctts", int(self._signed)))
        if self.kind is MediaKind.VIDEO:
            tables.append(full_box(b"stss", 0, 0, _u32(len(self._syncs)), _big_endian(self._syncs)))
        runs = [struct.pack(">III", *run) for run in self._chunk_runs]
        tables.append(full_box(b"stsc", 0, 0, _u32(len(runs)), *runs))
        sizes = _u32(0) + _u32(len(self._sizes))
        tables.append(full_box(b"stsz", 0, 0, sizes, _big_endian(self._sizes)))
        offsets = array("Q", (base + offset for offset in self._chunk_offsets))
        tables.append(full_box(b"co64", 0, 0, _u32(len(offsets)), _big_endian(offsets)))
        return box(b"stbl", *tables)


def _rescaled(ticks: int, timescale: int, to_timescale: int) -> int:
    if timescale == to_timescale:
        return ticks
    return round(ticks * to_timescale / timescale)


def _to_movie(ticks: int, timescale: int) -> int:
    return round(ticks * MOVIE_TIMESCALE / timescale)


def _big_endian(values: "array[int]") -> bytes:
    if byteorder == "little":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")
