"""What the coach says of hand-made readings, when it says it, and when it takes it back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.domain.coach import WORDS, AdviceCode, Coach, Severity
from controller.domain.session_health import IntakeHealth

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=2)
GOOD = IntakeHealth(
    video_bits_per_s=2_500_000,
    audio_bits_per_s=128_000,
    frames_per_s=30.0,
    gop_s=2.0,
    av_offset_s=0.02,
    audio_drift_s=0.001,
    packets_dropped=0,
    timestamps_repaired=0,
    queued_bytes=0,
    video_codec="h264",
    audio_codec="aac",
    has_b_frames=False,
    pace=1.0,
)


class Watching:
    """A coach and its clock."""

    def __init__(self):
        self.coach, self.now = Coach(segment_target_s=2.0), NOW

    def read(self, *readings):
        """(code, raised) of all that changed."""
        changes = []
        for reading in readings:
            self.now += STEP
            changes += self.coach.take(reading, self.now)
        return [(change.advice.code, change.is_raised) for change in changes]

    @property
    def codes(self):
        return {advice.code for advice in self.coach.advice}


def test_a_good_stream_hears_nothing():
    watching = Watching()
    assert watching.read(*[GOOD] * 100) == []
    assert watching.coach.advice == []


BAD = {
    AdviceCode.NO_AUDIO: {"audio_codec": "", "audio_bits_per_s": 0.0},
    AdviceCode.SILENCE: {"audio_bits_per_s": 2_600.0},
    AdviceCode.NO_VIDEO: {"video_codec": "", "video_bits_per_s": 0.0, "frames_per_s": 0.0},
    AdviceCode.VIDEO_CODEC: {"video_codec": "hevc"},
    AdviceCode.AUDIO_CODEC: {"audio_codec": "mp3"},
    AdviceCode.LONG_GOP: {"gop_s": 8.3},
    AdviceCode.FRAME_DROPS: {"frames_per_s": 17.0},
    AdviceCode.SLOW_UPLOAD: {"pace": 0.6},
    AdviceCode.AUDIO_DRIFT: {"audio_drift_s": -0.06},
    AdviceCode.AV_OFFSET: {"av_offset_s": -1.8},
    AdviceCode.B_FRAMES: {"has_b_frames": True},
}


@pytest.mark.parametrize("code", BAD)
def test_each_fault_is_named_once_and_taken_back_once(code):
    watching = Watching()
    bad = replace(GOOD, **BAD[code])
    watching.read(*[GOOD] * 15)
    changes = watching.read(*[bad] * 6)
    assert changes == [(code, True)]
    assert watching.codes == {code}
    assert watching.read(*[GOOD] * 20) == [(code, False)]
    assert watching.codes == set()


def test_a_swinging_bitrate_is_named_and_a_still_picture_is_not():
    def swings(bits):
        return [replace(GOOD, video_bits_per_s=bits * (0.3 if n % 2 else 1.7)) for n in range(40)]

    assert Watching().read(*swings(2_500_000)) == [(AdviceCode.UNSTEADY_BITRATE, True)]
    assert Watching().read(*swings(100_000)) == []


def test_stamps_that_are_repaired_again_and_again_are_named():
    watching = Watching()
    jumping = [replace(GOOD, timestamps_repaired=n) for n in range(10)]
    assert watching.read(*jumping) == [(AdviceCode.TIMESTAMPS, True)]
    assert Watching().read(GOOD, *[replace(GOOD, timestamps_repaired=1)] * 20) == []


def test_a_moment_is_no_reason_to_say_anything():
    watching = Watching()
    slow = replace(GOOD, pace=0.5)
    assert watching.read(slow, slow, GOOD, slow, slow, GOOD) == []


def test_advice_that_comes_and_goes_is_not_repeated_within_a_minute():
    watching = Watching()
    slow = [replace(GOOD, pace=0.5)] * 4
    fine = [GOOD] * 5
    assert watching.read(*slow, *fine) == [
        (AdviceCode.SLOW_UPLOAD, True),
        (AdviceCode.SLOW_UPLOAD, False),
    ]
    assert watching.read(*slow, *fine) == []
    assert watching.read(*fine * 6) == []
    assert watching.read(*slow) == [(AdviceCode.SLOW_UPLOAD, True)]


def test_problems_come_before_hints():
    watching = Watching()
    bad = replace(GOOD, has_b_frames=True, gop_s=9.0)
    watching.read(*[bad] * 5)
    severities = [advice.words.severity for advice in watching.coach.advice]
    assert severities == [Severity.PROBLEM, Severity.HINT]


def test_there_are_words_for_everything():
    assert set(WORDS) == set(AdviceCode)
    for words in WORDS.values():
        assert all((words.title, words.why, words.obs, words.phone))


def test_a_longer_segment_target_allows_a_longer_gop():
    coach, now = Coach(segment_target_s=6.0), NOW
    for n in range(5):
        assert coach.take(replace(GOOD, gop_s=6.0), now + n * STEP) == []
