"""Column types that mean the same on SQLite and on PostgreSQL."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

EnumT = TypeVar("EnumT", bound=StrEnum)

MONEY_SCALE = 10_000


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC; SQLite has no time zones, so it gets the naive UTC time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware → UTC; a naive time is a defect of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without offset is ambiguous")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware and in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """An exact amount, as ten-thousandths of its currency's unit: four digits, the most that
    ISO 4217 knows. SQLite has no exact decimals, integers add up exactly on both databases.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Decimal → integer; digits beyond the fourth are a defect of the caller."""
        if value is None:
            return None
        scaled = value * MONEY_SCALE
        if scaled != scaled.to_integral_value():
            raise ValueError("an amount has at most four decimal places")
        return int(scaled)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Integer → Decimal; a sum arrives as int or, from PostgreSQL, as Decimal."""
        return None if value is None else Decimal(int(value)) / MONEY_SCALE


class Word(TypeDecorator[EnumT], Generic[EnumT]):
    """A member of a StrEnum, kept as its word."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[EnumT]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: EnumT | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Member → word."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> EnumT | None:  # noqa: ARG002
        """Word → member."""
        return None if value is None else self.words(value)
