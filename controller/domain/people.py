"""Users, their roles, and their devices."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from controller.domain.geography import Position


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
