"""`stream_prepare`, answered by asking everything that a stream needs, at once and bounded."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from controller.domain.room import Readiness

Check = Callable[[], Awaitable[bool]]


class CheckedPreparation:
    """Runs named checks; `latency_s` answers a stream's last measured latency, None without one."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        latency_s: Callable[[UUID], float | None],
        timeout_s: float = 2.0,
    ) -> None:
        self._checks = checks
        self._latency_s = latency_s
        self._timeout_s = timeout_s

    async def readiness(self, stream_id: UUID) -> Readiness:
        """See `Preparation.readiness`; a check that fails, raises or takes too long is named."""
        outcomes = await asyncio.gather(*map(self._passes, self._checks.values()))
        problems = [name for name, ok in zip(self._checks, outcomes, strict=True) if not ok]
        return Readiness(tuple(problems), self._latency_s(stream_id))

    async def _passes(self, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await check()
        except Exception:  # noqa: BLE001 - whatever a check raises, it has not passed
            return False
