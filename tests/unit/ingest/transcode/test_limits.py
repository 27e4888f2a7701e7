"""What an upload may be."""

from dataclasses import replace
from fractions import Fraction

import pytest

from ingest.errors import MediaRefused
from ingest.transcode.limits import MediaLimits, VideoFacts, check_video

LIMITS = MediaLimits(max_duration_s=60.0, max_pixels=1920 * 1080)
GOOD = VideoFacts("h264", 1920, 1080, Fraction(30), 60.0)


@pytest.mark.parametrize(
    "change", [{}, {"duration_s": None}, {"fps": None}, {"width": 1080, "height": 1920}]
)
def test_what_is_within_the_limits_passes(change):
    check_video(replace(GOOD, **change), LIMITS)


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"duration_s": 60.1}, "too_long", "duration"),
        ({"width": 1921}, "too_many_pixels", "width"),
        ({"width": 1080, "height": 1922}, "too_many_pixels", "height"),
        ({"width": 100_000, "height": 2}, "too_many_pixels", "width"),
        ({"width": 0}, "damaged", "key"),
        ({"codec": "png"}, "unsupported_codec", "videoCodec"),
    ],
)
def test_what_is_too_much_is_named(change, reason, field):
    with pytest.raises(MediaRefused) as caught:
        check_video(replace(GOOD, **change), LIMITS)
    assert (caught.value.reason, caught.value.field) == (reason, field)
