"""The machine's wall clock, as the control plane asks it."""

from datetime import UTC, datetime


class SystemClock:
    """Implements the domain's Clock."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        return datetime.now(UTC)
