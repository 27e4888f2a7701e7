"""How late the event loop is, for whoever blocks it holds everybody up; and what it has to do."""

import asyncio

from prometheus_client import CollectorRegistry, Gauge, Histogram

_EVERY_S = 0.25
_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """Sleeps again and again, and notes by how much it was woken late, and the tasks there are."""

    def __init__(self, registry: CollectorRegistry, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._lag = Histogram(
            "golive_event_loop_lag_seconds",
            "How late the daemon's event loop woke a sleeper, four times a second.",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._tasks = Gauge(
            "golive_event_loop_tasks",
            "Tasks of the daemon's event loop: requests, connections and background work.",
            registry=registry,
        )

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._every_s
            await asyncio.sleep(self._every_s)
            self._lag.observe(max(0.0, loop.time() - due))
            self._tasks.set(len(asyncio.all_tasks()))
