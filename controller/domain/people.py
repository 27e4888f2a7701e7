"""Users, their roles, who follows whom, and where they are."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

NEIGHBORHOOD_RADIUS_M = 2_000.0
METRES_PER_DEGREE = 6_371_008.8 * math.pi / 180


class Role(StrEnum):
    """What a bearer token says its user is."""

    BUYER = "buyer"
    SELLER = "seller"
    BOTH = "both"
    ADMIN = "admin"

    @property
    def sells(self) -> bool:
        """True for the roles that may keep products and create streams."""
        return self in (Role.SELLER, Role.BOTH)


@dataclass(frozen=True, slots=True)
class Position:
    """WGS 84 degrees: latitude -90 to 90, longitude -180 to 180."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class User:
    """One person of the directory."""

    id: UUID
    username: str
    role: Role
    created_at: datetime
    avatar_url: str | None = None
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is calling, as a verified token says, and until when it does (None: for ever)."""

    user_id: UUID
    username: str
    role: Role
    avatar_url: str | None = None
    expires_at: datetime | None = field(default=None, compare=False)

    @property
    def is_admin(self) -> bool:
        """True when the caller may act on other people's streams."""
        return self.role is Role.ADMIN


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What a user changes about themself; a field that is not in `sent` stays as it is."""

    sent: frozenset[str]
    username: str = ""
    avatar_url: str | None = None
    position: Position | None = None


class PushKind(StrEnum):
    """How a device is reached."""

    FCM = "fcm"
    WEB_PUSH = "web_push"


@dataclass(frozen=True, slots=True)
class Device:
    """A push target; `address` (an FCM token, or a subscription as JSON) is a secret."""

    id: UUID
    user_id: UUID
    kind: PushKind
    address: str


def squared_distance_m2(centre: Position, latitude: float, longitude: float) -> float:
    """Squared distance from `centre` in the plane that touches it, in square metres.

    Over the few kilometres of a neighborhood this differs from the great circle by less than a
    metre, and it needs nothing but + and *, so the databases compute it with the same formula
    (`controller.stores.audience`) and a listing never disagrees with a single look-up.
    """
    east_deg = abs(longitude - centre.longitude)
    east_deg = min(east_deg, 360 - east_deg)
    north_m = (latitude - centre.latitude) * METRES_PER_DEGREE
    east_m = east_deg * METRES_PER_DEGREE * math.cos(math.radians(centre.latitude))
    return north_m * north_m + east_m * east_m


def is_neighbor(host: Position | None, viewer: Position | None) -> bool:
    """True when both are known to be within the neighborhood's radius of each other."""
    if host is None or viewer is None:
        return False
    distance2 = squared_distance_m2(viewer, host.latitude, host.longitude)
    return distance2 <= NEIGHBORHOOD_RADIUS_M**2
