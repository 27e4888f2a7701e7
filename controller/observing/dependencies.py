"""What the daemon depends on, asked every few seconds: a scrape waits for nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Gauge

_EVERY_S = 10.0
_ANSWER_S = 5.0

Ask = Callable[[], Awaitable[object]]
Backlog = Callable[[], Awaitable[tuple[int, int, int, float]]]


class DependencyWatch:
    """`asks` raise when the dependency of that name does not work.

    backlog: jobs that wait, that run, that failed in the last hour, and for how many seconds the
    oldest that could run has waited.
    """

    def __init__(
        self,
        asks: Mapping[str, Ask],
        backlog: Backlog,
        registry: CollectorRegistry,
        every_s: float = _EVERY_S,
    ) -> None:
        self._asks = dict(asks)
        self._backlog = backlog
        self._every_s = every_s
        self._up = Gauge(
            "golive_dependency_up",
            "Whether what the daemon needs answers: 1, or 0.",
            ["dependency"],
            registry=registry,
        )
        self._jobs = Gauge(
            "golive_jobs",
            "Background jobs: waiting, running, and failed in the last hour.",
            ["state"],
            registry=registry,
        )
        self._wait = Gauge(
            "golive_job_wait_seconds",
            "For how long the oldest job that could run has waited.",
            registry=registry,
        )
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Ask all once, each within its time."""
        await asyncio.gather(*(self._ask(name, ask) for name, ask in self._asks.items()))
        try:
            async with asyncio.timeout(_ANSWER_S):
                queued, running, failed, wait_s = await self._backlog()
        except Exception:  # noqa: BLE001 - the database's gauge tells it
            return
        for state, count in (("queued", queued), ("running", running), ("failed", failed)):
            self._jobs.labels(state).set(count)
        self._wait.set(wait_s)

    async def _ask(self, name: str, ask: Ask) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await ask()
        except Exception:  # noqa: BLE001 - whatever it is, it does not work
            self._log.debug("dependency_down", dependency=name, exc_info=True)
            self._up.labels(name).set(0)
        else:
            self._up.labels(name).set(1)
