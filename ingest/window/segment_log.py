"""Finished segments of a long window, kept in a file without a name: a window of hours needs no
more memory than one of minutes."""

import os
import struct
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import overload

from ingest.presentation import Segment

_RECORD = struct.Struct("<QIIqqdddQBQd")
_INDEPENDENT, _GAP = 1, 2
_READ_RECORDS = 512


class SegmentLog:
    """Segments in the order in which they were appended; none has parts any more.

    The file is deleted from the start: it goes with the process, or with the log.
    """

    def __init__(self) -> None:
        descriptor, path = tempfile.mkstemp(prefix="golive-segments-")
        os.unlink(path)
        self._fd = descriptor
        self._count = 0
        weakref.finalize(self, os.close, descriptor)

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def append(self, segment: Segment) -> None:
        """Keep a segment behind the others."""
        flags = (_INDEPENDENT if segment.independent else 0) | (_GAP if segment.gap else 0)
        record = _RECORD.pack(
            segment.msn,
            segment.period,
            segment.init,
            segment.start_ticks,
            segment.duration_ticks,
            segment.start_s,
            segment.duration_s,
            segment.wall_s,
            segment.size,
            flags,
            segment.since_msn,
            segment.since_s,
        )
        os.pwrite(self._fd, record, self._count * _RECORD.size)
        self._count += 1

    def read(self, start: int, stop: int) -> Iterator[Segment]:
        """Segments number `start` up to `stop`, a bounded number of them in memory at once."""
        while start < stop:
            count = min(_READ_RECORDS, stop - start)
            data = os.pread(self._fd, count * _RECORD.size, start * _RECORD.size)
            for *fields, flags, since_msn, since_s in _RECORD.iter_unpack(data):
                # By place, not by name: hours of segments are read at the end of a stream.
                independent, gap = bool(flags & _INDEPENDENT), bool(flags & _GAP)
                yield Segment._make((*fields, independent, (), True, gap, since_msn, since_s))
            start += count


class SegmentsView(Sequence[Segment]):
    """What a window lists at one moment: some of a log, then `recent`. It never changes."""

    def __init__(self, log: SegmentLog, start: int, stop: int, recent: tuple[Segment, ...]) -> None:
        self._log = log
        self._start = start
        self._stop = stop
        self._recent = recent

    def __len__(self) -> int:
        """How many there are."""
        return self._stop - self._start + len(self._recent)

    def __iter__(self) -> Iterator[Segment]:
        """All, oldest first."""
        return chain(self._log.read(self._start, self._stop), self._recent)

    @overload
    def __getitem__(self, index: int) -> Segment: ...

    @overload
    def __getitem__(self, index: slice) -> "tuple[Segment, ...]": ...

    def __getitem__(self, index: int | slice) -> "Segment | tuple[Segment, ...]":
        """One, or those of a slice, of which the log is read as far as it is needed."""
        logged = self._stop - self._start
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            older = self._log.read(self._start + start, self._start + min(stop, logged))
            newer = self._recent[max(0, start - logged) : max(0, stop - logged)]
            return tuple(islice(chain(older, newer), 0, None, step))
        at = index + len(self) if index < 0 else index
        if at >= logged:
            return self._recent[at - logged]
        if at < 0:
            raise IndexError(index)
        return next(self._log.read(self._start + at, self._start + at + 1))
