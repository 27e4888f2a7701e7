"""What decides about streams' media: looked up once for all who ask at a time, and remembered.

Playlists are asked for by all viewers at once, so the database must hear of them as one; and while
it does not answer, those who are watching go on.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from controller.domain.access import PlaybackFacts
from controller.errors import StoreUnavailable

_LIFE_S = 10.0
_KEPT = 4096
_PATIENCE_S = 0.5
"""How long a look-up is waited for where older facts are at hand."""

_RETRY_S = 1.0


@dataclass(slots=True)
class _Known:
    facts: PlaybackFacts | None
    good_until_s: float


class RememberedFacts:
    """Facts that are at most ten seconds old while the database answers, and the last known ones
    while it does not.

    Good enough for media: the audience is fixed before there is any, and only a stream without
    media is cancelled. That there is no such stream is forgotten in time: others make streams.
    """

    def __init__(
        self,
        look_up: Callable[[UUID], Awaitable[PlaybackFacts | None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._look_up = look_up
        self._monotonic = monotonic
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._running: dict[UUID, tuple[float, asyncio.Task[PlaybackFacts | None]]] = {}
        self._log = structlog.get_logger()

    async def get(self, stream_id: UUID) -> PlaybackFacts | None:
        """The stream's facts, None when there is none; StoreUnavailable when nothing is known."""
        known, now_s = self._known.get(stream_id), self._monotonic()
        if known is not None and now_s < known.good_until_s:
            return known.facts
        since_s, task = self._started(stream_id, now_s)
        if known is None or known.facts is None:
            return await asyncio.shield(task)
        left_s = since_s + _PATIENCE_S - now_s
        if left_s > 0:
            await asyncio.wait({task}, timeout=left_s)
        return _answer(task, known.facts)

    async def close(self) -> None:
        """Ask for nothing more."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _started(
        self, stream_id: UUID, now_s: float
    ) -> tuple[float, asyncio.Task[PlaybackFacts | None]]:
        running = self._running.get(stream_id)
        if running is None:
            task = asyncio.create_task(self._ask(stream_id), name=f"playback-facts-{stream_id}")
            running = self._running[stream_id] = (now_s, task)
            task.add_done_callback(lambda done: self._over(stream_id, done))
        return running

    async def _ask(self, stream_id: UUID) -> PlaybackFacts | None:
        facts = await self._look_up(stream_id)
        self._known[stream_id] = _Known(facts, self._monotonic() + _LIFE_S)
        self._known.move_to_end(stream_id)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return facts

    def _over(self, stream_id: UUID, task: asyncio.Task[PlaybackFacts | None]) -> None:
        del self._running[stream_id]
        if task.cancelled() or task.exception() is None:
            return
        if not isinstance(task.exception(), StoreUnavailable):  # nobody may be waiting any more
            self._log.error("playback_facts_failed", exc_info=task.exception())
        known = self._known.get(stream_id)
        if known is not None:
            known.good_until_s = self._monotonic() + (_RETRY_S if known.facts is not None else 0.0)


def _answer(
    task: asyncio.Task[PlaybackFacts | None], before: PlaybackFacts
) -> PlaybackFacts | None:
    """What the look-up brought, or what was known before while the database does not answer."""
    if not task.done() or task.cancelled() or isinstance(task.exception(), StoreUnavailable):
        return before
    return task.result()
