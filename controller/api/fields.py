"""The kinds of field that requests carry; each limit is in the published schema, too."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from controller.domain.media import ALLOWED_TYPES, UPLOAD_KEY_PATTERN
from controller.domain.paging import CURSOR_PATTERN, Cursor

UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_UUID = re.compile(UUID_PATTERN)
_DIGITS = re.compile(r"[0-9]{1,4}")
# No control characters (PostgreSQL cannot keep a NUL, people cannot see the rest), and not blank.
_LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
_PARAGRAPH = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_WEB_ADDRESS = (
    r"^https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
    r"(?:[/?#][A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*)?$"
)
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2999
_MOST_MONEY = 10_000_000_000


def parse_uuid(value: Any) -> UUID:
    """The UUID in its canonical form only: no braces, no `urn:`, nothing shortened."""
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or _UUID.fullmatch(value) is None:
        raise PydanticCustomError("uuid", "must be a UUID like 3f2b8c1e-…, 36 characters")
    return UUID(value)


def _parse_limit(value: Any) -> Any:
    # A query holds text; int() would take " 1", "+1" and "1_0", which nobody means.
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        raise PydanticCustomError("int_parsing", "must be a whole number from 1 to 100")
    return value


def _parse_cursor(value: Any) -> Cursor:
    if isinstance(value, Cursor):
        return value
    try:
        return Cursor.decode(str(value))
    except ValueError as error:
        raise PydanticCustomError("cursor", "must be a nextCursor of this service") from error


def _require_sane_year(value: datetime) -> datetime:
    if not _EARLIEST_YEAR <= value.year <= _LATEST_YEAR:
        raise PydanticCustomError("year", "must lie in the years 2000 to 2999")
    return value


def _parse_whole(value: Any) -> Any:
    """JSON knows one kind of number: 30.0 is the whole number 30."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _parse_price(value: Any) -> Any:
    """JSON's number as the decimal that was written; text is not a number."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "must be a number")
    return Decimal(repr(value))


Id = Annotated[UUID, BeforeValidator(parse_uuid)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=150, pattern=_LINE)]
Description = Annotated[str, StringConstraints(max_length=500, pattern=_PARAGRAPH)]
Category = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_LINE)]
Username = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_LINE)]
SecureWebAddress = Annotated[
    str, StringConstraints(max_length=2048, pattern=_WEB_ADDRESS.replace("https?", "https"))
]
WebAddress = Annotated[str, StringConstraints(max_length=2048, pattern=_WEB_ADDRESS)]
# Limits stand before the validators: only there pydantic publishes them.
DurationMin = Annotated[
    int, Field(ge=5, le=240, description="Minutes."), BeforeValidator(_parse_whole)
]
KeepDays = Annotated[
    int,
    Field(ge=0, le=36_500, description="Days from the end; 0 for ever."),
    BeforeValidator(_parse_whole),
]
Quantity = Annotated[int, Field(ge=1, le=100), BeforeValidator(_parse_whole)]
ClipTime = Annotated[
    float,
    Field(
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="Seconds on the recording's timeline, which VOD players show.",
    ),
]
SecondsOfStream = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(_parse_whole)]
Currency = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(description="ISO 4217 code.")
]
Price = Annotated[
    Decimal,
    BeforeValidator(_parse_price),
    Field(ge=0, le=_MOST_MONEY, decimal_places=4, max_digits=15),
    WithJsonSchema(
        {
            "type": "number",
            "minimum": 0,
            "maximum": _MOST_MONEY,
            "multipleOf": 0.0001,
            "description": "In units of the currency, four decimal places at most.",
        },
        mode="validation",
    ),
]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Moment = Annotated[
    AwareDatetime,
    AfterValidator(_require_sane_year),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^2[0-9]{3}-",
            "description": "RFC 3339 with an offset.",
        },
        mode="validation",
    ),
]
Filename = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_LINE)]
UploadType = Annotated[
    str,
    StringConstraints(pattern=f"^({'|'.join(map(re.escape, ALLOWED_TYPES))})$"),
    WithJsonSchema({"type": "string", "enum": [*ALLOWED_TYPES]}, mode="validation"),
]
UploadSize = Annotated[
    int,
    Field(ge=1, le=5_000_000_000, description="Bytes, exactly."),
    BeforeValidator(_parse_whole),
]
UploadKey = Annotated[str, StringConstraints(max_length=300, pattern=UPLOAD_KEY_PATTERN)]
PosterTime = Annotated[
    float,
    Field(ge=0, le=86_400, allow_inf_nan=False, description="Seconds from the video's start."),
]
Limit = Annotated[int, Field(ge=1, le=100), BeforeValidator(_parse_limit)]
CursorWord = Annotated[
    Cursor,
    BeforeValidator(_parse_cursor),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{CURSOR_PATTERN.pattern}$",
            "description": "The nextCursor of the page before.",
        }
    ),
]
