"""What directory calls answer."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from controller.api.answers import CamelAnswer
from controller.domain.people import Role


class DirectoryProduct(CamelAnswer):
    """A product of the directory."""

    id: UUID
    seller_id: UUID
    title: str
    price: float
    currency: str
    image_urls: list[str]
    is_available: bool
    created_at: datetime
    updated_at: datetime


class DirectoryProductPage(CamelAnswer):
    """A page of products."""

    items: list[DirectoryProduct]
    next_cursor: str | None


class ProductDeleted(CamelAnswer):
    """A product that has left the directory."""

    id: UUID
    deleted: Literal[True]


class Following(CamelAnswer):
    """Whether the caller follows the user now."""

    user_id: UUID
    following: bool


class Profile(CamelAnswer):
    """The caller, as the directory has them."""

    id: UUID
    username: str
    avatar_url: str | None
    role: Role
    latitude: float | None
    longitude: float | None


class DeviceAnswer(CamelAnswer):
    """A push target; its address is never shown again."""

    id: UUID
    kind: Literal["fcm", "web_push"]


class DeviceDeleted(CamelAnswer):
    """A push target that is no longer used."""

    id: UUID
    deleted: Literal[True]
