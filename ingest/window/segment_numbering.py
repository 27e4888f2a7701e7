"""Where the numbers of a stream's Media Segments tell when they start, and where that breaks.

A DASH player that reckons by `SegmentTemplate@duration` takes segment n to start at n times that
duration; the standard lets it be off by half of it at most (ISO/IEC 23009-1, 5.3.9.5.3). Encoders
do not promise that: segments are cut at their keyframes. So a run of segments ends, and a new one
begins, with the first segment that

  - starts a quarter of the duration or more from where its number says, and
  - starts with a keyframe: players begin a Period with an initialization section, behind which they
    can show nothing before the next keyframe.

A run's duration is the median of the last five segments before it; of the very first run, that of
its first segment. Only the journal decides, so that a daemon that reads it again finds the same.
"""

from collections import deque
from statistics import median_low

from ingest.journal_entries import InitWritten, PartWritten, PeriodStarted, SegmentWritten
from ingest.media import MediaKind
from ingest.presentation import NumberedRun

_TOLERANCE = 0.25
_DURATIONS_KEPT = 5
_RUNS_KEPT = 64


class SegmentNumbering:
    """Reads the entries of one stream that open or close a segment. The track that leads decides:
    the video, or the audio where there is no other."""

    def __init__(self) -> None:
        self._period = PeriodStarted(period=-1, wall_s=0.0, reason="")
        self._scales: dict[str, int] = {}
        self._leader = ""
        self._leads = False
        self._broken = True
        self._durations_s: deque[float] = deque(maxlen=_DURATIONS_KEPT)
        self._runs: deque[NumberedRun] = deque(maxlen=_RUNS_KEPT)

    @property
    def runs(self) -> tuple[NumberedRun, ...]:
        """The newest runs, oldest first; the last one grows. One whose duration is not known yet is
        left out."""
        return tuple(run for run in self._runs if run.duration_s > 0)

    def start(self, entry: PeriodStarted) -> None:
        """A Discontinuity."""
        self._period = entry
        self._scales, self._leads, self._broken = {}, False, True

    def add_track(self, entry: InitWritten) -> None:
        """A rendition of the Period."""
        if not self._scales or (not self._leads and entry.kind == MediaKind.VIDEO.value):
            self._leader, self._leads = entry.rendition, entry.kind == MediaKind.VIDEO.value
        self._scales[entry.rendition] = entry.timescale

    def open_segment(self, entry: PartWritten) -> None:
        """The first part of a segment."""
        if entry.rendition != self._leader:
            return
        start_s = entry.start / self._scales[entry.rendition]
        if self._broken:
            self._begin(entry.msn, start_s)
            return
        run = self._runs[-1]
        late_s = start_s - run.starts_at_s(entry.msn)
        if entry.sync_start and abs(late_s) >= _TOLERANCE * run.duration_s:
            self._begin(entry.msn, start_s)
        else:
            self._runs[-1] = run._replace(late_s=late_s)

    def close_segment(self, entry: SegmentWritten) -> None:
        """A whole segment; one without parts is a gap, which ends a run."""
        if entry.rendition != self._leader:
            return
        if not entry.parts:
            self._broken = True
            return
        duration_s = entry.duration / self._scales[entry.rendition]
        self._durations_s.append(duration_s)
        if self._runs and not self._runs[-1].duration_s:
            self._runs[-1] = self._runs[-1]._replace(duration_s=duration_s)

    def _begin(self, msn: int, start_s: float) -> None:
        self._broken = False
        run = NumberedRun(
            period=self._period.period,
            renditions=tuple(self._scales),
            first_msn=msn,
            start_s=start_s,
            wall_s=self._period.wall_s + start_s,
            duration_s=median_low(self._durations_s) if self._durations_s else 0.0,
        )
        self._runs.append(run)
