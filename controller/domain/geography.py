"""Where people are on the globe, and who is near whom.

A position is kept as a point on the unit sphere beside its degrees. The straight line between two
such points (the chord) grows with the great circle above it, so comparing chords compares
great-circle distances exactly, at the poles and across the date line, too. It needs nothing but
-, + and *: each database computes it bit for bit as this module does.
"""

import math
from dataclasses import dataclass

EARTH_RADIUS_M = 6_371_008.8
NEIGHBORHOOD_RADIUS_M = 2_000.0
NEIGHBORHOOD_CHORD = 2 * math.sin(NEIGHBORHOOD_RADIUS_M / (2 * EARTH_RADIUS_M))
"""The longest chord of a neighborhood, in radii of the Earth."""


@dataclass(frozen=True, slots=True)
class Position:
    """WGS 84 degrees: latitude -90 to 90, longitude -180 to 180."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class UnitVector:
    """A position on the unit sphere: x to the equator at Greenwich, y to 90° E, z to the pole."""

    x: float
    y: float
    z: float


def unit_vector(position: Position) -> UnitVector:
    """The position's point on the sphere."""
    latitude, longitude = math.radians(position.latitude), math.radians(position.longitude)
    level = math.cos(latitude)
    return UnitVector(level * math.cos(longitude), level * math.sin(longitude), math.sin(latitude))


def distance_m(one: Position, other: Position) -> float:
    """The great circle between them."""
    a, b = unit_vector(one), unit_vector(other)
    chord = math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2 + (a.z - b.z) ** 2)
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, chord / 2))


def is_neighbor(host: Position | None, viewer: Position | None) -> bool:
    """True when both are known to be within the neighborhood's radius of each other.

    The same comparison as `controller.stores.audience.is_near`, operation by operation.
    """
    if host is None or viewer is None:
        return False
    a, b = unit_vector(host), unit_vector(viewer)
    x, y, z = a.x - b.x, a.y - b.y, a.z - b.z
    return x * x + y * y + z * z <= NEIGHBORHOOD_CHORD * NEIGHBORHOOD_CHORD
