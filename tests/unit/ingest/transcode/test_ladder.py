"""Which sizes a video is offered in."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.transcode.ladder import Picture, ladder, output_rate, upright

THIRTY = Fraction(30)


def sizes(width, height, fps=THIRTY):
    return [(rung.name, rung.width, rung.height) for rung in ladder(Picture(width, height, fps))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((1920, 1080), [("1080p", 1920, 1080), ("720p", 1280, 720)]),
        ((3840, 2160), [("1080p", 1920, 1080), ("720p", 1280, 720)]),
        ((7680, 4320), [("1080p", 1920, 1080), ("720p", 1280, 720)]),
        ((1080, 1920), [("1080p", 1080, 1920), ("720p", 720, 1280)]),  # upright
        ((1280, 720), [("720p", 1280, 720)]),
        ((1600, 900), [("900p", 1600, 900), ("720p", 1280, 720)]),
        ((1366, 768), [("768p", 1366, 768)]),  # 720p would save next to nothing
        ((640, 360), [("360p", 640, 360)]),
        ((641, 361), [("360p", 640, 360)]),
        ((2560, 1080), [("810p", 1920, 810), ("540p", 1280, 540)]),
        ((1440, 1080), [("1080p", 1440, 1080), ("720p", 960, 720)]),  # 4:3
        ((1080, 1080), [("1080p", 1080, 1080), ("720p", 720, 720)]),
        ((1, 1), [("2p", 2, 2)]),
        ((8000, 4), [("2p", 1920, 2)]),
    ],
)
def test_sizes(source, expected):
    assert sizes(*source) == expected


@given(st.integers(2, 16_384), st.integers(2, 16_384))
def test_no_size_is_above_the_source_or_odd(width, height):
    rungs = ladder(Picture(width, height, THIRTY))
    assert 1 <= len(rungs) <= 2
    assert len({rung.name for rung in rungs}) == len(rungs)
    for rung in rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        assert 2 <= rung.width <= max(2, width)
        assert 2 <= rung.height <= max(2, height)
        assert max(rung.width, rung.height) <= 1920
        assert min(rung.width, rung.height) <= 1080


def test_smaller_pictures_get_fewer_bits_and_fast_ones_more():
    large, small = ladder(Picture(1920, 1080, THIRTY))
    assert large.max_bits_per_s == 5_000_000
    assert small.max_bits_per_s < large.max_bits_per_s
    fast, _ = ladder(Picture(1920, 1080, Fraction(60)))
    assert fast.max_bits_per_s > large.max_bits_per_s


@pytest.mark.parametrize(
    ("measured", "rate"),
    [
        (None, 30),
        (Fraction(0), 30),
        (Fraction(1, 10), 10),
        (Fraction(15), 15),
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(23976, 1000), Fraction(24000, 1001)),
        (Fraction(241, 10), 24),
        (Fraction(240), 60),
        (Fraction(90000), 60),
    ],
)
def test_frame_rates_are_those_that_players_know(measured, rate):
    assert output_rate(measured) == rate


@pytest.mark.parametrize(
    ("coded", "aspect", "rotation", "seen"),
    [
        ((1920, 1080), None, 0, (1920, 1080)),
        ((1920, 1080), Fraction(1), 90, (1080, 1920)),
        ((1920, 1080), Fraction(1), 180, (1920, 1080)),
        ((1920, 1080), Fraction(1), -90, (1080, 1920)),
        ((720, 576), Fraction(16, 15), 0, (768, 576)),
        ((1440, 1080), Fraction(4, 3), 270, (1080, 1920)),
        ((1440, 1080), Fraction(0), 0, (1440, 1080)),
        ((1440, 1080), Fraction(1, 30_000), 0, (1440, 1080)),
        ((1440, 1080), Fraction(30_000), 0, (1440, 1080)),
        ((1, 8), Fraction(1, 4), 0, (1, 8)),
    ],
)
def test_pictures_as_they_are_seen(coded, aspect, rotation, seen):
    assert upright(*coded, aspect, rotation) == seen
