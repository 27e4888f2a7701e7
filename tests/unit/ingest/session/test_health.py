import pytest

from ingest.journal_entries import InitWritten, PartWritten, PeriodStarted
from ingest.media import MediaKind, Packet
from ingest.session.health import LATENESS_BOUNDS_S, IntakeMeter, LatenessMeter


def video(ms, size=1000, *, key=False):
    return Packet(MediaKind.VIDEO, ms, ms, key, bytes(size))


def audio(ms, size=100):
    return Packet(MediaKind.AUDIO, ms, ms, True, bytes(size))


def test_rates_are_those_of_the_media_not_of_the_reading():
    """A packager that catches up after a restart reads a minute in a second."""
    meter = IntakeMeter()
    for ms in range(0, 4_000, 40):
        meter.take(video(ms, key=ms % 2_000 == 0))

    rates = meter.video.read()

    assert rates.units_per_s == pytest.approx(25, rel=0.02)
    assert rates.bits_per_s == pytest.approx(200_000, rel=0.02)
    assert meter.video.gop_s == 2.0


def test_a_reading_begins_anew():
    meter = IntakeMeter()
    for ms in range(0, 1_000, 20):
        meter.take(audio(ms))
    meter.audio.read()
    for ms in range(1_000, 2_000, 20):
        meter.take(audio(ms, 200))

    assert meter.audio.read().bits_per_s == pytest.approx(80_000)
    assert meter.audio.read().bits_per_s == 0


def test_holes_and_jumps_are_no_time_of_media():
    meter = IntakeMeter()
    for start_ms in (0, 5_000_000, 100_000):
        for ms in range(0, 1_000, 40):
            meter.take(video(start_ms + ms))

    assert meter.video.read().units_per_s == pytest.approx(25, rel=0.05)


def test_the_offset_is_that_of_neighbours_and_zero_without_one_track():
    meter = IntakeMeter()
    meter.take(video(1_000))
    assert meter.av_offset_s == 0
    meter.take(audio(1_250))
    assert meter.av_offset_s == 0.25


def test_b_frames_show_in_the_delays_and_rounding_does_not():
    meter = IntakeMeter()
    for n, ms in enumerate(range(0, 1_000, 40)):
        meter.take(Packet(MediaKind.VIDEO, ms, ms + n % 2, is_key=n == 0, data=b"v"))
    assert not meter.video.read().is_reordered
    for n, ms in enumerate(range(1_000, 2_000, 40)):
        meter.take(Packet(MediaKind.VIDEO, ms, ms + 40 + 80 * (n % 3), is_key=False, data=b"v"))
    assert meter.video.read().is_reordered
    for ms in range(2_000, 3_000, 40):
        meter.take(Packet(MediaKind.VIDEO, ms, ms + 80, is_key=False, data=b"v"))
    rates = meter.video.read()
    assert not rates.is_reordered
    assert rates.span_s == pytest.approx(1.0)


PERIOD = PeriodStarted(period=0, wall_s=0.0, reason="")
INIT = InitWritten(
    rendition="video",
    kind="video",
    init=0,
    codecs="avc1",
    timescale=1_000,
    part_target_s=0.2,
    target_duration_s=2,
)


def part(number):
    return PartWritten(
        rendition="video",
        msn=0,
        index=number,
        number=number,
        start=number * 200,
        duration=200,
        size=1,
        independent=False,
        sync_start=False,
    )


def listed(delays_s):
    """A meter that saw a part each 0.2 s, each listed so long after its end."""
    meter = LatenessMeter()
    meter.take([PERIOD, INIT], 0.0, listed=True)
    for number, delay_s in enumerate(delays_s):
        meter.take([part(number)], (number + 1) * 0.2 + delay_s, listed=True)
    return meter.counted


def test_parts_in_step_are_not_late_however_long_the_way_is():
    counted = listed([3.0] * 50)

    assert (counted.parts, counted.late) == (50, 0)
    assert counted.total_s == pytest.approx(0, abs=1e-6)


def test_a_part_behind_the_others_is_late():
    counted = listed([1.0, 1.0, 1.25, 1.05, 1.0])

    assert counted.late == 1
    assert counted.recent_max_s == pytest.approx(0.25)
    assert sum(counted.buckets) == 5
    assert counted.buckets[LATENESS_BOUNDS_S.index(0.5)] == 1


def test_an_encoder_whose_clock_is_slow_is_not_ever_later():
    """200 ppm: two hours are 1.4 s."""
    counted = listed([number * 0.2 * 200e-6 for number in range(36_000)])

    assert counted.late == 0
    assert counted.recent_max_s < 0.02


def test_what_a_daemon_reads_back_at_its_start_is_not_counted():
    meter = LatenessMeter()
    meter.take([PERIOD, INIT, part(0), part(1)], 100.0, listed=False)
    meter.take([part(2)], 100.2, listed=True)

    assert (meter.counted.parts, meter.counted.late) == (1, 0)


def test_a_new_period_has_a_timeline_of_its_own():
    meter = LatenessMeter()
    meter.take([PERIOD, INIT, part(0)], 1.0, listed=True)
    meter.take([PERIOD, INIT, part(0)], 60.0, listed=True)

    assert meter.counted.late == 0
