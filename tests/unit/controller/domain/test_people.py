"""Roles and neighborhoods."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.people import Position, Role, is_neighbor, squared_distance_m2

LATITUDES = st.floats(-85, 85)
LONGITUDES = st.floats(-180, 180)


def great_circle_m(a: Position, b: Position) -> float:
    """The haversine formula: the measure that the shortcut stands for."""
    lat1, lat2 = math.radians(a.latitude), math.radians(b.latitude)
    east = math.radians(b.longitude - a.longitude)
    h = math.sin((lat2 - lat1) / 2) ** 2
    h += math.cos(lat1) * math.cos(lat2) * math.sin(east / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(min(1.0, h)))


@pytest.mark.parametrize(
    ("role", "sells"), [("buyer", False), ("seller", True), ("both", True), ("admin", False)]
)
def test_sellers_sell(role, sells):
    assert Role(role).sells is sells


@given(LATITUDES, LONGITUDES, st.floats(0, 4000), st.floats(0, 2 * math.pi))
def test_the_plane_is_as_good_as_the_globe_within_a_neighborhood(latitude, longitude, far_m, way):
    here = Position(latitude, longitude)
    north = far_m * math.cos(way) / 111_195
    east = far_m * math.sin(way) / (111_195 * math.cos(math.radians(latitude)))
    there = Position(latitude + north, (longitude + east + 180) % 360 - 180)
    exact = great_circle_m(here, there)
    shortcut = math.sqrt(squared_distance_m2(here, there.latitude, there.longitude))
    assert shortcut == pytest.approx(exact, rel=0.005, abs=0.5)


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_the_plane_never_takes_the_far_for_near(lat1, lon1, lat2, lon2):
    host, viewer = Position(lat1, lon1), Position(lat2, lon2)
    if is_neighbor(host, viewer):
        assert great_circle_m(host, viewer) < 2_020


def test_who_has_no_position_has_no_neighbors():
    here = Position(0.0, 0.0)
    assert is_neighbor(here, here)
    assert not is_neighbor(None, here)
    assert not is_neighbor(here, None)
    assert not is_neighbor(None, None)
