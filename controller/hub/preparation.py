"""`stream_prepare`, answered by asking everything that a stream needs, at once and bounded."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from controller.domain.room import Need, Readiness

Check = Callable[[UUID], Awaitable[bool]]


class CheckedPreparation:
    """Asks for each need; `latency_s` answers what is measured for a stream, None without."""

    def __init__(
        self,
        checks: Mapping[Need, Check],
        latency_s: Callable[[UUID], float | None],
        timeout_s: float = 2.0,
    ) -> None:
        self._checks = checks
        self._latency_s = latency_s
        self._timeout_s = timeout_s

    async def readiness(self, stream_id: UUID) -> Readiness:
        """See `Preparation.readiness`; a check that fails, raises or takes too long is named."""
        outcomes = await asyncio.gather(
            *(self._passes(check, stream_id) for check in self._checks.values())
        )
        problems = [need for need, ok in zip(self._checks, outcomes, strict=True) if not ok]
        return Readiness(tuple(problems), self._latency_s(stream_id))

    async def _passes(self, check: Check, stream_id: UUID) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await check(stream_id)
        except Exception:  # noqa: BLE001 - whatever a check raises, it has not passed
            return False


class RecentAnswer:
    """Whether something answers, asked at most once every `every_s`, however many want to know.

    `ask` raises when it does not; so does one that is given up before it has answered, which is
    not asked anew any sooner: what hangs must not be asked by everybody.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[None]],
        monotonic_s: Callable[[], float],
        every_s: float = 5.0,
    ) -> None:
        self._ask = ask
        self._monotonic_s = monotonic_s
        self._every_s = every_s
        self._turn = asyncio.Lock()
        self._asked_at_s: float | None = None
        self._answered = False

    async def __call__(self, _stream_id: UUID) -> bool:
        """What was found last; never raises but for a caller that gives up."""
        async with self._turn:
            now_s = self._monotonic_s()
            if self._asked_at_s is None or now_s - self._asked_at_s >= self._every_s:
                self._asked_at_s, self._answered = now_s, False
                await self._find_out()
            return self._answered

    async def _find_out(self) -> None:
        try:
            await self._ask()
        except Exception:  # noqa: BLE001 - whatever it raises, it has not answered
            return
        self._answered = True
