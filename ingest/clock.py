"""The two clocks of the media plane, so that tests can hold them."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for waits; both in seconds."""

    def wall_s(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_s(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return time.time()

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()
