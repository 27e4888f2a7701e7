"""Writes the rooms' figures into the store, a few seconds behind at most."""

import asyncio
from datetime import UTC, datetime

import structlog

from controller.domain.ports import Clock
from controller.domain.room_ports import RoomStore
from controller.domain.states import StreamStatus
from controller.errors import ControllerError, StreamNotFound
from controller.hub.limits import HubLimits
from controller.hub.rooms import OpenRoom


class FigureWriter:
    """One write at a time per daemon; what fails is kept and written later."""

    def __init__(self, store: RoomStore, limits: HubLimits, clock: Clock) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger(__name__)

    async def write(self, opened: OpenRoom) -> None:
        """Write all that the room has counted; StoreUnavailable, and nothing is lost."""
        async with self._turn:
            state, ledger = opened.room.state, opened.ledger
            is_live = state.stream.status is StreamStatus.LIVE
            figures = ledger.take(state.viewers_now, self._sample_at() if is_live else None)
            if figures is None:
                return
            try:
                await self._store.record(opened.room.stream_id, figures)
            except StreamNotFound:
                self._log.warning("room_without_stream", stream_id=str(opened.room.stream_id))
            except BaseException:
                ledger.give_back(figures)
                raise
            ledger.written(figures)

    async def try_write(self, opened: OpenRoom) -> bool:
        """Write if possible; False when the store is not there."""
        try:
            await self.write(opened)
        except ControllerError as error:
            self._log.warning(
                "room_figures_unwritten", stream_id=str(opened.room.stream_id), code=error.code
            )
            return False
        return True

    def _sample_at(self) -> datetime:
        """The present, rounded down, so that all daemons write the same sample."""
        step_s = self._limits.sample_s
        return datetime.fromtimestamp(self._clock.now().timestamp() // step_s * step_s, UTC)
