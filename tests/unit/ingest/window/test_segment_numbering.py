"""Where numbers tell when segments start (ISO/IEC 23009-1, 5.3.9.5.3), and where that breaks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.journal_entries import InitWritten, PartWritten, PeriodStarted, SegmentWritten
from ingest.window.live_window import LiveWindow
from ingest.window.segment_numbering import SegmentNumbering
from tests.support.media_values import WALL_S, JournalScript

SCALE = 90_000


class Encoder:
    """Feeds a numbering the segments of one track, each with or without a keyframe at its start."""

    def __init__(self):
        self.numbering = SegmentNumbering()
        self.msn = 0
        self.starts_s = {}
        self.begin()

    def begin(self, period=0, kinds=("video",)):
        self.at = 0
        self.numbering.start(PeriodStarted(period=period, wall_s=WALL_S + period, reason=""))
        for kind in kinds:
            self.numbering.add_track(
                InitWritten(
                    rendition=kind,
                    kind=kind,
                    init=0,
                    codecs="",
                    timescale=SCALE,
                    part_target_s=0.21,
                    target_duration_s=2,
                    width=0,
                    height=0,
                    channels=0,
                    sample_rate=0,
                )
            )
        return self

    def segment(self, duration_s, *, key=True, rendition="video", gap=False):
        ticks = round(duration_s * SCALE)
        if not gap:
            self.numbering.open_segment(
                PartWritten(
                    rendition=rendition,
                    msn=self.msn,
                    index=0,
                    number=0,
                    start=self.at,
                    duration=0,
                    size=1,
                    independent=key,
                    sync_start=key,
                )
            )
        self.numbering.close_segment(
            SegmentWritten(
                rendition=rendition,
                msn=self.msn,
                init=0,
                start=self.at,
                duration=ticks,
                size=1,
                parts=0 if gap else 1,
            )
        )
        self.starts_s[self.msn] = self.at / SCALE
        self.at += ticks
        self.msn += 1
        return self

    def segments(self, *durations_s, key=True):
        for duration_s in durations_s:
            self.segment(duration_s, key=key)
        return self

    @property
    def runs(self):
        return [(run.first_msn, run.duration_s) for run in self.numbering.runs]

    def off_by(self):
        """For each segment: how far it starts from where its number says, in durations."""
        found = {}
        for run, following in zip(
            self.numbering.runs, [*self.numbering.runs[1:], None], strict=True
        ):
            stop = following.first_msn if following else self.msn
            for msn in range(run.first_msn, stop):
                off_s = self.starts_s[msn] - run.starts_at_s(msn)
                found[msn] = off_s / run.duration_s
        return found


def test_a_regular_encoder_is_one_run():
    assert Encoder().segments(*[2.0] * 500).runs == [(0, 2.0)]


@pytest.mark.parametrize("duration_s", [2.002, 1.6683, 1.92])
def test_the_duration_is_the_encoders_own_so_nothing_adds_up(duration_s):
    encoder = Encoder().segments(*[duration_s] * 2000)
    assert encoder.runs == [(0, pytest.approx(duration_s, abs=1 / SCALE))]
    assert max(map(abs, encoder.off_by().values())) < 0.01


def test_a_segment_that_is_a_little_off_breaks_nothing():
    assert Encoder().segments(2.0, 2.0, 2.2, 1.8, 2.0, 2.4, 1.7, 2.0).runs == [(0, 2.0)]


def test_a_short_segment_begins_a_run_behind_it():
    """A scene cut: the keyframe comes 0.8 s early, and the rhythm goes on from there."""
    encoder = Encoder().segments(2.0, 2.0, 1.2, 2.0, 2.0)
    assert encoder.runs == [(0, 2.0), (3, 2.0)]
    assert encoder.numbering.runs[1].start_s == 5.2
    assert encoder.numbering.runs[1].wall_s == WALL_S + 5.2


def test_another_gop_is_learnt():
    encoder = Encoder().segments(*[2.0] * 6, *[1.5] * 20)
    assert encoder.runs[-1][1] == 1.5
    assert len(encoder.runs) <= 5


def test_without_a_keyframe_no_run_begins():
    """Players could show nothing there: the next keyframe is where it begins."""
    encoder = Encoder().segments(2.0, 2.0, 2.4)
    encoder.segments(2.4, 2.4, 2.4, key=False)
    assert encoder.runs == [(0, 2.0)]
    assert encoder.numbering.runs[-1].late_s == pytest.approx(1.2)
    assert Encoder.segment(encoder, 2.0).runs[-1][0] == 6


def test_a_gop_longer_than_a_segment_is_one_run_for_each_keyframe():
    encoder = Encoder()
    for _ in range(4):
        encoder.segment(2.4).segments(2.4, 2.4, 1.133, key=False)
    assert encoder.runs == [(0, 2.4), (4, 2.4), (8, 2.4), (12, 2.4)]


def test_a_gap_and_a_discontinuity_end_a_run():
    encoder = Encoder().segments(2.0, 2.0).segment(2.0, gap=True).segments(2.0)
    assert encoder.runs == [(0, 2.0), (3, 2.0)]
    encoder.begin(period=1).segments(2.0)
    newest = encoder.numbering.runs[-1]
    assert (newest.period, newest.first_msn, newest.start_s) == (1, 4, 0.0)


def test_the_video_leads_whichever_track_comes_first():
    encoder = Encoder().begin(period=1, kinds=("audio", "video"))
    encoder.segment(2.0, rendition="audio")
    assert encoder.runs == []
    assert encoder.segment(2.0).runs == [(1, 2.0)]
    assert encoder.numbering.runs[0].renditions == ("audio", "video")


def test_sound_alone_leads_itself():
    encoder = Encoder().begin(kinds=("audio",))
    assert encoder.segment(2.0, rendition="audio").runs == [(0, 2.0)]


LENGTHS = st.lists(st.floats(0.1, 2.4), min_size=1, max_size=200)


@given(LENGTHS)
def test_every_segment_is_within_half_of_where_its_number_says(lengths_s):
    """ISO/IEC 23009-1, 5.3.9.5.3, whatever the encoder does, while each begins with a keyframe."""
    encoder = Encoder().segments(*lengths_s)
    first = encoder.numbering.runs[0].first_msn
    off = {msn: by for msn, by in encoder.off_by().items() if msn >= first}
    assert max(map(abs, off.values())) < 0.25 + 1e-6


@given(st.lists(st.floats(-0.05, 0.05), min_size=1, max_size=300))
def test_an_encoder_that_trembles_keeps_its_run(shakes_s):
    """Each start is off by some frames; the rhythm is kept."""
    starts_s = [2.0 * n + shake_s for n, shake_s in enumerate([0.0, 0.0, *shakes_s])]
    lengths_s = [b - a for a, b in pairwise(starts_s)]
    assert Encoder().segments(*lengths_s).runs == [(0, 2.0)]


def test_a_journal_read_again_tells_the_same():
    script = JournalScript()
    entries = [*script.start()]
    for parts in (4, 4, 2, 4, 4, 3, 1, 4):
        entries += script.segment(parts)
    at_once, bit_by_bit = LiveWindow(60), LiveWindow(60)
    at_once.apply(entries)
    for entry in entries:
        bit_by_bit.apply([entry])
    assert at_once.numbered_runs == bit_by_bit.numbered_runs
    assert len(at_once.numbered_runs) > 1
