"""Distances on the globe, and neighborhoods."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.geography import (
    EARTH_RADIUS_M,
    NEIGHBORHOOD_RADIUS_M,
    Position,
    distance_m,
    is_neighbor,
    unit_vector,
)

POSITIONS = st.builds(Position, st.floats(-90, 90), st.floats(-180, 180))


def great_circle_m(a: Position, b: Position) -> float:
    """The haversine formula, the textbook's measure."""
    lat1, lat2 = math.radians(a.latitude), math.radians(b.latitude)
    east = math.radians(b.longitude - a.longitude)
    h = math.sin((lat2 - lat1) / 2) ** 2
    h += math.cos(lat1) * math.cos(lat2) * math.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, h)))


@given(POSITIONS, POSITIONS)
def test_the_chord_measures_the_great_circle(here, there):
    exact = great_circle_m(here, there)
    # Near the antipode both formulas lose digits.
    assert distance_m(here, there) == pytest.approx(exact, rel=1e-6, abs=0.001)


@given(POSITIONS, st.floats(0, 4000), st.floats(0, 2 * math.pi))
def test_neighbors_are_those_within_two_kilometres(here, far_m, way):
    there = travelled(here, far_m, way)
    exact = great_circle_m(here, there)
    if abs(exact - NEIGHBORHOOD_RADIUS_M) > 0.01:
        assert is_neighbor(here, there) is (exact < NEIGHBORHOOD_RADIUS_M)
        assert is_neighbor(there, here) is is_neighbor(here, there)


def travelled(start: Position, far_m: float, way: float) -> Position:
    """Where one arrives after `far_m` in direction `way` (radians from north)."""
    arc, latitude = far_m / EARTH_RADIUS_M, math.radians(start.latitude)
    sine = math.sin(latitude) * math.cos(arc) + math.cos(latitude) * math.sin(arc) * math.cos(way)
    arrived = math.asin(max(-1.0, min(1.0, sine)))
    east = math.atan2(
        math.sin(way) * math.sin(arc) * math.cos(latitude),
        math.cos(arc) - math.sin(latitude) * math.sin(arrived),
    )
    longitude = (start.longitude + math.degrees(east) + 180) % 360 - 180
    return Position(math.degrees(arrived), longitude)


def test_the_poles_are_one_place_each():
    for pole in (90.0, -90.0):
        assert distance_m(Position(pole, -120.0), Position(pole, 60.0)) == pytest.approx(
            0, abs=1e-6
        )
        assert is_neighbor(Position(pole, 10.0), Position(math.copysign(89.99, pole), -170.0))
    assert unit_vector(Position(0, 180)).x == unit_vector(Position(0, -180)).x == -1.0


def test_who_has_no_position_has_no_neighbors():
    here = Position(0.0, 0.0)
    assert is_neighbor(here, here)
    assert not is_neighbor(None, here)
    assert not is_neighbor(here, None)
    assert not is_neighbor(None, None)
