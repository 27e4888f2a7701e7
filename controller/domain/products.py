"""Products of the directory, their pins in a stream, and what viewers do with them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Product:
    """Something to sell; `price` is exact, in units of the ISO 4217 `currency`."""

    id: UUID
    seller_id: UUID
    title: str
    price: Decimal
    currency: str
    image_urls: tuple[str, ...]
    is_available: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ProductTag:
    """A product marked in the picture: x and y from 0 to 1, seconds since the stream started.

    media_at: the moment of the media, as PROGRAM-DATE-TIME has it. stream_time_s: the same in
    seconds of the recording.
    """

    stream_id: UUID
    product_id: UUID
    x: float
    y: float
    timestamp_s: int
    created_at: datetime
    media_at: datetime | None = None
    stream_time_s: float | None = None


class ProductEventType(StrEnum):
    """What a viewer did with a product."""

    CLICK = "click"
    VIEW = "view"
    INQUIRY = "inquiry"
    PURCHASE = "purchase"


@dataclass(frozen=True, slots=True)
class ProductEvent:
    """One thing that one viewer did once; (viewer, stream, idempotency key) is unique.

    `viewer_id` is a user's, or made of a guest's name (`is_guest`).
    """

    stream_id: UUID
    product_id: UUID
    viewer_id: UUID
    type: ProductEventType
    quantity: int
    idempotency_key: str
    is_guest: bool = False
