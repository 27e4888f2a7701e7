"""Tells the store what runs of the daemon that have died had counted and not written."""

import asyncio
from uuid import UUID

import structlog

from controller.domain.room_ports import RoomStore
from controller.errors import ControllerError, StreamNotFound
from controller.hub.room_journal import DeadJournal, Journal


class BookRecovery:
    """Once, at the start, before anybody counts."""

    def __init__(self, journal: Journal, store: RoomStore) -> None:
        self._journal = journal
        self._store = store
        self._log = structlog.get_logger(__name__)

    async def recover(self) -> None:
        """Every journal left behind; one that the store does not take now waits for the next."""
        for dead in self._journal.left_behind():
            is_told = False
            try:
                await self._tell(dead)
                is_told = True
            except (ControllerError, OSError) as error:
                self._log.warning("room_journal_waits", reason=type(error).__name__)
            finally:
                dead.close(is_told=is_told)

    async def _tell(self, dead: DeadJournal) -> None:
        additions = await asyncio.to_thread(lambda: [*dead.additions()])
        streams: dict[UUID, None] = {}
        for stream_id, figures in additions:
            try:
                await self._store.record(stream_id, figures)
                streams[stream_id] = None
            except StreamNotFound:
                self._log.warning("room_without_stream", stream_id=str(stream_id))
        for stream_id in streams:
            await self._store.sum_up(stream_id)
        if streams:
            self._log.info("room_journal_recovered", rooms=len(streams), additions=len(additions))
