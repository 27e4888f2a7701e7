"""Timestamps: of encoders that come and go, and of a publisher's two tracks."""

from ingest.media import MediaKind
from ingest.webrtc.feed_clock import FeedClock
from ingest.webrtc.publisher_clock import PublisherClock

VIDEO, AUDIO = MediaKind.VIDEO, MediaKind.AUDIO
RATES = {VIDEO: 90_000, AUDIO: 48_000}


def test_a_feed_begins_at_zero_and_goes_on_with_the_encoder():
    clock = FeedClock()

    assert [clock.map(5_000 + step, 100.0 + step / 1000) for step in (0, 33, 66)] == [0, 33, 66]


def test_another_encoder_goes_on_where_the_wall_clock_is():
    clock = FeedClock()
    clock.map(0, 100.0)
    clock.map(1_000, 101.0)
    clock.restart()

    assert clock.map(77_000, 111.0) == 11_000
    assert clock.map(77_033, 111.033) == 11_033


def test_a_jump_of_stamps_is_another_encoder():
    clock = FeedClock()
    clock.map(0, 100.0)
    clock.map(1_000, 101.0)

    assert clock.map(500_000, 101.033) == 1_033


def test_sound_that_is_a_little_behind_keeps_its_place():
    clock = FeedClock()
    clock.map(1_000, 100.0)
    clock.map(1_100, 100.1)

    assert clock.map(1_050, 100.11) == 50


def test_tracks_stand_by_arrival_until_reports_come():
    clock = PublisherClock(RATES)

    first = clock.stamp_ms(VIDEO, 1_000_000, 50.0)
    sound = clock.stamp_ms(AUDIO, 7, 50.12)

    assert sound - first == 120
    assert clock.stamp_ms(VIDEO, 1_000_000 + 90_000, 51.0) - first == 1_000


def test_reports_put_the_sound_beside_its_picture():
    clock = PublisherClock(RATES)
    first = clock.stamp_ms(VIDEO, 1_000_000, 50.0)
    clock.stamp_ms(AUDIO, 7, 50.12)  # was made with the picture, and came late

    clock.report(VIDEO, 9_000.0, 1_000_000)
    clock.report(AUDIO, 9_000.0, 7)

    assert clock.stamp_ms(AUDIO, 7 + 48_000, 51.12) == first + 1_000


def test_small_differences_are_left_alone():
    clock = PublisherClock(RATES)
    clock.stamp_ms(VIDEO, 0, 50.0)
    before = clock.stamp_ms(AUDIO, 0, 50.005)
    clock.report(VIDEO, 9_000.0, 0)
    clock.report(AUDIO, 9_000.0, 0)

    assert clock.stamp_ms(AUDIO, 0, 50.2) == before


def test_timestamps_wrap():
    clock = PublisherClock(RATES)
    near_end = (1 << 32) - 45_000
    first = clock.stamp_ms(VIDEO, near_end, 50.0)

    assert clock.stamp_ms(VIDEO, 45_000, 51.0) - first == 1_000
    assert clock.stamp_ms(VIDEO, near_end + 3_000, 51.0) < clock.stamp_ms(VIDEO, 48_000, 51.1)
