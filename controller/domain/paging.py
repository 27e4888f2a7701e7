"""Keyset pagination: a page, and the opaque cursor that names where the next one starts."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

ItemT = TypeVar("ItemT")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_BYTES = 8
_CURSOR_BYTES = _MICROSECONDS_BYTES + 16
_LATEST_MICROSECONDS = int((datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds()) * 10**6


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: (time, id), which no two rows share."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """An opaque, URL-safe word."""
        elapsed = self.at - _EPOCH
        microseconds = (elapsed.days * 86_400 + elapsed.seconds) * 10**6 + elapsed.microseconds
        raw = microseconds.to_bytes(_MICROSECONDS_BYTES) + self.id.bytes
        return base64.urlsafe_b64encode(raw).decode()

    @classmethod
    def decode(cls, word: str) -> "Cursor":
        """The cursor that `encode` wrote; ValueError for anything else."""
        try:
            raw = base64.b64decode(word, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("not a cursor of this service") from error
        microseconds = int.from_bytes(raw[:_MICROSECONDS_BYTES])
        if len(raw) != _CURSOR_BYTES or microseconds >= _LATEST_MICROSECONDS:
            raise ValueError("not a cursor of this service")
        seconds, rest = divmod(microseconds, 10**6)
        at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
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
