"""Writes the rooms' figures into the store, a few seconds behind at most."""

import asyncio
import itertools
from uuid import UUID

import structlog

from controller.domain.ports import Clock
from controller.domain.room import RoomFigures
from controller.domain.room_ports import RoomStore
from controller.errors import ControllerError, StreamNotFound
from controller.hub.room_journal import Journal
from controller.hub.rooms import OpenRoom


class FigureWriter:
    """One write at a time per daemon; what fails is kept and written later, each addition once."""

    def __init__(self, store: RoomStore, clock: Clock, journal: Journal) -> None:
        self._store = store
        self._clock = clock
        self._journal = journal
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger(__name__)

    async def write(self, opened: OpenRoom) -> None:
        """Write all that the room has counted; StoreUnavailable, and nothing is lost."""
        async with self._turn:
            ledger = opened.ledger
            if ledger.pending is not None:
                await self._record(opened, ledger.pending)
            viewers_now, holder = opened.room.state.viewers_now, self._journal.holder
            taken = ledger.take(viewers_now, holder, next(self._numbers))
            if taken is not None:
                self._journal.taken(opened.room.stream_id, taken.number)
                await self._record(opened, taken)

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

    async def beat(self) -> None:
        """Say that those who are here are still here; StoreUnavailable."""
        async with self._turn:
            await self._store.beat(self._journal.holder, self._clock.now())

    async def sum_up(self, stream_id: UUID) -> None:
        """Have the stream's peak and watch time computed from all that is written."""
        async with self._turn:
            try:
                await self._store.sum_up(stream_id)
            except StreamNotFound:
                self._log.warning("room_without_stream", stream_id=str(stream_id))

    async def _record(self, opened: OpenRoom, figures: RoomFigures) -> None:
        try:
            await self._store.record(opened.room.stream_id, figures)
        except StreamNotFound:
            self._log.warning("room_without_stream", stream_id=str(opened.room.stream_id))
        opened.ledger.written(figures)
        # Who was missed late has not watched until the end.
        opened.is_summed = opened.is_summed and not figures.leavings
