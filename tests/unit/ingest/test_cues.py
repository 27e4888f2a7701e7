"""Where cues lie on the timeline of the media, and where they are in a picture that is turned."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cues import TAG_SHOWN_S, Cue, CueKind, Point, Span, placed, start_of, turned

FIRST = Span("0", 100.0, 160.0, 720, 1280)
SECOND = Span("1", 190.0, 250.0, 1280, 720)
BOTH = (FIRST, SECOND)


def tag(at_s):
    return Cue("t", CueKind.TAG, "p", at_s, place=Point(0.25, 0.5))


def pin(at_s, until_s=None):
    return Cue("n", CueKind.PIN, "p", at_s, until_s)


@pytest.mark.parametrize(
    ("at_s", "start_s"),
    [
        (130.0, 130.0),
        (100.0, 100.0),
        (99.0, 100.0),  # before anything came: with the first frame
        (160.0, 190.0),  # while the encoder was away: with what came next
        (175.0, 190.0),
        (250.0, None),  # not there yet
    ],
)
def test_a_cue_begins_on_its_frame_or_with_the_next_there_is(at_s, start_s):
    assert start_of(tag(at_s), BOTH) == start_s


def test_behind_the_end_of_all_media_it_comes_a_moment_before():
    start_s = start_of(tag(400.0), BOTH, ended=True)
    assert 249.0 < start_s < 250.0
    assert start_of(tag(400.0), (), ended=True) is None


@given(
    at_s=st.floats(90, 260),
    grown_s=st.floats(0.1, 100),
    until_s=st.none() | st.floats(0, 100),
    kind=st.sampled_from(CueKind),
)
def test_what_was_told_stays_as_the_media_go_on(at_s, grown_s, until_s, kind):
    """rfc8216bis §4.4.5.1: an attribute of one ID has one value. An end may be added."""
    cue = Cue("c", kind, "p", at_s, until_s and at_s + until_s, Point(0.2, 0.7))
    short = (FIRST, Span("1", 190.0, 190.0 + 60.0 / (1 + grown_s), 1280, 720))
    before = {one.id: one for one in placed([cue], short)}
    for spans in (BOTH, (*BOTH, Span("2", 300.0, 310.0, 720, 1280))):
        after = {one.id: one for one in placed([cue], spans)}
        for name, old in before.items():
            new = after[name]
            assert (new.start_wall_s, new.place) == (old.start_wall_s, old.place)
            assert old.end_wall_s in {None, new.end_wall_s}
        before = after


def test_a_pin_goes_on_behind_an_interruption_as_a_piece_of_its_own():
    first, second = placed([pin(150.0)], BOTH)
    assert (first.id, first.start_wall_s, first.end_wall_s) == ("n", 150.0, 160.0)
    assert (second.id, second.start_wall_s, second.end_wall_s) == ("n.1", 190.0, None)
    (only,) = placed([pin(150.0, 155.0)], BOTH)
    assert (only.start_wall_s, only.end_wall_s) == (150.0, 155.0)


def test_a_pin_that_is_taken_away_at_once_is_still_shown():
    (piece,) = placed([pin(150.0, 150.0)], BOTH)
    assert piece.end_wall_s > piece.start_wall_s
    (away,) = placed([pin(170.0, 175.0)], BOTH)  # pinned and taken away while nothing came
    assert (away.start_wall_s, away.end_wall_s) == (190.0, pytest.approx(190.1))


def test_a_tag_that_outlasts_a_turn_of_the_phone_follows_the_picture():
    there = Span("1", 160.0, 200.0, 1280, 720)  # straight on, but turned
    first, second = placed([tag(155.0)], (FIRST, there))
    assert first.place == Point(0.25, 0.5)
    assert first.end_wall_s == 155.0 + TAG_SHOWN_S
    assert (second.id, second.start_wall_s) == ("t.1", 160.0)
    assert second.end_wall_s == 165.0
    # 180 of 720 columns to the left of the centre are 180 of 1280
    assert second.place == (pytest.approx(0.5 - 180 / 1280), 0.5)


def test_a_tag_of_an_interruption_is_in_the_picture_that_was_seen_last():
    (piece,) = placed([tag(170.0)], BOTH)
    assert piece.place.x == pytest.approx(0.5 - 180 / 1280)


def test_what_a_turn_takes_out_of_the_picture_comes_to_its_edge():
    assert turned(Point(0.5, 0.05), (720, 1280), (1280, 720)) == Point(0.5, 0.0)


shares = st.floats(0, 1)
sizes = st.tuples(st.integers(64, 4096), st.integers(64, 4096))


@given(x=shares, y=shares, size=sizes, factor=st.integers(1, 4))
def test_another_size_of_the_same_shape_moves_nothing(x, y, size, factor):
    place = turned(Point(x, y), size, (size[0] * factor, size[1] * factor))
    assert place == (pytest.approx(x, abs=1e-9), pytest.approx(y, abs=1e-9))


@given(x=st.floats(0.4, 0.6), y=st.floats(0.4, 0.6), size=sizes)
def test_turning_there_and_back_moves_nothing_that_stayed_inside(x, y, size):
    turned_size = (size[1], size[0])
    there = turned(Point(x, y), size, turned_size)
    if all(0 < share < 1 for share in there):
        back = turned(there, turned_size, size)
        assert math.dist(back, (x, y)) < 1e-9


def test_sound_without_a_picture_keeps_the_place():
    assert turned(Point(0.1, 0.9), (0, 0), (1280, 720)) == Point(0.1, 0.9)
