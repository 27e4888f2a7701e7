"""Keyset pagination: a page, and the opaque cursor that names where the next one starts."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

ItemT = TypeVar("ItemT")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_BYTES = 8
# 24 bytes; the first one is small, for the microseconds of ten thousand years need 58 bits.
CURSOR_PATTERN = re.compile(r"A[A-Za-z0-9_-]{31}")
_LATEST_MICROSECONDS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: (time, id), which no two rows share."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """An opaque, URL-safe word."""
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        raw = microseconds.to_bytes(_MICROSECONDS_BYTES) + self.id.bytes
        return base64.urlsafe_b64encode(raw).decode()

    @classmethod
    def decode(cls, word: str) -> "Cursor":
        """The cursor that `encode` wrote; ValueError for anything else."""
        if CURSOR_PATTERN.fullmatch(word) is None:
            raise ValueError("not a cursor of this service")
        raw = base64.urlsafe_b64decode(word)
        microseconds = int.from_bytes(raw[:_MICROSECONDS_BYTES])
        at = _EPOCH + timedelta(microseconds=min(microseconds, _LATEST_MICROSECONDS))
        return cls(at=at, id=UUID(bytes=raw[_MICROSECONDS_BYTES:]))


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `limit` items after `after` (None: from the start)."""

    limit: int
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """Some items and where to go on; `next` is None on the last page."""

    items: Sequence[ItemT]
    next: Cursor | None
